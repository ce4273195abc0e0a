/* Commands over the rings: JSON to structs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "ringctl.h"

/* The address into 16 octets; the family is returned, 0 if there is none. */
static uint8_t addr(const char *s, uint8_t out[16])
{
	struct ip_addr a = {0};

	if (ip_parse(s, &a))
		return 0;
	memcpy(out, a.b, ip_size(a.family));
	return a.family;
}

static struct msg_handle handle(const json_t *o, const char *slot, const char *gen)
{
	return (struct msg_handle){.slot = (uint32_t)ringctl_num(o, slot, 0), .gen = (uint32_t)ringctl_num(o, gen, 1)};
}

static void range(const json_t *o, const char *addrs, const char *ports, struct msg_ts *t, uint8_t *family)
{
	const json_t *a = json_object_get(o, addrs), *p = json_object_get(o, ports);
	const char *lo = json_string_value(json_array_get(a, 0)), *hi = json_string_value(json_array_get(a, 1));

	*family = addr(lo ? lo : "0.0.0.0", t->lo);
	(void)addr(hi ? hi : "255.255.255.255", t->hi);
	t->port_lo = (uint16_t)json_integer_value(json_array_get(p, 0));
	t->port_hi = p ? (uint16_t)json_integer_value(json_array_get(p, 1)) : UINT16_MAX;
}

/* [{local: [lo, hi], remote: [lo, hi], proto, local_ports: [lo, hi], remote_ports: [lo, hi]}]; none: any */
static uint8_t selectors(const json_t *ts, struct msg_ts_pair to[MSG_TS_MAX])
{
	uint8_t n = ts ? (uint8_t)json_array_size(ts) : 1;

	for (unsigned i = 0; i < MSG_TS_MAX && i < n; i++) {
		const json_t *t = json_array_get(ts, i);

		to[i].proto = (uint8_t)ringctl_num(t, "proto", 0);
		range(t, "local", "local_ports", &to[i].local, &to[i].family);
		range(t, "remote", "remote_ports", &to[i].remote, &to[i].family);
	}
	return n;
}

/* slot gen worker local port df mtu name */
static uint16_t make_tunnel_set(const json_t *o, union msg *m)
{
	struct msg_tunnel_set *t = (void *)m;

	t->tunnel = handle(o, "slot", "gen");
	t->worker = (uint8_t)ringctl_num(o, "worker", 0);
	t->df = (uint8_t)ringctl_num(o, "df", MSG_DF_COPY);
	t->mtu = (uint16_t)ringctl_num(o, "mtu", 0);
	t->port = (uint16_t)ringctl_num(o, "port", 0);
	t->family = addr(ringctl_text(o, "local"), t->local);
	snprintf(t->name, sizeof(t->name), "%s", ringctl_text(o, "name"));
	t->mode = (uint8_t)ringctl_num(o, "mode", MSG_MODE_TUNNEL);
	t->mss = (uint16_t)ringctl_num(o, "mss", MSG_MSS_AUTO);
	t->fragment = (uint8_t)ringctl_num(o, "fragment", MSG_FRAGMENT_BEFORE);
	t->dscp = (uint8_t)ringctl_num(o, "dscp", MSG_DSCP_COPY);
	t->n_children = (uint8_t)ringctl_num(o, "n_children", 1);
	if (*ringctl_text(o, "remote"))
		(void)addr(ringctl_text(o, "remote"), t->remote);
	t->n_ts = selectors(json_object_get(o, "ts"), t->ts);
	return sizeof(*t);
}

/* slot gen tunnel tunnel_gen spi encr integ child key local remote [local_port remote_port] window soft_/hard_bytes/packets
 * ts: [{local: [lo, hi], remote: [lo, hi], proto, local_ports: [lo, hi], remote_ports: [lo, hi]}] */
static uint16_t make_sa_add(const json_t *o, union msg *m)
{
	struct msg_sa_add *a = (void *)m;

	a->sa = handle(o, "slot", "gen");
	a->tunnel = handle(o, "tunnel", "tunnel_gen");
	a->spi = (uint32_t)ringctl_num(o, "spi", 0);
	a->encr = (uint8_t)ringctl_num(o, "encr", MSG_ENCR_AES256_GCM16);
	a->integ = (uint8_t)ringctl_num(o, "integ", MSG_INTEG_NONE);
	a->child = (uint8_t)ringctl_num(o, "child", 0);
	a->key_len = (uint16_t)ringctl_unhex(ringctl_text(o, "key"), a->key, MSG_KEY_MAX);
	a->family = addr(ringctl_text(o, "local"), a->local);
	(void)addr(ringctl_text(o, "remote"), a->remote);
	a->local_port = (uint16_t)ringctl_num(o, "local_port", 0);
	a->remote_port = (uint16_t)ringctl_num(o, "remote_port", 0);
	a->flags = (uint8_t)ringctl_num(o, "flags", a->local_port ? MSG_SA_ENCAP_UDP : 0);
	a->replay_window = (uint16_t)ringctl_num(o, "window", 0);
	a->soft_bytes = ringctl_num(o, "soft_bytes", UINT64_MAX);
	a->hard_bytes = ringctl_num(o, "hard_bytes", UINT64_MAX);
	a->soft_packets = ringctl_num(o, "soft_packets", UINT64_MAX);
	a->hard_packets = ringctl_num(o, "hard_packets", UINT64_MAX);
	a->n_ts = selectors(json_object_get(o, "ts"), a->ts);
	return sizeof(*a);
}

/* slot gen dir: sa-del, sa-adopt */
static uint16_t make_sa_del(const json_t *o, union msg *m)
{
	struct msg_sa_del *d = (void *)m;

	d->sa = handle(o, "slot", "gen");
	d->dir = (uint32_t)ringctl_num(o, "dir", MSG_DIR_IN);
	return sizeof(*d);
}

/* slot gen dir remote remote_port */
static uint16_t make_sa_move(const json_t *o, union msg *m)
{
	struct msg_sa_move *s = (void *)m;

	s->sa = handle(o, "slot", "gen");
	s->dir = (uint32_t)ringctl_num(o, "dir", MSG_DIR_IN);
	s->family = addr(ringctl_text(o, "remote"), s->remote);
	s->remote_port = (uint16_t)ringctl_num(o, "remote_port", 0);
	return sizeof(*s);
}

/* slot gen */
static uint16_t make_tunnel_del(const json_t *o, union msg *m)
{
	((struct msg_tunnel_del *)m)->tunnel = handle(o, "slot", "gen");
	return sizeof(struct msg_tunnel_del);
}

static uint16_t make_head(const json_t *o UNUSED, union msg *m UNUSED)
{
	return sizeof(struct msg_hdr);
}

/* addr plen: addr-set, addr-del */
static uint16_t make_addr(const json_t *o, union msg *m)
{
	struct msg_addr *a = (void *)m;

	a->family = addr(ringctl_text(o, "addr"), a->addr);
	a->plen = (uint8_t)ringctl_num(o, "plen", 32);
	return sizeof(*a);
}

/* kind port via tunnel tunnel_gen */
static struct msg_nh_leg leg(const json_t *o)
{
	struct msg_nh_leg l = {.kind = (uint8_t)ringctl_num(o, "kind", MSG_NH_DROP),
			       .port = (uint16_t)ringctl_num(o, "port", 0)};

	l.family = addr(ringctl_text(o, "via"), l.via);
	if (l.kind == MSG_NH_TUNNEL)
		l.tunnel = handle(o, "tunnel", "tunnel_gen");
	if (l.kind == MSG_NH_PORT && !l.family)
		l.family = IP_V4; /* on link */
	return l;
}

/* id, and those of one leg, or legs: [{...}, ...] */
static uint16_t make_nexthop_set(const json_t *o, union msg *m)
{
	struct msg_nexthop *n = (void *)m;
	const json_t *legs = json_object_get(o, "legs");

	n->id = (uint32_t)ringctl_num(o, "id", 0);
	n->n = legs ? (uint8_t)json_array_size(legs) : 1;
	n->leg[0] = leg(o);
	for (unsigned i = 0; legs && i < n->n && i < MSG_NH_LEGS; i++)
		n->leg[i] = leg(json_array_get(legs, i));
	return sizeof(*n);
}

/* id */
static uint16_t make_nexthop_del(const json_t *o, union msg *m)
{
	((struct msg_nexthop *)m)->id = (uint32_t)ringctl_num(o, "id", 0);
	return sizeof(struct msg_nexthop);
}

/* addr */
static uint16_t make_fib_get(const json_t *o, union msg *m)
{
	struct msg_fib_get *g = (void *)m;

	g->family = addr(ringctl_text(o, "addr"), g->addr);
	return sizeof(*g);
}

typedef uint16_t make_fn(const json_t *o, union msg *m);

static const struct command {
	uint16_t type;
	bool to_worker;
	make_fn *make;
} commands[] = {
	{MSG_TUNNEL_SET, false, make_tunnel_set},
	{MSG_TUNNEL_DEL, false, make_tunnel_del},
	{MSG_SA_IN_ADD, true, make_sa_add},
	{MSG_SA_OUT_ADD, true, make_sa_add},
	{MSG_SA_DEL, true, make_sa_del},
	{MSG_SA_ADOPT, true, make_sa_del},
	{MSG_SA_MOVE, true, make_sa_move},
	{MSG_SA_LIST, true, make_head},
	{MSG_ADDR_SET, false, make_addr},
	{MSG_ADDR_DEL, false, make_addr},
	{MSG_NEXTHOP_SET, false, make_nexthop_set},
	{MSG_NEXTHOP_DEL, false, make_nexthop_del},
	{MSG_FIB_GET, false, make_fib_get},
	{MSG_BARRIER, false, make_head},
	{MSG_POLICY_SET, false, make_head},
	{MSG_CAPTURE_START, false, make_head},
};

/* Every ring command: also `worker`, and `attach` to lie about the generation. */
bool ringctl_cmd_ring(const char *cmd, const json_t *o)
{
	for (size_t i = 0; i < N_ELEMS(commands); i++) {
		const struct command *c = &commands[i];
		uint32_t w = (uint32_t)ringctl_num(o, "worker", 0);
		union msg m = {0};
		uint16_t len;

		if (strcmp(cmd, msg_type_name(c->type)) != 0)
			continue;
		len = c->make(o, &m);
		m.hdr = (struct msg_hdr){.type = c->type,
					 .len = len,
					 .seq = ++ctl.seq,
					 .attach = (uint32_t)ringctl_num(o, "attach", ctl.limits.attach)};
		if (c->to_worker && w >= ctl.limits.workers)
			ringctl_say_sent(-EINVAL);
		else
			ringctl_say_sent(spsc_push(c->to_worker ? &ctl.shm.w[w].cmd : &ctl.shm.ctl_cmd, &m, len));
		shm_ring_bell(c->to_worker && w < ctl.limits.workers ? ctl.shm.bell_worker[w] : ctl.shm.bell_ctl);
		return true;
	}
	return false;
}

/* route-set, route-del: addr plen nexthop; sync-begin, sync-end */
bool ringctl_cmd_route(const char *cmd, const json_t *o)
{
	struct msg_route r = {
		.seq = ctl.seq + 1, .attach = ctl.limits.attach, .nexthop = (uint32_t)ringctl_num(o, "nexthop", 0)};

	for (r.type = MSG_ROUTE_SET; r.type <= MSG_SYNC_END; r.type++)
		if (strcmp(cmd, msg_type_name(r.type)) == 0)
			break;
	if (r.type > MSG_SYNC_END || (r.type > MSG_ROUTE_DEL && r.type < MSG_SYNC_BEGIN))
		return false;
	if (r.type <= MSG_ROUTE_DEL) {
		r.family = addr(ringctl_text(o, "addr"), r.addr);
		r.plen = (uint8_t)ringctl_num(o, "plen", 32);
	}
	ctl.seq++;
	ringctl_say_sent(spsc_push(&ctl.shm.route, &r, sizeof(r)));
	shm_ring_bell(ctl.shm.bell_ctl);
	return true;
}

/* data local remote local_port remote_port encap port worker */
void ringctl_cmd_ike(const json_t *o)
{
	struct msg_ike m = {.attach = ctl.limits.attach,
			    .flags = ringctl_num(o, "encap", 0) ? MSG_IKE_ENCAP : 0,
			    .local_port = (uint16_t)ringctl_num(o, "local_port", 500),
			    .remote_port = (uint16_t)ringctl_num(o, "remote_port", 500),
			    .port = (uint16_t)ringctl_num(o, "port", UINT16_MAX),
			    .worker = (uint8_t)ringctl_num(o, "worker", 0)};
	static uint8_t data[MSG_IKE_MAX];
	uint32_t n = ringctl_unhex(ringctl_text(o, "data"), data, sizeof(data));

	m.family = addr(ringctl_text(o, "local"), m.local);
	(void)addr(ringctl_text(o, "remote"), m.remote);
	if (m.worker >= ctl.limits.workers) {
		ringctl_say_error("no such worker");
		return;
	}
	ringctl_say_sent(shm_ike_push(&ctl.shm.w[m.worker].ike_out, &m, data, n));
	shm_ring_bell(ctl.shm.bell_worker[m.worker]);
}
