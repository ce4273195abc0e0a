#include "sadb_rig.h"

static void tunnel_totals_survive_a_rekey(void **state)
{
	uint32_t old = install_pair(), fresh;
	struct msg_sa_counters c[2];

	(void)state;
	rig.fake.gone = (struct msg_sa_counters){.packets = 10, .octets = 1000, .drop[MSG_SA_DROP_REPLAY] = 2};
	fresh = install_pair();
	remove_pair(old);
	AWAIT(used() == 1);
	const struct msg_handle *h = &((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa;
	rig.fake.shm.sa_stats[h->slot * 2 + MSG_DIR_IN] =
		(struct stats_sa){.gen = h->gen, .c = {.packets = 3, .octets = 300}};
	sadb_totals(sadb, tunnel, c);
	assert_int_equal(c[MSG_DIR_IN].packets, 13);
	assert_int_equal(c[MSG_DIR_IN].octets, 1300);
	assert_int_equal(c[MSG_DIR_IN].drop[MSG_SA_DROP_REPLAY], 2);
	assert_int_equal(c[MSG_DIR_OUT].packets, 10);
	assert_int_equal(sadb_rx_packets(sadb, 0, fresh), 3);
	assert_int_equal(sadb_rx_packets(sadb, 0, old), 0);
}

static void a_new_life_forgets_every_sa_but_not_what_they_carried(void **state)
{
	uint32_t spi = install_pair(), named, again;
	struct msg_sa_counters c[2];
	struct ike_child_half h;

	(void)state;
	assert_int_equal(sadb_spi_alloc(sadb, 0, &named), 0);
	const struct msg_handle sa = ((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa;
	rig.fake.shm.sa_stats[sa.slot * 2 + MSG_DIR_IN] = (struct stats_sa){.gen = sa.gen, .c = {.packets = 8}};
	fake_dp_stop(&rig.fake);
	AWAIT(rig.lost == 1);
	rig_start_fake(0x9999);
	AWAIT(n_ready == 2);
	assert_int_equal(used(), 1); /* the one in negotiation */
	h = half_of(spi, spi);
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), -ENOENT);
	h = half_of(named, named);
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), 0);
	AWAIT(n_events[IKE_EV_IN_READY] == 2);
	sadb_remove(sadb, 0, spi, MSG_DIR_IN); /* the core cleans up: nothing happens */
	sadb_totals(sadb, tunnel, c);
	assert_int_equal(c[MSG_DIR_IN].packets, 8);
	again = install_pair();
	assert_int_not_equal(again, spi);
}

static void in_the_same_life_unanswered_stops_are_said_again(void **state)
{
	uint32_t spi = install_pair();

	(void)state;
	rig.fake.on_cmd = hold_dels;
	remove_pair(spi);
	AWAIT(rig.fake.count[MSG_SA_DEL] == 2);
	rig.fake.on_cmd = NULL;
	fake_dp_drop(&rig.fake);
	AWAIT(rig.attached == 2);
	AWAIT(rig.fake.count[MSG_SA_DEL] == 4);
	AWAIT(used() == 0);
	assert_int_equal(n_ready, 2);
}

static int hold_adds(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_SA_IN_ADD;
}

static int forget_dels(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_SA_DEL ? -ENOENT : 0;
}

static void an_add_that_was_lost_with_the_connection_is_stopped_in_doubt(void **state)
{
	struct ike_child_half h;
	uint32_t spi;

	(void)state;
	rig.fake.on_cmd = hold_adds;
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	h = half_of(spi, spi);
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), 0);
	AWAIT(rig.fake.count[MSG_SA_IN_ADD] == 1);
	rig.fake.on_cmd = forget_dels; /* it never got there */
	fake_dp_drop(&rig.fake);
	AWAIT(n_events[IKE_EV_INSTALL_FAILED] == 1);
	sadb_remove(sadb, 0, spi, MSG_DIR_IN);
	AWAIT(rig.attached == 2);
	AWAIT(used() == 0);
	assert_true(rig.fake.count[MSG_SA_DEL] >= 1);
}

static uint32_t orphan_gen = 77;

/* A worker that has one pair from a former control plane. */
static int list_one(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	if (m->hdr.type != MSG_SA_LIST)
		return 0;
	for (uint32_t dir = 0; dir < 2; dir++) {
		union msg e = {.hdr.type = MSG_SA_INFO};
		struct msg_sa_event *i = (void *)&e;

		i->sa = (struct msg_handle){.slot = 3, .gen = orphan_gen};
		i->tunnel = tunnel->handle;
		i->dir = dir;
		i->spi = 0x12300003;
		fake_dp_event(&rig.fake, to, &e, sizeof(*i));
	}
	return 0;
}

static void sas_of_a_former_control_plane_live_until_their_tunnel_has_new_ones(void **state)
{
	uint32_t spi;

	(void)state;
	rig.fake.on_cmd = list_one;
	AWAIT(n_ready == 1);
	assert_int_equal(used(), 1);
	assert_int_equal(rig.fake.count[MSG_SA_DEL], 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	assert_int_equal(spi_slot(spi), 4); /* 3 is taken */
	install_pair();
	AWAIT(rig.fake.count[MSG_SA_DEL] == 2);
	AWAIT(used() == 5);
	memset(n_events, 0, sizeof(n_events));
}

static void sas_of_a_tunnel_that_is_no_more_are_stopped_at_once(void **state)
{
	(void)state;
	tunnel->wanted = false;
	rig.fake.on_cmd = list_one;
	AWAIT(n_ready == 1);
	AWAIT(rig.fake.count[MSG_SA_DEL] == 2);
	AWAIT(used() == 0);
}

static int cannot_list(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_SA_LIST ? -ENOTSUP : 0;
}

static void a_data_plane_that_cannot_list_is_fine(void **state)
{
	(void)state;
	rig.fake.on_cmd = cannot_list;
	AWAIT(n_ready == 1);
	install_pair();
}

/* Small numbers, so that slots, generations and tunnels are often real ones. */
static uint32_t small(void)
{
	static uint32_t x = 1;

	x = x * 1664525u + 1013904223u;
	return (x >> 16) % 20;
}

/* Whole enough to pass the check, and a lie. */
static uint16_t random_event(union msg *m)
{
	static const uint16_t types[] = {MSG_SA_SOFT,    MSG_SA_HARD, MSG_SA_GONE, MSG_SA_INFO,
					 MSG_PEER_MOVED, MSG_ACK,     MSG_NACK};
	struct msg_sa_event *e = (void *)m;
	struct msg_peer_moved *p = (void *)m;
	struct msg_ack *a = (void *)m;

	memset(m, 0, sizeof(*m));
	m->hdr.type = types[small() % N_ELEMS(types)];
	m->hdr.seq = small() * small();
	if (m->hdr.type == MSG_ACK || m->hdr.type == MSG_NACK) {
		a->type = small() < 10 ? MSG_SA_IN_ADD : MSG_SA_DEL;
		a->status = m->hdr.type == MSG_ACK ? 0 : -1 - (int32_t)small();
		return sizeof(*a);
	}
	e->sa.slot = small() % 16;
	e->sa.gen = ((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa.gen - small() % 8;
	e->tunnel = small() < 10 ? tunnel->handle : (struct msg_handle){.slot = small() % 8, .gen = 1};
	if (m->hdr.type == MSG_PEER_MOVED) {
		p->family = 4;
		p->remote[0] = 1;
		return sizeof(*p);
	}
	e->dir = small() % 2;
	e->spi = 0x12300000 | e->sa.slot;
	e->c.packets = small() < 10 ? UINT64_MAX : small();
	return sizeof(*e);
}

static void a_lying_data_plane_harms_nothing_but_its_own_sas(void **state)
{
	struct msg_sa_counters c[2];
	uint32_t spi;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		if (!sadb_spi_alloc(sadb, 0, &spi)) {
			struct ike_child_half in = half_of(spi, spi), out = half_of(spi, 0xcafe0001);

			if (!sadb_install(sadb, &in, MSG_DIR_IN) && !sadb_install(sadb, &out, MSG_DIR_OUT) &&
			    small() < 10)
				remove_pair(spi);
		}
		for (unsigned i = 0; i < 50; i++) {
			union msg m;

			uint16_t len = random_event(&m);

			fake_dp_event(&rig.fake, small() % 2, &m, len);
		}
		rig_settle();
		sadb_totals(sadb, tunnel, c);
	}
	assert_true(dp_attached(rig.dp));
	assert_true(rig.events > 1000);
	while (!sadb_stop_all(sadb))
		rig_settle();
}

static void stopping_all_ends_with_nothing_installed(void **state)
{
	(void)state;
	install_pair();
	install_pair();
	assert_false(sadb_stop_all(sadb));
	AWAIT(sadb_stop_all(sadb));
	assert_int_equal(rig.fake.count[MSG_SA_DEL], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(tunnel_totals_survive_a_rekey),
		T(a_new_life_forgets_every_sa_but_not_what_they_carried),
		T(in_the_same_life_unanswered_stops_are_said_again),
		T(an_add_that_was_lost_with_the_connection_is_stopped_in_doubt),
		U(sas_of_a_former_control_plane_live_until_their_tunnel_has_new_ones),
		U(sas_of_a_tunnel_that_is_no_more_are_stopped_at_once),
		U(a_data_plane_that_cannot_list_is_fine),
		T(a_lying_data_plane_harms_nothing_but_its_own_sas),
		T(stopping_all_ends_with_nothing_installed),
	};

	return cmocka_run_group_tests_name("sadb_life", tests, NULL, NULL);
}
