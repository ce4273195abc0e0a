#include "dataplane/sad.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_malloc.h>

#include "base/err.h"
#include "base/secret.h"
#include "dataplane/limit.h"
#include "dataplane/worker.h"

enum {
	IP4_HDR = 20,
	UDP_HDR = 8,
	ESP_HDR = 8,
	ESP_TRAILER = 2,
	ESP_ALIGN_MIN = 4, /* RFC 4303 2.4 */
	OUTER_TTL = 64,
	MTU_MIN = 68, /* RFC 791 3.2 */
};

static void *table(size_t n, size_t size, int node)
{
	return rte_zmalloc_socket("sad", n * size, RTE_CACHE_LINE_SIZE, node);
}

struct sad *sad_new(uint32_t n_sas, uint32_t n_tunnels, int numa_node)
{
	struct sad *s = table(1, sizeof(*s), numa_node);

	if (s == NULL)
		return NULL;
	s->n_sas = n_sas;
	s->n_tunnels = n_tunnels;
	s->in = table(n_sas, sizeof(*s->in), numa_node);
	s->out = table(n_sas, sizeof(*s->out), numa_node);
	s->cold_in = table(n_sas, sizeof(*s->cold_in), numa_node);
	s->cold_out = table(n_sas, sizeof(*s->cold_out), numa_node);
	s->owner_in = table(n_sas, sizeof(*s->owner_in), numa_node);
	s->owner_out = table(n_sas, sizeof(*s->owner_out), numa_node);
	s->tunnel = table(n_tunnels, sizeof(*s->tunnel), numa_node);
	s->conf = table(n_tunnels, sizeof(*s->conf), numa_node);
	s->child = table(n_tunnels, sizeof(*s->child), numa_node);
	s->name_out = table(n_sas, sizeof(*s->name_out), numa_node);
	s->pmtu = table(n_tunnels, sizeof(*s->pmtu), numa_node);
	s->transport.tunnel = table(n_tunnels, sizeof(*s->transport.tunnel), numa_node);
	if (!s->in || !s->out || !s->cold_in || !s->cold_out || !s->owner_in || !s->owner_out || !s->tunnel ||
	    !s->conf || !s->child || !s->name_out || !s->pmtu || !s->transport.tunnel) {
		sad_free(s);
		return NULL;
	}
	for (uint32_t i = 0; i < n_sas; i++) {
		atomic_init(&s->owner_in[i], SAD_NOBODY);
		atomic_init(&s->owner_out[i], SAD_NOBODY);
	}
	for (uint32_t i = 0; i < n_tunnels; i++) {
		atomic_init(&s->tunnel[i].tx, SAD_NO_SLOT);
		atomic_init(&s->tunnel[i].owner, SAD_NOBODY);
		for (unsigned k = 0; k < MSG_CHILDREN_MAX; k++)
			atomic_init(&s->child[i][k].tx, SAD_NO_SLOT);
	}
	return s;
}

void sad_free(struct sad *s)
{
	if (s == NULL)
		return;
	if (s->in != NULL)
		secret_wipe(s->in, s->n_sas * sizeof(*s->in));
	if (s->out != NULL)
		secret_wipe(s->out, s->n_sas * sizeof(*s->out));
	rte_free(s->in);
	rte_free(s->out);
	rte_free(s->cold_in);
	rte_free(s->cold_out);
	rte_free((void *)s->owner_in);
	rte_free((void *)s->owner_out);
	rte_free(s->tunnel);
	rte_free(s->conf);
	rte_free(s->child);
	rte_free((void *)s->name_out);
	rte_free(s->pmtu);
	rte_free(s->transport.tunnel);
	rte_free(s);
}

static uint32_t addr_be(const uint8_t a[16])
{
	uint32_t v;

	memcpy(&v, a, sizeof(v));
	return v;
}

/* An SA of the tunnel's own kind. In transport mode all selectors are of the outer family: the packet keeps its header. */
static bool tunnel_allows(const struct sad_tunnel_conf *c, const struct msg_sa_add *m)
{
	bool transport = m->flags & MSG_SA_TRANSPORT;

	if (m->family != c->family || transport != (c->mode == MSG_MODE_TRANSPORT) || m->child >= c->n_children)
		return false;
	for (unsigned i = 0; i < m->n_ts; i++)
		if (transport ? m->ts[i].family != m->family : m->ts[i].family != 4 && m->ts[i].family != 6)
			return false;
	return true;
}

/* What both directions ask of an SA. */
static int add_check(struct worker *w, const struct msg_sa_add *m, enum crypto_suite *suite)
{
	struct sad *s = w->sad;
	int found = crypto_suite_of(m->encr, m->integ);

	if (found < 0)
		return found;
	*suite = (enum crypto_suite)found;
	if (m->sa.slot >= s->n_sas || m->sa.gen == 0 || m->spi <= 255 || m->n_ts == 0 || m->n_ts > MSG_TS_MAX ||
	    m->key_len != crypto_key_len(*suite) || m->tunnel.slot >= s->n_tunnels || m->tunnel.gen == 0)
		return -EINVAL;
	if (atomic_load_explicit(&s->conf[m->tunnel.slot].gen, memory_order_acquire) != m->tunnel.gen)
		return -ENOENT;
	if (sad_owner_tunnel(s, m->tunnel.slot) != w->id)
		return -EXDEV;
	return tunnel_allows(&s->conf[m->tunnel.slot], m) ? 0 : -EINVAL;
}

/* All addresses of its family, at both ends. */
static bool addrs_any(const struct msg_ts_pair *p)
{
	static const uint8_t least[16],
		most[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	size_t n = p->family == 4 ? 4 : 16;

	return memcmp(p->local.lo, least, n) == 0 && memcmp(p->remote.lo, least, n) == 0 &&
	       memcmp(p->local.hi, most, n) == 0 && memcmp(p->remote.hi, most, n) == 0;
}

static bool ports_any(const struct msg_ts *t)
{
	return t->port_lo == 0 && t->port_hi == 65535;
}

/* Addresses alone decide. */
static bool is_plain(const struct msg_ts_pair *p)
{
	return p->proto == 0 && ports_any(&p->local) && ports_any(&p->remote);
}

/* The pair that lets all of a family pass. */
static const struct msg_ts_pair *any_pair(const struct msg_sa_add *m, uint8_t family)
{
	for (unsigned i = 0; i < m->n_ts; i++)
		if (m->ts[i].family == family && is_plain(&m->ts[i]) && addrs_any(&m->ts[i]))
			return &m->ts[i];
	return NULL;
}

/* The pair that decides about IPv4 alone: it lets all pass, or is the only one. NULL: ask selector_match(). */
static const struct msg_ts_pair *hot_pair(const struct msg_sa_add *m)
{
	const struct msg_ts_pair *only = any_pair(m, 4);

	for (unsigned i = 0; only == NULL && i < m->n_ts; i++) {
		if (m->ts[i].family != 4)
			continue;
		only = &m->ts[i];
		for (unsigned k = i + 1; k < m->n_ts; k++)
			if (m->ts[k].family == 4)
				return NULL;
	}
	return only != NULL && is_plain(only) ? only : NULL;
}

/* SA_SELECT, SA_ANY, SA_ANY6: decided once, here. */
static uint16_t select_flags(const struct msg_sa_add *m)
{
	if (m->flags & MSG_SA_TRANSPORT) /* the header's own addresses count, too: transport_fits() */
		return SA_SELECT;
	return (uint16_t)((hot_pair(m) == NULL ? SA_SELECT : 0) | (any_pair(m, 4) != NULL ? SA_ANY : 0) |
			  (any_pair(m, 6) != NULL ? SA_ANY6 : 0));
}

/* What the packets of this SA look like: decided once, here. */
static uint16_t kind_flags(const struct msg_sa_add *m, enum crypto_suite suite, uint8_t dscp)
{
	uint16_t rare = (m->flags & MSG_SA_ESN ? SA_ESN : 0) | (m->flags & MSG_SA_TRANSPORT ? SA_TRANSPORT : 0) |
			(m->family == 6 ? SA_V6 : 0);

	if (suite >= CRYPTO_GCM_N || dscp != MSG_DSCP_COPY)
		return rare;
	return rare == 0 ? SA_FAST : rare == SA_V6 ? SA_V6 | SA_FAST6 : rare;
}

static void cold_set(struct sa_cold *c, const struct msg_sa_add *m)
{
	*c = (struct sa_cold){.gen = m->sa.gen,
			      .spi = m->spi,
			      .tunnel = m->tunnel,
			      .soft_bytes = m->soft_bytes,
			      .hard_bytes = m->hard_bytes,
			      .soft_packets = m->soft_packets,
			      .hard_packets = m->hard_packets,
			      .seq_last = m->flags & MSG_SA_ESN ? LIMIT_ESN_LAST : LIMIT_SEQ_LAST,
			      .n_ts = m->n_ts,
			      .claimed = 1};
	memcpy(c->ts, m->ts, sizeof(c->ts));
}

static uint32_t addr_host(const uint8_t a[16])
{
	return rte_be_to_cpu_32(addr_be(a));
}

static int in_fill(struct worker *w, const struct msg_sa_add *m, enum crypto_suite suite)
{
	struct sad *s = w->sad;
	struct sad_child *child = &s->child[m->tunnel.slot][m->child];
	const struct msg_ts_pair *hot = hot_pair(m);
	struct sa_in *sa = &s->in[m->sa.slot];
	struct sa_cold *c = &s->cold_in[m->sa.slot];

	if (spi_slot(m->spi) != m->sa.slot || m->replay_window > REPLAY_WINDOW_MAX)
		return -EINVAL;
	if (atomic_load_explicit(&s->owner_in[m->sa.slot], memory_order_acquire) != SAD_NOBODY)
		return -EEXIST;
	if (atomic_load_explicit(&child->n_in, memory_order_relaxed) >= SAD_IN_PER_CHILD)
		return -ENOSPC;
	cold_set(c, m);
	memset(sa, 0, sizeof(*sa));
	limit_start_in(sa, c);
	sa->spi_be = rte_cpu_to_be_32(m->spi);
	if (m->family == 6) {
		memcpy(sa->local6, m->local, sizeof(sa->local6));
		memcpy(sa->remote6, m->remote, sizeof(sa->remote6));
	} else {
		sa->local_be = addr_be(m->local);
		sa->remote_be = addr_be(m->remote);
	}
	sa->remote_port_be = m->flags & MSG_SA_ENCAP_UDP ? rte_cpu_to_be_16(m->remote_port) : 0;
	if (hot != NULL) {
		sa->rlo = addr_host(hot->remote.lo);
		sa->rhi = addr_host(hot->remote.hi);
		sa->llo = addr_host(hot->local.lo);
		sa->lhi = addr_host(hot->local.hi);
	}
	sa->window = m->replay_window;
	sa->suite = (uint8_t)suite;
	sa->flags = SA_LIVE | select_flags(m) | kind_flags(m, suite, MSG_DSCP_COPY);
	sa->child = m->child;
	crypto_key_set(&w->crypto, &sa->key, suite, m->key);
	sa->salt = crypto_salt(suite, m->key);
	atomic_fetch_add_explicit(&child->n_in, 1, memory_order_relaxed);
	atomic_store_explicit(&s->owner_in[m->sa.slot], w->id, memory_order_release);
	return 0;
}

int sad_add_in(struct worker *w, struct msg_sa_add *m)
{
	enum crypto_suite suite = CRYPTO_AES128_GCM16;
	int err = add_check(w, m, &suite);

	if (err == 0)
		err = in_fill(w, m, suite);
	secret_wipe(m->key, sizeof(m->key));
	return err;
}

/* Sum of the outer header's words that do not change from packet to packet: version and IHL, TTL, protocol, addresses.
 */
static uint16_t header_sum(const struct sa_out *sa)
{
	uint32_t src = rte_be_to_cpu_32(sa->src_be), dst = rte_be_to_cpu_32(sa->dst_be);
	uint32_t proto = sa->flags & SA_ENCAP ? IPPROTO_UDP : IPPROTO_ESP;
	uint32_t sum = 0x4500 + (OUTER_TTL << 8 | proto) + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static bool remote_is_none(uint8_t family, const uint8_t a[16])
{
	return family == 6 ? ip6_is_any(ip6_get(a)) : addr_be(a) == 0;
}

/* One flow label for all packets of an SA, another for the next: routers may then spread SAs over links of equal cost and still keep
 * the packets of one SA in order, for the replay window's sake. From the SPI, which is random and in clear anyway; of the inner flows it
 * tells nothing, as a label of each one's own would, and copying is not for gateways. RFC 4301 5.1.2.2 (8), RFC 6437 3, RFC 6438 3 */
static uint32_t flow_label(uint32_t spi)
{
	return (uint32_t)(spi * UINT32_C(0x9e3779b1)) >> 12;
}

static uint64_t header6(uint32_t spi, bool encap)
{
	const uint8_t next = encap ? IPPROTO_UDP : IPPROTO_ESP;

	return rte_cpu_to_be_64((uint64_t)(6u << 28 | flow_label(spi)) << 32 | (uint64_t)next << 8 | OUTER_TTL);
}

static void name_set(struct sad *s, const struct sa_out *sa)
{
	bool v6 = sa->flags & SA_V6;

	atomic_store_explicit(&s->name_out[sa->slot],
			      sad_name_out(sa->spi_be, v6 ? sa->dst6 : (const uint8_t *)&sa->dst_be, v6),
			      memory_order_relaxed);
}

static int out_fill(struct worker *w, const struct msg_sa_add *m, enum crypto_suite suite)
{
	struct sad *s = w->sad;
	const struct sad_tunnel_conf *t = &s->conf[m->tunnel.slot];
	struct sa_out *sa = &s->out[m->sa.slot];
	struct sa_cold *c = &s->cold_out[m->sa.slot];
	bool encap = m->flags & MSG_SA_ENCAP_UDP;

	if (remote_is_none(m->family, m->remote))
		return -EINVAL;
	if (atomic_load_explicit(&s->owner_out[m->sa.slot], memory_order_acquire) != SAD_NOBODY)
		return -EEXIST;
	memset(sa, 0, sizeof(*sa));
	crypto_random(&w->crypto, sa->iv_mask);
	cold_set(c, m);
	limit_start_out(sa, c);
	if (m->family == 6) {
		memcpy(sa->src6, m->local, sizeof(sa->src6));
		memcpy(sa->dst6, m->remote, sizeof(sa->dst6));
		sa->head6 = header6(m->spi, encap);
	} else {
		sa->src_be = addr_be(m->local);
		sa->dst_be = addr_be(m->remote);
	}
	sa->spi_be = rte_cpu_to_be_32(m->spi);
	sa->sport_be = rte_cpu_to_be_16(m->local_port);
	sa->dport_be = rte_cpu_to_be_16(m->remote_port);
	sa->df = t->df;
	sa->dscp = t->dscp;
	sa->suite = (uint8_t)suite;
	sa->slot = m->sa.slot;
	sa->tunnel_gen = m->tunnel.gen;
	sa->iv_len = crypto_forms[suite].iv_len;
	sa->icv_len = crypto_forms[suite].icv_len;
	sa->align = crypto_forms[suite].align;
	sa->child = m->child;
	sa->flags = SA_LIVE | select_flags(m) | kind_flags(m, suite, t->dscp) | (encap ? SA_ENCAP : 0);
	if (encap)
		sa->flags &= (uint16_t)~SA_FAST6;
	sa->mtu = pmtu_inner(w, sa, m->tunnel.slot);
	if (sa->mtu == 0) {
		memset(sa, 0, sizeof(*sa));
		memset(c, 0, sizeof(*c));
		return -EINVAL;
	}
	sa->cksum = header_sum(sa);
	crypto_key_set(&w->crypto, &sa->key, suite, m->key);
	sa->salt = crypto_salt(suite, m->key);
	atomic_store_explicit(&s->owner_out[m->sa.slot], w->id, memory_order_release);
	name_set(s, sa);
	sad_tunnel_tx_set(s, m->tunnel.slot, m->child, m->sa.slot);
	return 0;
}

int sad_add_out(struct worker *w, struct msg_sa_add *m)
{
	enum crypto_suite suite = CRYPTO_AES128_GCM16;
	int err = add_check(w, m, &suite);

	if (err == 0)
		err = out_fill(w, m, suite);
	secret_wipe(m->key, sizeof(m->key));
	return err;
}

/* The cold half of a live SA that this worker owns. */
static int find(struct worker *w, struct msg_handle h, uint32_t dir, struct sa_cold **out)
{
	struct sad *s = w->sad;
	_Atomic uint8_t *owner = dir == MSG_DIR_IN ? s->owner_in : s->owner_out;
	struct sa_cold *c;

	if (h.slot >= s->n_sas || dir > MSG_DIR_OUT)
		return -ENOENT;
	if (atomic_load_explicit(&owner[h.slot], memory_order_relaxed) != w->id)
		return -ENOENT;
	c = dir == MSG_DIR_IN ? &s->cold_in[h.slot] : &s->cold_out[h.slot];
	if (c->gen != h.gen)
		return -ESTALE;
	*out = c;
	return 0;
}

static bool in_flight(const struct crypto_batch *b, const void *sa)
{
	for (uint16_t i = 0; b != NULL && i < b->n; i++)
		if (b->sa[i] == sa)
			return true;
	return false;
}

static void info_fill(const struct sad *s, uint32_t slot, uint32_t dir, struct msg_sa_event *e)
{
	const struct sa_cold *c = dir == MSG_DIR_IN ? &s->cold_in[slot] : &s->cold_out[slot];

	e->sa = (struct msg_handle){slot, c->gen};
	e->tunnel = c->tunnel;
	e->dir = dir;
	e->spi = c->spi;
	sad_counters(s, slot, dir, &e->c);
}

static void stats_clear(struct worker *w, uint32_t slot, uint32_t dir)
{
	if (w->sa_stats != NULL)
		__atomic_store_n(&w->sa_stats[slot * 2 + dir].gen, 0, __ATOMIC_RELAXED);
}

int sad_del(struct worker *w, struct msg_handle sa, uint32_t dir, struct msg_sa_event *gone)
{
	struct sad *s = w->sad;
	struct sa_cold *c = NULL;
	int err = find(w, sa, dir, &c);

	if (err != 0)
		return err;
	if (in_flight(dir == MSG_DIR_IN ? w->batch_in : w->batch_out,
		      dir == MSG_DIR_IN ? (void *)&s->in[sa.slot] : (void *)&s->out[sa.slot]))
		return -EBUSY;
	info_fill(s, sa.slot, dir, gone);
	stats_clear(w, sa.slot, dir);
	if (dir == MSG_DIR_IN) {
		atomic_fetch_sub_explicit(&s->child[c->tunnel.slot][s->in[sa.slot].child].n_in, 1,
					  memory_order_relaxed);
		secret_wipe(&s->in[sa.slot], sizeof(s->in[sa.slot]));
	} else {
		sad_tunnel_tx_unset(s, c->tunnel.slot, s->out[sa.slot].child, sa.slot);
		atomic_store_explicit(&s->name_out[sa.slot], 0, memory_order_relaxed);
		secret_wipe(&s->out[sa.slot], sizeof(s->out[sa.slot]));
	}
	secret_wipe(c, sizeof(*c));
	atomic_store_explicit(dir == MSG_DIR_IN ? &s->owner_in[sa.slot] : &s->owner_out[sa.slot], SAD_NOBODY,
			      memory_order_release);
	return 0;
}

static bool may_move(uint16_t flags, const struct msg_sa_move *m, const void *addr)
{
	bool same = memcmp(addr, m->remote, m->family == 6 ? 16 : 4) == 0;

	return m->family == (flags & SA_V6 ? 6 : 4) && !remote_is_none(m->family, m->remote) &&
	       (same || !(flags & SA_TRANSPORT));
}

static int move_in(struct sa_in *sa, const struct msg_sa_move *m)
{
	if (!may_move(sa->flags, m, sa->flags & SA_V6 ? (const void *)sa->remote6 : &sa->remote_be))
		return -EINVAL;
	if (sa->flags & SA_V6)
		memcpy(sa->remote6, m->remote, sizeof(sa->remote6));
	else
		sa->remote_be = addr_be(m->remote);
	sa->remote_port_be = rte_cpu_to_be_16(m->remote_port);
	return 0;
}

static int move_out(struct sad *s, struct sa_out *sa, const struct msg_sa_move *m)
{
	if (!may_move(sa->flags, m, sa->flags & SA_V6 ? (const void *)sa->dst6 : &sa->dst_be) ||
	    (sa->flags & SA_ENCAP && m->remote_port == 0))
		return -EINVAL;
	if (sa->flags & SA_V6)
		memcpy(sa->dst6, m->remote, sizeof(sa->dst6));
	else
		sa->dst_be = addr_be(m->remote);
	sa->dport_be = rte_cpu_to_be_16(m->remote_port);
	sa->cksum = header_sum(sa);
	name_set(s, sa);
	return 0;
}

int sad_move(struct worker *w, const struct msg_sa_move *m)
{
	struct sa_cold *c = NULL;
	int err = find(w, m->sa, m->dir, &c);

	if (err != 0)
		return err;
	return m->dir == MSG_DIR_IN ? move_in(&w->sad->in[m->sa.slot], m)
				    : move_out(w->sad, &w->sad->out[m->sa.slot], m);
}

int sad_adopt(struct worker *w, struct msg_handle sa, uint32_t dir)
{
	struct sa_cold *c = NULL;
	int err = find(w, sa, dir, &c);

	if (err == 0)
		c->claimed = 1;
	return err;
}

uint32_t sad_next(struct worker *w, uint32_t from, uint32_t dir, struct msg_sa_event *info)
{
	const struct sad *s = w->sad;
	const _Atomic uint8_t *owner = dir == MSG_DIR_IN ? s->owner_in : s->owner_out;

	for (uint32_t i = from; i < s->n_sas; i++) {
		if (atomic_load_explicit(&owner[i], memory_order_relaxed) != w->id)
			continue;
		info_fill(s, i, dir, info);
		return i;
	}
	return SAD_NO_SLOT;
}

void sad_counters(const struct sad *s, uint32_t slot, uint32_t dir, struct msg_sa_counters *c)
{
	if (dir == MSG_DIR_IN) {
		const struct sa_in *sa = &s->in[slot];
		const struct sa_cold *cold = &s->cold_in[slot];

		c->packets = cold->packets_mark - (uint64_t)sa->packets_left;
		c->octets = cold->bytes_mark - (uint64_t)sa->bytes_left;
		c->seq = sa->head;
		memcpy(c->drop, cold->drop, sizeof(c->drop));
	} else {
		const struct sa_out *sa = &s->out[slot];
		const struct sa_cold *cold = &s->cold_out[slot];

		c->packets = sa->seq;
		c->octets = cold->bytes_mark - (uint64_t)sa->bytes_left;
		c->seq = sa->seq;
		memcpy(c->drop, cold->drop, sizeof(c->drop));
	}
}
