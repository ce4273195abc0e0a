/* Negotiation with a hostile peer. First octet: bit 0 SA or TS; for SA bit 1 IKE or ESP, bits 2-3 flags, bits 4-5 the KE's
 * group. TS: 2 octets length of the TSi body, TSi, TSr. Whatever is agreed must be ours, theirs, and installable. */
#include <stdint.h>

#include "controlplane/ike/proposal.h"
#include "controlplane/ike/ts.h"
#include "tests/fuzz/ike_bodies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void list(struct cfg_alg_list *l, const char *const *words)
{
	for (; *words; words++)
		l->alg[l->n++] = alg_by_word(*words, (unsigned)strlen(*words));
}

static struct cfg_proposal ours(void)
{
	struct cfg_proposal p = {0};

	list(&p.encr, (const char *const[]){"aes256gcm16", "aes128gcm16", NULL});
	list(&p.prf, (const char *const[]){"prfsha384", "prfsha256", NULL});
	list(&p.dh, (const char *const[]){"x25519", "ecp256", NULL});
	return p;
}

static void negotiate_sa(uint8_t how, struct rd body)
{
	static const uint16_t groups[] = {0, 31, 14, 1025};
	static struct payload_sa offer, answer;
	const struct cfg_proposal mine = ours();
	struct proposal_choice c, back;
	uint8_t protocol = how & 2 ? IKE_PROTO_ESP : IKE_PROTO_IKE;
	uint16_t group = groups[how >> 4 & 3];
	unsigned flags = how >> 2 & 3;
	char text[300];
	enum ike_verdict v;

	if (payload_sa_decode(body, &offer) != IKE_V_OK)
		return;
	v = proposal_choose(&mine, 1, protocol, &offer, group, flags, &c);
	proposal_explain(&mine, 1, protocol, &offer, flags, text, sizeof(text));
	must(strlen(text) < sizeof(text));
	if (v == IKE_V_NO_PROPOSAL)
		return;
	must(c.encr && c.encr->aead && (protocol == IKE_PROTO_ESP || (c.prf && c.dh)));
	must((v == IKE_V_INVALID_KE) == (c.dh && c.dh->id != group));
	proposal_answer(&c, 0x12345678, &answer);
	/* first children may come with groups that say nothing, so their answer is not word for word out of the offer */
	if (protocol == IKE_PROTO_IKE || !(flags & PROPOSAL_NO_DH)) {
		must(proposal_verify(&offer, &answer, &back) == IKE_V_OK);
		must(back.encr == c.encr && back.prf == c.prf && back.dh == c.dh && back.num == c.num);
	}
}

static bool inside(const struct ike_ts *a, const struct payload_ts *list_)
{
	for (unsigned i = 0; i < list_->n; i++) {
		const struct ike_ts *b = &list_->ts[i];

		if (a->lo.family == b->lo.family && ip_cmp(&b->lo, &a->lo) <= 0 && ip_cmp(&a->hi, &b->hi) <= 0 &&
		    a->port_lo >= b->port_lo && a->port_hi <= b->port_hi &&
		    (!b->protocol || a->protocol == b->protocol))
			return true;
	}
	return false;
}

static void negotiate_ts(struct rd r)
{
	static struct payload_ts peer_i, peer_r, tsi, tsr;
	static struct ts_result res, back;
	struct cfg_ts policy[3] = {
		{.local_port_hi = 65535, .remote_port_hi = 65535},
		{.local_port_hi = 65535, .remote_port_hi = 65535},
		{.protocol = 6, .local_port_hi = 65535, .remote_port_lo = 80, .remote_port_hi = 443}};
	struct rd first = rd_sub(&r, rd_u16(&r));
	char text[300];

	must(ip_prefix_parse("10.0.0.0/8", false, &policy[0].local) == 0 &&
	     ip_prefix_parse("192.168.0.0/16", false, &policy[0].remote) == 0 &&
	     ip_prefix_parse("2001:db8::/32", false, &policy[1].local) == 0 &&
	     ip_prefix_parse("::/0", false, &policy[1].remote) == 0 &&
	     ip_prefix_parse("172.16.0.0/12", false, &policy[2].local) == 0);
	if (first.bad || payload_ts_decode(first, &peer_i) != IKE_V_OK || payload_ts_decode(r, &peer_r) != IKE_V_OK)
		return;
	ts_explain(policy, 3, &peer_r, &peer_i, text, sizeof(text));
	must(strlen(text) < sizeof(text));
	if (ts_narrow(policy, 3, &peer_i, &peer_r, &res, &tsi, &tsr) != IKE_V_OK)
		return;
	must(res.n > 0 && res.n <= CFG_TS_MAX && tsi.n > 0 && tsr.n > 0);
	must(ts_pairs_within(res.pair, res.n, policy, 3));
	for (unsigned i = 0; i < tsi.n; i++)
		must(inside(&tsi.ts[i], &peer_i));
	for (unsigned i = 0; i < tsr.n; i++)
		must(inside(&tsr.ts[i], &peer_r));
	/* and as the initiator: a policy of anything, our own offer, this as the answer */
	ts_build(policy, 3, NULL, &peer_i, &peer_r);
	if (ts_verify(policy, 3, &peer_i, &peer_r, &tsr, &tsi, &back) == IKE_V_OK)
		must(back.n <= CFG_TS_MAX && ts_pairs_within(back.pair, back.n, policy, 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] & 1)
		negotiate_ts(rd_of(data + 1, len - 1));
	else
		negotiate_sa(data[0], rd_of(data + 1, len - 1));
	return 0;
}
