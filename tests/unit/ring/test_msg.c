#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/msg.h"
#include "ring/shm.h"
#include "ring/stats.h"
#include "valid.h"

/* Which octets of a message are guarded: some garbage in that field alone must be refused. In a free field any value is
 * good. Together the fields cover the struct. */
enum { FREE, GUARDED };

struct field {
	const char *name;
	size_t at, len;
	int guarded;
};

#define F(st, m, g)                                                        \
	{                                                                  \
#m, offsetof(struct st, m), sizeof(((struct st *)0)->m), g \
	}
#define HDR(st)                                                                                              \
	F(st, hdr.type, GUARDED), F(st, hdr.len, GUARDED), F(st, hdr.seq, FREE), F(st, hdr.attach, GUARDED), \
		F(st, hdr.pad, GUARDED)
#define HANDLE(st, h) F(st, h.slot, GUARDED), F(st, h.gen, GUARDED)
#define IPV4(st, m)   /* the address, and the octets behind it */   \
	{#m, offsetof(struct st, m), 4, FREE},                      \
	{                                                           \
#m " tail", offsetof(struct st, m) + 4, 12, GUARDED \
	}
#define TS(st, t)                                                                                       \
	{#t " lo", offsetof(struct st, t.lo), 4, GUARDED},                                              \
		{#t " lo tail", offsetof(struct st, t.lo) + 4, 12, GUARDED},                            \
		{#t " hi", offsetof(struct st, t.hi), 4, GUARDED},                                      \
		{#t " hi tail", offsetof(struct st, t.hi) + 4, 12, GUARDED}, F(st, t.port_lo, GUARDED), \
		F(st, t.port_hi, GUARDED)
#define TS_PAIR(st, p) \
	TS(st, p.local), TS(st, p.remote), F(st, p.family, GUARDED), F(st, p.proto, FREE), F(st, p.pad, GUARDED)

static const struct field f_head[] = {HDR(msg_sa_list)};
static const struct field f_tunnel_set[] = {
	HDR(msg_tunnel_set),
	HANDLE(msg_tunnel_set, tunnel),
	F(msg_tunnel_set, worker, GUARDED),
	F(msg_tunnel_set, family, GUARDED),
	F(msg_tunnel_set, df, GUARDED),
	F(msg_tunnel_set, mode, GUARDED),
	F(msg_tunnel_set, mtu, GUARDED),
	F(msg_tunnel_set, port, GUARDED),
	F(msg_tunnel_set, mss, FREE),
	F(msg_tunnel_set, fragment, GUARDED),
	F(msg_tunnel_set, dscp, GUARDED),
	F(msg_tunnel_set, n_ts, GUARDED),
	F(msg_tunnel_set, n_children, GUARDED),
	F(msg_tunnel_set, pad, GUARDED),
	IPV4(msg_tunnel_set, local),
	IPV4(msg_tunnel_set, remote),
	F(msg_tunnel_set, name, GUARDED),
	TS_PAIR(msg_tunnel_set, ts[0]),
	{"ts tail", offsetof(struct msg_tunnel_set, ts[1]), 7 * sizeof(struct msg_ts_pair), GUARDED}};
static const struct field f_tunnel_del[] = {HDR(msg_tunnel_del), HANDLE(msg_tunnel_del, tunnel)};
static const struct field f_sa_add[] = {HDR(msg_sa_add),
					HANDLE(msg_sa_add, sa),
					HANDLE(msg_sa_add, tunnel),
					F(msg_sa_add, spi, GUARDED),
					F(msg_sa_add, encr, GUARDED),
					F(msg_sa_add, integ, GUARDED),
					F(msg_sa_add, flags, GUARDED),
					F(msg_sa_add, child, GUARDED),
					F(msg_sa_add, family, GUARDED),
					F(msg_sa_add, n_ts, GUARDED),
					IPV4(msg_sa_add, local),
					IPV4(msg_sa_add, remote),
					F(msg_sa_add, local_port, GUARDED),
					F(msg_sa_add, remote_port, GUARDED),
					F(msg_sa_add, replay_window, GUARDED),
					F(msg_sa_add, key_len, GUARDED),
					F(msg_sa_add, pad, GUARDED),
					F(msg_sa_add, soft_bytes, GUARDED),
					F(msg_sa_add, hard_bytes, GUARDED),
					F(msg_sa_add, soft_packets, GUARDED),
					F(msg_sa_add, hard_packets, GUARDED),
					{"key", offsetof(struct msg_sa_add, key), 36, FREE},
					{"key tail", offsetof(struct msg_sa_add, key) + 36, MSG_KEY_MAX - 36, GUARDED},
					TS_PAIR(msg_sa_add, ts[0]),
					TS_PAIR(msg_sa_add, ts[1]),
					{"ts tail", offsetof(struct msg_sa_add, ts[2]), 6 * sizeof(struct msg_ts_pair),
					 GUARDED} /* not counted by n_ts: zero */};
static const struct field f_sa_del[] = {HDR(msg_sa_del), HANDLE(msg_sa_del, sa), F(msg_sa_del, dir, GUARDED),
					F(msg_sa_del, pad, GUARDED)};
static const struct field f_sa_move[] = {HDR(msg_sa_move),
					 HANDLE(msg_sa_move, sa),
					 F(msg_sa_move, dir, GUARDED),
					 F(msg_sa_move, family, GUARDED),
					 F(msg_sa_move, pad, GUARDED),
					 F(msg_sa_move, remote_port, FREE),
					 IPV4(msg_sa_move, remote)};
static const struct field f_addr[] = {HDR(msg_addr), IPV4(msg_addr, addr), F(msg_addr, family, GUARDED),
				      F(msg_addr, plen, GUARDED), F(msg_addr, pad, GUARDED)};
static const struct field f_nexthop_set[] = {HDR(msg_nexthop),
					     F(msg_nexthop, id, GUARDED),
					     F(msg_nexthop, n, GUARDED),
					     F(msg_nexthop, pad, GUARDED),
					     F(msg_nexthop, leg[0].kind, GUARDED),
					     F(msg_nexthop, leg[0].family, GUARDED),
					     F(msg_nexthop, leg[0].port, GUARDED),
					     F(msg_nexthop, leg[0].tunnel, GUARDED),
					     F(msg_nexthop, leg[0].pad, GUARDED),
					     IPV4(msg_nexthop, leg[0].via),
					     F(msg_nexthop, leg[1], GUARDED),
					     F(msg_nexthop, leg[2], GUARDED),
					     F(msg_nexthop, leg[3], GUARDED),
					     F(msg_nexthop, leg[4], GUARDED),
					     F(msg_nexthop, leg[5], GUARDED),
					     F(msg_nexthop, leg[6], GUARDED),
					     F(msg_nexthop, leg[7], GUARDED)};
static const struct field f_nexthop_del[] = {HDR(msg_nexthop), F(msg_nexthop, id, GUARDED), F(msg_nexthop, n, GUARDED),
					     F(msg_nexthop, pad, GUARDED), F(msg_nexthop, leg, GUARDED)};
static const struct field f_fib_get[] = {HDR(msg_fib_get), IPV4(msg_fib_get, addr), F(msg_fib_get, family, GUARDED),
					 F(msg_fib_get, pad, GUARDED)};
static const struct field f_fib_info[] = {HDR(msg_fib_info),
					  F(msg_fib_info, query, FREE),
					  F(msg_fib_info, nexthop, FREE),
					  F(msg_fib_info, routes, FREE),
					  F(msg_fib_info, found, GUARDED),
					  F(msg_fib_info, family, GUARDED),
					  F(msg_fib_info, plen, GUARDED),
					  F(msg_fib_info, n, GUARDED),
					  IPV4(msg_fib_info, addr),
					  F(msg_fib_info, leg, GUARDED)};
static const struct field f_ack[] = {HDR(msg_ack), F(msg_ack, type, GUARDED), F(msg_ack, pad, GUARDED),
				     F(msg_ack, status, GUARDED)};
static const struct field f_sa_event[] = {HDR(msg_sa_event),
					  HANDLE(msg_sa_event, sa),
					  HANDLE(msg_sa_event, tunnel),
					  F(msg_sa_event, dir, GUARDED),
					  F(msg_sa_event, spi, GUARDED),
					  F(msg_sa_event, c, FREE)};
static const struct field f_no_sa[] = {HDR(msg_no_sa),
				       HANDLE(msg_no_sa, tunnel),
				       F(msg_no_sa, family, GUARDED),
				       F(msg_no_sa, proto, FREE),
				       F(msg_no_sa, child, GUARDED),
				       F(msg_no_sa, pad, GUARDED),
				       F(msg_no_sa, src_port, FREE),
				       F(msg_no_sa, dst_port, FREE),
				       IPV4(msg_no_sa, src),
				       IPV4(msg_no_sa, dst)};
static const struct field f_peer_moved[] = {HDR(msg_peer_moved),
					    HANDLE(msg_peer_moved, sa),
					    HANDLE(msg_peer_moved, tunnel),
					    F(msg_peer_moved, family, GUARDED),
					    F(msg_peer_moved, pad, GUARDED),
					    F(msg_peer_moved, remote_port, FREE),
					    IPV4(msg_peer_moved, remote),
					    F(msg_peer_moved, pad2, GUARDED)};
static const struct field f_bad_spi[] = {HDR(msg_bad_spi), F(msg_bad_spi, spi, FREE), F(msg_bad_spi, family, GUARDED),
					 F(msg_bad_spi, pad, GUARDED), IPV4(msg_bad_spi, remote)};
static const struct field f_link[] = {HDR(msg_link), F(msg_link, port, GUARDED), F(msg_link, up, GUARDED),
				      F(msg_link, pad, GUARDED), F(msg_link, pad2, GUARDED)};
static const struct field f_route[] = {F(msg_route, type, GUARDED),   F(msg_route, family, GUARDED),
				       F(msg_route, plen, GUARDED),   F(msg_route, seq, FREE),
				       F(msg_route, attach, GUARDED), F(msg_route, nexthop, GUARDED),
				       F(msg_route, addr, GUARDED),   F(msg_route, pad, GUARDED)};
static const struct field f_ike[] = {F(msg_ike, attach, GUARDED),
				     F(msg_ike, len, GUARDED),
				     F(msg_ike, flags, GUARDED),
				     F(msg_ike, family, GUARDED),
				     IPV4(msg_ike, local),
				     IPV4(msg_ike, remote),
				     F(msg_ike, local_port, GUARDED),
				     F(msg_ike, remote_port, GUARDED),
				     F(msg_ike, port, GUARDED),
				     F(msg_ike, worker, GUARDED),
				     F(msg_ike, pad, GUARDED),
				     F(msg_ike, data, FREE)};

#define ROW(type, door, fields, st)                                    \
	{                                                              \
		type, door, fields, N_ELEMS(fields), sizeof(struct st) \
	}
enum door { CMD, EVT };
static const struct row {
	unsigned type;
	enum door door;
	const struct field *f;
	size_t n, size;
} rows[] = {
	ROW(MSG_TUNNEL_SET, CMD, f_tunnel_set, msg_tunnel_set),
	ROW(MSG_TUNNEL_DEL, CMD, f_tunnel_del, msg_tunnel_del),
	ROW(MSG_SA_IN_ADD, CMD, f_sa_add, msg_sa_add),
	ROW(MSG_SA_OUT_ADD, CMD, f_sa_add, msg_sa_add),
	ROW(MSG_SA_DEL, CMD, f_sa_del, msg_sa_del),
	ROW(MSG_SA_ADOPT, CMD, f_sa_del, msg_sa_adopt),
	ROW(MSG_SA_MOVE, CMD, f_sa_move, msg_sa_move),
	ROW(MSG_SA_LIST, CMD, f_head, msg_sa_list),
	ROW(MSG_ADDR_SET, CMD, f_addr, msg_addr),
	ROW(MSG_ADDR_DEL, CMD, f_addr, msg_addr),
	ROW(MSG_NEXTHOP_SET, CMD, f_nexthop_set, msg_nexthop),
	ROW(MSG_NEXTHOP_DEL, CMD, f_nexthop_del, msg_nexthop),
	ROW(MSG_FIB_GET, CMD, f_fib_get, msg_fib_get),
	ROW(MSG_FIB_INFO, EVT, f_fib_info, msg_fib_info),
	ROW(MSG_BARRIER, CMD, f_head, msg_barrier),
	ROW(MSG_ACK, EVT, f_ack, msg_ack),
	ROW(MSG_NACK, EVT, f_ack, msg_ack),
	ROW(MSG_SA_SOFT, EVT, f_sa_event, msg_sa_event),
	ROW(MSG_SA_HARD, EVT, f_sa_event, msg_sa_event),
	ROW(MSG_SA_GONE, EVT, f_sa_event, msg_sa_event),
	ROW(MSG_SA_INFO, EVT, f_sa_event, msg_sa_event),
	ROW(MSG_NO_SA, EVT, f_no_sa, msg_no_sa),
	ROW(MSG_PEER_MOVED, EVT, f_peer_moved, msg_peer_moved),
	ROW(MSG_BAD_SPI, EVT, f_bad_spi, msg_bad_spi),
	ROW(MSG_LINK, EVT, f_link, msg_link),
	ROW(MSG_SA_INFO_END, EVT, f_head, msg_hdr),
};

static int check_msg(enum door door, const void *m, const struct msg_limits *l)
{
	return door == CMD ? msg_check_cmd(m, l) : msg_check_evt(m, l);
}

static int check_route(enum door door UNUSED, const void *m, const struct msg_limits *l)
{
	return msg_check_route(m, l);
}

static int check_ike(enum door door UNUSED, const void *m, const struct msg_limits *l)
{
	return msg_check_ike(m, l);
}

typedef int check_fn(enum door door, const void *m, const struct msg_limits *l);

/* Try all 256 values of every octet of the field. How many were refused. */
static unsigned sweep(check_fn *check, enum door door, uint8_t *m, const struct field *f)
{
	unsigned refused = 0;

	for (size_t i = f->at; i < f->at + f->len; i++) {
		uint8_t good = m[i];

		for (unsigned v = 0; v < 256; v++) {
			int rc;

			m[i] = (uint8_t)v;
			rc = check(door, m, &valid_limits);
			if (rc != 0 && rc != -EBADMSG && rc != -ESTALE)
				fail_msg("%s: %d", f->name, rc);
			if (rc != 0 && v == good)
				fail_msg("%s: the good value is refused", f->name);
			refused += rc != 0;
		}
		m[i] = good;
	}
	return refused;
}

static void sweep_fields(const char *what, check_fn *check, enum door door, uint8_t *m, const struct field *f, size_t n,
			 size_t size)
{
	size_t end = 0;

	assert_int_equal(check(door, m, &valid_limits), 0);
	for (size_t i = 0; i < n; i++) {
		unsigned refused = sweep(check, door, m, &f[i]);

		if (f[i].at < end || f[i].at > end)
			fail_msg("%s: the table leaves out or doubles octets before %s", what, f[i].name);
		end = f[i].at + f[i].len;
		if (f[i].guarded && !refused)
			fail_msg("%s: garbage in %s is taken", what, f[i].name);
		if (!f[i].guarded && refused)
			fail_msg("%s: a good value of %s is refused", what, f[i].name);
	}
	if (size - end >= 8 || size < end)
		fail_msg("%s: the table ends at %zu of %zu", what, end, size);
}

static void every_field_of_every_message_is_checked(void **state UNUSED)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		union msg *m = aligned_alloc(64, sizeof(*m));

		assert_true(valid_msg(m, rows[i].type));
		assert_int_equal(m->hdr.len, rows[i].size);
		sweep_fields(msg_type_name(rows[i].type), check_msg, rows[i].door, m->bytes, rows[i].f, rows[i].n,
			     rows[i].size);
		free(m);
	}
}

static void every_field_of_a_route_is_checked(void **state UNUSED)
{
	struct msg_route r = valid_route(MSG_ROUTE_SET);

	sweep_fields("route-set", check_route, CMD, (uint8_t *)&r, f_route, N_ELEMS(f_route), sizeof(r));
	r = valid_route(MSG_ROUTE_DEL);
	sweep_fields("route-del", check_route, CMD, (uint8_t *)&r, f_route, N_ELEMS(f_route), sizeof(r));
	r = valid_route(MSG_SYNC_BEGIN);
	sweep_fields("sync-begin", check_route, CMD, (uint8_t *)&r, f_route, N_ELEMS(f_route), sizeof(r));
	r = valid_route(MSG_SYNC_END);
	sweep_fields("sync-end", check_route, CMD, (uint8_t *)&r, f_route, N_ELEMS(f_route), sizeof(r));
}

static void every_field_of_an_ike_slot_is_checked(void **state UNUSED)
{
	struct msg_ike m = valid_ike();

	sweep_fields("ike", check_ike, CMD, (uint8_t *)&m, f_ike, N_ELEMS(f_ike), sizeof(m));
}

static void each_type_passes_its_own_door_only(void **state UNUSED)
{
	for (unsigned type = 0; type < MSG_TYPE_N + 100; type++) {
		bool is_evt = (type >= MSG_ACK && type <= MSG_SA_INFO_END) || type == MSG_FIB_INFO;
		union msg m;

		if (!valid_msg(&m, type)) {
			bool reserved = type == MSG_NEIGH_SET || (type >= MSG_POLICY_SET && type <= MSG_CAPTURE_STOP);

			m.hdr = valid_hdr(type, sizeof(m.hdr));
			assert_int_equal(msg_check_cmd(&m, &valid_limits), reserved ? 0 : -EBADMSG);
			assert_int_equal(msg_check_evt(&m, &valid_limits), -EBADMSG);
			continue;
		}
		assert_int_equal(msg_check_cmd(&m, &valid_limits), is_evt ? -EBADMSG : 0);
		assert_int_equal(msg_check_evt(&m, &valid_limits), is_evt ? 0 : -EBADMSG);
	}
}

static void another_length_is_refused(void **state UNUSED)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++)
		for (unsigned len = 0; len <= UINT16_MAX; len++) {
			union msg m;
			int rc;

			valid_msg(&m, rows[i].type);
			m.hdr.len = (uint16_t)len;
			rc = check_msg(rows[i].door, &m, &valid_limits);
			assert_int_equal(rc, len == rows[i].size ? 0 : -EBADMSG);
		}
}

static void another_generation_is_stale(void **state UNUSED)
{
	struct msg_limits l = valid_limits;
	struct msg_route r = valid_route(MSG_ROUTE_SET);
	struct msg_ike k = valid_ike();

	l.attach++;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		union msg m;

		valid_msg(&m, rows[i].type);
		assert_int_equal(check_msg(rows[i].door, &m, &l), -ESTALE);
	}
	assert_int_equal(msg_check_route(&r, &l), -ESTALE);
	assert_int_equal(msg_check_ike(&k, &l), -ESTALE);
}

#define BAD_SA(type, ...)                                                      \
	do {                                                                   \
		union msg m_;                                                  \
		struct msg_sa_add *a = (struct msg_sa_add *)&m_;               \
		valid_msg(&m_, type);                                          \
		__VA_ARGS__;                                                   \
		assert_int_equal(msg_check_cmd(&m_, &valid_limits), -EBADMSG); \
	} while (0)
#define GOOD_SA(type, ...)                                              \
	do {                                                            \
		union msg m_;                                           \
		struct msg_sa_add *a = (struct msg_sa_add *)&m_;        \
		valid_msg(&m_, type);                                   \
		__VA_ARGS__;                                            \
		assert_int_equal(msg_check_cmd(&m_, &valid_limits), 0); \
	} while (0)

static void an_sa_is_checked_as_a_whole(void **state UNUSED)
{
	/* the key is exactly that of its suite */
	BAD_SA(MSG_SA_IN_ADD, a->encr = MSG_ENCR_AES128_GCM16);
	BAD_SA(MSG_SA_IN_ADD, a->encr = MSG_ENCR_AES128_GCM16; a->key_len = 20); /* 16 octets of key behind the end */
	GOOD_SA(MSG_SA_IN_ADD, a->encr = MSG_ENCR_AES128_GCM16; a->key_len = 20; memset(a->key + 20, 0, 44));
	BAD_SA(MSG_SA_IN_ADD, a->encr = MSG_ENCR_NONE; a->key_len = 0; memset(a->key, 0, MSG_KEY_MAX));
	BAD_SA(MSG_SA_IN_ADD, a->key_len = 65535);
	/* RFC 4303 2.1 */
	BAD_SA(MSG_SA_OUT_ADD, a->spi = 0);
	BAD_SA(MSG_SA_OUT_ADD, a->spi = 255);
	GOOD_SA(MSG_SA_OUT_ADD, a->spi = UINT32_MAX);
	/* an inbound SPI names its slot */
	BAD_SA(MSG_SA_IN_ADD, a->spi++);
	BAD_SA(MSG_SA_IN_ADD, a->spi = a->sa.slot);
	/* windows */
	for (unsigned w = 0; w <= UINT16_MAX; w++) {
		bool good = w == 0 || w == 64 || w == 128 || w == 256 || w == 512 || w == 1024;

		if (good)
			GOOD_SA(MSG_SA_IN_ADD, a->replay_window = (uint16_t)w);
		else
			BAD_SA(MSG_SA_IN_ADD, a->replay_window = (uint16_t)w);
	}
	BAD_SA(MSG_SA_OUT_ADD, a->replay_window = 64);
	/* limits */
	GOOD_SA(MSG_SA_IN_ADD, a->hard_bytes = a->hard_packets = UINT64_MAX);
	GOOD_SA(MSG_SA_IN_ADD, a->soft_bytes = a->hard_bytes = UINT64_MAX);
	BAD_SA(MSG_SA_IN_ADD, a->soft_bytes = UINT64_MAX);
	BAD_SA(MSG_SA_IN_ADD, a->soft_packets = a->hard_packets + 1);
	BAD_SA(MSG_SA_IN_ADD, a->soft_bytes = a->hard_bytes = 0);
	/* encapsulation and its ports go together */
	BAD_SA(MSG_SA_IN_ADD, a->flags = 0);
	GOOD_SA(MSG_SA_IN_ADD, a->flags = 0; a->local_port = a->remote_port = 0);
	BAD_SA(MSG_SA_IN_ADD, a->local_port = 0);
	BAD_SA(MSG_SA_IN_ADD, a->remote_port = 0);
	BAD_SA(MSG_SA_IN_ADD, memset(a->remote, 0, 16));
	/* indexes at and behind the limit */
	BAD_SA(MSG_SA_OUT_ADD, a->sa.slot = valid_limits.sas);
	GOOD_SA(MSG_SA_OUT_ADD, a->sa.slot = valid_limits.sas - 1);
	BAD_SA(MSG_SA_OUT_ADD, a->tunnel.slot = valid_limits.tunnels);
	BAD_SA(MSG_SA_OUT_ADD, a->sa.gen = 0);
	/* selectors */
	BAD_SA(MSG_SA_IN_ADD, a->n_ts = 0; memset(a->ts, 0, sizeof(a->ts)));
	BAD_SA(MSG_SA_IN_ADD, a->n_ts = 4);
	BAD_SA(MSG_SA_IN_ADD, a->n_ts = 3); /* the third is all zero: no family */
	GOOD_SA(MSG_SA_IN_ADD, a->n_ts = 3; a->ts[2] = a->ts[1]);
	BAD_SA(MSG_SA_IN_ADD, a->ts[0].local.port_lo = 65535; a->ts[0].local.port_hi = 0);
	BAD_SA(MSG_SA_IN_ADD, memcpy(a->ts[1].remote.lo, (uint8_t[]){10, 0, 2, 6}, 4));
	GOOD_SA(MSG_SA_IN_ADD, memset(a->ts[0].local.lo, 0, 16); memset(a->ts[0].local.hi, 255, 4));
	GOOD_SA(MSG_SA_IN_ADD, a->ts[0].family = 6; memset(a->ts[0].local.hi, 255, 16);
		memset(a->ts[0].remote.hi, 255, 16));
	BAD_SA(MSG_SA_IN_ADD, a->ts[0].family = 4; memset(a->ts[0].local.hi, 255, 16));
}

static void a_nexthop_holds_only_what_its_kind_uses(void **state UNUSED)
{
	union msg m;
	struct msg_nexthop *n = (struct msg_nexthop *)&m;

	for (unsigned kind = 0; kind < 256; kind++) {
		valid_msg(&m, MSG_NEXTHOP_SET);
		n->leg[0].kind = (uint8_t)kind;
		assert_int_equal(msg_check_cmd(&m, &valid_limits), kind == MSG_NH_PORT ? 0 : -EBADMSG);
		n->leg[0].port = 0;
		memset(n->leg[0].via, 0, sizeof(n->leg[0].via));
		assert_int_equal(msg_check_cmd(&m, &valid_limits),
				 kind < MSG_NH_KIND_N && kind != MSG_NH_TUNNEL ? 0 : -EBADMSG);
		n->leg[0].tunnel = (struct msg_handle){3, 9};
		assert_int_equal(msg_check_cmd(&m, &valid_limits), kind == MSG_NH_TUNNEL ? 0 : -EBADMSG);
		n->leg[0].tunnel.slot = valid_limits.tunnels;
		assert_int_equal(msg_check_cmd(&m, &valid_limits), -EBADMSG);
	}
}

static void a_name_is_fit_for_a_log_line(void **state UNUSED)
{
	static const char *const bad[] = {"", "-a", ".a", "_a", "a b", "a\nb", "a\"b", "a=b", "\xc3\xa4", "a\x1b[0m"};
	union msg m;
	struct msg_tunnel_set *t = (struct msg_tunnel_set *)&m;

	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		valid_msg(&m, MSG_TUNNEL_SET);
		memset(t->name, 0, sizeof(t->name));
		memcpy(t->name, bad[i], strlen(bad[i]));
		assert_int_equal(msg_check_cmd(&m, &valid_limits), -EBADMSG);
	}
	memset(t->name, 'a', sizeof(t->name));
	assert_int_equal(msg_check_cmd(&m, &valid_limits), -EBADMSG);
	t->name[31] = 0;
	assert_int_equal(msg_check_cmd(&m, &valid_limits), 0);
	t->name[20] = 0; /* something behind the end */
	assert_int_equal(msg_check_cmd(&m, &valid_limits), -EBADMSG);
}

static void a_prefix_has_no_host_bits(void **state UNUSED)
{
	struct msg_route r = valid_route(MSG_ROUTE_SET);

	for (unsigned plen = 0; plen < 256; plen++) {
		r.plen = (uint8_t)plen;
		assert_int_equal(msg_check_route(&r, &valid_limits), plen >= 20 && plen <= 32 ? 0 : -EBADMSG);
	}
	r.family = 6;
	for (unsigned plen = 0; plen < 256; plen++) {
		r.plen = (uint8_t)plen;
		assert_int_equal(msg_check_route(&r, &valid_limits), plen >= 20 && plen <= 128 ? 0 : -EBADMSG);
	}
	memset(r.addr, 0, sizeof(r.addr));
	r.plen = 0;
	assert_int_equal(msg_check_route(&r, &valid_limits), 0);
}

static void an_ike_slot_that_says_more_is_full(void **state UNUSED)
{
	struct msg_ike m = valid_ike();

	for (unsigned len = 0; len <= UINT16_MAX; len++) {
		m.len = (uint16_t)len;
		m.flags = 0;
		assert_int_equal(msg_check_ike(&m, &valid_limits), len && len <= MSG_IKE_DATA ? 0 : -EBADMSG);
		m.flags = MSG_IKE_MORE;
		assert_int_equal(msg_check_ike(&m, &valid_limits), len == MSG_IKE_DATA ? 0 : -EBADMSG);
	}
	m = valid_ike();
	m.port = UINT16_MAX; /* by the route */
	assert_int_equal(msg_check_ike(&m, &valid_limits), 0);
	m.port = valid_limits.ports;
	assert_int_equal(msg_check_ike(&m, &valid_limits), -EBADMSG);
}

static void every_number_has_a_name(void **state UNUSED)
{
	for (unsigned i = 0; i < MSG_TYPE_N; i++)
		assert_string_not_equal(msg_type_name(i), "?");
	for (unsigned i = 0; i < DROP_N; i++)
		assert_string_not_equal(stats_drop_name(i), "?");
	for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
		assert_string_not_equal(msg_sa_drop_name(i), "?");
	assert_string_equal(msg_type_name(MSG_TYPE_N), "?");
	assert_string_equal(msg_encr_name(UINT32_MAX), "?");
	assert_string_equal(msg_encr_name(MSG_ENCR_AES256_GCM16), "AES-GCM-16-256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_every_message_is_checked),
		cmocka_unit_test(every_field_of_a_route_is_checked),
		cmocka_unit_test(every_field_of_an_ike_slot_is_checked),
		cmocka_unit_test(each_type_passes_its_own_door_only),
		cmocka_unit_test(another_length_is_refused),
		cmocka_unit_test(another_generation_is_stale),
		cmocka_unit_test(an_sa_is_checked_as_a_whole),
		cmocka_unit_test(a_nexthop_holds_only_what_its_kind_uses),
		cmocka_unit_test(a_name_is_fit_for_a_log_line),
		cmocka_unit_test(a_prefix_has_no_host_bits),
		cmocka_unit_test(an_ike_slot_that_says_more_is_full),
		cmocka_unit_test(every_number_has_a_name),
	};

	return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}
