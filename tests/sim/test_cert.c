/* Tunnels whose ends prove themselves with certificates: every kind of key in both roles, chains, identities, CRLs, and what the
 * older methods make of it. */
#include "tests/sim/pki.h"
#include "tests/sim/scenario.h"

#include "controlplane/ike/cert.h"
#include "controlplane/ike/payload.h"

/* A root, an end under it, and files for both nodes. */
struct world {
	struct pki *root, *end[2];
	struct sim *s;
};

static void use(struct sim_node *n, struct cfg_certs *c)
{
	secret_fini(n->cfg.psk);
	free(n->cfg.psk);
	n->cfg.psk = NULL;
	n->cfg.certs = c;
}

static void id_set(struct cfg_id *id, const char *text)
{
	if (cfg_id_parse(text, id) < 0)
		abort();
}

/* Node i is node-i, a name in its certificate. */
static void world_up(struct world *w, uint64_t seed, enum pki_kind a, enum pki_kind b)
{
	const struct pki_spec root = {.kind = PKI_P256, .which = 1, .subject = "CN=root", .ca = true};

	w->root = pki_make(&root);
	w->end[0] = pki_make(
		&(struct pki_spec){.kind = a, .by = w->root, .subject = "C=DE, O=x, CN=n0", .san = "DNS:node-0"});
	w->end[1] = pki_make(&(struct pki_spec){
		.kind = b, .which = 1, .by = w->root, .subject = "C=DE, O=x, CN=n1", .san = "DNS:node-1"});
	w->s = sim_new(seed);
	for (unsigned i = 0; i < 2; i++)
		use(&w->s->node[i], pki_files(w->end[i], w->root));
}

static void world_down(struct world *w)
{
	struct cfg_certs *c[2] = {w->s->node[0].cfg.certs, w->s->node[1].cfg.certs};

	sim_free(w->s);
	for (unsigned i = 0; i < 2; i++) {
		cfg_certs_unref(c[i]);
		pki_free(w->end[i]);
	}
	pki_free(w->root);
}

/* Comes up, carries traffic, and survives a rekey of the IKE SA. */
static void goes(struct world *w)
{
	struct ike_sa_info a, b;

	sim_start(w->s);
	if (!sim_run_until(w->s, sim_up, 20000))
		fail_msg("not up: %s; %s", w->s->node[0].last_cause, w->s->node[1].last_cause);
	assert_true(sim_the_ike(&w->s->node[0], &a) && sim_the_ike(&w->s->node[1], &b));
	assert_true(cert_id_same(&a.local_id, &b.remote_id) && cert_id_same(&a.remote_id, &b.local_id));
	sim_event(&w->s->node[0], IKE_EV_REKEY_IKE, 0);
	sim_run(w->s, 1000);
	scenario_settle(w->s, 60000);
	assert_int_equal(scenario_lost(w->s), 0);
}

/* Stays down, and the causes have these words (NULL: none are looked for). */
static void refused(struct world *w, const char *at0, const char *at1)
{
	struct ike_counters c0, c1;

	sim_start(w->s);
	sim_run(w->s, 1500);
	assert_false(sim_up(w->s));
	assert_int_equal(sim_count_ike(&w->s->node[0], IKE_SA_UP), 0);
	assert_int_equal(sim_count_ike(&w->s->node[1], IKE_SA_UP), 0);
	if (at0 && !strstr(w->s->node[0].last_cause, at0))
		fail_msg("node 0 says: %s", w->s->node[0].last_cause);
	if (at1 && !strstr(w->s->node[1].last_cause, at1))
		fail_msg("node 1 says: %s", w->s->node[1].last_cause);
	ike_counters(w->s->node[0].k, &c0);
	ike_counters(w->s->node[1].k, &c1);
	assert_true(c0.auth_failed + c1.auth_failed >= 1);
}

static void every_kind_of_key_goes_in_both_roles(void **state)
{
	(void)state;
	for (unsigned a = 0; a < PKI_GOOD_KINDS; a++)
		for (unsigned b = 0; b < PKI_GOOD_KINDS; b += a == 0 ? 1 : PKI_GOOD_KINDS) {
			struct world w;

			world_up(&w, 500 + a * 16 + b, a, b ? b : a);
			goes(&w);
			world_down(&w);
		}
}

/* ---- what each message has ---- */

struct seen {
	bool hide_hashes; /* node 1 does not hear them, nor node 0 */
	unsigned with_hashes, with_certreq;
};

/* What of IKE_SA_INIT can be seen in clear. */
static enum sim_fate look(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct payload_notify n;
	struct seen *seen = arg;
	struct ike_msg m;

	(void)from;
	(void)nth;
	if (wire_parse(msg, len, &m) != IKE_V_OK || m.hdr.exchange != IKE_X_SA_INIT)
		return SIM_PASS;
	if (payload_notify_find(&m.clear, N_SIGNATURE_HASH_ALGORITHMS, &n)) {
		seen->with_hashes++;
		assert_int_equal(n.len, 8);
		assert_memory_equal(n.data, "\0\2\0\3\0\4\0\5", 8); /* RFC 7427 4: SHA2 and identity, never SHA1 */
	}
	if (wire_find(&m.clear, IKE_PL_CERTREQ)) {
		struct payload_cert c;

		seen->with_certreq++;
		assert_int_equal(payload_cert_decode(wire_find(&m.clear, IKE_PL_CERTREQ)->body, &c), IKE_V_OK);
		assert_int_equal(c.encoding, IKE_CERT_X509);
		assert_int_equal(c.len, 20);
	}
	return SIM_PASS;
}

static void both_announce_hashes_and_the_responder_asks_for_certificates(void **state)
{
	struct seen seen = {.with_hashes = 0};
	struct world w;

	(void)state;
	world_up(&w, 600, PKI_P256, PKI_P256);
	w.s->net.filter = look;
	w.s->net.filter_arg = &seen;
	goes(&w);
	assert_int_equal(seen.with_hashes, 2);
	assert_int_equal(seen.with_certreq, 1);
	world_down(&w);
}

static void a_psk_tunnel_announces_nothing(void **state)
{
	struct seen seen = {.with_hashes = 0};
	struct sim *s = sim_new(601);

	(void)state;
	s->net.filter = look;
	s->net.filter_arg = &seen;
	scenario_up(s);
	assert_int_equal(seen.with_hashes + seen.with_certreq, 0);
	sim_free(s);
}

/* ---- chains ---- */

static struct pki *authority(const struct pki *by, const char *subject, unsigned which)
{
	return pki_make(&(struct pki_spec){.kind = PKI_P384, .which = which, .by = by, .subject = subject, .ca = true});
}

/* Node 0's end certificate moves under an intermediate; who has the intermediate's certificate is the question. */
struct chain {
	struct world w;
	struct pki *mid[3];
};

static void chain_up(struct chain *c, uint64_t seed, unsigned mids)
{
	world_up(&c->w, seed, PKI_RSA_2048, PKI_ED25519);
	memset(c->mid, 0, sizeof(c->mid));
	for (unsigned i = 0; i < mids; i++)
		c->mid[i] = authority(i ? c->mid[i - 1] : c->w.root, i ? "CN=mid 2" : "CN=mid 1", i);
	pki_free(c->w.end[0]);
	c->w.end[0] = pki_make(&(struct pki_spec){
		.kind = PKI_RSA_2048, .by = c->mid[mids - 1], .subject = "CN=n0", .san = "DNS:node-0"});
	cfg_certs_unref(c->w.s->node[0].cfg.certs);
	c->w.s->node[0].cfg.certs = pki_files(c->w.end[0], c->w.root);
}

static void chain_down(struct chain *c)
{
	world_down(&c->w);
	for (unsigned i = 0; i < 3; i++)
		pki_free(c->mid[i]);
}

static void chains_are_built_from_what_is_sent_and_what_is_here(void **state)
{
	/* the intermediates: sent in order, sent in disorder with strangers and the root among them, kept at the other end,
	 * an anchor there; and left out */
	enum { SENT, MIXED, KEPT, ANCHOR, LEFT_OUT, N };

	(void)state;
	for (unsigned how = 0; how < N; how++) {
		struct chain c;
		struct cfg_certs *f0, *f1;

		chain_up(&c, 610 + how, 2);
		f0 = c.w.s->node[0].cfg.certs;
		f1 = c.w.s->node[1].cfg.certs;
		c.mid[2] = authority(NULL, "CN=somebody else", 2);
		if (how == SENT) {
			pki_add_cert(f0, c.mid[1]);
			pki_add_cert(f0, c.mid[0]);
		} else if (how == MIXED) {
			pki_add_cert(f0, c.w.root);
			pki_add_cert(f0, c.mid[0]);
			pki_add_cert(f0, c.mid[2]);
			pki_add_cert(f0, c.mid[1]);
		} else if (how == KEPT) {
			pki_add_cert(f1, c.mid[0]);
			pki_add_cert(f1, c.mid[1]);
		} else if (how == ANCHOR) {
			pki_add_ca(f1, c.mid[1]);
		}
		if (how == LEFT_OUT)
			refused(&c.w, "AUTHENTICATION_FAILED", "missing intermediate");
		else
			goes(&c.w);
		chain_down(&c);
	}
}

struct sizes {
	size_t largest;
	unsigned datagrams;
};

static enum sim_fate measure(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct sizes *z = arg;

	(void)from;
	(void)nth;
	(void)msg;
	z->largest = len > z->largest ? len : z->largest;
	z->datagrams++;
	return SIM_PASS;
}

/* RFC 7383: as many certificates as we send, in datagrams that any way takes; some are lost, and all come in any order. */
static void a_long_chain_goes_in_fragments(void **state)
{
	enum { MIDS = CERT_OWN_MAX - 1 };
	struct sizes z = {.largest = 0};
	struct pki *mid[MIDS];
	struct world w;

	(void)state;
	world_up(&w, 625, PKI_RSA_2048, PKI_P256);
	for (unsigned i = 0; i < MIDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "C=DE, O=An organisation of some size, CN=authority %u", i);
		mid[i] = pki_make(&(struct pki_spec){
			.kind = PKI_RSA_3072, .by = i ? mid[i - 1] : w.root, .subject = name, .ca = true});
	}
	pki_free(w.end[0]);
	w.end[0] = pki_make(
		&(struct pki_spec){.kind = PKI_RSA_2048, .by = mid[MIDS - 1], .subject = "CN=n0", .san = "DNS:node-0"});
	cfg_certs_unref(w.s->node[0].cfg.certs);
	w.s->node[0].cfg.certs = pki_files(w.end[0], w.root);
	for (unsigned i = MIDS; i-- > 0;)
		pki_add_cert(w.s->node[0].cfg.certs, mid[i]);
	for (unsigned i = 0; i < 2; i++)
		w.s->node[i].cfg.ike.fragment_size = 576;
	w.s->net.delay_max_ms = 40;
	w.s->net.loss_percent = 5;
	w.s->net.filter = measure;
	w.s->net.filter_arg = &z;
	sim_start(w.s);
	if (!sim_run_until(w.s, sim_up, 60000))
		fail_msg("not up: %s; %s", w.s->node[0].last_cause, w.s->node[1].last_cause);
	assert_true(z.datagrams > 16);
	assert_true(z.largest <= 576);
	world_down(&w);
	for (unsigned i = 0; i < MIDS; i++)
		pki_free(mid[i]);
}

/* ---- who it is ---- */

static void identities_of_every_type_are_found_in_the_certificate(void **state)
{
	static const struct {
		const char *san, *local, *remote;
		bool good;
	} rows[] = {
		{"DNS:other, DNS:node-0", "node-0", "node-0", true},
		{"email:ops@example.net", "ops@example.net", "ops@example.net", true},
		{"IP:198.51.100.1", "198.51.100.1", "198.51.100.1", true},
		{"IP:2001:db8::1", "2001:db8::1", "2001:db8::1", true},
		{NULL, "C=DE, O=x, CN=n0", "C=DE, O=x, CN=n0", true},
		{NULL, NULL, "CN=n0, O=x, C=DE", false}, /* another order is another name */
		{NULL, NULL, "C=DE, O=x, CN=n0", true},
		{NULL, NULL, "C=DE, O=x", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct world w;

		world_up(&w, 630 + i, PKI_P256, PKI_P256);
		pki_free(w.end[0]);
		w.end[0] = pki_make(&(struct pki_spec){
			.kind = PKI_P256, .by = w.root, .subject = "C=DE, O=x, CN=n0", .san = rows[i].san});
		cfg_certs_unref(w.s->node[0].cfg.certs);
		w.s->node[0].cfg.certs = pki_files(w.end[0], w.root);
		memset(&w.s->node[0].cfg.local.id, 0, sizeof(struct cfg_id));
		if (rows[i].local)
			id_set(&w.s->node[0].cfg.local.id, rows[i].local);
		id_set(&w.s->node[1].cfg.remote.id, rows[i].remote);
		if (rows[i].good)
			goes(&w);
		else
			refused(&w, "AUTHENTICATION_FAILED", "remote.id");
		world_down(&w);
	}
}

/* B6: a good certificate of the right authority, and somebody else's name. */
static void an_identity_that_is_not_in_the_certificate_is_refused_at_both_ends(void **state)
{
	static const char *const sans[] = {NULL, "DNS:node-00", "DNS:*", "DNS:node-?", "email:node-0", "DNS:node-1"};

	(void)state;
	for (unsigned at = 0; at < 2; at++)
		for (unsigned i = 0; i < N_ELEMS(sans) - 1; i++) {
			struct world w;

			world_up(&w, 650 + i, PKI_P256, PKI_P256);
			pki_free(w.end[at]);
			w.end[at] = pki_make(&(struct pki_spec){
				.kind = PKI_P256, .which = at, .by = w.root, .subject = "CN=node-0", .san = sans[i]});
			cfg_certs_unref(w.s->node[at].cfg.certs);
			w.s->node[at].cfg.certs = pki_files(w.end[at], w.root);
			refused(&w, at ? "is not in its certificate" : "AUTHENTICATION_FAILED",
				at ? NULL : "is not in its certificate");
			world_down(&w);
		}
}

/* ---- CRLs ---- */

static void revocation_lists_are_looked_at(void **state)
{
	static const struct {
		const char *name;
		int from, to; /* 0, 0: no CRL */
		bool revoked, other_issuer, strict, good;
	} rows[] = {
		{"fresh and clean", -1, 30, false, false, false, true},
		{"fresh and clean, strict", -1, 30, false, false, true, true},
		{"revoked", -1, 30, true, false, false, false},
		{"revoked, strict", -1, 30, true, false, true, false},
		{"stale", -30, -1, false, false, false, true},
		{"stale, strict", -30, -1, false, false, true, false},
		{"stale, but revoked by then", -30, -1, true, false, false, false},
		{"of another issuer", -1, 30, false, true, false, true},
		{"of another issuer, strict", -1, 30, false, true, true, false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		const struct pki *revoked[2] = {NULL};
		struct pki *other = authority(NULL, "CN=another root", 3);
		struct world w;

		world_up(&w, 670 + i, PKI_P256, PKI_P256);
		revoked[0] = rows[i].revoked ? w.end[0] : NULL;
		pki_add_crl(w.s->node[1].cfg.certs,
			    pki_crl(rows[i].other_issuer ? other : w.root, revoked, rows[i].from, rows[i].to));
		w.s->node[1].cfg.certs->crl_strict = rows[i].strict;
		if (rows[i].good)
			goes(&w);
		else
			refused(&w, "AUTHENTICATION_FAILED", rows[i].revoked ? "revoked" : "CRL");
		world_down(&w);
		pki_free(other);
	}
}

/* RFC 5280 6.3: an authority on the way, too; root - mid 0 - mid 1 - node 0. */
static void revoked_authorities_make_nobody_believed(void **state)
{
	static const struct {
		unsigned by, revoked; /* 0: the root, 1: mid 0; the same, of what it signed */
		bool strict, good;
		const char *words;
	} rows[] = {
		{0, 0, false, true, NULL},
		{0, 1, false, false, "revoked"},
		{0, 1, true, false, "CRL"}, /* of mid 0 and mid 1 there is none */
		{1, 2, false, false, "revoked"},
		{2, 0, true, true, NULL}, /* mid 1 is an anchor: what its issuer says of it does not count */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		const struct pki *revoked[2] = {NULL};
		struct cfg_certs *f1;
		struct chain c;

		chain_up(&c, 710 + i, 2);
		pki_add_cert(c.w.s->node[0].cfg.certs, c.mid[1]);
		pki_add_cert(c.w.s->node[0].cfg.certs, c.mid[0]);
		revoked[0] = rows[i].revoked ? c.mid[rows[i].revoked - 1] : NULL;
		f1 = c.w.s->node[1].cfg.certs;
		pki_add_crl(f1, pki_crl(rows[i].by ? c.mid[rows[i].by - 1] : c.w.root, revoked, -1, 30));
		f1->crl_strict = rows[i].strict;
		if (rows[i].by == 2)
			pki_add_ca(f1, c.mid[1]);
		if (rows[i].good)
			goes(&c.w);
		else
			refused(&c.w, "AUTHENTICATION_FAILED", rows[i].words);
		chain_down(&c);
	}
}

/* ---- methods ---- */

static void who_uses_the_other_method_is_told_apart_in_the_log_only(void **state)
{
	(void)state;
	for (unsigned psk_at = 0; psk_at < 2; psk_at++) {
		struct world w;

		world_up(&w, 690 + psk_at, PKI_P256, PKI_P256);
		cfg_certs_unref(w.s->node[psk_at].cfg.certs);
		w.s->node[psk_at].cfg.certs = NULL;
		sim_psk(&w.s->node[psk_at], "a secret of some length");
		refused(&w, "AUTHENTICATION_FAILED", "set both ends to one method");
		world_down(&w);
	}
}

static void our_own_expired_certificate_is_named(void **state)
{
	(void)state;
	for (unsigned at = 0; at < 2; at++) {
		struct world w;

		world_up(&w, 695 + at, PKI_P256, PKI_P256);
		pki_free(w.end[at]);
		w.end[at] = pki_make(&(struct pki_spec){.kind = PKI_P256,
							.which = at,
							.by = w.root,
							.subject = "CN=x",
							.san = at ? "DNS:node-1" : "DNS:node-0",
							.from_days = -30,
							.to_days = -1});
		cfg_certs_unref(w.s->node[at].cfg.certs);
		w.s->node[at].cfg.certs = pki_files(w.end[at], w.root);
		sim_start(w.s);
		sim_run(w.s, 1500);
		assert_false(sim_up(w.s));
		assert_non_null(strstr(w.s->node[at].last_cause, "our certificate own.pem is expired: renew it"));
		world_down(&w);
	}
}

/* One reading for tunnels that name the same files; what changes is taken by the next attempt. */
static void another_certificate_is_used_from_the_next_attempt_on(void **state)
{
	struct cfg_tunnel next;
	struct world w;

	(void)state;
	world_up(&w, 699, PKI_P256, PKI_P256);
	goes(&w);
	next = w.s->node[1].cfg;
	next.certs = pki_files(w.end[1], w.end[1]); /* believes itself only */
	assert_int_equal(ike_tunnel_set(w.s->node[1].k, SIM_TUNNEL, &next, w.s->now), 0);
	sim_run(w.s, 1000);
	assert_true(sim_up(w.s)); /* a living SA is not touched */
	sim_event(&w.s->node[0], IKE_EV_DOWN, 0);
	sim_run(w.s, 1000);
	sim_event(&w.s->node[0], IKE_EV_UP, 0);
	sim_run(w.s, 1500);
	assert_int_equal(sim_count_ike(&w.s->node[1], IKE_SA_UP), 0);
	cfg_certs_unref(w.s->node[1].cfg.certs);
	w.s->node[1].cfg = next;
	world_down(&w);
}

static int done(void **state)
{
	(void)state;
	pki_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_key_goes_in_both_roles),
		cmocka_unit_test(both_announce_hashes_and_the_responder_asks_for_certificates),
		cmocka_unit_test(a_psk_tunnel_announces_nothing),
		cmocka_unit_test(chains_are_built_from_what_is_sent_and_what_is_here),
		cmocka_unit_test(a_long_chain_goes_in_fragments),
		cmocka_unit_test(identities_of_every_type_are_found_in_the_certificate),
		cmocka_unit_test(an_identity_that_is_not_in_the_certificate_is_refused_at_both_ends),
		cmocka_unit_test(revocation_lists_are_looked_at),
		cmocka_unit_test(revoked_authorities_make_nobody_believed),
		cmocka_unit_test(who_uses_the_other_method_is_told_apart_in_the_log_only),
		cmocka_unit_test(our_own_expired_certificate_is_named),
		cmocka_unit_test(another_certificate_is_used_from_the_next_attempt_on),
	};

	return cmocka_run_group_tests_name("sim-cert", tests, NULL, done);
}
