#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "controlplane/ike/proposal.h"

/* ---- proposals from words ---- */

static void list_add(struct cfg_proposal *p, const struct alg *a)
{
	struct cfg_alg_list *list = a->type == ALG_ENCR  ? &p->encr
				    : a->type == ALG_PRF ? &p->prf
				    : a->type == ALG_DH  ? &p->dh
							 : &p->integ;

	list->alg[list->n++] = a;
}

/* "aes256gcm16-prfsha256-x25519" as the config has it. */
static struct cfg_proposal ours_of(const char *words)
{
	struct cfg_proposal p = {0};

	while (*words) {
		size_t len = strcspn(words, "-");
		const struct alg *a = alg_by_word(words, (unsigned)len);

		assert_non_null(a);
		list_add(&p, a);
		words += len + (words[len] == '-');
	}
	return p;
}

/* A peer's offer, transform by transform. */
struct t {
	uint8_t type;
	uint16_t id, bits;
};
#define GCM256                    \
	{                         \
		ALG_ENCR, 20, 256 \
	}
#define GCM128                    \
	{                         \
		ALG_ENCR, 20, 128 \
	}
#define CBC256                    \
	{                         \
		ALG_ENCR, 12, 256 \
	}
#define SHA256                   \
	{                        \
		ALG_INTEG, 12, 0 \
	}
#define SHA1                    \
	{                       \
		ALG_INTEG, 2, 0 \
	}
#define PRF256                \
	{                     \
		ALG_PRF, 5, 0 \
	}
#define PRF384                \
	{                     \
		ALG_PRF, 6, 0 \
	}
#define PRFSHA1               \
	{                     \
		ALG_PRF, 2, 0 \
	}
#define X25519                \
	{                     \
		ALG_DH, 31, 0 \
	}
#define ECP256                \
	{                     \
		ALG_DH, 19, 0 \
	}
#define MODP2048              \
	{                     \
		ALG_DH, 14, 0 \
	}
#define MODP1024             \
	{                    \
		ALG_DH, 2, 0 \
	}
#define DH_NONE              \
	{                    \
		ALG_DH, 0, 0 \
	}
#define NO_ESN                \
	{                     \
		ALG_ESN, 0, 0 \
	}
#define ESN                   \
	{                     \
		ALG_ESN, 1, 0 \
	}
#define INTEG_NONE              \
	{                       \
		ALG_INTEG, 0, 0 \
	}

static void offer_add(struct payload_sa *sa, uint8_t protocol, const struct t *t, size_t n)
{
	struct payload_proposal *p = &sa->proposal[sa->n++];

	*p = (struct payload_proposal){
		.num = (uint8_t)sa->n, .protocol = protocol, .first = (uint16_t)sa->n_transforms, .n = (uint16_t)n};
	if (protocol == IKE_PROTO_ESP) {
		p->spi_size = 4;
		p->spi = 0xc0000000u + sa->n;
	}
	for (size_t i = 0; i < n; i++)
		sa->transform[sa->n_transforms++] = (struct payload_transform){
			.type = t[i].type, .id = t[i].id, .key_bits = t[i].bits, .has_key_bits = t[i].bits != 0};
}

#define OFFER(sa, protocol, ...)                                 \
	offer_add(sa, protocol, (const struct t[]){__VA_ARGS__}, \
		  sizeof((const struct t[]){__VA_ARGS__}) / sizeof(struct t))

static struct payload_sa offer;

static int clear(void **state)
{
	(void)state;
	offer.n = offer.n_transforms = offer.left_out = 0;
	return 0;
}

static enum ike_verdict ike_choose(const char *words, uint16_t ke, struct proposal_choice *c)
{
	struct cfg_proposal ours = ours_of(words);

	return proposal_choose(&ours, 1, IKE_PROTO_IKE, &offer, ke, 0, c);
}

static enum ike_verdict esp_choose(const char *words, uint16_t ke, unsigned flags, struct proposal_choice *c)
{
	struct cfg_proposal ours = ours_of(words);

	return proposal_choose(&ours, 1, IKE_PROTO_ESP, &offer, ke, flags, c);
}

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
static void ike_proposals_are_judged_strictly(void **state)
{
	static const struct {
		const char *name;
		struct t t[6];
		size_t n;
		enum ike_verdict v;
	} rows[] = {
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

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct proposal_choice c;

		clear(NULL);
		offer_add(&offer, IKE_PROTO_IKE, rows[i].t, rows[i].n);
		print_message("# %s\n", rows[i].name);
		assert_int_equal(ike_choose("aes256gcm16-prfsha256-x25519", 31, &c), rows[i].v);
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

static void esp_proposals_are_judged_strictly(void **state)
{
	static const struct {
		const char *name, *ours;
		struct t t[6];
		size_t n;
		uint16_t ke;
		unsigned flags;
		enum ike_verdict v;
		int dh; /* chosen group; 0: none */
	} rows[] = {
		{"first child", "aes256gcm16", {GCM256, NO_ESN}, 2, 0, PROPOSAL_NO_DH, IKE_V_OK, 0},
		{"first child, our PFS groups do not count yet",
		 "aes256gcm16-x25519",
		 {GCM256, NO_ESN},
		 2,
		 0,
		 PROPOSAL_NO_DH,
		 IKE_V_OK,
		 0},
		{"first child, theirs neither",
		 "aes256gcm16",
		 {GCM256, X25519, NO_ESN},
		 3,
		 0,
		 PROPOSAL_NO_DH,
		 IKE_V_OK,
		 0},
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

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct proposal_choice c;

		clear(NULL);
		offer_add(&offer, IKE_PROTO_ESP, rows[i].t, rows[i].n);
		print_message("# %s\n", rows[i].name);
		assert_int_equal(esp_choose(rows[i].ours, rows[i].ke, rows[i].flags, &c), rows[i].v);
		assert_int_equal(rows[i].v != IKE_V_NO_PROPOSAL && c.dh ? c.dh->id : 0, rows[i].dh);
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
					       "have the peer offer x25519", "aes-cbc-256-sha1-prfsha1-modp1024"},
			 6);
	clear(NULL);
	OFFER(&offer, IKE_PROTO_IKE, CBC256, SHA1, PRFSHA1, MODP1024);
	expect_explained("aes256gcm16-prfsha256-x25519", IKE_PROTO_IKE,
			 (const char *const[]){"no common cipher", "the peer has aes-cbc-256",
					       "; have the peer offer aes256gcm16"},
			 3);
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
		cmocka_unit_test_setup(our_order_decides, clear),
		cmocka_unit_test_setup(another_group_is_asked_for, clear),
		cmocka_unit_test_setup(ike_proposals_are_judged_strictly, clear),
		cmocka_unit_test_setup(no_number_outside_the_table_is_chosen, clear),
		cmocka_unit_test_setup(esp_proposals_are_judged_strictly, clear),
		cmocka_unit_test_setup(bad_spis_and_protocols_are_passed_over, clear),
		cmocka_unit_test_setup(a_long_offer_of_single_sets_is_searched, clear),
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

	return cmocka_run_group_tests_name("ike-proposal", tests, NULL, NULL);
}
