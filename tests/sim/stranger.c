#include "tests/sim/stranger.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/auth.h"
#include "controlplane/ike/ts.h"

static const struct alg *prf(void)
{
	return alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0);
}

static const struct alg *encr(void)
{
	return alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256);
}

/* What node 1 says to us is ours; the rest goes its way. */
static enum sim_fate listen(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct stranger *p = arg;
	struct ike_hdr h;

	(void)nth;
	if (from != 1 || wire_hdr_read(msg, len, &h) != IKE_V_OK || h.spi_i != p->spi_i || len > sizeof(p->heard))
		return SIM_PASS;
	memcpy(p->heard, msg, len);
	p->heard_len = len;
	p->n_heard++;
	return SIM_DROP;
}

static void id_of(struct cfg_id *id, const char *name)
{
	*id = (struct cfg_id){.type = CFG_ID_FQDN, .len = (uint16_t)strlen(name)};
	memcpy(id->b, name, id->len);
}

void stranger_init(struct stranger *p, struct sim *s, uint8_t seed)
{
	struct sim_node *n = &s->node[1];

	memset(p, 0, sizeof(*p));
	p->s = s;
	p->cfg = n->cfg;
	p->cfg.remote.addr = ip_v4(0xc000024d);
	p->cfg.start = CFG_START_RESPOND_ONLY;
	id_of(&p->cfg.remote.id, "stranger");
	n->in_core = true;
	if (ike_tunnel_set(n->k, STRANGER_TUNNEL, &p->cfg, s->now) < 0)
		abort();
	n->in_core = false;
	p->path = (struct ike_path){
		.local = n->addr, .remote = p->cfg.remote.addr, .local_port = 500, .remote_port = 500};
	p->spi_i = 0x5100000000000000ull + seed;
	p->spi_in = 0x51000000u + seed;
	p->ni.len = NONCE_LEN;
	memset(p->ni.b, seed, NONCE_LEN);
	if (crypto_dh_make(&p->dh, alg_find(ALG_DH, ALG_DH_X25519, 0), (uint8_t[CRYPTO_SEED_LEN]){seed, 1}) < 0)
		abort();
	s->net.filter = listen;
	s->net.filter_arg = p;
}

void stranger_say(struct stranger *p, const uint8_t *msg, size_t len)
{
	p->heard_len = 0;
	sim_inject(&p->s->node[1], &p->path, msg, len);
	sim_run(p->s, 20);
}

void stranger_put_init(struct stranger *p, uint32_t leave_out)
{
	const struct ike_hdr h = {.spi_i = p->spi_i, .exchange = IKE_X_SA_INIT, .flags = IKE_FLAG_INITIATOR};
	static struct payload_sa sa;
	struct wire_out o;

	wire_msg_begin(&o, p->said, sizeof(p->said), &h);
	proposal_build(p->cfg.ike.proposal, p->cfg.ike.n_proposals, IKE_PROTO_IKE, 0, 0, 0, &sa);
	if (!(leave_out & IKE_PL_BIT(IKE_PL_SA))) {
		wire_payload(&o, IKE_PL_SA);
		payload_sa_encode(&o.w, &sa);
	}
	if (!(leave_out & IKE_PL_BIT(IKE_PL_KE))) {
		wire_payload(&o, IKE_PL_KE);
		payload_ke_encode(&o.w, p->dh.group->id, p->dh.public_value, p->dh.public_len);
	}
	if (!(leave_out & IKE_PL_BIT(IKE_PL_NONCE))) {
		wire_payload(&o, IKE_PL_NONCE);
		payload_nonce_encode(&o.w, &p->ni);
	}
	if (p->hashes)
		payload_notify_add(&o, N_SIGNATURE_HASH_ALGORITHMS, "\0\2\0\3\0\4\0\5", 8);
	if (p->cuts)
		payload_notify_add(&o, N_FRAGMENTATION_SUPPORTED, NULL, 0);
	p->said_len = wire_msg_end(&o);
}

static bool derive(struct stranger *p, const struct ike_msg *m)
{
	struct payload_ke ke;
	struct crypto_shared shared;
	struct keymat_input in = {.prf = prf(), .encr = encr(), .shared = &shared, .ni = &p->ni, .nr = &p->nr};

	if (!wire_find(&m->clear, IKE_PL_KE) || !wire_find(&m->clear, IKE_PL_NONCE) ||
	    payload_ke_decode(wire_find(&m->clear, IKE_PL_KE)->body, &ke) != IKE_V_OK ||
	    payload_nonce_decode(wire_find(&m->clear, IKE_PL_NONCE)->body, &p->nr) != IKE_V_OK ||
	    crypto_dh_shared(&p->dh, ke.data, ke.len, &shared) < 0)
		return false;
	p->spi_r = in.spi_r = m->hdr.spi_r;
	in.spi_i = p->spi_i;
	return keymat_ike(&in, &p->keys) == 0;
}

bool stranger_connect(struct stranger *p)
{
	struct ike_msg m;

	stranger_put_init(p, 0);
	memcpy(p->init_i, p->said, p->said_len);
	p->init_i_len = p->said_len;
	stranger_say(p, p->said, p->said_len);
	if (!p->heard_len || wire_parse(p->heard, p->heard_len, &m) != IKE_V_OK || !derive(p, &m))
		return false;
	memcpy(p->init_r, p->heard, p->heard_len);
	p->init_r_len = p->heard_len;
	p->out = (struct sk_key){.encr = encr(), .e = &p->keys.ei};
	p->in = (struct sk_key){.encr = encr(), .e = &p->keys.er};
	p->mid = 1;
	return true;
}

const uint8_t stranger_random[SK_RANDOM_LEN] = {42};

void stranger_begin(struct stranger *p, struct wire_out *o, uint8_t exchange)
{
	const struct ike_hdr h = {
		.spi_i = p->spi_i, .spi_r = p->spi_r, .exchange = exchange, .flags = IKE_FLAG_INITIATOR, .mid = p->mid};

	wire_msg_begin(o, p->said, sizeof(p->said), &h);
	sk_begin(o, &p->out);
}

void stranger_end(struct stranger *p, struct wire_out *o)
{
	p->said_len = sk_seal(o, &p->out, stranger_random);
	if (!p->said_len)
		abort();
	p->mid++;
	stranger_say(p, p->said, p->said_len);
}

static void put_ts(struct stranger *p, struct wire_out *o, uint32_t leave_out)
{
	static struct payload_ts tsi, tsr;

	ts_build(p->cfg.ts, p->cfg.n_ts, NULL, &tsi, &tsr);
	if (!(leave_out & IKE_PL_BIT(IKE_PL_TSI))) {
		wire_payload(o, IKE_PL_TSI);
		payload_ts_encode(&o->w, &tsi);
	}
	if (!(leave_out & IKE_PL_BIT(IKE_PL_TSR))) {
		wire_payload(o, IKE_PL_TSR);
		payload_ts_encode(&o->w, &tsr);
	}
}

static void put_esp(struct stranger *p, struct wire_out *o, uint32_t leave_out)
{
	static struct payload_sa sa;

	if (leave_out & IKE_PL_BIT(IKE_PL_SA))
		return;
	proposal_build(p->cfg.esp.proposal, p->cfg.esp.n_proposals, IKE_PROTO_ESP, p->spi_in, 4, 0, &sa);
	wire_payload(o, IKE_PL_SA);
	payload_sa_encode(&o->w, &sa);
}

void stranger_put_auth(struct stranger *p, struct wire_out *o, uint32_t leave_out)
{
	uint8_t body[64], mac[CRYPTO_PRF_MAX];
	struct wr w = wr_of(body, sizeof(body));
	const struct auth_octets octets = {.prf = prf(),
					   .message = p->init_i,
					   .message_len = p->init_i_len,
					   .peer_nonce = &p->nr,
					   .sk_p = &p->keys.pi,
					   .id = body,
					   .id_len = 4 + p->cfg.remote.id.len};
	size_t len;

	payload_id_encode(&w, &p->cfg.remote.id);
	if (auth_psk(&octets, p->cfg.psk, mac, &len) < 0)
		abort();
	if (!(leave_out & IKE_PL_BIT(IKE_PL_IDI))) {
		wire_payload(o, IKE_PL_IDI);
		wr_copy(&o->w, body, w.len);
	}
	if (!(leave_out & IKE_PL_BIT(IKE_PL_AUTH))) {
		wire_payload(o, IKE_PL_AUTH);
		payload_auth_encode(&o->w, IKE_AUTH_PSK, mac, len);
	}
	put_esp(p, o, leave_out);
	put_ts(p, o, leave_out);
}

static void put_nonce(struct stranger *p, struct wire_out *o, uint32_t leave_out)
{
	if (leave_out & IKE_PL_BIT(IKE_PL_NONCE))
		return;
	wire_payload(o, IKE_PL_NONCE);
	payload_nonce_encode(&o->w, &p->ni);
}

void stranger_put_child(struct stranger *p, struct wire_out *o, uint32_t leave_out)
{
	p->spi_in += 0x10000;
	put_esp(p, o, leave_out);
	put_nonce(p, o, leave_out);
	put_ts(p, o, leave_out);
}

void stranger_put_rekey(struct stranger *p, struct wire_out *o, uint32_t leave_out)
{
	static struct payload_sa sa;

	proposal_build(p->cfg.ike.proposal, p->cfg.ike.n_proposals, IKE_PROTO_IKE, p->spi_i + 0x1000, 8, 0, &sa);
	if (!(leave_out & IKE_PL_BIT(IKE_PL_SA))) {
		wire_payload(o, IKE_PL_SA);
		payload_sa_encode(&o->w, &sa);
	}
	put_nonce(p, o, leave_out);
	if (!(leave_out & IKE_PL_BIT(IKE_PL_KE))) {
		wire_payload(o, IKE_PL_KE);
		payload_ke_encode(&o->w, p->dh.group->id, p->dh.public_value, p->dh.public_len);
	}
}

bool stranger_up(struct stranger *p)
{
	struct wire_out o;

	if (!stranger_connect(p))
		return false;
	stranger_begin(p, &o, IKE_X_AUTH);
	stranger_put_auth(p, &o, 0);
	stranger_end(p, &o);
	return stranger_answer(p) == 0 && wire_find(&p->inner, IKE_PL_SA);
}

unsigned stranger_answer(struct stranger *p)
{
	struct ike_msg m;
	struct payload_notify n;

	if (!p->heard_len || wire_parse(p->heard, p->heard_len, &m) != IKE_V_OK)
		return STRANGER_SILENCE;
	if (!m.has_sk)
		return payload_notify_error(&m.clear, &n) ? n.type : 0;
	if (sk_open(&m, &p->in, p->text, sizeof(p->text), &p->inner) != IKE_V_OK)
		return STRANGER_SILENCE;
	return payload_notify_error(&p->inner, &n) ? n.type : 0;
}
