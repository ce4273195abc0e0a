/* RFC 7383 between two cores: many fragments, lost, doubled, late; a way that takes small packets only. */
#include "tests/sim/scenario.h"

#include <stdlib.h>

#include "controlplane/ike/wire.h"

enum { TINY = 110 }; /* octets of an IP packet: IKE_AUTH takes some 20 fragments */

static void cut(struct sim *s, uint16_t size)
{
	for (unsigned i = 0; i < 2; i++)
		s->node[i].cfg.ike.fragment_size = size;
}

/* What passes: how many fragments, of how many a message at most; none larger than `most` octets of IP but IKE_SA_INIT. */
struct watch {
	unsigned fragments, total_max, too_long;
	size_t most;
	uint64_t drop_nth[2]; /* of each node's datagrams; UINT64_MAX: none */
	bool lose_long;       /* what is longer does not pass */
};

static enum sim_fate look(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct watch *w = arg;
	static struct ike_msg m;

	if (wire_parse(msg, len, &m) != IKE_V_OK)
		return SIM_PASS;
	if (m.is_fragment) {
		w->fragments++;
		if (m.frag_total > w->total_max)
			w->total_max = m.frag_total;
	}
	if (m.hdr.exchange != IKE_X_SA_INIT && len + 28 > w->most) {
		w->too_long++;
		if (w->lose_long)
			return SIM_DROP;
	}
	return nth == w->drop_nth[from] ? SIM_DROP : SIM_PASS;
}

static struct sim *start(uint64_t seed, struct watch *w, uint16_t size)
{
	struct sim *s = sim_new(seed);

	*w = (struct watch){.most = size, .drop_nth = {UINT64_MAX, UINT64_MAX}};
	cut(s, size);
	s->net.filter = look;
	s->net.filter_arg = w;
	return s;
}

/* Identities of so many octets make IKE_AUTH long. */
static void long_ids(struct sim *s, uint16_t len)
{
	for (unsigned i = 0; i < 2; i++) {
		struct cfg_id *id = &s->node[i].cfg.local.id, *other = &s->node[!i].cfg.remote.id;

		id->type = CFG_ID_FQDN;
		id->len = len;
		memset(id->b, 'a' + (int)i, id->len);
		*other = *id;
	}
}

static void rekey_all(struct sim *s)
{
	for (unsigned i = 0; i < 4; i++) {
		sim_event(&s->node[i & 1], i < 2 ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE, 0);
		sim_run(s, 6000);
	}
}

static void every_exchange_goes_in_many_fragments(void **state)
{
	static const char *const ike[][2] = {
		{"aes256gcm16-prfsha384-x25519"}, {"aes256-sha512-modp2048"}, {"chacha20poly1305-prfsha256-ecp256"}};

	(void)state;
	for (unsigned i = 0; i < 2 * N_ELEMS(ike); i++) {
		uint16_t size = i / 2 == 1 ? 128 : TINY;
		struct watch w;
		struct sim *s = start(4000 + i, &w, size);

		long_ids(s, 100);
		sim_propose(&s->node[0], true, ike[i / 2]);
		sim_propose(&s->node[1], true, ike[i / 2]);
		if (i & 1) {
			sim_use_v6(s);
			cut(s, size + 20); /* look() counts with IPv4's header */
		}
		scenario_up(s);
		rekey_all(s);
		scenario_settle(s, 30000);
		assert_int_equal(scenario_lost(s), 0);
		assert_true(w.total_max > 16);
		assert_int_equal(w.too_long, 0);
		sim_free(s);
	}
}

static void each_fragment_lost_once(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth < 60; nth += 3)
		for (unsigned from = 0; from < 2; from++) {
			struct watch w;
			struct sim *s = start(4100 + 2 * nth + from, &w, TINY);

			w.drop_nth[from] = nth;
			scenario_up(s);
			rekey_all(s);
			scenario_settle(s, 60000);
			if (scenario_lost(s))
				fail_msg("datagram %u of node %u: %u probes lost", (unsigned)nth, from,
					 (unsigned)scenario_lost(s));
			sim_free(s);
		}
}

/* Loss, doubles and disorder, both roles: a message is whole as soon as each of its fragments came once. */
static void bad_networks_only_cost_time(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct watch w;
		struct sim *s = start(4400 + seed, &w, seed & 1 ? TINY : 160);
		struct ike_counters c;

		s->node[seed & 2 ? 0 : 1].cfg.start = CFG_START_ALWAYS;
		s->net.loss_percent = 5;
		s->net.dup_percent = 10;
		s->net.delay_min_ms = 1;
		s->net.delay_max_ms = 300;
		s->probe_ms = 0;
		sim_start(s);
		assert_true(sim_run_until(s, sim_up, 300000));
		rekey_all(s);
		s->net.loss_percent = s->net.dup_percent = 0;
		s->net.delay_max_ms = 1;
		scenario_settle(s, 300000);
		for (unsigned i = 0; i < 2; i++) {
			ike_counters(s->node[i].k, &c);
			assert_int_equal(c.decrypt_failed + c.malformed, 0);
		}
		sim_free(s);
	}
}

/* RFC 7383 2.5.2: what is too long for the way is cut smaller, by both ends, and stays so. */
static void a_narrow_way_is_found(void **state)
{
	(void)state;
	for (unsigned from = 0; from < 2; from++) {
		struct watch w;
		struct sim *s = start(4500 + from, &w, 1280);

		long_ids(s, 250);
		for (unsigned i = 0; i < 2; i++)
			s->node[i].cfg.start = i == from ? CFG_START_ALWAYS : CFG_START_RESPOND_ONLY;
		w.most = 576;
		w.lose_long = true;
		scenario_up(s);
		assert_int_equal(w.too_long, 2); /* the request, twice; the answer is short */
		assert_int_equal(w.fragments, 2);
		scenario_settle(s, 60000);
		sim_free(s);
	}
}

/* 2.3, 2.4: nothing is cut unless both sides said that it may be. */
static void who_does_not_want_fragments_gets_none(void **state)
{
	(void)state;
	for (unsigned no = 0; no < 2; no++) {
		struct watch w;
		struct sim *s = start(4600 + no, &w, TINY);

		s->node[no].cfg.ike.no_fragmentation = true;
		scenario_up(s);
		rekey_all(s);
		scenario_settle(s, 30000);
		assert_int_equal(w.fragments, 0);
		assert_true(w.too_long > 0);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_exchange_goes_in_many_fragments), cmocka_unit_test(each_fragment_lost_once),
		cmocka_unit_test(bad_networks_only_cost_time),           cmocka_unit_test(a_narrow_way_is_found),
		cmocka_unit_test(who_does_not_want_fragments_gets_none),
	};

	return cmocka_run_group_tests_name("sim-fragment", tests, NULL, NULL);
}
