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
		{"aes128gcm", "aes128gcm16"},
		{"AES256GCM", "aes256gcm16"},
		{"aes256gcm128", "aes256gcm16"},
		{"GCMAES128", "aes128gcm16"},
		{"GCMAES256", "aes256gcm16"},
		{"curve25519", "x25519"},
		{"DHGroup14", "modp2048"},
		{"dhgroup2048", "modp2048"},
		{"GCMAES192", "aes192gcm16"},
		{"DES3", "3des"},
		{"PFS2048", "modp2048"},
		{"DHGroup2", "modp1024"},
		{"curve448", "x448"},
		{"sha2_256", "sha256"},
		{"SHA", "sha1"},
		{"aes", "aes128"},
		{"chacha20", "chacha20poly1305"},
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
	assert_int_equal(word("aes192")->key_len, 24);
	assert_int_equal(word("aes192gcm16")->key_len, 28);
	assert_int_equal(word("aes192gmac")->key_len, 28);
	assert_int_equal(word("chacha20poly1305")->key_len, 36);
	assert_int_equal(word("3des")->key_len, 24);
	assert_int_equal(word("null")->key_len, 0);
	assert_int_equal(word("sha1")->key_len, 20);
	assert_int_equal(word("sha512")->key_len, 64);
	assert_int_equal(word("ecp521")->key_len, 132);
	assert_int_equal(word("modp8192")->key_len, 1024);
	assert_int_equal(word("x448")->key_len, 56);
}

/* What pads and how, and where the ICV comes from: the SK payload and ESP take it from here. */
static void shapes_on_the_wire_are_those_of_the_rfcs(void **state)
{
	unsigned n;
	const struct alg *a = alg_table(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		if (a[i].type == ALG_ENCR) {
			assert_true(a[i].block > 0);
			assert_true(a[i].aead == (a[i].icv_len == 16));
		}
		if (a[i].type == ALG_INTEG && a[i].id)
			assert_true(a[i].icv_len * 2 == a[i].key_len || a[i].id == ALG_INTEG_HMAC_SHA1_96);
	}
	assert_true(word("aes256")->iv_len == 16 && word("aes256")->block == 16);
	assert_true(word("3des")->iv_len == 8 && word("3des")->block == 8);
	assert_true(word("null")->iv_len == 0);
	assert_true(word("chacha20poly1305")->iv_len == 8 && word("aes128gmac")->iv_len == 8);
	assert_int_equal(word("sha1")->icv_len, 12);
}

/* RFC 8221, 8247: and nothing else is called weak. */
static void weak_rows_are_marked(void **state)
{
	static const char *const weak[] = {"3des", "sha1", "prfsha1", "modp1024"};
	unsigned n, count = 0;
	const struct alg *a = alg_table(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++)
		count += a[i].legacy;
	assert_int_equal(count, N_ELEMS(weak));
	for (unsigned i = 0; i < N_ELEMS(weak); i++)
		assert_true(word(weak[i])->legacy);
}

static void what_is_not_implemented_is_in_no_row(void **state)
{
	static const char *const absent[] = {"",           "aes64",       "sha224",       "prfmd5",   "md5",
					     "aes256gcm8", "aes256gcm12", "none",         "modp1536", "ecp224",
					     "modp768",    "des",         "modp2048s256", "aes256ctr"};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(absent); i++)
		assert_null(word(absent[i]));
	assert_null(alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 64));
	assert_null(alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 0));
	assert_null(alg_find(ALG_ENCR, ALG_ENCR_CHACHA20_POLY1305, 256)); /* RFC 7634 5 */
	assert_null(alg_find(ALG_ENCR, 13, 256));
	assert_null(alg_find(ALG_DH, 24, 0));
	assert_null(alg_find(ALG_DH, 1025, 0));
	assert_null(alg_find(ALG_DH, ALG_DH_NONE, 0));
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
	assert_int_equal(proposal_parse("aes256gcm16", PROPOSAL_ESP, &p, err, sizeof(err)), 0);
	assert_int_equal(p.dh.n, 0);
}

/* As strongSwan reads them. */
static void integrity_word_names_the_prf_too(void **state)
{
	static const struct {
		const char *words, *means;
	} row[] = {
		{"aes256-sha256-modp2048", "aes256-sha256-prfsha256-modp2048"},
		{"AES256-SHA1-DHGroup2", "aes256-sha1-prfsha1-modp1024"},
		{"3des-sha1-modp1024", "3des-sha1-prfsha1-modp1024"},
		{"aes128-sha512-sha256-prfsha384-ecp384", "aes128-sha512-sha256-prfsha384-ecp384"},
		{"gcmaes256-sha384-ecp384", "aes256gcm16-prfsha384-ecp384"},
		{"chacha20poly1305-sha512-curve25519", "chacha20poly1305-prfsha512-x25519"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(row); i++) {
		struct cfg_proposal p = {0}, again = {0};
		char err[256], text[256];

		assert_int_equal(proposal_parse(row[i].words, PROPOSAL_IKE, &p, err, sizeof(err)), 0);
		assert_string_equal(proposal_str(&p, text, sizeof(text)), row[i].means);
		assert_int_equal(proposal_parse(row[i].means, PROPOSAL_IKE, &again, err, sizeof(err)), 0);
		assert_memory_equal(&p, &again, sizeof(p));
	}
}

static void esp_words_mean_what_they_say(void **state)
{
	static const char *const same[] = {"aes256-sha256", "aes128-aes256-sha384-sha512-modp4096-x448", "null-sha256",
					   "aes256gmac", "aes192gcm16-aes256gmac-ecp521"};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(same); i++) {
		struct cfg_proposal p = {0};
		char err[256], text[256];

		assert_int_equal(proposal_parse(same[i], PROPOSAL_ESP, &p, err, sizeof(err)), 0);
		assert_string_equal(proposal_str(&p, text, sizeof(text)), same[i]);
		assert_int_equal(p.prf.n, 0);
	}
}

static void too_many_of_a_kind_are_refused(void **state)
{
	struct cfg_proposal p = {0};
	char err[256];

	(void)state;
	assert_true(proposal_parse("aes256-sha256-x25519-x448-ecp256-ecp384-ecp521-modp2048-modp3072-modp4096-modp6144",
				   PROPOSAL_IKE, &p, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "more than 8 of one kind"));
}

static void defaults_are_complete_proposals(void **state)
{
	struct cfg_proposal ike[CFG_PROPOSALS_MAX] = {0}, esp[CFG_PROPOSALS_MAX] = {0};
	unsigned n_ike = proposal_defaults(PROPOSAL_IKE, ike), n_esp = proposal_defaults(PROPOSAL_ESP, esp);

	(void)state;
	assert_int_equal(n_ike, 2);
	assert_int_equal(n_esp, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(ike[i].encr.n && ike[i].prf.n && ike[i].dh.n && esp[i].encr.n && !esp[i].dh.n);
		assert_true(ike[i].encr.alg[0]->aead == !ike[i].integ.n && esp[i].encr.alg[0]->aead == !esp[i].integ.n);
		assert_null(proposal_legacy(&ike[i]));
		assert_null(proposal_legacy(&esp[i]));
	}
}

static void refusal_fits_a_small_buffer(void **state)
{
	struct cfg_proposal p = {0};
	char err[8];

	(void)state;
	memset(err, 'x', sizeof(err));
	assert_true(proposal_parse("aes256", PROPOSAL_ESP, &p, err, sizeof(err)) < 0);
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
		cmocka_unit_test(shapes_on_the_wire_are_those_of_the_rfcs),
		cmocka_unit_test(weak_rows_are_marked),
		cmocka_unit_test(integrity_word_names_the_prf_too),
		cmocka_unit_test(esp_words_mean_what_they_say),
		cmocka_unit_test(too_many_of_a_kind_are_refused),
		cmocka_unit_test(refusal_fits_a_small_buffer),
	};

	return cmocka_run_group_tests_name("config-alg", tests, NULL, NULL);
}
