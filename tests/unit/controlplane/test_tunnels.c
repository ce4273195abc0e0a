#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/tunnels.h"

static struct tunnels ts;
static struct secret psk;

static int up(void **state)
{
	(void)state;
	tunnels_init(&ts);
	return secret_set(&psk, "one", 3);
}

static int down(void **state)
{
	(void)state;
	tunnels_fini(&ts);
	return 0;
}

static struct cfg_tunnel cfg_of(const char *name)
{
	struct cfg_tunnel c;

	memset(&c, 0, sizeof(c));
	snprintf(c.name, sizeof(c.name), "%s", name);
	c.psk = &psk;
	c.line = 7;
	return c;
}

static void index_and_handle_stay_whatever_the_order(void **state)
{
	struct cfg_tunnel a = cfg_of("a"), b = cfg_of("b");
	struct tunnel *ta = tunnels_add(&ts, &a), *tb = tunnels_add(&ts, &b);

	(void)state;
	assert_int_equal(ta->handle.slot, 0);
	assert_int_equal(tb->handle.slot, 1);
	assert_ptr_equal(tunnels_find(&ts, "b"), tb);
	assert_ptr_equal(tunnels_by_handle(&ts, &tb->handle), tb);
	tunnels_del(&ts, ta);
	assert_null(tunnels_find(&ts, "a"));
	assert_null(tunnels_at(&ts, 0));
	assert_ptr_equal(tunnels_at(&ts, 1), tb);
	struct cfg_tunnel c = cfg_of("c");
	assert_int_equal(tunnels_add(&ts, &c)->handle.slot, 0);
}

static void an_old_handle_is_not_a_new_tunnels(void **state)
{
	struct cfg_tunnel a = cfg_of("a"), b = cfg_of("b");
	struct tunnel *t = tunnels_add(&ts, &a);
	struct msg_handle old = t->handle;

	(void)state;
	tunnels_del(&ts, t);
	t = tunnels_add(&ts, &b);
	assert_int_equal(t->handle.slot, old.slot);
	assert_null(tunnels_by_handle(&ts, &old));
	assert_int_not_equal(t->handle.gen, 0);
}

static void the_same_row_is_no_change(void **state)
{
	struct cfg_tunnel a = cfg_of("a");
	struct tunnel *t = tunnels_add(&ts, &a);
	struct secret same = psk;

	(void)state;
	a.line = 99; /* moved in the file */
	a.psk = &same;
	assert_false(tunnels_change(t, &a));
	a.dpd_s = 10;
	assert_true(tunnels_change(t, &a));
	assert_int_equal(t->cfg.dpd_s, 10);
}

static void another_psk_is_a_change_and_is_copied(void **state)
{
	struct cfg_tunnel a = cfg_of("a");
	struct tunnel *t = tunnels_add(&ts, &a);
	struct secret other;

	(void)state;
	assert_int_equal(secret_set(&other, "two", 3), 0);
	a.psk = &other;
	assert_true(tunnels_change(t, &a));
	secret_fini(&other);
	assert_int_equal(t->cfg.psk->len, 3);
	assert_memory_equal(t->cfg.psk->b, "two", 3);
	a.psk = NULL;
	assert_true(tunnels_change(t, &a));
	assert_null(t->cfg.psk);
}

static void a_resolved_peer_survives_a_change_of_something_else(void **state)
{
	struct cfg_tunnel a = cfg_of("a");
	struct tunnel *t;

	(void)state;
	snprintf(a.remote.name, sizeof(a.remote.name), "gw.example.net");
	t = tunnels_add(&ts, &a);
	t->peer = ip_v4(0xc0000201);
	t->resolved = true;
	a.dpd_s = 5;
	assert_true(tunnels_change(t, &a));
	assert_int_equal(ip_v4_u32(&t->peer), 0xc0000201);
	snprintf(a.remote.name, sizeof(a.remote.name), "other.example.net");
	assert_true(tunnels_change(t, &a));
	assert_int_equal(t->peer.family, IP_NONE);
	assert_false(t->resolved);
}

static void a_thousand_names_are_found(void **state)
{
	char name[CFG_NAME_MAX];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		struct cfg_tunnel c = cfg_of(name);
		assert_non_null(tunnels_add(&ts, &c));
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_int_equal(tunnels_find(&ts, name)->handle.slot, i);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

/* Rows of two configs, whose certificates are gone with them. */
static void certificates_outlive_their_config(void **state)
{
	struct cfg_certs *a = xcalloc(1, sizeof(*a)), *same = xcalloc(1, sizeof(*same)),
			 *other = xcalloc(1, sizeof(*other));
	struct cfg_tunnel row;
	struct tunnel *t;

	(void)state;
	memset(&row, 0, sizeof(row));
	row.name[0] = 'a';
	row.certs = a;
	a->refs = same->refs = other->refs = 1;
	other->crl_strict = true;
	t = tunnels_add(&ts, &row);
	assert_int_equal(a->refs, 2);
	cfg_certs_unref(a);
	row.certs = same;
	assert_false(tunnels_change(t, &row));
	cfg_certs_unref(same);
	assert_ptr_equal(t->cfg.certs, a); /* what the IKE core has may stay */
	row.certs = other;
	assert_true(tunnels_change(t, &row));
	assert_true(t->cfg.certs->crl_strict);
	row.certs = NULL;
	assert_true(tunnels_change(t, &row));
	assert_null(t->cfg.certs);
	assert_int_equal(other->refs, 1);
	row.certs = other;
	assert_true(tunnels_change(t, &row));
	assert_int_equal(other->refs, 2);
	tunnels_del(&ts, t);
	assert_int_equal(other->refs, 1);
	cfg_certs_unref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(index_and_handle_stay_whatever_the_order),
		T(an_old_handle_is_not_a_new_tunnels),
		T(the_same_row_is_no_change),
		T(another_psk_is_a_change_and_is_copied),
		T(certificates_outlive_their_config),
		T(a_resolved_peer_survives_a_change_of_something_else),
		T(a_thousand_names_are_found),
	};

	return cmocka_run_group_tests_name("tunnels", tests, NULL, NULL);
}
