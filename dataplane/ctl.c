#include "dataplane/ctl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_rcu_qsbr.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/secret.h"
#include "dataplane/nbr.h"
#include "dataplane/fib6.h"
#include "dataplane/parse.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/tundev.h"
#include "dataplane/worker.h"

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- events --- */

/* Room for n events? Without it nothing is taken that would need to be answered. */
static bool room(struct ctl *c, struct shm *s, unsigned n, uint64_t now_ms)
{
	int64_t have = spsc_free(&s->ctl_evt);

	if (have < 0)
		attach_broken(&c->attach, now_ms, "ctl");
	return have >= (int64_t)n;
}

static void push(struct ctl *c, struct shm *s, struct msg_hdr *h, enum msg_type type, uint32_t seq, uint16_t len)
{
	*h = (struct msg_hdr){
		.type = (uint16_t)type, .len = len, .seq = seq, .attach = attach_limits(&c->attach)->attach};
	if (spsc_push(&s->ctl_evt, h, len) == 0)
		shm_ring_bell(s->bell_control);
}

static void answer(struct ctl *c, struct shm *s, uint16_t type, uint32_t seq, int status)
{
	struct msg_ack ack = {.type = type, .status = status};

	push(c, s, &ack.hdr, status ? MSG_NACK : MSG_ACK, seq, sizeof(ack));
}

/* --- commands --- */

static uint32_t v4(const uint8_t addr[16])
{
	return (uint32_t)addr[0] << 24 | (uint32_t)addr[1] << 16 | (uint32_t)addr[2] << 8 | addr[3];
}

static int nexthop_set(struct ctl *c, const struct msg_nexthop *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct msg_nh_leg *l = &m->leg[i];

		if (l->kind == MSG_NH_TUNNEL &&
		    (l->tunnel.slot >= c->sad->n_tunnels ||
		     atomic_load_explicit(&c->sad->conf[l->tunnel.slot].gen, memory_order_relaxed) != l->tunnel.gen))
			return -ENOENT;
	}
	return fib_nexthop_set(c->fib, m);
}

static int tunnel_del(struct ctl *c, struct msg_handle tunnel)
{
	int ret = sad_tunnel_del(c->sad, tunnel);

	if (ret == 0)
		fib_tunnel_gone(c->fib, tunnel.slot);
	return ret;
}

/* The kernel has an address before the first packet for it, and until after the last. -EAGAIN as fib_set(). */
static int addr_set(struct ctl *c, const struct msg_addr *m)
{
	struct ip_addr a = ip_from_bytes(m->family, m->addr);
	bool six = m->family == IP_V6;
	int ret;

	/* the host's own loopback, above all; a link-local address belongs to a port */
	if (six ? !ip6_addr_ok(ip6_get(m->addr)) || ip6_is_link_local(ip6_get(m->addr)) : !parse_addr_ok(v4(m->addr)))
		return -EINVAL;
	ret = tundev_addr_set(c->tun->dev, &a);
	if (ret)
		return ret;
	ret = six ? fib6_addr_set(c->fib, ip6_get(m->addr)) : fib_addr_set(c->fib, v4(m->addr));
	if (ret && ret != -EAGAIN)
		(void)!tundev_addr_del(c->tun->dev, &a);
	return ret;
}

static int addr_del(struct ctl *c, const struct msg_addr *m)
{
	struct ip_addr a = ip_from_bytes(m->family, m->addr);
	int ret;

	ret = m->family == IP_V6 ? fib6_addr_del(c->fib, ip6_get(m->addr)) : fib_addr_del(c->fib, v4(m->addr));
	return ret ? ret : tundev_addr_del(c->tun->dev, &a);
}

/* Addresses that a sweep took out of the FIB. */
static void addrs_swept(struct ctl *c)
{
	struct tundev *d = c->tun->dev;

	for (unsigned i = d->n_addrs; i-- > 0;) {
		struct ip_addr a = d->addr[i];

		bool ours =
			a.family == IP_V6 ? fib6_is_local(c->fib, ip6_get(a.b)) : fib_is_local(c->fib, ip_v4_u32(&a));

		if (!ours && tundev_addr_del(d, &a))
			log_warn(LOG_CTL, "tun=%s event=address-stays", d->name);
	}
}

/* All that was said before is in force once every worker has passed a quiescent state. -EAGAIN until then. */
static int barrier(struct ctl *c)
{
	if (!c->barrier) {
		c->token = rte_rcu_qsbr_start(c->qsbr);
		c->barrier = true;
	}
	if (rte_rcu_qsbr_check(c->qsbr, c->token, false) != 1)
		return -EAGAIN;
	c->barrier = false;
	return 0;
}

/* A leg as the control plane said it; on link: of the packets' family. */
static struct msg_nh_leg leg(const struct ctl *c, const struct fib_nh *nh, uint8_t family)
{
	struct msg_nh_leg l = {.kind = MSG_NH_DROP};
	uint32_t gen;

	if (nh->kind == FIB_LOCAL) {
		l.kind = MSG_NH_LOCAL;
	} else if (nh->kind == FIB_PORT) {
		l = (struct msg_nh_leg){.kind = MSG_NH_PORT, .family = IP_V4, .port = nh->port};
		if (nh->n == FIB_GATEWAY6) {
			l.family = IP_V6;
			ip6_put(l.via, c->fib->gateway[nh->arg]);
		} else if (nh->arg == 0) {
			l.family = family;
		} else {
			memcpy(l.via, &nh->arg, sizeof(nh->arg));
		}
	} else if (nh->kind == FIB_TUNNEL) {
		gen = atomic_load_explicit(&c->sad->conf[nh->arg].gen, memory_order_relaxed);
		if (gen)
			l = (struct msg_nh_leg){.kind = MSG_NH_TUNNEL, .tunnel = {nh->arg, gen}};
	}
	return l;
}

static int fib_get(struct ctl *c, struct shm *s, const struct msg_fib_get *m)
{
	bool six = m->family == IP_V6;
	struct msg_fib_info i = {
		.query = m->hdr.seq, .nexthop = UINT32_MAX, .routes = six ? fib6_count(c->fib) : fib_count(c->fib)};
	struct fib_found found;

	if (six ? fib6_find(c->fib, ip6_get(m->addr), &found) : fib_find(c->fib, v4(m->addr), &found)) {
		i.found = 1;
		i.family = m->family;
		i.plen = found.plen;
		i.n = found.n;
		i.nexthop = found.nexthop;
		memcpy(i.addr, found.addr.b, ip_size(m->family));
		for (unsigned k = 0; k < found.n; k++)
			i.leg[k] = leg(c, &found.leg[k], m->family);
	}
	push(c, s, &i.hdr, MSG_FIB_INFO, 0, sizeof(i));
	return 0;
}

/* -EAGAIN: not yet, ask again with the same message. */
static int obey(struct ctl *c, struct shm *s, const union msg *m)
{
	switch (m->hdr.type) {
	case MSG_TUNNEL_SET:
		return sad_tunnel_set(c->sad, (const struct msg_tunnel_set *)m, c->n_workers);
	case MSG_TUNNEL_DEL:
		return tunnel_del(c, ((const struct msg_tunnel_del *)m)->tunnel);
	case MSG_ADDR_SET:
		return addr_set(c, (const struct msg_addr *)m);
	case MSG_ADDR_DEL:
		return addr_del(c, (const struct msg_addr *)m);
	case MSG_NEXTHOP_SET:
		return nexthop_set(c, (const struct msg_nexthop *)m);
	case MSG_NEXTHOP_DEL:
		return fib_nexthop_del(c->fib, ((const struct msg_nexthop *)m)->id);
	case MSG_FIB_GET:
		return fib_get(c, s, (const struct msg_fib_get *)m);
	case MSG_BARRIER:
		return barrier(c);
	default: /* the workers', and what is reserved */
		return -ENOTSUP;
	}
}

/* Commands in their order. True: there may be more. */
static bool commands(struct ctl *c, struct shm *s, uint64_t now_ms)
{
	for (unsigned n = 0; n < CTL_TURN; n++) {
		int ret;

		if (!room(c, s, 2, now_ms) || !attach_shm(&c->attach)) /* FIB_INFO and its ACK */
			return false;
		if (!c->holding) {
			ret = spsc_pop(&s->ctl_cmd, &c->cmd);
			if (ret == -EPROTO)
				attach_broken(&c->attach, now_ms, "ctl");
			if (ret)
				return false;
			if (msg_check_cmd(&c->cmd, attach_limits(&c->attach))) {
				secret_wipe(&c->cmd, sizeof(c->cmd));
				c->bad_msgs++;
				continue;
			}
		}
		ret = obey(c, s, &c->cmd);
		c->holding = ret == -EAGAIN;
		if (c->holding)
			return false; /* wait() looks at holding */
		answer(c, s, c->cmd.hdr.type, c->cmd.hdr.seq, ret);
		secret_wipe(&c->cmd, sizeof(c->cmd)); /* an SA that came to the wrong door has its key in it */
	}
	return true;
}

/* --- routes --- */

static int route(struct ctl *c, const struct msg_route *m)
{
	switch (m->type) {
	case MSG_SYNC_BEGIN:
		fib_sync_begin(c->fib);
		return 0;
	case MSG_SYNC_END:
		fib_sync_end(c->fib);
		c->sweeping = true;
		return 0;
	case MSG_ROUTE_SET:
		if (m->family == IP_V6)
			return fib6_set(c->fib, ip6_get(m->addr), m->plen, m->nexthop);
		return fib_set(c->fib, v4(m->addr), m->plen, m->nexthop);
	case MSG_ROUTE_DEL:
		return m->family == IP_V6 ? fib6_del(c->fib, ip6_get(m->addr), m->plen)
					  : fib_del(c->fib, v4(m->addr), m->plen);
	default:
		return -ENOTSUP;
	}
}

/* Has every worker passed a quiescent state since the records that fly were done? Then they are in force, and those done since
 * may take off. */
static void in_force(struct ctl *c)
{
	struct shm *s = attach_shm(&c->attach);

	if (c->flying && rte_rcu_qsbr_check(c->qsbr, c->fly_token, false) == 1) {
		c->applied += c->flying;
		c->flying = 0;
		if (s) {
			atomic_store_explicit(&s->hdr->applied, c->applied, memory_order_release);
			shm_ring_bell(s->bell_control);
		}
	}
	if (!c->flying && c->done && !c->sweeping) {
		c->fly_token = rte_rcu_qsbr_start(c->qsbr);
		c->flying = c->done;
		c->done = 0;
	}
}

/* The next records off the ring; all that they will touch is being fetched meanwhile. False: there is none. */
static bool take(struct ctl *c, struct shm *s, uint64_t now_ms)
{
	_Static_assert((int)CTL_RECORDS <= (int)FIB_PREFETCH, "all at once");
	uint32_t addrs[CTL_RECORDS];
	uint8_t plens[CTL_RECORDS];
	unsigned n = 0;

	c->n_records = c->n_past = 0;
	while (c->n_records < CTL_RECORDS) {
		struct msg_route *m = &c->record[c->n_records];
		int ret = spsc_pop(&s->route, m);

		if (ret == -EPROTO)
			attach_broken(&c->attach, now_ms, "ctl");
		if (ret)
			break;
		c->n_records++;
		if (m->family == IP_V6)
			continue;
		addrs[n] = v4(m->addr);
		plens[n++] = m->plen;
	}
	fib_prefetch(c->fib, addrs, plens, n);
	return c->n_records > 0;
}

/* The records that were taken, as far as it goes; up to a short prefix, which takes its time. False: one has to wait for the workers,
 * or for a sweep. */
static bool apply(struct ctl *c, struct shm *s)
{
	for (; c->n_past < c->n_records; c->n_past++) {
		const struct msg_route *m = &c->record[c->n_past];
		int ret;

		if (c->sweeping)
			return false;
		ret = msg_check_route(m, attach_limits(&c->attach));
		if (ret)
			c->bad_msgs++;
		else
			ret = route(c, m);
		if (ret == -EAGAIN)
			return false;
		if (ret)
			answer(c, s, m->type, m->seq, ret);
		c->done++;
		if (m->plen < (m->family == IP_V6 ? FIB6_SHORT : FIB_SHORT)) {
			c->n_past++;
			break;
		}
	}
	return true;
}

/* True: come again at once. */
static bool records(struct ctl *c, struct shm *s, uint64_t now_ms)
{
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * CTL_ROUTES_US;

	do {
		if (!room(c, s, CTL_RECORDS, now_ms) || !attach_shm(&c->attach))
			return false;
		if (c->n_past == c->n_records && !take(c, s, now_ms))
			return false;
		if (!apply(c, s))
			return c->sweeping;
	} while (rte_rdtsc() < end);
	return true;
}

static bool routes(struct ctl *c, uint64_t now_ms)
{
	struct shm *s = attach_shm(&c->attach);
	bool more = false;

	if (!s)
		c->n_records = c->n_past = 0;
	if (c->sweeping) {
		c->sweeping = fib_sweep(c->fib);
		if (!c->sweeping)
			addrs_swept(c);
		more = true;
	} else if (s && !c->holding) {
		more = records(c, s, now_ms);
	}
	in_force(c);
	return more;
}

/* --- links, ports --- */

static void link_event(struct ctl *c, struct shm *s, uint16_t port, uint64_t now_ms)
{
	struct msg_link m = {.port = port, .up = c->ports->p[port].up};

	if (!room(c, s, 1, now_ms))
		return;
	push(c, s, &m.hdr, MSG_LINK, 0, sizeof(m));
	c->link_unsent &= ~(1u << port);
}

static void link_changed(struct ctl *c, struct port *p, bool up, uint64_t now_ms)
{
	p->up = up;
	for (uint8_t w = 0; w < c->n_workers; w++)
		atomic_store_explicit(&c->worker[w]->port[p->index].up, up, memory_order_relaxed);
	c->link_unsent |= 1u << p->index;
	log_info(LOG_PORT, "port=%s event=link-%s", p->cfg->name, up ? "up" : "down");
	if (up)
		nbr_announce(c->arp, p->index, now_ms);
}

/* The driver's sockets and the guard's rule were bound to the interface that has gone, not to its name. */
static void interface_gone(struct port *p)
{
	p->gone = true;
	log_err(LOG_PORT,
		"port=%s event=interface-gone interface=%s cause=\"it was removed; one made anew under its name is "
		"another\" cure=\"make it again, then restart esplanade-dataplane\"",
		p->cfg->name, p->ifname);
}

static void links(struct ctl *c, uint64_t now_ms)
{
	struct shm *s = attach_shm(&c->attach);

	if (now_ms >= c->link_ms) {
		c->link_ms = now_ms + CTL_LINK_MS;
		for (uint16_t i = 0; i < c->ports->n; i++) {
			struct port *p = &c->ports->p[i];
			bool up = port_link(c->ports, p);

			if (up != p->up)
				link_changed(c, p, up, now_ms);
			port_turn(p, c->qsbr);
			if (!up && !p->gone && port_gone(c->ports, p))
				interface_gone(p);
			port_stats(p, &attach_segment(&c->attach)->port_stats[i]);
		}
		tun_watch(c->tun);
	}
	for (uint16_t i = 0; s && c->link_unsent && i < c->ports->n; i++)
		if (c->link_unsent & 1u << i)
			link_event(c, s, i, now_ms);
}

/* --- the loop --- */

/* A control plane has come: it hears all links, and counts its next hops and records anew. */
static void welcome(struct ctl *c)
{
	c->attached = c->attach.attached;
	c->applied = c->done = c->flying = 0;
	c->n_records = c->n_past = 0;
	c->holding = c->barrier = c->sweeping = false;
	c->link_unsent = (1u << c->ports->n) - 1;
	fib_attached(c->fib);
}

/* Sleep until something happens, next_ms at the latest. The signal that came, or 0. */
static int wait(struct ctl *c, bool more, uint64_t now_ms, uint64_t next_ms)
{
	struct pollfd fds[6] = {{.fd = c->signals, .events = POLLIN},
				{.fd = c->bell, .events = POLLIN},
				{.fd = tun_fd(c->tun), .events = POLLIN}}; /* -1: passed over */
	unsigned n = 3 + attach_fds(&c->attach, now_ms, fds + 3);
	struct timespec t = {0};
	struct signalfd_siginfo info;
	struct shm *s = attach_shm(&c->attach);
	uint64_t rings;

	next_ms = u64_min(next_ms, c->link_ms);
	if (!more && (c->flying || c->n_past < c->n_records || c->holding || c->tun->stuck)) {
		t.tv_nsec = CTL_SPIN_US * 1000;
	} else if (!more && next_ms > now_ms) {
		t.tv_sec = (time_t)((next_ms - now_ms) / 1000);
		t.tv_nsec = (long)((next_ms - now_ms) % 1000) * 1000000;
	}
	if (ppoll(fds, n, &t, NULL) <= 0)
		return 0;
	if (fds[1].revents & POLLIN && read(c->bell, &rings, sizeof(rings)) < 0)
		log_debug(LOG_CTL, "event=bell-empty");
	if (s && !shm_clear_bell(s->bell_ctl))
		attach_broken(&c->attach, now_ms, "ctl");
	if (fds[0].revents & POLLIN && read(c->signals, &info, sizeof(info)) == sizeof(info))
		return (int)info.ssi_signo;
	return 0;
}

int ctl_run(struct ctl *c)
{
	int sig = 0;

	for (uint16_t i = 0; i < c->ports->n; i++)
		if (c->ports->p[i].up)
			nbr_announce(c->arp, i, clock_ms());
	while (!sig) {
		uint64_t now_ms = clock_ms(), next_ms = attach_turn(&c->attach, now_ms);
		struct shm *s = attach_shm(&c->attach);
		bool more = false;

		if (s && c->attached != c->attach.attached)
			welcome(c);
		if (s)
			more |= commands(c, s, now_ms);
		more |= routes(c, now_ms);
		more |= nbr_turn(c->arp, now_ms);
		more |= tun_turn(c->tun);
		next_ms = u64_min(next_ms, nbr_tick(c->arp, now_ms));
		links(c, now_ms);
		sig = wait(c, more, now_ms, next_ms);
	}
	return sig;
}
