/* What comes back: events, IKE datagrams, counters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ip.h"
#include "ringctl.h"

static json_t *addr_json(uint8_t family, const uint8_t b[16])
{
	struct ip_addr a = ip_from_bytes(family, b);
	char buf[IP_STR];

	return json_string(ip_str(&a, buf));
}

static json_t *hex(const uint8_t *b, uint32_t n)
{
	char *s = malloc(2 * (size_t)n + 1);
	json_t *v;

	if (!s)
		abort();
	for (uint32_t i = 0; i < n; i++)
		snprintf(s + 2 * (size_t)i, 3, "%02x", b[i]);
	v = json_stringn(s, 2 * (size_t)n);
	free(s);
	return v;
}

static json_t *sa_json(const struct msg_sa_counters *c)
{
	json_t *o = json_pack("{sIsIsI}", "packets", (json_int_t)c->packets, "octets", (json_int_t)c->octets, "seq",
			      (json_int_t)c->seq),
	       *drops = json_object();

	for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
		if (c->drop[i])
			json_object_set_new(drops, msg_sa_drop_name(i), json_integer((json_int_t)c->drop[i]));
	json_object_set_new(o, "drop", drops);
	return o;
}

static json_t *worker_json(const struct stats_worker *s)
{
	json_t *o = json_pack("{sIsIsIsIsIsIsIsIsIsIsIsIsI}", "rx", (json_int_t)s->rx, "tx", (json_int_t)s->tx, "punt",
			      (json_int_t)s->punt, "handoff_out", (json_int_t)s->handoff_out, "handoff_in",
			      (json_int_t)s->handoff_in, "icmp_sent", (json_int_t)s->icmp_sent, "arp_sent",
			      (json_int_t)s->arp_sent, "esp_in", (json_int_t)s->esp_in, "esp_out",
			      (json_int_t)s->esp_out, "bad_msgs", (json_int_t)s->bad_msgs, "evt_lost",
			      (json_int_t)s->evt_lost, "to_tun", (json_int_t)s->to_tun, "from_tun",
			      (json_int_t)s->from_tun),
	       *drops = json_object();

	for (unsigned i = 0; i < DROP_N; i++)
		if (s->drop[i])
			json_object_set_new(drops, stats_drop_name(i), json_integer((json_int_t)s->drop[i]));
	json_object_set_new(o, "drop", drops);
	return o;
}

static json_t *port_json(const struct stats_port *s)
{
	return json_pack("{sIsIsIsIsIsb}", "rx_packets", (json_int_t)s->rx_packets, "tx_packets",
			 (json_int_t)s->tx_packets, "rx_octets", (json_int_t)s->rx_octets, "rx_missed",
			 (json_int_t)s->rx_missed, "tx_errors", (json_int_t)s->tx_errors, "up", s->up);
}

/* counters: of all workers and ports, and of the SAs that live */
void ringctl_show_counters(void)
{
	json_t *workers = json_array(), *sas = json_array(), *ports = json_array();

	for (uint32_t w = 0; w < ctl.limits.workers; w++)
		json_array_append_new(workers, worker_json(&ctl.shm.worker_stats[w]));
	for (uint32_t i = 0; i < ctl.limits.ports; i++)
		json_array_append_new(ports, port_json(&ctl.shm.port_stats[i]));
	for (uint32_t i = 0; i < 2 * ctl.limits.sas; i++) {
		const struct stats_sa *s = &ctl.shm.sa_stats[i];
		json_t *o;

		if (!s->gen)
			continue;
		o = sa_json(&s->c);
		json_object_set_new(o, "slot", json_integer(i / 2));
		json_object_set_new(o, "dir", json_integer(i % 2));
		json_object_set_new(o, "spi", json_integer(s->spi));
		json_array_append_new(sas, o);
	}
	ringctl_say(json_pack("{s:{sosososI}}", "done", "workers", workers, "ports", ports, "sas", sas, "applied",
			      (json_int_t)atomic_load(&ctl.shm.hdr->applied)));
}

static json_t *leg_json(const struct msg_nh_leg *l)
{
	return json_pack("{sIsIsosIsI}", "kind", (json_int_t)l->kind, "port", (json_int_t)l->port, "via",
			 addr_json(l->family, l->via), "tunnel", (json_int_t)l->tunnel.slot, "tunnel_gen",
			 (json_int_t)l->tunnel.gen);
}

static json_t *fib_json(const struct msg_fib_info *f)
{
	json_t *legs = json_array();

	for (unsigned i = 0; i < f->n; i++)
		json_array_append_new(legs, leg_json(&f->leg[i]));
	return json_pack("{sIsIsIsbsosIso}", "query", (json_int_t)f->query, "nexthop", (json_int_t)f->nexthop, "routes",
			 (json_int_t)f->routes, "found", f->found, "addr", addr_json(f->family, f->addr), "plen",
			 (json_int_t)f->plen, "legs", legs);
}

static void say_event(unsigned from, const union msg *m)
{
	json_t *o = json_pack("{sssIsI}", "event", msg_type_name(m->hdr.type), "seq", (json_int_t)m->hdr.seq, "from",
			      (json_int_t)from);

	switch (m->hdr.type) {
	case MSG_ACK:
	case MSG_NACK: {
		const struct msg_ack *a = (const void *)m;

		json_object_set_new(o, "type", json_string(msg_type_name(a->type)));
		json_object_set_new(o, "status", json_integer(a->status));
		break;
	}
	case MSG_SA_SOFT:
	case MSG_SA_HARD:
	case MSG_SA_GONE:
	case MSG_SA_INFO: {
		const struct msg_sa_event *e = (const void *)m;

		json_object_update_new(o,
				       json_pack("{sIsIsIsIsIso}", "slot", (json_int_t)e->sa.slot, "gen",
						 (json_int_t)e->sa.gen, "tunnel", (json_int_t)e->tunnel.slot, "dir",
						 (json_int_t)e->dir, "spi", (json_int_t)e->spi, "c", sa_json(&e->c)));
		break;
	}
	case MSG_NO_SA: {
		const struct msg_no_sa *n = (const void *)m;

		json_object_update_new(o, json_pack("{sIsoso}", "tunnel", (json_int_t)n->tunnel.slot, "src",
						    addr_json(n->family, n->src), "dst", addr_json(n->family, n->dst)));
		break;
	}
	case MSG_PEER_MOVED: {
		const struct msg_peer_moved *p = (const void *)m;

		json_object_update_new(o, json_pack("{sIsosI}", "slot", (json_int_t)p->sa.slot, "remote",
						    addr_json(p->family, p->remote), "remote_port",
						    (json_int_t)p->remote_port));
		break;
	}
	case MSG_FIB_INFO:
		json_object_update_new(o, fib_json((const struct msg_fib_info *)m));
		break;
	case MSG_BAD_SPI:
		json_object_set_new(o, "spi", json_integer(((const struct msg_bad_spi *)m)->spi));
		break;
	default:
		break;
	}
	ringctl_say(o);
}

static void take_events(unsigned from, struct spsc *q)
{
	union msg m;
	int rc;

	while ((rc = spsc_pop(q, &m)) == 0) {
		rc = msg_check_evt(&m, &ctl.limits);
		if (rc)
			ringctl_say(json_pack("{sssIsI}", "event", "malformed", "type", (json_int_t)m.hdr.type, "from",
					      (json_int_t)from));
		else
			say_event(from, &m);
	}
	if (rc == -EPROTO)
		ringctl_say(json_pack("{sssI}", "event", "impossible-index", "from", (json_int_t)from));
}

static void take_ike(struct spsc *q, bool init)
{
	static uint8_t data[MSG_IKE_MAX];
	struct msg_ike h;
	int n;

	while ((n = shm_ike_pop(q, &ctl.limits, &h, data, sizeof(data))) != -EAGAIN && n != -EPROTO)
		if (n > 0)
			ringctl_say(json_pack("{sssosbsbsosIsosIsIsI}", "event", "ike", "data", hex(data, (uint32_t)n),
					      "init", init, "encap", !!(h.flags & MSG_IKE_ENCAP), "local",
					      addr_json(h.family, h.local), "local_port", (json_int_t)h.local_port,
					      "remote", addr_json(h.family, h.remote), "remote_port",
					      (json_int_t)h.remote_port, "port", (json_int_t)h.port, "worker",
					      (json_int_t)h.worker));
		else
			ringctl_say(json_pack("{ss}", "event", "malformed"));
}

void ringctl_show_events(void)
{
	for (uint32_t w = 0; w < ctl.limits.workers; w++) {
		take_events(w, &ctl.shm.w[w].evt);
		take_ike(&ctl.shm.w[w].ike_init, true);
		take_ike(&ctl.shm.w[w].ike_in, false);
	}
	take_events(SHM_WORKERS_MAX, &ctl.shm.ctl_evt);
}
