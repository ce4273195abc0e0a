/* Who wins when rekeys cross, and what is answered meanwhile (RFC 7296 2.8.1, 2.25): tables. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/ike/rekey.h"

static struct ike_nonce nonce(const char *s)
{
	struct ike_nonce n = {.len = (uint16_t)strlen(s)};

	memcpy(n.b, s, n.len);
	return n;
}

static void lowest_of_four_nonces_loses(void **state)
{
	static const struct {
		const char *ours[2], *theirs[2];
		bool lose;
	} rows[] = {
		{{"aaaa", "dddd"}, {"bbbb", "cccc"}, true},   {{"dddd", "aaaa"}, {"bbbb", "cccc"}, true},
		{{"bbbb", "cccc"}, {"aaaa", "dddd"}, false},  {{"bbbb", "cccc"}, {"dddd", "aaaa"}, false},
		{{"aaa", "zz"}, {"aaaa", "zz"}, true},        {{"aaaa", "zz"}, {"aaa", "zz"}, false},
		{{"\x01\xff", "z"}, {"\x02\x01", "z"}, true}, {{"\xff", "z"}, {"\x7f", "zz"}, true},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct ike_nonce a = nonce(rows[i].ours[0]), b = nonce(rows[i].ours[1]);
		struct ike_nonce c = nonce(rows[i].theirs[0]), d = nonce(rows[i].theirs[1]);
		const struct ike_nonce *us = rekey_low(&a, &b), *them = rekey_low(&c, &d);

		assert_int_equal(rekey_loses(us, them), rows[i].lose);
		assert_int_equal(rekey_loses(them, us), !rows[i].lose); /* exactly one of the two goes */
	}
}

enum { NONE = -1 };

static void a_request_about_a_child_is_judged(void **state)
{
	static const struct {
		int doing; /* our request under way */
		int old;   /* state of the pair that is named; NONE: there is none */
		bool rekey, replaced;
		enum rekey_answer want;
	} rows[] = {
		{NONE, NONE, false, false, REKEY_PROCEED},
		{XCHG_IKE_REKEY, NONE, false, false, REKEY_TEMPORARY},
		{XCHG_IKE_REKEY, IKE_CHILD_UP, true, false, REKEY_TEMPORARY},
		{NONE, NONE, true, false, REKEY_NOT_FOUND},
		{XCHG_CHILD_REKEY, NONE, true, false, REKEY_TEMPORARY}, /* perhaps the one that we are being given */
		{XCHG_CHILD_CREATE, NONE, true, false, REKEY_TEMPORARY},
		{XCHG_CHILD_DELETE, NONE, true, false, REKEY_NOT_FOUND},
		{NONE, IKE_CHILD_UP, true, false, REKEY_PROCEED},
		{XCHG_CHILD_REKEY, IKE_CHILD_REKEYING, true, false, REKEY_PROCEED},
		{NONE, IKE_CHILD_UP, true, true, REKEY_TEMPORARY},
		{NONE, IKE_CHILD_REKEYED, true, true, REKEY_TEMPORARY},
		{XCHG_CHILD_DELETE, IKE_CHILD_DELETING, true, false, REKEY_TEMPORARY},
		{NONE, IKE_CHILD_INSTALLING, true, false, REKEY_TEMPORARY},
		{NONE, IKE_CHILD_OLD, true, true, REKEY_NOT_FOUND},
		{XCHG_LIVENESS, IKE_CHILD_UP, true, false, REKEY_PROCEED},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		static struct ike_sa sa;
		static struct xchg x;
		struct ike_child old = {.state = rows[i].old < 0 ? 0 : (enum ike_child_state)rows[i].old,
					.replaced_by = rows[i].replaced ? 0x1234 : 0};

		x.kind = rows[i].doing < 0 ? 0 : (enum xchg_kind)rows[i].doing;
		sa.x_out = rows[i].doing < 0 ? NULL : &x;
		assert_int_equal(rekey_child_judge(&sa, rows[i].old < 0 ? NULL : &old, rows[i].rekey), rows[i].want);
	}
}

static void a_rekey_of_the_ike_sa_waits_for_children(void **state)
{
	static const struct {
		int doing;
		enum child_half in;
		enum rekey_answer want;
	} rows[] = {
		{NONE, HALF_READY, REKEY_PROCEED},
		{XCHG_LIVENESS, HALF_READY, REKEY_PROCEED},
		{XCHG_IKE_REKEY, HALF_READY, REKEY_PROCEED}, /* 2.25.2: as usual, the nonces decide */
		{XCHG_CHILD_CREATE, HALF_READY, REKEY_TEMPORARY},
		{XCHG_CHILD_REKEY, HALF_READY, REKEY_TEMPORARY},
		{XCHG_CHILD_DELETE, HALF_READY, REKEY_TEMPORARY},
		{NONE, HALF_PENDING, REKEY_TEMPORARY},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		static struct ike_sa sa;
		static struct xchg x;
		struct ike_child c = {.in = rows[i].in};

		list_init(&sa.children);
		list_add_tail(&sa.children, &c.node);
		x.kind = rows[i].doing < 0 ? 0 : (enum xchg_kind)rows[i].doing;
		sa.x_out = rows[i].doing < 0 ? NULL : &x;
		assert_int_equal(rekey_ike_judge(&sa), rows[i].want);
		list_del(&c.node);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowest_of_four_nonces_loses),
		cmocka_unit_test(a_request_about_a_child_is_judged),
		cmocka_unit_test(a_rekey_of_the_ike_sa_waits_for_children),
	};

	return cmocka_run_group_tests_name("ike-rekey", tests, NULL, NULL);
}
