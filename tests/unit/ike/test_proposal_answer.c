#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "controlplane/ike/proposal.h"
#include "tests/unit/ike/offer.h"

/* ---- answers ---- */

static void the_answer_is_one_set_and_verifies(void **state)
{
	static struct payload_sa ours_sent, answer;
	struct cfg_proposal ours[] = {ours_of("aes256gcm16-aes128gcm16-prfsha256-x25519-ecp256"),
				      ours_of("aes128gcm16-prfsha384-modp2048")};
	struct proposal_choice c, back;

	(void)state;
	proposal_build(ours, 2, IKE_PROTO_IKE, 0, 0, 0, &ours_sent);
	assert_int_equal(ours_sent.n, 2);
	assert_int_equal(ours_sent.proposal[1].num, 2);
	assert_int_equal(proposal_choose(&ours[1], 1, IKE_PROTO_IKE, &ours_sent, 14, 0, &c), IKE_V_OK);
	proposal_answer(&c, 0, &answer);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.n_transforms, 3);
	assert_int_equal(answer.proposal[0].num, 2);
	assert_int_equal(proposal_verify(&ours_sent, &answer, &back), IKE_V_OK);
	assert_ptr_equal(back.encr, c.encr);
	assert_ptr_equal(back.prf, c.prf);
	assert_ptr_equal(back.dh, c.dh);
}

static void esp_offers_carry_spi_and_no_esn(void **state)
{
	static struct payload_sa sent, answer;
	struct cfg_proposal ours = ours_of("aes256gcm16-x25519");
	struct proposal_choice c, back;

	(void)state;
	proposal_build(&ours, 1, IKE_PROTO_ESP, 0x12345678, 4, PROPOSAL_NO_DH, &sent);
	assert_int_equal(sent.n_transforms, 2);
	assert_int_equal(sent.transform[1].type, ALG_ESN);
	proposal_build(&ours, 1, IKE_PROTO_ESP, 0x12345678, 4, 0, &sent);
	assert_int_equal(sent.n_transforms, 3);
	assert_int_equal(proposal_choose(&ours, 1, IKE_PROTO_ESP, &sent, 31, 0, &c), IKE_V_OK);
	assert_true(c.spi == 0x12345678);
	proposal_answer(&c, 0x9abcdef0, &answer);
	assert_int_equal(proposal_verify(&sent, &answer, &back), IKE_V_OK);
	assert_true(back.spi == 0x9abcdef0);
	assert_int_equal(back.dh->id, 31);
	assert_false(back.esn);
}

/* NONE that was offered in words is answered in words. */
static void explicit_none_is_repeated(void **state)
{
	static struct payload_sa answer;
	struct proposal_choice c, back;

	(void)state;
	OFFER(&offer, IKE_PROTO_ESP, GCM256, INTEG_NONE, X25519, DH_NONE, NO_ESN);
	assert_int_equal(esp_choose("aes256gcm16", 0, 0, &c), IKE_V_OK);
	proposal_answer(&c, 0x1000, &answer);
	assert_int_equal(answer.n_transforms, 4);
	assert_int_equal(proposal_verify(&offer, &answer, &back), IKE_V_OK);
	assert_null(back.dh);
	assert_null(back.integ);
}

/* RFC 7296 3.3.6: the initiator checks. Each row changes a good answer in one way. */
static void a_wrong_answer_is_refused(void **state)
{
	static struct payload_sa sent, good, bad;
	struct cfg_proposal ours = ours_of("aes256gcm16-prfsha256-x25519-ecp256");
	struct proposal_choice c;

	(void)state;
	proposal_build(&ours, 1, IKE_PROTO_IKE, 7, 8, 0, &sent);
	assert_int_equal(proposal_choose(&ours, 1, IKE_PROTO_IKE, &sent, 19, 0, &c), IKE_V_OK);
	proposal_answer(&c, 9, &good);
	assert_int_equal(proposal_verify(&sent, &good, &c), IKE_V_OK);
	bad = good; /* another number */
	bad.proposal[0].num = 2;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* another protocol */
	bad.proposal[0].protocol = IKE_PROTO_ESP;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* SPI 0 */
	bad.proposal[0].spi = 0;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_SYNTAX);
	bad = good; /* SPI of another size */
	bad.proposal[0].spi_size = 4;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_SYNTAX);
	bad = good; /* a weaker key */
	bad.transform[0].key_bits = 128;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* no key length */
	bad.transform[0].has_key_bits = false;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* a group that was not offered */
	bad.transform[2].id = 14;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* group NONE */
	bad.transform[2].id = 0;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* the group left out */
	bad.proposal[0].n = 2;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* two groups */
	bad.transform[3] = (struct payload_transform){.type = ALG_DH, .id = 31};
	bad.proposal[0].n = 4;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* an extra type */
	bad.transform[3] = (struct payload_transform){.type = ALG_INTEG, .id = 12};
	bad.proposal[0].n = 4;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* two proposals */
	bad.proposal[1] = bad.proposal[0];
	bad.n = 2;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* no transforms */
	bad.proposal[0].n = 0;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
	bad = good; /* an attribute that we do not know */
	bad.transform[1].unacceptable = true;
	assert_int_equal(proposal_verify(&sent, &bad, &c), IKE_V_NO_PROPOSAL);
}

/* What is built goes through the wire and comes back the same. */
static void built_offers_survive_the_wire(void **state)
{
	static struct payload_sa sent, got;
	struct cfg_proposal ours[] = {ours_of("aes256gcm16-aes128gcm16-prfsha256-prfsha384-x25519-ecp256-modp2048"),
				      ours_of("aes128gcm16-prfsha512-modp2048")};
	uint8_t buf[512];
	struct wr w = wr_of(buf, sizeof(buf));
	struct proposal_choice c;

	(void)state;
	proposal_build(ours, 2, IKE_PROTO_IKE, 0, 0, 0, &sent);
	payload_sa_encode(&w, &sent);
	assert_int_equal(payload_sa_decode(rd_of(buf, w.len), &got), IKE_V_OK);
	assert_int_equal(proposal_choose(ours, 2, IKE_PROTO_IKE, &got, 31, 0, &c), IKE_V_OK);
	assert_int_equal(c.encr->key_bits, 256);
}

/* ---- groups and words ---- */

static void groups_are_looked_up_in_what_we_offer(void **state)
{
	struct cfg_proposal ours[] = {ours_of("aes256gcm16"), ours_of("aes256gcm16-ecp256-x25519")};

	(void)state;
	assert_int_equal(proposal_first_group(ours, 2)->id, 19);
	assert_null(proposal_first_group(ours, 1));
	assert_int_equal(proposal_group(ours, 2, 31)->id, 31);
	assert_null(proposal_group(ours, 2, 14));
	assert_null(proposal_group(ours, 2, 0));
	assert_null(proposal_group(ours, 2, 1025));
}

static void expect_explained(const char *ours_words, uint8_t protocol, const char *const *want, unsigned n)
{
	struct cfg_proposal ours = ours_of(ours_words);
	char buf[1024];

	proposal_explain(&ours, 1, protocol, &offer, 0, buf, sizeof(buf));
	print_message("# %s\n", buf);
	for (unsigned i = 0; i < n; i++)
		assert_non_null(strstr(buf, want[i]));
}

static void the_nearest_difference_is_explained_with_its_cure(void **state)
{
	(void)state;
	OFFER(&offer, IKE_PROTO_IKE, CBC256, SHA1, PRFSHA1, MODP1024);
	OFFER(&offer, IKE_PROTO_IKE, GCM256, PRF256, ECP256, MODP1024);
	expect_explained("aes256gcm16-prfsha256-x25519", IKE_PROTO_IKE,
			 (const char *const[]){"no common DH group", "the peer has ecp256/modp1024", "we have x25519",
					       "add ecp256 to this tunnel's ike.proposals",
					       "have the peer offer x25519", "aes256-sha1-prfsha1-modp1024"},
			 6);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_IKE, CBC256, SHA1, PRFSHA1, MODP1024);
	expect_explained(
		"aes256gcm16-prfsha256-x25519", IKE_PROTO_IKE,
		(const char *const[]){"no common cipher", "the peer has aes256",
				      "; add aes256-sha1-prfsha1-modp1024 to this tunnel's ike.proposals "
				      "(weak: it needs ike: {legacy: true}), or have the peer offer aes256gcm16"},
		3);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_ESP, CBC256, SHA256, NO_ESN);
	expect_explained("aes256gcm16", IKE_PROTO_ESP,
			 (const char *const[]){"add aes256-sha256 to this tunnel's esp.proposals, or"}, 1);
	expect_explained("aes256-sha384", IKE_PROTO_ESP,
			 (const char *const[]){"no common integrity", "add sha256 to this tunnel's esp.proposals"}, 2);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_ESP, GCM256, SHA256, NO_ESN);
	expect_explained("aes256gcm16", IKE_PROTO_ESP,
			 (const char *const[]){"have the peer leave it out (our ciphers carry their own"}, 1);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_ESP, GCM256, X25519, NO_ESN);
	expect_explained("aes256gcm16", IKE_PROTO_ESP,
			 (const char *const[]){"no common DH group", "we have nothing",
					       "add x25519 to this tunnel's esp.proposals", "leave PFS out"},
			 4);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_ESP, GCM256, ESN);
	expect_explained("aes256gcm16", IKE_PROTO_ESP, (const char *const[]){"extended sequence numbers"}, 1);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_ESP, GCM256, SHA256, NO_ESN);
	expect_explained("aes256gcm16", IKE_PROTO_ESP, (const char *const[]){"integrity", "sha256", "leave it out"}, 3);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_IKE, {ALG_ENCR, 31337, 17}, {99, 5, 0});
	expect_explained("aes256gcm16-prfsha256-x25519", IKE_PROTO_IKE,
			 (const char *const[]){"type1:31337/17", "type99:5"}, 2);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_AH, SHA256, NO_ESN);
	expect_explained("aes256gcm16", IKE_PROTO_ESP, (const char *const[]){"protocol 2"}, 1);
}

/* A buffer of any size is kept to and ends in NUL; a cut shows. */
static void explanations_fit_their_buffer(void **state)
{
	struct cfg_proposal ours = ours_of("aes256gcm16-prfsha256-x25519");
	char buf[400];

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		OFFER(&offer, IKE_PROTO_IKE, CBC256, SHA1, PRFSHA1, MODP1024, {200, 65535, 65535});
	for (size_t cap = 0; cap < sizeof(buf); cap++) {
		memset(buf, '!', sizeof(buf));
		proposal_explain(&ours, 1, IKE_PROTO_IKE, &offer, 0, buf, cap);
		if (cap > 0)
			assert_true(strlen(buf) < cap);
		assert_int_equal(buf[cap], '!');
	}
	assert_non_null(strstr(buf, "..."));
}

static void a_choice_is_shown_in_words(void **state)
{
	struct proposal_choice c;
	char buf[64];

	(void)state;
	OFFER(&offer, IKE_PROTO_IKE, GCM256, PRF256, X25519);
	assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519", 31, &c), IKE_V_OK);
	assert_string_equal(proposal_choice_str(&c, buf, sizeof(buf)), "aes256gcm16-prfsha256-x25519");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_answer_is_one_set_and_verifies, clear),
		cmocka_unit_test_setup(esp_offers_carry_spi_and_no_esn, clear),
		cmocka_unit_test_setup(explicit_none_is_repeated, clear),
		cmocka_unit_test_setup(a_wrong_answer_is_refused, clear),
		cmocka_unit_test_setup(built_offers_survive_the_wire, clear),
		cmocka_unit_test_setup(groups_are_looked_up_in_what_we_offer, clear),
		cmocka_unit_test_setup(the_nearest_difference_is_explained_with_its_cure, clear),
		cmocka_unit_test_setup(explanations_fit_their_buffer, clear),
		cmocka_unit_test_setup(a_choice_is_shown_in_words, clear),
	};

	return cmocka_run_group_tests_name("ike-proposal-answer", tests, NULL, NULL);
}
