#include <string.h>

#include "base/err.h"
#include "dataplane/sad.h"
#include "dataplane/selector.h"
#include "dataplane/worker.h"

enum { MTU_MIN = 68 }; /* RFC 791 3.2 */

static bool set_ok(const struct sad *s, const struct msg_tunnel_set *m, uint8_t n_workers)
{
	return m->tunnel.slot < s->n_tunnels && m->tunnel.gen != 0 && (m->family == 4 || m->family == 6) &&
	       m->worker < n_workers && m->df < MSG_DF_N && m->mode < MSG_MODE_N && m->fragment < MSG_FRAGMENT_N &&
	       (m->dscp < 64 || m->dscp == MSG_DSCP_COPY) && m->port < WORKER_PORTS_MAX &&
	       (m->mtu == 0 || m->mtu >= MTU_MIN) && m->n_ts <= MSG_TS_MAX &&
	       (m->n_children <= 1 || (m->n_children == m->n_ts && m->n_ts <= MSG_CHILDREN_MAX));
}

static void conf_fill(struct sad_tunnel_conf *c, const struct msg_tunnel_set *m)
{
	c->mtu = m->mtu;
	c->port = m->port;
	c->mss = m->mss;
	c->family = m->family;
	c->mode = m->mode;
	c->df = m->df;
	c->fragment = m->fragment;
	c->dscp = m->dscp;
	c->n_ts = m->n_ts;
	c->n_children = m->n_children > 1 ? m->n_children : 1;
	memcpy(c->local, m->local, sizeof(c->local));
	memcpy(c->remote, m->remote, sizeof(c->remote));
	memcpy(c->name, m->name, sizeof(c->name));
	c->name[sizeof(c->name) - 1] = '\0';
	memcpy(c->ts, m->ts, sizeof(c->ts));
}

/* No packet is sent with what SAs there are, until the next is installed. */
static void tx_forget(struct sad *s, uint32_t tunnel)
{
	atomic_store_explicit(&s->tunnel[tunnel].tx, SAD_NO_SLOT, memory_order_relaxed);
	for (unsigned i = 0; i < MSG_CHILDREN_MAX; i++)
		atomic_store_explicit(&s->child[tunnel][i].tx, SAD_NO_SLOT, memory_order_relaxed);
}

int sad_tunnel_set(struct sad *s, const struct msg_tunnel_set *m, uint8_t n_workers)
{
	struct sad_tunnel_conf *c;
	struct sad_tunnel *t;

	if (!set_ok(s, m, n_workers))
		return -EINVAL;
	c = &s->conf[m->tunnel.slot];
	t = &s->tunnel[m->tunnel.slot];
	transport_begin(&s->transport);
	/* Another worker must never send with an SA of the old one, whose packets may still be on their way: two writers
	 * of one sequence number. The tunnel waits for an SA of its new owner. */
	if (atomic_load_explicit(&t->owner, memory_order_relaxed) != m->worker)
		tx_forget(s, m->tunnel.slot);
	/* 0 while the rest changes: an install that reads in between sees no tunnel, and the control plane's order
	 * (set, ACK, then install) rules that out anyway */
	atomic_store_explicit(&c->gen, 0, memory_order_release);
	conf_fill(c, m);
	atomic_store_explicit(&c->gen, m->tunnel.gen, memory_order_release);
	/* which child's the one SA would be is not known any more; sad_child remembers */
	if (c->n_children != atomic_load_explicit(&t->n_children, memory_order_relaxed))
		atomic_store_explicit(&t->tx, SAD_NO_SLOT, memory_order_relaxed);
	atomic_store_explicit(&t->n_children, c->n_children, memory_order_relaxed);
	atomic_store_explicit(&t->gen, m->tunnel.gen, memory_order_relaxed);
	atomic_store_explicit(&t->owner, m->worker, memory_order_release);
	transport_list(&s->transport, m->tunnel.slot, m->mode == MSG_MODE_TRANSPORT);
	transport_end(&s->transport);
	return 0;
}

int sad_tunnel_del(struct sad *s, struct msg_handle h)
{
	if (h.slot >= s->n_tunnels || h.gen == 0 ||
	    atomic_load_explicit(&s->conf[h.slot].gen, memory_order_relaxed) != h.gen)
		return -ENOENT;
	transport_begin(&s->transport);
	transport_list(&s->transport, h.slot, false);
	atomic_store_explicit(&s->tunnel[h.slot].owner, SAD_NOBODY, memory_order_release);
	atomic_store_explicit(&s->tunnel[h.slot].gen, 0, memory_order_relaxed);
	atomic_store_explicit(&s->conf[h.slot].gen, 0, memory_order_release);
	transport_end(&s->transport);
	return 0;
}

void sad_tunnel_tx_set(struct sad *s, uint32_t tunnel, uint8_t child, uint32_t slot)
{
	struct sad_tunnel *t = &s->tunnel[tunnel];

	atomic_store_explicit(&s->child[tunnel][child].tx, slot, memory_order_release);
	if (atomic_load_explicit(&t->n_children, memory_order_relaxed) == 1)
		atomic_store_explicit(&t->tx, slot, memory_order_release);
}

void sad_tunnel_tx_unset(struct sad *s, uint32_t tunnel, uint8_t child, uint32_t slot)
{
	uint32_t was = slot; /* unless another SA has taken over */

	atomic_compare_exchange_strong_explicit(&s->child[tunnel][child].tx, &was, SAD_NO_SLOT, memory_order_acq_rel,
						memory_order_relaxed);
	atomic_compare_exchange_strong_explicit(&s->tunnel[tunnel].tx, &slot, SAD_NO_SLOT, memory_order_acq_rel,
						memory_order_relaxed);
}

bool sad_tunnel_names(const struct sad_tunnel_conf *c, uint8_t child, uint32_t dir, const struct selector_key *k)
{
	uint8_t n = c->n_ts; /* ctl may be at it */

	if (n == 0 || n > MSG_TS_MAX || child >= n)
		return n == 0;
	return c->n_children > 1 ? selector_match(&c->ts[child], 1, dir, k) : selector_match(c->ts, n, dir, k);
}
