#include "ring/msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/ip.h"
#include "ring/spi.h"
#include "ring/stats.h"

XLIST_NAME(msg_type_name, MSG_TYPE_N, MSG_TYPES)
XLIST_NAME(msg_encr_name, MSG_ENCR_N, MSG_ENCRS)
XLIST_NAME(msg_integ_name, MSG_INTEG_N, MSG_INTEGS)
XLIST_NAME(msg_sa_drop_name, MSG_SA_DROP_N, MSG_SA_DROPS)
XLIST_NAME(stats_drop_name, DROP_N, STATS_DROPS)
XLIST_NAME(stats_stage_name, STATS_STAGE_N, STATS_STAGES)

enum { ERRNO_MAX = 4095, MTU_MIN = 68 /* RFC 791 3.2 */, SPI_RESERVED = 255 /* RFC 4303 2.1 */ };

static bool zero(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= b[i];
	return any == 0;
}

static bool family_ok(uint8_t family)
{
	return family == IP_V4 || family == IP_V6;
}

/* Any address of this family, the octets behind an IPv4 one zero. */
static bool addr_ok(uint8_t family, const uint8_t a[16])
{
	return family_ok(family) && zero(a + ip_size(family), 16 - ip_size(family));
}

/* One that can be spoken to: not 0.0.0.0 or ::. */
static bool host_ok(uint8_t family, const uint8_t a[16])
{
	return addr_ok(family, a) && !zero(a, 16);
}

static bool handle_ok(const struct msg_handle *h, uint32_t n)
{
	return h->slot < n && h->gen != 0;
}

static bool sa_ok(const struct msg_handle *h, uint32_t dir, const struct msg_limits *l)
{
	return handle_ok(h, l->sas) && dir <= MSG_DIR_OUT;
}

static bool spi_ok(uint32_t spi, uint32_t dir, uint32_t slot)
{
	return spi > SPI_RESERVED && (dir == MSG_DIR_OUT || spi_slot(spi) == slot);
}

/* A letter or digit, then those and _ . -; NUL up to the end. */
static bool name_ok(const char name[32])
{
	size_t n = strnlen(name, 32);

	if (n == 0 || n == 32 || !zero(name + n, 32 - n))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];
		bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!word && (i == 0 || (c != '_' && c != '.' && c != '-')))
			return false;
	}
	return true;
}

static bool tunnel_del_ok(const union msg *m, const struct msg_limits *l)
{
	return handle_ok(&((const struct msg_tunnel_del *)m)->tunnel, l->tunnels);
}

/* RFC 7296 3.13.1; OPAQUE ports (65535..0) are not ours. */
static bool ts_ok(const struct msg_ts *t, uint8_t family)
{
	return addr_ok(family, t->lo) && addr_ok(family, t->hi) && memcmp(t->lo, t->hi, 16) <= 0 &&
	       t->port_lo <= t->port_hi;
}

static bool selectors_ok(const struct msg_ts_pair ts[MSG_TS_MAX], unsigned n)
{
	if (n < 1 || n > MSG_TS_MAX)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct msg_ts_pair *p = &ts[i];

		if (!ts_ok(&p->local, p->family) || !ts_ok(&p->remote, p->family) || !zero(p->pad, sizeof(p->pad)))
			return false;
	}
	return zero(&ts[n], (MSG_TS_MAX - n) * sizeof(ts[0]));
}

static bool tunnel_set_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_tunnel_set *t = (const void *)m;
	bool remote_ok = zero(t->remote, sizeof(t->remote)) || host_ok(t->family, t->remote);

	return handle_ok(&t->tunnel, l->tunnels) && t->worker < l->workers && t->df < MSG_DF_N &&
	       t->mode < MSG_MODE_N && (t->mtu == 0 || t->mtu >= MTU_MIN) && t->port < l->ports &&
	       t->fragment < MSG_FRAGMENT_N && (t->dscp == MSG_DSCP_COPY || t->dscp < 64) &&
	       host_ok(t->family, t->local) && remote_ok && selectors_ok(t->ts, t->n_ts) &&
	       (t->n_children == 1 || t->n_children == t->n_ts) && zero(t->pad, sizeof(t->pad)) && name_ok(t->name);
}

static const struct {
	uint8_t key_len; /* octets, salt included */
	bool aead;
} encrs[MSG_ENCR_N] = {
	[MSG_ENCR_AES128_GCM16] = {16 + 4, true}, [MSG_ENCR_AES192_GCM16] = {24 + 4, true},
	[MSG_ENCR_AES256_GCM16] = {32 + 4, true}, [MSG_ENCR_CHACHA20_POLY1305] = {32 + 4, true},
	[MSG_ENCR_AES128_GMAC] = {16 + 4, true},  [MSG_ENCR_AES192_GMAC] = {24 + 4, true},
	[MSG_ENCR_AES256_GMAC] = {32 + 4, true},  [MSG_ENCR_AES128_CBC] = {16, false},
	[MSG_ENCR_AES192_CBC] = {24, false},      [MSG_ENCR_AES256_CBC] = {32, false},
	[MSG_ENCR_3DES_CBC] = {24, false},        [MSG_ENCR_NULL] = {0, false},
};
static const uint8_t integs[MSG_INTEG_N] = {
	[MSG_INTEG_HMAC_SHA1_96] = 20,
	[MSG_INTEG_HMAC_SHA256_128] = 32,
	[MSG_INTEG_HMAC_SHA384_192] = 48,
	[MSG_INTEG_HMAC_SHA512_256] = 64,
};

uint16_t msg_encr_key_len(unsigned encr)
{
	return encr < MSG_ENCR_N ? encrs[encr].key_len : 0;
}

uint16_t msg_integ_key_len(unsigned integ)
{
	return integ < MSG_INTEG_N ? integs[integ] : 0;
}

bool msg_encr_is_aead(unsigned encr)
{
	return encr < MSG_ENCR_N && encrs[encr].aead;
}

/* Key, salt and integrity key fill exactly what the algorithms say; the rest of the field is zero. An ICV there must be (RFC
 * 8221 4: never encryption alone). */
static bool key_ok(const struct msg_sa_add *a)
{
	if (a->encr == MSG_ENCR_NONE || a->encr >= MSG_ENCR_N || a->integ >= MSG_INTEG_N ||
	    msg_encr_is_aead(a->encr) != (a->integ == MSG_INTEG_NONE))
		return false;
	return a->key_len == msg_encr_key_len(a->encr) + msg_integ_key_len(a->integ) &&
	       zero(a->key + a->key_len, sizeof(a->key) - a->key_len) && zero(a->pad, sizeof(a->pad));
}

static bool window_ok(uint32_t n, uint32_t dir)
{
	return n == 0 || (dir == MSG_DIR_IN && n >= 64 && n <= 1024 && (n & (n - 1)) == 0);
}

static bool limits_ok(const struct msg_sa_add *a)
{
	return a->soft_bytes > 0 && a->soft_bytes <= a->hard_bytes && a->soft_packets > 0 &&
	       a->soft_packets <= a->hard_packets;
}

static bool encap_ok(const struct msg_sa_add *a)
{
	if (a->flags & ~(MSG_SA_ENCAP_UDP | MSG_SA_ESN | MSG_SA_TRANSPORT))
		return false;
	if (a->flags & MSG_SA_ENCAP_UDP)
		return a->local_port != 0 && a->remote_port != 0;
	return a->local_port == 0 && a->remote_port == 0;
}

static bool sa_add_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_sa_add *a = (const void *)m;
	uint32_t dir = a->hdr.type == MSG_SA_IN_ADD ? MSG_DIR_IN : MSG_DIR_OUT;

	return sa_ok(&a->sa, dir, l) && handle_ok(&a->tunnel, l->tunnels) && spi_ok(a->spi, dir, a->sa.slot) &&
	       a->child < MSG_CHILDREN_MAX && key_ok(a) && encap_ok(a) && host_ok(a->family, a->local) &&
	       host_ok(a->family, a->remote) && window_ok(a->replay_window, dir) && limits_ok(a) &&
	       selectors_ok(a->ts, a->n_ts);
}

static bool sa_del_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_sa_del *d = (const void *)m;

	return sa_ok(&d->sa, d->dir, l) && d->pad == 0;
}

static bool sa_adopt_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_sa_adopt *a = (const void *)m;

	return sa_ok(&a->sa, a->dir, l) && a->pad == 0;
}

static bool sa_move_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_sa_move *s = (const void *)m;

	return sa_ok(&s->sa, s->dir, l) && s->pad == 0 && host_ok(s->family, s->remote);
}

static bool head_only_ok(const union msg *m UNUSED, const struct msg_limits *l UNUSED)
{
	return true;
}

static bool addr_msg_ok(const union msg *m, const struct msg_limits *l UNUSED)
{
	const struct msg_addr *a = (const void *)m;

	return host_ok(a->family, a->addr) && a->plen > 0 && a->plen <= 8 * ip_size(a->family) &&
	       zero(a->pad, sizeof(a->pad));
}

static bool leg_ok(const struct msg_nh_leg *n, const struct msg_limits *l)
{
	bool no_tunnel = zero(&n->tunnel, sizeof(n->tunnel)), no_port = n->port == 0 && zero(n->via, sizeof(n->via));

	if (n->pad)
		return false;
	switch (n->kind) {
	case MSG_NH_PORT:
		return n->port < l->ports && addr_ok(n->family, n->via) && no_tunnel;
	case MSG_NH_TUNNEL:
		return handle_ok(&n->tunnel, l->tunnels) && (n->family == 0 || family_ok(n->family)) && no_port;
	case MSG_NH_DROP:
	case MSG_NH_LOCAL:
		return (n->family == 0 || family_ok(n->family)) && no_tunnel && no_port;
	default:
		return false;
	}
}

static bool nexthop_set_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_nexthop *n = (const void *)m;

	if (n->id >= l->nexthops || n->n < 1 || n->n > MSG_NH_LEGS || !zero(n->pad, sizeof(n->pad)))
		return false;
	for (unsigned i = 0; i < n->n; i++)
		if (!leg_ok(&n->leg[i], l) ||
		    (n->n > 1 && n->leg[i].kind != MSG_NH_PORT && n->leg[i].kind != MSG_NH_TUNNEL))
			return false;
	return zero(&n->leg[n->n], (MSG_NH_LEGS - n->n) * sizeof(n->leg[0]));
}

static bool nexthop_del_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_nexthop *n = (const void *)m;

	return n->id < l->nexthops && zero(&n->n, sizeof(*n) - offsetof(struct msg_nexthop, n));
}

static bool fib_get_ok(const union msg *m, const struct msg_limits *l UNUSED)
{
	const struct msg_fib_get *g = (const void *)m;

	return family_ok(g->family) && addr_ok(g->family, g->addr) && zero(g->pad, sizeof(g->pad));
}

static bool fib_info_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_fib_info *i = (const void *)m;

	if (!i->found)
		return i->family == 0 && i->plen == 0 && i->n == 0 && zero(i->addr, sizeof(i->addr)) &&
		       zero(i->leg, sizeof(i->leg));
	if (i->found != 1 || !family_ok(i->family) || i->plen > 8 * ip_size(i->family) || i->n > MSG_NH_LEGS)
		return false;
	for (unsigned k = 0; k < i->n; k++)
		if (!leg_ok(&i->leg[k], l))
			return false;
	return addr_ok(i->family, i->addr) && zero(&i->leg[i->n], (MSG_NH_LEGS - i->n) * sizeof(i->leg[0]));
}

static bool is_command(unsigned type)
{
	return (type > MSG_NONE && type < MSG_ACK) || type == MSG_SA_MOVE || type == MSG_FIB_GET;
}

static bool ack_ok(const union msg *m, const struct msg_limits *l UNUSED)
{
	const struct msg_ack *a = (const void *)m;
	bool status_ok = a->hdr.type == MSG_ACK ? a->status == 0 : a->status < 0 && a->status >= -ERRNO_MAX;

	return is_command(a->type) && a->pad == 0 && status_ok;
}

static bool sa_event_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_sa_event *e = (const void *)m;

	return sa_ok(&e->sa, e->dir, l) && handle_ok(&e->tunnel, l->tunnels) && spi_ok(e->spi, e->dir, e->sa.slot);
}

static bool no_sa_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_no_sa *n = (const void *)m;

	return handle_ok(&n->tunnel, l->tunnels) && addr_ok(n->family, n->src) && addr_ok(n->family, n->dst) &&
	       n->child < MSG_CHILDREN_MAX && n->pad == 0;
}

static bool peer_moved_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_peer_moved *p = (const void *)m;

	return handle_ok(&p->sa, l->sas) && handle_ok(&p->tunnel, l->tunnels) && host_ok(p->family, p->remote) &&
	       p->pad == 0 && p->pad2 == 0;
}

static bool bad_spi_ok(const union msg *m, const struct msg_limits *l UNUSED)
{
	const struct msg_bad_spi *b = (const void *)m;

	return addr_ok(b->family, b->remote) && zero(b->pad, sizeof(b->pad));
}

static bool link_ok(const union msg *m, const struct msg_limits *l)
{
	const struct msg_link *k = (const void *)m;

	return k->port < l->ports && k->up <= 1 && k->pad == 0 && k->pad2 == 0;
}

struct shape {
	uint16_t len; /* octets, head included; 0: not of this door */
	bool (*ok)(const union msg *m, const struct msg_limits *l);
};

static const struct shape commands[MSG_TYPE_N] = {
	[MSG_TUNNEL_SET] = {sizeof(struct msg_tunnel_set), tunnel_set_ok},
	[MSG_TUNNEL_DEL] = {sizeof(struct msg_tunnel_del), tunnel_del_ok},
	[MSG_SA_IN_ADD] = {sizeof(struct msg_sa_add), sa_add_ok},
	[MSG_SA_OUT_ADD] = {sizeof(struct msg_sa_add), sa_add_ok},
	[MSG_SA_DEL] = {sizeof(struct msg_sa_del), sa_del_ok},
	[MSG_SA_MOVE] = {sizeof(struct msg_sa_move), sa_move_ok},
	[MSG_SA_LIST] = {sizeof(struct msg_sa_list), head_only_ok},
	[MSG_SA_ADOPT] = {sizeof(struct msg_sa_adopt), sa_adopt_ok},
	[MSG_ADDR_SET] = {sizeof(struct msg_addr), addr_msg_ok},
	[MSG_ADDR_DEL] = {sizeof(struct msg_addr), addr_msg_ok},
	[MSG_NEXTHOP_SET] = {sizeof(struct msg_nexthop), nexthop_set_ok},
	[MSG_FIB_GET] = {sizeof(struct msg_fib_get), fib_get_ok},
	[MSG_NEXTHOP_DEL] = {sizeof(struct msg_nexthop), nexthop_del_ok},
	[MSG_BARRIER] = {sizeof(struct msg_barrier), head_only_ok},
};

static const struct shape events[MSG_TYPE_N] = {
	[MSG_ACK] = {sizeof(struct msg_ack), ack_ok},
	[MSG_NACK] = {sizeof(struct msg_ack), ack_ok},
	[MSG_SA_SOFT] = {sizeof(struct msg_sa_event), sa_event_ok},
	[MSG_SA_HARD] = {sizeof(struct msg_sa_event), sa_event_ok},
	[MSG_SA_GONE] = {sizeof(struct msg_sa_event), sa_event_ok},
	[MSG_NO_SA] = {sizeof(struct msg_no_sa), no_sa_ok},
	[MSG_PEER_MOVED] = {sizeof(struct msg_peer_moved), peer_moved_ok},
	[MSG_BAD_SPI] = {sizeof(struct msg_bad_spi), bad_spi_ok},
	[MSG_LINK] = {sizeof(struct msg_link), link_ok},
	[MSG_SA_INFO] = {sizeof(struct msg_sa_event), sa_event_ok},
	[MSG_SA_INFO_END] = {sizeof(struct msg_hdr), head_only_ok},
	[MSG_FIB_INFO] = {sizeof(struct msg_fib_info), fib_info_ok},
};

/* Ids whose structs are not laid down yet. */
static bool is_reserved(unsigned type)
{
	return type == MSG_NEIGH_SET || (type >= MSG_POLICY_SET && type <= MSG_CAPTURE_STOP);
}

static int check(const union msg *m, const struct msg_limits *l, const struct shape shapes[MSG_TYPE_N])
{
	const struct msg_hdr *h = &m->hdr;

	if (h->type >= MSG_TYPE_N || h->len != shapes[h->type].len || h->len == 0 || h->pad != 0)
		return -EBADMSG;
	if (h->attach != l->attach)
		return -ESTALE;
	return shapes[h->type].ok(m, l) ? 0 : -EBADMSG;
}

int msg_check_cmd(const union msg *m, const struct msg_limits *l)
{
	const struct msg_hdr *h = &m->hdr;

	if (!is_reserved(h->type))
		return check(m, l, commands);
	if (h->len < sizeof(*h) || h->len > MSG_SLOT || h->pad != 0)
		return -EBADMSG;
	return h->attach == l->attach ? 0 : -ESTALE;
}

int msg_check_evt(const union msg *m, const struct msg_limits *l)
{
	return check(m, l, events);
}

/* Are the bits behind len zero? */
static bool prefix_ok(uint8_t family, const uint8_t addr[16], unsigned len)
{
	struct ip_addr a;

	if (!addr_ok(family, addr) || len > 8 * ip_size(family))
		return false;
	a = ip_from_bytes(family, addr);
	ip_mask(&a, len);
	return memcmp(a.b, addr, ip_size(family)) == 0;
}

int msg_check_route(const struct msg_route *m, const struct msg_limits *l)
{
	bool ok = zero(m->pad, sizeof(m->pad));

	if (m->type == MSG_SYNC_BEGIN || m->type == MSG_SYNC_END)
		ok = ok && m->family == 0 && m->plen == 0 && m->nexthop == 0 && zero(m->addr, sizeof(m->addr));
	else if (m->type == MSG_ROUTE_SET || m->type == MSG_ROUTE_DEL)
		ok = ok && prefix_ok(m->family, m->addr, m->plen) &&
		     (m->type == MSG_ROUTE_SET ? m->nexthop < l->nexthops : m->nexthop == 0);
	else
		ok = false;
	if (!ok)
		return -EBADMSG;
	return m->attach == l->attach ? 0 : -ESTALE;
}

int msg_check_ike(const struct msg_ike *m, const struct msg_limits *l)
{
	bool whole = m->flags & MSG_IKE_MORE ? m->len == MSG_IKE_DATA : m->len > 0 && m->len <= MSG_IKE_DATA;

	if (!whole || m->flags & ~(MSG_IKE_MORE | MSG_IKE_ENCAP) || !host_ok(m->family, m->local) ||
	    !host_ok(m->family, m->remote) || m->local_port == 0 || m->remote_port == 0 ||
	    (m->port >= l->ports && m->port != UINT16_MAX) || m->worker >= l->workers || !zero(m->pad, sizeof(m->pad)))
		return -EBADMSG;
	return m->attach == l->attach ? 0 : -ESTALE;
}
