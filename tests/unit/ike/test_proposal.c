#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "controlplane/ike/proposal.h"
#include "tests/unit/ike/offer.h"

/* ---- responder ---- */

static void our_order_decides(void **state)
{
	struct cfg_proposal ours[] = {ours_of("aes128gcm16-prfsha384-ecp256"),
				      ours_of("aes256gcm16-aes128gcm16-prfsha256-x25519-ecp256")};
	struct proposal_choice c;

	(void)state;
	OFFER(&offer, IKE_PROTO_IKE, CBC256, SHA256, PRF256, X25519);
	OFFER(&offer, IKE_PROTO_IKE, GCM128, GCM256, PRF256, PRF384, ECP256, X25519);
	assert_int_equal(proposal_choose(ours, 2, IKE_PROTO_IKE, &offer, 19, 0, &c), IKE_V_OK);
	assert_int_equal(c.num, 2);
	assert_int_equal(c.encr->key_bits, 128);
	assert_int_equal(c.prf->id, ALG_PRF_HMAC_SHA2_384);
	assert_int_equal(c.dh->id, 19);
	assert_null(c.integ);
	/* a group that the KE is of is worth more than our order: it saves a round trip */
	assert_int_equal(proposal_choose(ours, 2, IKE_PROTO_IKE, &offer, 31, 0, &c), IKE_V_OK);
	assert_int_equal(c.encr->key_bits, 256);
	assert_int_equal(c.dh->id, 31);
}

/* RFC 7296 1.3: the group to ask for is named. */
static void another_group_is_asked_for(void **state)
{
	struct proposal_choice c;

	(void)state;
	OFFER(&offer, IKE_PROTO_IKE, GCM256, PRF256, MODP2048, ECP256, X25519);
	assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519-ecp256", 14, &c), IKE_V_INVALID_KE);
	assert_int_equal(c.dh->id, 31);
	assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519-ecp256", 0, &c), IKE_V_INVALID_KE);
	assert_int_equal(c.dh->id, 31);
	/* a KE of a group that is in no common proposal does not count, whatever its number (A1) */
	assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519", 1025, &c), IKE_V_INVALID_KE);
	assert_int_equal(c.dh->id, 31);
}

/* RFC 7296 3.3.3, 3.3.6 for the IKE SA: each row is one proposal. */
static const struct {
	const char *name;
	struct t t[6];
	size_t n;
	enum ike_verdict v;
} ike_rows[] = {
	{"complete", {GCM256, PRF256, X25519}, 3, IKE_V_OK},
	{"complete in another order", {X25519, PRF256, GCM256}, 3, IKE_V_OK},
	{"AEAD with INTEG NONE", {GCM256, INTEG_NONE, PRF256, X25519}, 4, IKE_V_OK},
	{"AEAD with an HMAC", {GCM256, SHA256, PRF256, X25519}, 4, IKE_V_NO_PROPOSAL},
	{"AEAD with an HMAC or NONE", {GCM256, SHA256, INTEG_NONE, PRF256, X25519}, 5, IKE_V_NO_PROPOSAL},
	{"no cipher", {PRF256, X25519}, 2, IKE_V_NO_PROPOSAL},
	{"no PRF", {GCM256, X25519}, 2, IKE_V_NO_PROPOSAL},
	{"no group (A7)", {GCM256, PRF256}, 2, IKE_V_NO_PROPOSAL},
	{"group NONE", {GCM256, PRF256, DH_NONE}, 3, IKE_V_NO_PROPOSAL},
	{"no key length (A7)", {{ALG_ENCR, 20, 0}, PRF256, X25519}, 3, IKE_V_NO_PROPOSAL},
	{"key length 192", {{ALG_ENCR, 20, 192}, PRF256, X25519}, 3, IKE_V_NO_PROPOSAL},
	{"key length of another of ours", {GCM128, PRF256, X25519}, 3, IKE_V_NO_PROPOSAL},
	{"a PRF with a key length", {GCM256, {ALG_PRF, 5, 256}, X25519}, 3, IKE_V_NO_PROPOSAL},
	{"an unknown cipher beside ours", {{ALG_ENCR, 9999, 0}, GCM256, PRF256, X25519}, 4, IKE_V_OK},
	{"transform type 6 (A14)", {GCM256, PRF256, X25519, {6, 35, 0}}, 4, IKE_V_NO_PROPOSAL},
	{"transform type 0", {GCM256, PRF256, X25519, {0, 1, 0}}, 4, IKE_V_NO_PROPOSAL},
	{"transform type 255", {GCM256, PRF256, X25519, {255, 1, 0}}, 4, IKE_V_NO_PROPOSAL},
	{"ESN in an IKE proposal", {GCM256, PRF256, X25519, NO_ESN}, 4, IKE_V_NO_PROPOSAL},
	{"nothing", {{0, 0, 0}}, 0, IKE_V_NO_PROPOSAL},
};

static void ike_proposals_are_judged_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(ike_rows); i++) {
		struct proposal_choice c;

		clear(NULL);
		offer_add(&offer, IKE_PROTO_IKE, ike_rows[i].t, ike_rows[i].n);
		print_message("# %s\n", ike_rows[i].name);
		assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519", 31, &c), ike_rows[i].v);
	}
}

/* A1, A14: every number of every type, beyond those that we have, is no choice and no crash. */
static void no_number_outside_the_table_is_chosen(void **state)
{
	struct cfg_proposal ours =
		ours_of("aes256gcm16-aes128gcm16-prfsha256-prfsha384-prfsha512-x25519-ecp256-modp2048");
	struct proposal_choice c;

	(void)state;
	for (unsigned type = 1; type <= 4; type++)
		for (unsigned id = 0; id < 65536; id++) {
			struct t t[] = {GCM256, PRF256, X25519};
			unsigned which = type == ALG_ENCR ? 0 : type == ALG_PRF ? 1 : 2;

			if (type == ALG_INTEG || alg_find((enum alg_type)type, (uint16_t)id, 256))
				continue;
			t[which].type = (uint8_t)type;
			t[which].id = (uint16_t)id;
			clear(NULL);
			offer_add(&offer, IKE_PROTO_IKE, t, 3);
			assert_int_equal(proposal_choose(&ours, 1, IKE_PROTO_IKE, &offer, (uint16_t)id, 0, &c),
					 IKE_V_NO_PROPOSAL);
		}
}

static const struct {
	const char *name, *ours;
	struct t t[6];
	size_t n;
	uint16_t ke;
	unsigned flags;
	enum ike_verdict v;
	int dh; /* chosen group; 0: none */
} esp_rows[] = {
	{"first child", "aes256gcm16", {GCM256, NO_ESN}, 2, 0, PROPOSAL_NO_DH, IKE_V_OK, 0},
	{"first child, our PFS groups do not count yet",
	 "aes256gcm16-x25519",
	 {GCM256, NO_ESN},
	 2,
	 0,
	 PROPOSAL_NO_DH,
	 IKE_V_OK,
	 0},
	{"first child, theirs neither", "aes256gcm16", {GCM256, X25519, NO_ESN}, 3, 0, PROPOSAL_NO_DH, IKE_V_OK, 0},
	{"both sequence numbers offered", "aes256gcm16", {GCM256, ESN, NO_ESN}, 3, 0, 0, IKE_V_OK, 0},
	{"ESN alone", "aes256gcm16", {GCM256, ESN}, 2, 0, 0, IKE_V_NO_PROPOSAL, 0},
	{"no ESN transform", "aes256gcm16", {GCM256}, 1, 0, 0, IKE_V_NO_PROPOSAL, 0},
	{"ESN with id 2", "aes256gcm16", {GCM256, {ALG_ESN, 2, 0}}, 2, 0, 0, IKE_V_NO_PROPOSAL, 0},
	{"a PRF in an ESP proposal", "aes256gcm16", {GCM256, PRF256, NO_ESN}, 3, 0, 0, IKE_V_NO_PROPOSAL, 0},
	{"PFS on both sides", "aes256gcm16-x25519", {GCM256, X25519, NO_ESN}, 3, 31, 0, IKE_V_OK, 31},
	{"PFS wanted, the KE is missing",
	 "aes256gcm16-x25519",
	 {GCM256, X25519, NO_ESN},
	 3,
	 0,
	 0,
	 IKE_V_INVALID_KE,
	 31},
	{"PFS wanted, the KE is of another group",
	 "aes256gcm16-x25519",
	 {GCM256, ECP256, X25519, NO_ESN},
	 4,
	 19,
	 0,
	 IKE_V_INVALID_KE,
	 31},
	{"PFS here, none offered", "aes256gcm16-x25519", {GCM256, NO_ESN}, 2, 0, 0, IKE_V_NO_PROPOSAL, 0},
	{"PFS here, none offered, and that is fine",
	 "aes256gcm16-x25519",
	 {GCM256, NO_ESN},
	 2,
	 0,
	 PROPOSAL_NO_PFS_OK,
	 IKE_V_OK,
	 0},
	{"PFS preferred where offered",
	 "aes256gcm16-x25519",
	 {GCM256, DH_NONE, X25519, NO_ESN},
	 4,
	 31,
	 PROPOSAL_NO_PFS_OK,
	 IKE_V_OK,
	 31},
	{"PFS offered alone, not allowed here",
	 "aes256gcm16",
	 {GCM256, X25519, NO_ESN},
	 3,
	 31,
	 0,
	 IKE_V_NO_PROPOSAL,
	 0},
	{"PFS offered or NONE, not allowed here",
	 "aes256gcm16",
	 {GCM256, X25519, DH_NONE, NO_ESN},
	 4,
	 31,
	 0,
	 IKE_V_OK,
	 0},
	{"AEAD with an HMAC", "aes256gcm16", {GCM256, SHA256, NO_ESN}, 3, 0, 0, IKE_V_NO_PROPOSAL, 0},
	{"AEAD with NONE", "aes256gcm16", {GCM256, INTEG_NONE, NO_ESN}, 3, 0, 0, IKE_V_OK, 0},
};

static void esp_proposals_are_judged_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(esp_rows); i++) {
		struct proposal_choice c;

		clear(NULL);
		offer_add(&offer, IKE_PROTO_ESP, esp_rows[i].t, esp_rows[i].n);
		print_message("# %s\n", esp_rows[i].name);
		assert_int_equal(esp_choose(esp_rows[i].ours, esp_rows[i].ke, esp_rows[i].flags, &c), esp_rows[i].v);
		assert_int_equal(esp_rows[i].v != IKE_V_NO_PROPOSAL && c.dh ? c.dh->id : 0, esp_rows[i].dh);
	}
}

static void bad_spis_and_protocols_are_passed_over(void **state)
{
	struct proposal_choice c;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		OFFER(&offer, IKE_PROTO_ESP, GCM256, NO_ESN);
	offer.proposal[0].protocol = IKE_PROTO_AH;
	offer.proposal[1].spi = 255; /* reserved: RFC 4303 2.1 */
	offer.proposal[2].spi_size = 8;
	offer.proposal[3].unacceptable = true;
	assert_int_equal(esp_choose("aes256gcm16", 0, 0, &c), IKE_V_OK);
	assert_int_equal(c.num, 5);
	assert_true(c.spi == 0xc0000005u);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_IKE, GCM256, PRF256, X25519);
	offer.proposal[0].spi_size = 8; /* and SPI 0 */
	assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519", 31, &c), IKE_V_NO_PROPOSAL);
	offer.proposal[0].spi = 77;
	assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519", 31, &c), IKE_V_OK);
	assert_true(c.spi == 77 && c.spi_size == 8);
}

/* Azure's gateway offers dozens of proposals, one set in each, GCM somewhere in them. */
static void a_long_offer_of_single_sets_is_searched(void **state)
{
	static const uint16_t dh[] = {2, 14, 20, 19, 24};
	struct proposal_choice c;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 5; k++)
			OFFER(&offer, IKE_PROTO_IKE, {ALG_ENCR, 12, (uint16_t)(i & 1 ? 128 : 256)},
			      {ALG_INTEG, (uint16_t)(i & 2 ? 2 : 12), 0}, {ALG_PRF, (uint16_t)(i & 2 ? 2 : 5), 0},
			      {ALG_DH, dh[k], 0});
	for (unsigned k = 0; k < 5; k++)
		OFFER(&offer, IKE_PROTO_IKE, GCM256, PRF384, {ALG_DH, dh[k], 0});
	assert_int_equal(ike_choose("aes256gcm16-prfsha384-ecp256-modp2048", 2, &c), IKE_V_INVALID_KE);
	assert_int_equal(c.dh->id, 14);
	assert_int_equal(ike_choose("aes256gcm16-prfsha384-ecp256-modp2048", 14, &c), IKE_V_OK);
	assert_int_equal(c.num, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(our_order_decides, clear),
		cmocka_unit_test_setup(another_group_is_asked_for, clear),
		cmocka_unit_test_setup(ike_proposals_are_judged_strictly, clear),
		cmocka_unit_test_setup(no_number_outside_the_table_is_chosen, clear),
		cmocka_unit_test_setup(esp_proposals_are_judged_strictly, clear),
		cmocka_unit_test_setup(bad_spis_and_protocols_are_passed_over, clear),
		cmocka_unit_test_setup(a_long_offer_of_single_sets_is_searched, clear),
	};

	return cmocka_run_group_tests_name("ike-proposal", tests, NULL, NULL);
}
