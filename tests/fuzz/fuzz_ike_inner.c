/* What an authenticated peer may say: the chain inside SK. First octet: type of the first payload; the rest: the chain. */
#include <stdint.h>

#include "controlplane/ike/sk.h"
#include "controlplane/ike/wire.h"
#include "tests/fuzz/ike_bodies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The same chain, written by us, sealed and opened, is the same chain. */
static void through_sk(const struct ike_chain *c)
{
	static uint8_t buf[70000], text[70000];
	static struct ike_chain back;
	static struct ike_msg m;
	static const struct secret gcm = {.len = 20}, aes = {.len = 16}, hmac = {.len = 32};
	static const uint8_t random[SK_RANDOM_LEN];
	struct sk_key key = {.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 128), .e = &gcm};
	struct wire_out o;
	size_t len;

	wire_msg_begin(&o, buf, sizeof(buf),
		       &(struct ike_hdr){.spi_i = 1, .spi_r = 2, .exchange = IKE_X_INFORMATIONAL});
	if (c->n & 1)
		key = (struct sk_key){.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_CBC, 128),
				      .integ = alg_find(ALG_INTEG, ALG_INTEG_HMAC_SHA2_256_128, 0),
				      .e = &aes,
				      .a = &hmac};
	sk_begin(&o, &key);
	for (unsigned i = 0; i < c->n; i++) {
		wire_payload(&o, c->pl[i].type);
		wr_copy(&o.w, c->pl[i].body.p, rd_left(&c->pl[i].body));
	}
	len = sk_seal(&o, &key, random);
	if (len == 0) /* with IV and ICV more than a payload can be */
		return;
	must(wire_parse(buf, len, &m) == IKE_V_OK && m.has_sk);
	must(sk_open(&m, &key, text, sizeof(text), &back) == IKE_V_OK);
	must(back.n == c->n && back.seen == c->seen && back.repeated == c->repeated && back.n_unknown == c->n_unknown);
	for (unsigned i = 0; i < c->n; i++)
		must(rd_left(&back.pl[i].body) == rd_left(&c->pl[i].body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ike_chain c;
	struct payload_notify n;
	enum ike_verdict v;

	if (len == 0)
		return 0;
	v = wire_chain_parse(data[0], rd_of(data + 1, len - 1), &c);
	if (v != IKE_V_OK && v != IKE_V_CRITICAL)
		return 0;
	must(c.n <= IKE_PAYLOADS_MAX && !(c.seen & IKE_PL_BIT(IKE_PL_SK)));
	for (unsigned i = 0; i < c.n; i++)
		ike_body(&c.pl[i]);
	if (payload_notify_error(&c, &n))
		must(n.type < IKE_NOTIFY_FIRST_STATUS);
	if (len < 4096)
		through_sk(&c);
	return 0;
}
