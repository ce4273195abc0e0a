#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "config/alg.h"
#include "config/config.h"
#include "config/proposal.h"

static const struct alg *word(const char *w)
{
	return alg_by_word(w, (unsigned)strlen(w));
}

static void every_row_is_found_by_number_and_by_word(void **state)
{
	unsigned n;
	const struct alg *a = alg_table(&n);

	(void)state;
	assert_true(n >= 8);
	for (unsigned i = 0; i < n; i++) {
		assert_ptr_equal(alg_find(a[i].type, a[i].id, a[i].key_bits), &a[i]);
		assert_true(a[i].ike || a[i].esp);
		assert_non_null(a[i].name);
		if (a[i].word)
			assert_ptr_equal(word(a[i].word), &a[i]);
	}
}

static void other_spellings_mean_the_same_row(void **state)
{
	static const char *const same[][2] = {
		{"aes128gcm", "aes128gcm16"}, {"AES256GCM", "aes256gcm16"}, {"aes256gcm128", "aes256gcm16"},
		{"GCMAES128", "aes128gcm16"}, {"GCMAES256", "aes256gcm16"}, {"curve25519", "x25519"},
		{"DHGroup14", "modp2048"},    {"dhgroup2048", "modp2048"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(same); i++) {
		assert_non_null(word(same[i][0]));
		assert_ptr_equal(word(same[i][0]), word(same[i][1]));
	}
}

static void key_lengths_are_those_of_the_rfcs(void **state)
{
	(void)state;
	assert_int_equal(alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256)->key_len, 36);
	assert_int_equal(alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 128)->key_len, 20);
	assert_int_equal(word("prfsha256")->key_len, 32);
	assert_int_equal(word("prfsha384")->key_len, 48);
	assert_int_equal(word("prfsha512")->key_len, 64);
	assert_int_equal(word("x25519")->key_len, 32);
	assert_int_equal(word("ecp256")->key_len, 64);
	assert_int_equal(word("modp2048")->key_len, 256);
}

static void what_is_not_implemented_is_in_no_row(void **state)
{
	static const char *const absent[] = {"",     "aes256",   "sha256", "prfsha1", "esn",
					     "none", "modp1024", "ecp384", "aes"};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(absent); i++)
		assert_null(word(absent[i]));
	assert_null(alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 192));
	assert_null(alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 0));
	assert_null(alg_find(ALG_ENCR, 12, 256));
	assert_null(alg_find(ALG_DH, 2, 0));
	assert_null(alg_find(ALG_DH, ALG_DH_NONE, 0));
	assert_null(alg_find(ALG_ESN, ALG_ESN_YES, 0));
	assert_null(alg_by_word("x25519junk", 5));
}

static void proposal_keeps_the_order_of_its_words(void **state)
{
	struct cfg_proposal p = {0};
	char err[256], text[256];

	(void)state;
	assert_int_equal(proposal_parse("aes128gcm-modp2048-prfsha512-aes256gcm16-prfsha256-x25519", PROPOSAL_IKE, &p,
					err, sizeof(err)),
			 0);
	assert_string_equal(proposal_str(&p, text, sizeof(text)),
			    "aes128gcm16-aes256gcm16-prfsha512-prfsha256-modp2048-x25519");
	assert_int_equal(p.encr.n, 2);
	assert_int_equal(p.integ.n, 0);
}

static void esp_proposal_needs_no_group_and_no_prf(void **state)
{
	struct cfg_proposal p = {0};
	char err[256];

	(void)state;
	assert_int_equal(proposal_parse("aes256gcm16-noesn", PROPOSAL_ESP, &p, err, sizeof(err)), 0);
	assert_int_equal(p.dh.n, 0);
}

static void defaults_are_complete_proposals(void **state)
{
	struct cfg_proposal ike[CFG_PROPOSALS_MAX] = {0}, esp[CFG_PROPOSALS_MAX] = {0};
	unsigned n_ike = proposal_defaults(PROPOSAL_IKE, ike), n_esp = proposal_defaults(PROPOSAL_ESP, esp);

	(void)state;
	assert_int_equal(n_ike, 8);
	assert_int_equal(n_esp, 2);
	for (unsigned i = 0; i < n_ike; i++)
		assert_true(ike[i].encr.n == 1 && ike[i].prf.n == 1 && ike[i].dh.n == 1);
	for (unsigned i = 0; i < n_esp; i++)
		assert_true(esp[i].encr.n == 1 && !esp[i].prf.n && !esp[i].dh.n);
}

static void refusal_fits_a_small_buffer(void **state)
{
	struct cfg_proposal p = {0};
	char err[8];

	(void)state;
	memset(err, 'x', sizeof(err));
	assert_true(proposal_parse("aes256-sha256", PROPOSAL_ESP, &p, err, sizeof(err)) < 0);
	assert_int_equal(strlen(err), sizeof(err) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_number_and_by_word),
		cmocka_unit_test(other_spellings_mean_the_same_row),
		cmocka_unit_test(key_lengths_are_those_of_the_rfcs),
		cmocka_unit_test(what_is_not_implemented_is_in_no_row),
		cmocka_unit_test(proposal_keeps_the_order_of_its_words),
		cmocka_unit_test(esp_proposal_needs_no_group_and_no_prf),
		cmocka_unit_test(defaults_are_complete_proposals),
		cmocka_unit_test(refusal_fits_a_small_buffer),
	};

	return cmocka_run_group_tests_name("config-alg", tests, NULL, NULL);
}
