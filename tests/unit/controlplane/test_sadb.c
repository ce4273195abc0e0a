#include "sadb_rig.h"

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
	assert_int_equal(in->encr, MSG_ENCR_AES256_GCM16);
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

/* C12: whatever IKE can agree on for ESP, the ring has, with keys of the length that it asks for. */
static void each_suite_has_its_number(void **state)
{
	unsigned n, added = 0;
	const struct alg *a = alg_table(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n; k++) {
			const struct alg *integ = a[k].id ? &a[k] : NULL;
			struct ike_child_half h;
			uint32_t spi;
			int rc;

			if (a[i].type != ALG_ENCR || a[k].type != ALG_INTEG)
				continue;
			assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
			h = half_of(spi, spi);
			h.encr = &a[i];
			h.integ = integ;
			h.key.len = (uint16_t)(a[i].key_len + (integ ? integ->key_len : 0));
			memset(h.key.b, 0x5a, h.key.len);
			rc = sadb_install(sadb, &h, MSG_DIR_IN);
			assert_int_equal(rc, a[i].aead == !integ ? 0 : -ENOTSUP);
			if (rc) {
				sadb_spi_free(sadb, 0, spi);
				continue;
			}
			added++;
			AWAIT(rig.fake.count[MSG_SA_IN_ADD] == added);
			remove_pair(spi);
		}
	assert_int_equal(added, 7 + 5 * 4);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_spi_names_its_slot_and_is_never_reserved),
		U(no_spi_before_the_slots_are_known),
		T(a_pair_goes_to_its_worker_under_one_handle),
		T(a_key_is_installed_once),
		T(what_the_data_plane_cannot_do_is_refused_before_it_is_sent),
		T(each_suite_has_its_number),
		T(a_refused_half_is_told_to_the_core_and_leaves_no_slot),
		T(a_slot_is_free_only_when_both_halves_are_gone),
		T(a_freed_slot_is_used_again_last),
		T(events_of_an_old_generation_touch_nobody),
		T(a_half_that_the_data_plane_drops_by_itself_is_a_hard_end),
		T(a_moved_peer_redirects_the_outbound_half),
		T(peer_moved_reaches_the_core_with_the_new_address),
	};

	return cmocka_run_group_tests_name("sadb", tests, NULL, NULL);
}
