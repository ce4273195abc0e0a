/* The rows of step.c: at most one fits any message, and a reviewer sees each change of them as a diff.
 *
 *   test_step GOLDEN_FILE      (UPDATE=1 in the environment writes it anew)
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/ike/step.h"

static const char *golden;

static bool roles_meet(enum step_role a, enum step_role b)
{
	return a == STEP_ANY || b == STEP_ANY || a == b;
}

/* Is there a set of payloads that both take? It would hold all that either needs, and nothing that either forbids. */
static bool sets_meet(uint32_t need_a, uint32_t may_a, uint32_t need_b, uint32_t may_b)
{
	uint32_t need = need_a | need_b, allowed = (need_a | may_a) & (need_b | may_b);

	return (need & ~allowed) == 0;
}

static void rows_are_mutually_exclusive(void **state)
{
	unsigned n;
	const struct step *r = step_rows(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i + 1; j < n; j++) {
			const struct step *a = &r[i], *b = &r[j];

			if (!(a->from & b->from) || a->exchange != b->exchange || a->request != b->request ||
			    !roles_meet(a->role, b->role))
				continue;
			if (sets_meet(a->need, a->may, b->need, b->may) &&
			    sets_meet(a->sk_need, a->sk_may, b->sk_need, b->sk_may))
				fail_msg("rows \"%s\" and \"%s\" take the same message", a->name, b->name);
		}
	}
}

/* A message with exactly what a row needs is found by that row, and by no other role or direction. */
static void each_row_finds_its_own_message(void **state)
{
	unsigned n;
	const struct step *r = step_rows(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct ike_hdr h = {.exchange = r[i].exchange, .flags = r[i].request ? 0 : IKE_FLAG_RESPONSE};
		struct ike_chain clear = {.seen = r[i].need}, inner = {.seen = r[i].sk_need};

		for (unsigned s = 0; s < IKE_SA_STATE_N; s++) {
			const struct step *found = step_find(s, r[i].role == STEP_INITIATOR, &h, &clear,
							     r[i].need & IKE_PL_BIT(IKE_PL_SK) ? &inner : NULL);

			if (r[i].from & 1u << s)
				assert_ptr_equal(found, &r[i]);
			else
				assert_ptr_not_equal(found, &r[i]);
		}
	}
}

static void only_an_authenticated_sa_may_make_children(void **state)
{
	unsigned n;
	const struct step *r = step_rows(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		if (r[i].exchange != IKE_X_SA_INIT)
			assert_true(r[i].need & IKE_PL_BIT(IKE_PL_SK));
		if (r[i].exchange == IKE_X_CREATE_CHILD || r[i].exchange == IKE_X_INFORMATIONAL)
			assert_false(r[i].from & (1u << IKE_SA_INIT | 1u << IKE_SA_AUTH));
		if (r[i].to == IKE_SA_UP)
			assert_true(r[i].exchange == IKE_X_AUTH && r[i].sk_need & IKE_PL_BIT(IKE_PL_AUTH));
	}
}

static void put_set(FILE *f, uint32_t need, uint32_t may)
{
	for (unsigned t = IKE_PL_SA; t <= IKE_PL_EAP; t++)
		if (need & IKE_PL_BIT(t))
			fprintf(f, " %s", wire_payload_name(t));
	fprintf(f, " [");
	for (unsigned t = IKE_PL_SA; t <= IKE_PL_EAP; t++)
		if (may & ~need & IKE_PL_BIT(t))
			fprintf(f, " %s", wire_payload_name(t));
	fprintf(f, " ]");
}

static void put_row(FILE *f, const struct step *s)
{
	static const char *const roles[] = {"either", "initiator", "responder"};

	fprintf(f, "%s\n  from: ", s->name);
	for (unsigned i = 0; i < IKE_SA_STATE_N; i++)
		if (s->from & 1u << i)
			fprintf(f, "%s ", ike_sa_state_name(i));
	fprintf(f, "(%s)\n  on: %s %s\n  clear:", roles[s->role], wire_exchange_name(s->exchange),
		s->request ? "request" : "response");
	put_set(f, s->need, s->may);
	if (s->need & IKE_PL_BIT(IKE_PL_SK)) {
		fprintf(f, "\n  inside SK:");
		put_set(f, s->sk_need, s->sk_may);
	}
	fprintf(f, "\n  to: %s\n\n", s->to == IKE_SA_STATE_N ? "(stays)" : ike_sa_state_name(s->to));
}

static void the_table_is_the_golden_one(void **state)
{
	char *now = NULL, *then;
	size_t len = 0;
	unsigned n;
	const struct step *r = step_rows(&n);
	FILE *f = open_memstream(&now, &len);

	(void)state;
	for (unsigned i = 0; i < n; i++)
		put_row(f, &r[i]);
	fclose(f);
	if (getenv("UPDATE")) {
		f = fopen(golden, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(now, 1, len, f), len);
		fclose(f);
	}
	then = calloc(1, len + 2);
	f = fopen(golden, "r");
	assert_non_null(f);
	assert_int_equal(fread(then, 1, len + 1, f), len);
	fclose(f);
	assert_string_equal(then, now);
	free(then);
	free(now);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_mutually_exclusive),
		cmocka_unit_test(each_row_finds_its_own_message),
		cmocka_unit_test(only_an_authenticated_sa_may_make_children),
		cmocka_unit_test(the_table_is_the_golden_one),
	};

	if (argc < 2)
		return 2;
	golden = argv[1];
	return cmocka_run_group_tests_name("ike-step", tests, NULL, NULL);
}
