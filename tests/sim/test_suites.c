/* A row per suite and group, and what is agreed of offers that mix them. */
#include "tests/sim/scenario.h"

#include <stdlib.h>

static void propose(struct sim_node *n, const char *ike, const char *esp)
{
	const char *const i[] = {ike, NULL}, *const e[] = {esp, NULL};

	n->cfg.ike.legacy = true;
	sim_propose(n, true, i);
	sim_propose(n, false, e);
}

/* Up, then both kinds of rekey from both ends: nothing is lost. */
static void run(struct sim *s)
{
	struct ike_child_info c, d;
	struct ike_sa_info a, b;

	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[0], &a) && sim_the_ike(&s->node[1], &b));
	assert_true(a.encr == b.encr && a.prf == b.prf && a.integ == b.integ && a.dh == b.dh);
	assert_true(sim_the_child(&s->node[0], &c) && sim_the_child(&s->node[1], &d));
	assert_true(c.encr == d.encr && c.integ == d.integ && c.encr->aead == !c.integ);
	for (unsigned i = 0; i < 4; i++) {
		sim_event(&s->node[i & 1], i < 2 ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE, 0);
		sim_run(s, 3000);
	}
	scenario_settle(s, 30000);
	assert_int_equal(scenario_lost(s), 0);
}

static void each_suite_and_group(void **state)
{
	static const char *const row[][2] = {
		{"aes128-sha256-x25519", "aes128-sha256"},
		{"aes192-sha384-ecp256", "aes192-sha384"},
		{"aes256-sha512-ecp384", "aes256-sha512"},
		{"aes256-sha1-modp1024", "aes256-sha1"}, /* Azure's and Windows' oldest */
		{"3des-sha1-modp1024", "3des-sha1"},
		{"3des-sha256-modp2048", "3des-sha256"},
		{"chacha20poly1305-prfsha256-x448", "chacha20poly1305"},
		{"aes192gcm16-prfsha384-ecp521", "aes192gcm16"},
		{"aes256gcm16-prfsha1-modp3072", "null-sha256"},
		{"aes256-sha256-prfsha512-modp4096", "aes256gmac"},
		{"aes256-sha256-prfsha512-modp6144", "aes128gmac"},
		{"aes256-sha256-prfsha1-modp8192", "aes192gmac"},
		{"aes256gcm16-prfsha256-x25519", "aes256-sha256-modp2048"}, /* PFS */
		{"aes256gcm16-prfsha256-x25519", "chacha20poly1305-ecp384"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(row); i++)
		for (unsigned from = 0; from < 2; from++) {
			struct sim *s = sim_new(3000 + 2 * i + from);

			propose(&s->node[0], row[i][0], row[i][1]);
			propose(&s->node[1], row[i][0], row[i][1]);
			s->node[from].cfg.start = CFG_START_ALWAYS;
			s->node[!from].cfg.start = CFG_START_RESPOND_ONLY;
			run(s);
			sim_free(s);
		}
}

/* Microsoft's default for a connection without a policy of its own: IKE AES-256, SHA-1, group 2; ESP AES-256, SHA-256, 3600 s,
 * 102400000 KB, no PFS. The other end offers what it would to anybody. */
static void azures_default_is_agreed_on_by_both_ends(void **state)
{
	(void)state;
	for (unsigned azure = 0; azure < 2; azure++)
		for (unsigned from = 0; from < 2; from++) {
			static const char *const ours[] = {"aes256gcm16-prfsha384-x25519-modp2048",
							   "aes256-aes128-sha256-sha1-modp2048-modp1024", NULL};
			static const char *const ours_esp[] = {"aes256gcm16-aes128gcm16", "aes256-aes128-sha256-sha1",
							       NULL};
			struct sim *s = sim_new(3100 + 2 * azure + from);
			struct cfg_tunnel *cfg = &s->node[azure].cfg;
			struct ike_child_info c;
			struct ike_sa_info a;

			propose(&s->node[azure], "AES256-SHA1-DHGroup2", "AES256-SHA256");
			cfg->ike.lifetime_s = 28800;
			cfg->esp.lifetime_s = 3600;
			cfg->esp.lifetime_bytes = UINT64_C(102400000) * 1024;
			s->node[!azure].cfg.ike.legacy = true;
			sim_propose(&s->node[!azure], true, ours);
			sim_propose(&s->node[!azure], false, ours_esp);
			s->node[from].cfg.start = CFG_START_ALWAYS;
			s->node[!from].cfg.start = CFG_START_RESPOND_ONLY;
			run(s);
			for (unsigned i = 0; i < 2; i++) /* SHA-1 twice and the group; once, however many rekeys */
				assert_int_equal(s->node[i].n_notices[IKE_NOTICE_WEAK], 3);
			assert_true(sim_the_ike(&s->node[0], &a) && sim_the_child(&s->node[0], &c));
			assert_string_equal(a.encr->word, "aes256");
			assert_string_equal(a.integ->word, "sha1");
			assert_string_equal(a.prf->word, "prfsha1");
			assert_string_equal(a.dh->word, "modp1024");
			assert_string_equal(c.encr->word, "aes256");
			assert_string_equal(c.integ->word, "sha256");
			assert_null(c.dh);
			sim_free(s);
		}
}

/* A proposal has AEADs or the others, never both: the answer is of one of them. */
static void offers_of_both_kinds_are_answered_with_one(void **state)
{
	static const char *const both[] = {"aes256gcm16-chacha20poly1305-prfsha384-prfsha256-x25519-ecp384",
					   "aes256-aes128-sha384-sha256-prfsha256-x25519-ecp384", NULL};
	static const struct {
		const char *ike, *esp, *encr, *integ;
	} row[] = {
		{"chacha20poly1305-prfsha256-ecp384", "chacha20poly1305", "chacha20poly1305", NULL},
		{"aes128-sha256-ecp384", "aes128-sha256", "aes128", "sha256"},
	};
	static const char *const both_esp[] = {"aes256gcm16-chacha20poly1305", "aes256-aes128-sha384-sha256", NULL};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(row); i++)
		for (unsigned one = 0; one < 2; one++) {
			struct sim *s = sim_new(3200 + 2 * i + one);
			struct ike_child_info c;
			struct ike_sa_info a;

			propose(&s->node[one], row[i].ike, row[i].esp);
			sim_propose(&s->node[!one], true, both);
			sim_propose(&s->node[!one], false, both_esp);
			run(s);
			assert_true(sim_the_ike(&s->node[0], &a) && sim_the_child(&s->node[0], &c));
			assert_string_equal(a.encr->word, row[i].encr);
			assert_string_equal(c.encr->word, row[i].encr);
			assert_true(!a.integ == !row[i].integ && !c.integ == !row[i].integ);
			if (row[i].integ) {
				assert_string_equal(a.integ->word, row[i].integ);
				assert_string_equal(c.integ->word, row[i].integ);
			}
			sim_free(s);
		}
}

/* What the presets offer is what such a peer takes, and takes what it offers: lists as those peers have them (sources in preset.c). */
static void every_kind_meets_its_peer(void **state)
{
	static const struct {
		const char *kind, *ike[4], *esp[4];
	} peers[] = {
		{"azure-vpn-gateway",
		 {"aes256-aes128-3des-sha1-sha256-modp1024"},
		 {"aes256gcm16", "aes256-3des-sha1", "aes256-aes128-sha256"}},
		{"windows-rras", {"3des-aes256-sha1-sha256-modp1024"}, {"aes256-3des-sha1"}},
		{"windows-rras", {"aes256-sha256-modp2048"}, {"aes256-sha1"}},
		{"aws-vpn",
		 {"aes128-aes256-sha1-sha256-modp1024-modp2048"},
		 {"aes128-aes256-sha1-sha256-modp1024-modp2048"}},
		{"aws-vpn", {"aes256gcm16-prfsha384-ecp384"}, {"aes256gcm16-ecp384"}},
	};
	unsigned n;
	const struct cfg_preset *p = cfg_presets(&n);

	(void)state;
	for (unsigned i = 0; i < 2 * N_ELEMS(peers); i++) {
		struct sim *s = sim_new(3200 + i);
		struct ike_child_info c;
		struct ike_sa_info a;
		unsigned row = 0;

		while (strcmp(p[row].kind, peers[i / 2].kind))
			assert_true(++row < n);
		s->node[0].cfg.ike.legacy = s->node[1].cfg.ike.legacy = true;
		sim_propose(&s->node[0], true, p[row].ike);
		sim_propose(&s->node[0], false, p[row].esp);
		sim_propose(&s->node[1], true, peers[i / 2].ike);
		sim_propose(&s->node[1], false, peers[i / 2].esp);
		s->node[i & 1].cfg.start = CFG_START_ALWAYS;
		s->node[!(i & 1)].cfg.start = CFG_START_RESPOND_ONLY;
		print_message("# %s, begun by %s\n", p[row].kind, i & 1 ? "the peer" : "us");
		scenario_up(s);
		scenario_settle(s, 30000);
		assert_true(sim_the_ike(&s->node[0], &a) && sim_the_child(&s->node[0], &c));
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_suite_and_group),
		cmocka_unit_test(azures_default_is_agreed_on_by_both_ends),
		cmocka_unit_test(offers_of_both_kinds_are_answered_with_one),
		cmocka_unit_test(every_kind_meets_its_peer),
	};

	return cmocka_run_group_tests_name("sim-suites", tests, NULL, NULL);
}
