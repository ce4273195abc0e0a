#include "tests/sim/show.h"

/* ---- payloads ---- */

void show_put_cert(struct show *w, uint8_t encoding, const void *der, size_t len)
{
	wire_payload(&w->o, IKE_PL_CERT);
	payload_cert_encode(&w->o.w, encoding, der, len);
}

void show_put_x509(struct show *w, X509 *x)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);

	assert_true(len > 0);
	show_put_cert(w, IKE_CERT_X509, der, (size_t)len);
	OPENSSL_free(der);
}

struct auth_octets show_octets(struct show *w)
{
	static const struct alg *prf;

	prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0);
	return (struct auth_octets){.prf = prf,
				    .message = w->g->p.init_i,
				    .message_len = w->g->p.init_i_len,
				    .peer_nonce = &w->g->p.nr,
				    .sk_p = &w->g->p.keys.pi,
				    .id = w->id,
				    .id_len = w->id_len};
}

void show_put_auth(struct show *w, uint8_t method, const void *data, size_t len)
{
	wire_payload(&w->o, IKE_PL_AUTH);
	payload_auth_encode(&w->o.w, method, data, len);
}

/* AUTH signed well with this key. hashes 0: by the older methods. */
struct auth_value show_sign(struct show *w, EVP_PKEY *key, unsigned hashes, bool legacy)
{
	const struct auth_sig_params p = {.hashes = hashes, .legacy = legacy};
	const struct auth_octets o = show_octets(w);
	struct auth_value v;
	char why[200];
	struct text t = text_of(why, sizeof(why));

	assert_int_equal(auth_sig_make(key, &o, &p, &v, &t), 0);
	return v;
}

void show_put_signed(struct show *w, EVP_PKEY *key)
{
	struct auth_value v = show_sign(w, key, AUTH_HASHES_OURS, false);

	show_put_auth(w, v.method, v.b, v.len);
}

/* The stranger's own, with these changes. */
struct pki *show_end(struct show *w, struct pki_spec s)
{
	s.by = s.by ? s.by : w->root;
	s.subject = s.subject ? s.subject : "CN=stranger";
	s.san = s.san ? s.san : "DNS:stranger";
	return pki_make(&s);
}

void show_good(struct show *w)
{
	show_put_x509(w, w->end->x);
	show_put_signed(w, w->end->key);
}

/* ---- the stage ---- */

void show_up(struct show *w, struct stage *g, uint64_t seed)
{
	const struct pki *list[2] = {NULL};
	struct pki *gone;

	memset(w, 0, sizeof(*w));
	w->g = g;
	w->root = pki_make(&(struct pki_spec){.kind = PKI_P256, .subject = "CN=root", .ca = true});
	w->other_root = pki_make(&(struct pki_spec){.kind = PKI_P256, .which = 1, .subject = "CN=root", .ca = true});
	w->mid = pki_make(&(struct pki_spec){.kind = PKI_P384,
					     .which = 1,
					     .by = w->root,
					     .subject = "CN=mid",
					     .ca = true,
					     .basic = "critical,CA:TRUE,pathlen:0"});
	w->end = show_end(w, (struct pki_spec){.kind = PKI_P256, .which = 2});
	w->ours = pki_make(
		&(struct pki_spec){.kind = PKI_ED25519, .by = w->root, .subject = "CN=n1", .san = "DNS:node-1"});
	gone = show_end(w, (struct pki_spec){.kind = PKI_P256, .serial = 666});
	list[0] = gone;
	w->certs = pki_files(w->ours, w->root);
	pki_add_crl(w->certs, pki_crl(w->root, list, -1, 30));
	pki_free(gone);
	stage_up(g, seed);
}

void show_down(struct show *w)
{
	stage_down(w->g);
	pki_free(w->root);
	pki_free(w->other_root);
	pki_free(w->mid);
	pki_free(w->end);
	pki_free(w->ours);
	cfg_certs_unref(w->certs);
}

/* Another stranger, as far as keys. certs: its tunnel's method. */
void show_meet(struct show *w, uint8_t seed, const char *name, bool certs)
{
	struct stranger *p = &w->g->p;
	struct sim_node *n = &w->g->s->node[1];
	struct wr wr = wr_of(w->id, sizeof(w->id));
	struct cfg_id id;

	stranger_init(p, w->g->s, seed);
	p->hashes = true;
	if (certs) {
		p->cfg.certs = w->certs;
		n->in_core = true;
		assert_int_equal(ike_tunnel_set(n->k, STRANGER_TUNNEL, &p->cfg, w->g->s->now), 0);
		n->in_core = false;
	}
	assert_int_equal(cfg_id_parse(name, &id), 0);
	assert_true(stranger_connect(p));
	payload_id_encode(&wr, &id);
	w->id_len = wr.len;
}

/* What it shows as IKE_AUTH. */
unsigned show_auth(struct show *w, void (*put)(struct show *w))
{
	struct stranger *p = &w->g->p;

	stranger_begin(p, &w->o, IKE_X_AUTH);
	wire_payload(&w->o, IKE_PL_IDI);
	wr_copy(&w->o.w, w->id, w->id_len);
	put(w);
	stranger_put_auth(p, &w->o, IKE_PL_BIT(IKE_PL_IDI) | IKE_PL_BIT(IKE_PL_AUTH));
	w->g->s->node[1].last_cause[0] = '\0';
	w->g->s->node[1].n_notices[IKE_NOTICE_PEER_ERROR] = 0;
	stranger_end(p, &w->o);
	return stranger_answer(p);
}

void show_told_once(const struct show *w, const char *name, const char *cause)
{
	const struct sim_node *n = &w->g->s->node[1];

	if (!strstr(n->last_cause, cause))
		fail_msg("%s: %s", name, n->last_cause);
	assert_int_equal(n->n_notices[IKE_NOTICE_PEER_ERROR], 1);
	for (const char *c = n->last_cause; *c; c++)
		assert_true(*c >= 0x20 && *c < 0x7f);
}

static void let_in(struct show *w, unsigned answer)
{
	struct stranger *p = &w->g->p;

	assert_int_equal(answer, 0);
	assert_non_null(wire_find(&p->inner, IKE_PL_CERT));
	stranger_begin(p, &w->o, IKE_X_INFORMATIONAL);
	wire_payload(&w->o, IKE_PL_DELETE);
	payload_delete_encode(&w->o.w, IKE_PROTO_IKE, NULL, 0);
	stranger_end(p, &w->o);
}

void show_rows(struct show *w, const struct show_row *rows, unsigned n)
{
	struct stage *g = w->g;

	for (unsigned i = 0; i < n; i++) {
		unsigned answer;

		sim_run(g->s, i % 20 == 19 ? 20000 : 200); /* so that half-open ones and notices have their measure */
		show_meet(w, (uint8_t)(i + 1), "stranger", true);
		mark(g);
		answer = show_auth(w, rows[i].put);
		if ((rows[i].cause != NULL) != (answer == N_AUTHENTICATION_FAILED))
			fail_msg("%s: answered %u: %s", rows[i].name, answer, g->s->node[1].last_cause);
		if (!rows[i].cause) {
			let_in(w, answer);
			continue;
		}
		assert_int_equal(g->p.inner.n, 1); /* B7: nothing of ours was shown */
		counted(g, COUNTER(auth_failed));
		show_told_once(w, rows[i].name, rows[i].cause);
		assert_int_equal(sim_count_ike(&g->s->node[1], IKE_SA_UP), 1);
	}
}
