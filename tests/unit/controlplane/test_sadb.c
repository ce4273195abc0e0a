#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/place.h"
#include "controlplane/sadb.h"
#include "ring/spi.h"

static struct tunnels ts;
static struct tunnel *tunnel;
static struct sadb *sadb;
static unsigned n_ready, n_idle, n_events[16];
static struct ike_event last;
static const struct alg gcm256 = {.type = ALG_ENCR, .id = ALG_ENCR_AES_GCM_16, .key_bits = 256, .key_len = 36};

static void on_event(void *ctx, const struct ike_event *ev)
{
	(void)ctx;
	n_events[ev->type]++;
	last = *ev;
}

static void on_ready(void *ctx)
{
	(void)ctx;
	n_ready++;
}

static void on_idle(void *ctx, struct tunnel *t)
{
	(void)ctx;
	assert_ptr_equal(t, tunnel);
	n_idle++;
}

static void some_random(void *ctx, void *buf, size_t len)
{
	static uint8_t n;

	(void)ctx;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = n += 37;
}

static void dp_attached_now(bool new_life)
{
	sadb_attached(sadb, new_life);
}

static void dp_lost_now(void)
{
	sadb_lost(sadb);
}

static void dp_event_now(unsigned worker, const union msg *m)
{
	sadb_event(sadb, worker, m);
}

static void start(unsigned workers)
{
	struct sadb_ops ops = {NULL, on_event, on_ready, on_idle, some_random};
	struct cfg_tunnel cfg;

	n_ready = n_idle = 0;
	memset(n_events, 0, sizeof(n_events));
	memset(&cfg, 0, sizeof(cfg));
	snprintf(cfg.name, sizeof(cfg.name), "azure");
	cfg.esp.replay_window = 1024;
	cfg.esp.lifetime_bytes = 1000000;
	tunnels_init(&ts);
	tunnel = tunnels_add(&ts, &cfg);
	tunnel->worker = (uint8_t)(workers - 1);
	tunnel->wanted = true;
	rig_up(workers, true);
	sadb = sadb_new(rig.dp, &ts, &ops);
	rig.on_attached = dp_attached_now;
	rig.on_lost = dp_lost_now;
	rig.on_event = dp_event_now;
}

static int up(void **state)
{
	(void)state;
	start(2);
	AWAIT(n_ready == 1);
	return 0;
}

static int up_unready(void **state)
{
	(void)state;
	start(1);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig.on_lost = NULL;
	sadb_free(sadb);
	rig_down();
	tunnels_fini(&ts);
	return 0;
}

static struct ike_child_half half_of(uint32_t spi_in, uint32_t spi)
{
	struct ike_child_half h;

	memset(&h, 0, sizeof(h));
	h.spi_in = spi_in;
	h.spi = spi;
	h.encr = &gcm256;
	h.key.len = 36;
	memset(h.key.b, 0x5a, 36);
	h.path.local = ip_v4(0xc0000201);
	h.path.remote = ip_v4(0xc6336401);
	h.n_ts = 1;
	h.ts[0].local_port_hi = h.ts[0].remote_port_hi = UINT16_MAX;
	return h;
}

static uint32_t install_pair(void)
{
	struct ike_child_half in, out;
	unsigned before = n_events[IKE_EV_OUT_READY];
	uint32_t spi;

	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	in = half_of(spi, spi);
	out = half_of(spi, 0xcafe0000 + spi_slot(spi));
	assert_int_equal(sadb_install(sadb, &in, MSG_DIR_IN), 0);
	assert_int_equal(sadb_install(sadb, &out, MSG_DIR_OUT), 0);
	AWAIT(n_events[IKE_EV_OUT_READY] == before + 1);
	return spi;
}

static void remove_pair(uint32_t spi)
{
	sadb_remove(sadb, 0, spi, MSG_DIR_OUT);
	sadb_remove(sadb, 0, spi, MSG_DIR_IN);
}

static uint32_t used(void)
{
	uint32_t of;

	return sadb_used(sadb, &of);
}

static void an_spi_names_its_slot_and_is_never_reserved(void **state)
{
	uint32_t spi;

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
		assert_int_equal(spi_slot(spi), i);
		assert_true(spi > 255);
	}
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), -ENOSPC);
	sadb_spi_free(sadb, 0, spi);
	assert_int_equal(used(), 15);
	assert_int_equal(sadb_spi_alloc(sadb, 1, &spi), -ENOENT);
}

static void no_spi_before_the_slots_are_known(void **state)
{
	uint32_t spi;

	(void)state;
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), -ENOTCONN);
	AWAIT(n_ready == 1);
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
}

static void a_pair_goes_to_its_worker_under_one_handle(void **state)
{
	uint32_t spi = install_pair();
	const struct msg_sa_add *in = (const void *)&rig.fake.last[MSG_SA_IN_ADD];
	const struct msg_sa_add *out = (const void *)&rig.fake.last[MSG_SA_OUT_ADD];

	(void)state;
	assert_int_equal(n_events[IKE_EV_IN_READY], 1);
	assert_int_equal(last.spi_in, spi);
	assert_memory_equal(&in->sa, &out->sa, sizeof(in->sa));
	assert_int_equal(in->spi, spi);
	assert_int_equal(in->sa.slot, spi_slot(spi));
	assert_int_equal(out->spi, 0xcafe0000 + spi_slot(spi));
	assert_int_equal(in->suite, MSG_SUITE_AES256_GCM16);
	assert_int_equal(in->replay_window, 1024);
	assert_int_equal(out->replay_window, 0);
	assert_int_equal(in->hard_bytes, 1000000);
	assert_in_range(in->soft_bytes, 850000, 950000);
	assert_int_equal(in->hard_packets, UINT32_MAX); /* no ESN: the sequence number's end */
	assert_true(in->soft_packets < in->hard_packets);
	static const uint8_t all_ones[4] = {255, 255, 255, 255};
	assert_memory_equal(in->ts[0].local.hi, all_ones, 4); /* any */
	assert_int_equal(rig.fake.n_cmds, 2 + 2);             /* lists, adds */
}

static void a_key_is_installed_once(void **state)
{
	uint32_t spi = install_pair();
	struct ike_child_half h = half_of(spi, spi);

	(void)state;
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), -EEXIST);
	remove_pair(spi);
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), -ENOENT);
}

static void what_the_data_plane_cannot_do_is_refused_before_it_is_sent(void **state)
{
	struct alg other = gcm256;
	struct ike_child_half h;
	uint32_t spi;

	(void)state;
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	h = half_of(spi, spi);
	other.id = 12;
	h.encr = &other;
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), -ENOTSUP);
	h.encr = &gcm256;
	h.key.len = 20;
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), -ENOTSUP);
	h.key.len = 36;
	h.n_ts = MSG_TS_MAX + 1;
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), -E2BIG);
	assert_int_equal(rig.fake.count[MSG_SA_IN_ADD], 0);
}

static int refuse_adds(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_SA_IN_ADD ? -EEXIST : 0;
}

static void a_refused_half_is_told_to_the_core_and_leaves_no_slot(void **state)
{
	struct ike_child_half h;
	uint32_t spi;

	(void)state;
	rig.fake.on_cmd = refuse_adds;
	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	h = half_of(spi, spi);
	assert_int_equal(sadb_install(sadb, &h, MSG_DIR_IN), 0);
	AWAIT(n_events[IKE_EV_INSTALL_FAILED] == 1);
	assert_int_equal(last.err, -EEXIST);
	sadb_remove(sadb, 0, spi, MSG_DIR_IN);
	assert_int_equal(used(), 0);
	assert_int_equal(n_idle, 1);
}

static int hold_dels(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_SA_DEL;
}

static void fake_gone(const union msg *del, uint64_t packets)
{
	const struct msg_sa_del *d = (const void *)del;
	union msg m = {.hdr.type = MSG_SA_GONE};
	struct msg_sa_event *e = (void *)&m;

	e->sa = d->sa;
	e->tunnel = tunnel->handle;
	e->dir = d->dir;
	e->spi = 0x100000 | d->sa.slot;
	e->c.packets = packets;
	fake_dp_event(&rig.fake, 1, &m, sizeof(*e));
}

static void a_slot_is_free_only_when_both_halves_are_gone(void **state)
{
	uint32_t spi = install_pair();
	union msg out;

	(void)state;
	rig.fake.on_cmd = hold_dels;
	sadb_remove(sadb, 0, spi, MSG_DIR_OUT);
	AWAIT(rig.fake.count[MSG_SA_DEL] == 1);
	out = rig.fake.last[MSG_SA_DEL];
	assert_int_equal(((struct msg_sa_del *)&out)->dir, MSG_DIR_OUT);
	sadb_remove(sadb, 0, spi, MSG_DIR_IN);
	AWAIT(rig.fake.count[MSG_SA_DEL] == 2);
	assert_int_equal(used(), 1);
	fake_gone(&out, 5);
	rig_settle();
	assert_int_equal(used(), 1);
	fake_gone(&rig.fake.last[MSG_SA_DEL], 7);
	AWAIT(used() == 0);
	assert_int_equal(tunnel->gone[MSG_DIR_OUT].packets, 5);
	assert_int_equal(tunnel->gone[MSG_DIR_IN].packets, 7);
}

static void a_freed_slot_is_used_again_last(void **state)
{
	uint32_t spi, first = install_pair(), gen;

	(void)state;
	gen = ((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa.gen;
	remove_pair(first);
	AWAIT(used() == 0);
	for (uint32_t i = 1; i < 16; i++) {
		assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
		assert_int_equal(spi_slot(spi), i);
	}
	spi = install_pair();
	assert_int_equal(spi_slot(spi), spi_slot(first));
	assert_int_not_equal(((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa.gen, gen);
}

static void events_of_an_old_generation_touch_nobody(void **state)
{
	uint32_t spi = install_pair();
	union msg m = {.hdr.type = MSG_SA_HARD};
	struct msg_sa_event *e = (void *)&m;

	(void)state;
	e->sa = ((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa;
	e->sa.gen--;
	e->tunnel = tunnel->handle;
	e->spi = spi;
	fake_dp_event(&rig.fake, 1, &m, sizeof(*e));
	AWAIT(rig.events == 1);
	assert_int_equal(n_events[IKE_EV_CHILD_HARD], 0);
	e->sa.gen++;
	fake_dp_event(&rig.fake, 1, &m, sizeof(*e));
	AWAIT(n_events[IKE_EV_CHILD_HARD] == 1);
	m.hdr.type = MSG_SA_SOFT;
	fake_dp_event(&rig.fake, 1, &m, sizeof(*e));
	AWAIT(n_events[IKE_EV_CHILD_SOFT] == 1);
	assert_int_equal(last.spi_in, spi);
}

static void a_half_that_the_data_plane_drops_by_itself_is_a_hard_end(void **state)
{
	uint32_t spi = install_pair();
	union msg del = {.hdr.type = MSG_SA_DEL};

	(void)state;
	((struct msg_sa_del *)&del)->sa = ((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa;
	fake_gone(&del, 1);
	AWAIT(n_events[IKE_EV_CHILD_HARD] == 1);
	remove_pair(spi);
	AWAIT(used() == 0);
}

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

static void a_moved_peer_redirects_the_outbound_half(void **state)
{
	uint32_t spi = install_pair();
	const struct msg_sa_move *m = (const void *)&rig.fake.last[MSG_SA_MOVE];
	struct ike_path path = half_of(spi, spi).path;

	(void)state;
	path.remote = ip_v4(0x0a090807);
	path.encap = true;
	path.remote_port = 40000;
	sadb_move(sadb, 0, spi, &path);
	AWAIT(rig.fake.count[MSG_SA_MOVE] == 1);
	assert_int_equal(m->dir, MSG_DIR_OUT);
	assert_int_equal(m->remote_port, 40000);
	static const uint8_t there[4] = {10, 9, 8, 7};
	assert_memory_equal(m->remote, there, 4);
	assert_int_equal(m->sa.slot, spi_slot(spi));
}

static void peer_moved_reaches_the_core_with_the_new_address(void **state)
{
	uint32_t spi = install_pair();
	union msg m = {.hdr.type = MSG_PEER_MOVED};
	struct msg_peer_moved *e = (void *)&m;

	(void)state;
	e->sa = ((struct msg_sa_add *)&rig.fake.last[MSG_SA_IN_ADD])->sa;
	e->tunnel = tunnel->handle;
	e->family = 4;
	e->remote[0] = 9;
	e->remote_port = 1234;
	fake_dp_event(&rig.fake, 1, &m, sizeof(*e));
	AWAIT(n_events[IKE_EV_PEER_MOVED] == 1);
	assert_int_equal(last.spi_in, spi);
	assert_int_equal(ip_v4_u32(&last.path.remote), 0x09000000);
	assert_int_equal(last.path.remote_port, 1234);
	assert_int_equal(ip_v4_u32(&last.path.local), 0xc0000201);
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

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define U(name) cmocka_unit_test_setup_teardown(name, up_unready, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_spi_names_its_slot_and_is_never_reserved),
		U(no_spi_before_the_slots_are_known),
		T(a_pair_goes_to_its_worker_under_one_handle),
		T(a_key_is_installed_once),
		T(what_the_data_plane_cannot_do_is_refused_before_it_is_sent),
		T(a_refused_half_is_told_to_the_core_and_leaves_no_slot),
		T(a_slot_is_free_only_when_both_halves_are_gone),
		T(a_freed_slot_is_used_again_last),
		T(events_of_an_old_generation_touch_nobody),
		T(a_half_that_the_data_plane_drops_by_itself_is_a_hard_end),
		T(tunnel_totals_survive_a_rekey),
		T(a_new_life_forgets_every_sa_but_not_what_they_carried),
		T(in_the_same_life_unanswered_stops_are_said_again),
		T(an_add_that_was_lost_with_the_connection_is_stopped_in_doubt),
		T(a_moved_peer_redirects_the_outbound_half),
		T(peer_moved_reaches_the_core_with_the_new_address),
		U(sas_of_a_former_control_plane_live_until_their_tunnel_has_new_ones),
		U(sas_of_a_tunnel_that_is_no_more_are_stopped_at_once),
		U(a_data_plane_that_cannot_list_is_fine),
		T(a_lying_data_plane_harms_nothing_but_its_own_sas),
		T(stopping_all_ends_with_nothing_installed),
	};

	return cmocka_run_group_tests_name("sadb", tests, NULL, NULL);
}
