#include "tests/unit/bgp/peer_rig.h"

static struct rig_conn *new_conn(struct rig *r, uint32_t id, bool ours)
{
	struct rig_conn *c;

	assert_true(r->n_conns < RIG_CONNS);
	for (unsigned i = 0; i < r->n_conns; i++)
		assert_int_not_equal(r->conn[i].id, id); /* "not used again soon" */
	c = &r->conn[r->n_conns++];
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->ours = ours;
	return c;
}

struct rig_conn *rig_of(struct rig *r, uint32_t id)
{
	for (unsigned i = 0; i < r->n_conns; i++)
		if (r->conn[i].id == id)
			return &r->conn[i];
	return NULL;
}

struct rig_conn *rig_last(struct rig *r)
{
	struct rig_conn *c = r->n_conns ? &r->conn[r->n_conns - 1] : NULL;

	return c && !c->closed ? c : NULL;
}

static int env_connect(void *ctx, uint32_t peer, uint32_t id)
{
	struct rig *r = ctx;

	assert_int_equal(peer, 0);
	assert_int_not_equal(id, 0);
	if (r->connect_rc == 0)
		new_conn(r, id, true);
	return r->connect_rc;
}

static size_t env_send(void *ctx, uint32_t id, const uint8_t *b, size_t len)
{
	struct rig *r = ctx;
	struct rig_conn *c = rig_of(r, id);
	size_t n = len < r->room ? len : r->room;

	assert_non_null(c); /* the number is known to us */
	assert_false(c->closed);
	assert_false(c->blocked); /* it waits for bgp_writable() */
	assert_true(c->out_len + n <= RIG_BYTES);
	memcpy(c->out + c->out_len, b, n);
	c->out_len += n;
	if (r->room != SIZE_MAX)
		r->room -= n;
	c->blocked = n < len;
	return n;
}

static void env_close(void *ctx, uint32_t id)
{
	struct rig_conn *c = rig_of(ctx, id);

	assert_non_null(c);
	assert_false(c->closed);
	c->closed = true;
}

static uint32_t env_random(void *ctx)
{
	return ((struct rig *)ctx)->random;
}

static void env_route_change(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *b)
{
	(void)ctx, (void)prefix, (void)b;
}

static void env_nexthop(void *ctx, const struct ip_addr *nh)
{
	(void)ctx, (void)nh;
}

static void env_notice(void *ctx, const struct bgp_notice *n)
{
	struct rig *r = ctx;

	r->n_notices++;
	r->bad = n->bad;
	r->from = n->from;
	r->to = n->to;
	assert_true(*n->cause);
	snprintf(r->cause, sizeof(r->cause), "%s", n->cause);
	for (const char *s = n->cause; *s; s++)
		assert_in_range((unsigned char)*s, 0x20, 0x7e); /* escaped */
}

void rig_new(struct rig *r)
{
	struct bgp_env env = {r,           env_connect, env_send,  env_close, env_random, env_route_change,
			      env_nexthop, env_nexthop, env_notice};
	struct cfg_bgp_peer *p = r->row;

	memset(r, 0, sizeof(*r));
	r->now = 1000000;
	r->room = SIZE_MAX;
	r->cfg.bgp = (struct cfg_bgp){
		.as = 65050, .router_id = 0x0a000001, .multipath = 8, .port = 179, .peer = r->row, .n_peers = 1};
	snprintf(p->name, sizeof(p->name), "p");
	p->addr = ip_v4(0x0a090909);
	p->as = 65010;
	p->families = CFG_BGP_V4;
	p->hold_s = 90;
	p->connect_retry_s = 10;
	r->b = bgp_new(&env);
}

void rig_free(struct rig *r)
{
	bgp_free(r->b);
}

void rig_config(struct rig *r)
{
	bgp_config(r->b, &r->cfg, r->now);
}

void rig_run(struct rig *r, uint64_t ms)
{
	uint64_t end = r->now + ms;
	unsigned there = 0;

	for (;;) {
		uint64_t t = bgp_deadline(r->b);

		if (t > end)
			break;
		if (t > r->now) {
			r->now = t;
			there = 0;
		}
		assert_true(++there < 1000); /* the deadline moves */
		bgp_tick(r->b, r->now);
	}
	r->now = end;
}

void rig_connected(struct rig *r, struct rig_conn *c)
{
	struct ip_addr local = ip_v4(0x0a000001);

	assert_non_null(c);
	bgp_connected(r->b, c->id, &local, r->now);
	rig_run(r, 0);
}

struct rig_conn *rig_accept(struct rig *r)
{
	struct ip_addr local = ip_v4(0x0a000001);
	uint32_t id = bgp_accepted(r->b, 0, &local, r->now);
	struct rig_conn *c = id ? new_conn(r, id, false) : NULL;

	rig_run(r, 0);
	return c;
}

void rig_writable(struct rig *r, struct rig_conn *c, size_t n)
{
	r->room = n;
	c->blocked = false;
	bgp_writable(r->b, c->id, r->now);
}

bool rig_feed(struct rig *r, struct rig_conn *c, const void *msg, size_t len)
{
	bool alive = bgp_input(r->b, c->id, msg, len, r->now);

	assert_int_equal(alive, !c->closed);
	rig_run(r, 0);
	return alive;
}

void rig_keepalive(struct rig *r, struct rig_conn *c)
{
	uint8_t msg[BGP_HDR];

	rig_feed(r, c, msg, wire_keepalive_build(msg, sizeof(msg)));
}

struct bgp_open rig_open_of(uint32_t id)
{
	return (struct bgp_open){.version = 4,
				 .as = 65010,
				 .hold_s = 90,
				 .id = id,
				 .as4 = true,
				 .refresh = true,
				 .mp = true,
				 .mp_v4 = true};
}

void rig_open(struct rig *r, struct rig_conn *c, const struct bgp_open *o)
{
	uint8_t msg[BGP_MSG_MAX];
	size_t len = wire_open_build(msg, sizeof(msg), o);

	assert_true(len > 0);
	rig_feed(r, c, msg, len);
}

uint8_t rig_next(struct rig_conn *c, const uint8_t **msg, size_t *len)
{
	struct wire_hdr h;
	struct bgp_error err;

	if (c->out_len - c->read < BGP_HDR)
		return 0;
	assert_true(wire_hdr_parse(c->out + c->read, &h, &err));
	if (c->out_len - c->read < h.len)
		return 0;
	*msg = c->out + c->read;
	*len = h.len;
	c->read += h.len;
	return h.type;
}

void rig_expect_notification(struct rig_conn *c, uint8_t code, uint8_t sub, const void *data, size_t len)
{
	const uint8_t *msg = NULL;
	size_t n = 0;
	uint8_t type;

	while ((type = rig_next(c, &msg, &n)) != 0 && type != BGP_NOTIFICATION)
		;
	assert_int_equal(type, BGP_NOTIFICATION);
	assert_int_equal(msg[BGP_HDR], code);
	assert_int_equal(msg[BGP_HDR + 1], sub);
	assert_int_equal(n, BGP_NOTIFICATION_MIN + len);
	if (len)
		assert_memory_equal(msg + BGP_NOTIFICATION_MIN, data, len);
	assert_int_equal(c->read, c->out_len); /* the last word */
	assert_true(c->closed);
}

unsigned rig_count(struct rig_conn *c, uint8_t type)
{
	const uint8_t *msg;
	size_t len;
	unsigned n = 0;

	for (uint8_t t; (t = rig_next(c, &msg, &len)) != 0;)
		n += t == type;
	return n;
}

struct bgp_peer_info rig_info(struct rig *r)
{
	struct bgp_peer_info info;

	assert_true(bgp_peer_info(r->b, 0, &info));
	return info;
}

struct rig_conn *rig_establish(struct rig *r)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *c = rig_last(r);

	rig_connected(r, c);
	rig_open(r, c, &o);
	rig_keepalive(r, c);
	assert_int_equal(rig_state(r), BGP_ESTABLISHED);
	return c;
}

size_t rig_update(uint8_t buf[BGP_MSG_MAX], uint32_t first, unsigned n)
{
	struct update_build b;
	struct bgp_attrs_draft d;
	static const uint8_t path[] = {BGP_AS_SEQUENCE, 1, 0, 0, 0xfd, 0xf2};
	struct bgp_codec codec = {.as4 = true, .mp_v4 = true};

	memset(&d, 0, sizeof(d));
	d.a.nexthop = ip_v4(0x0a090909);
	assert_int_equal(attr_set_part(&d, 0, path, sizeof(path)), 0);
	update_build_announce(&b, buf, BGP_MSG_MAX, &d.a, &codec, IP_V4);
	for (unsigned i = 0; i < n; i++) {
		struct ip_prefix p = {.addr = ip_v4((first + i) << 8), .len = 24};

		assert_true(update_build_add(&b, &p));
	}
	return update_build_end(&b);
}
