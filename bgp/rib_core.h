/* What rib.c, rib_path.c, rib_work.c, rib_walk.c, out.c and export.c share: the RIB's own rows. Nobody else includes this.
 *
 * One table per family. A net's paths and what was sent of it hang on it as short lists of numbered rows. A peer's session has
 * a generation: rows of an earlier one are dead at once and are swept away in slices. Causes of whole-table work (a dead
 * session, another import policy, a next hop that came or went) set their mark and start a sweep; a cause that comes during a
 * sweep lets it run once more, and marks are cleared at the end of a sweep without newcomers.
 */
#pragma once

#include "base/list.h"
#include "bgp/decide.h"
#include "bgp/journal.h"
#include "bgp/net.h"
#include "bgp/nexthop.h"
#include "bgp/rib.h"

enum { RIB_LOCAL = 0xffff /* the "peer" of what is originated here */ };

/* Why a path is not accepted; 0: it is. */
#define PATH_FILTERS(X)                                  \
	X(PATH_ACCEPTED, "accepted")                     \
	X(PATH_NO_POLICY, "no import policy (RFC 8212)") \
	X(PATH_DENIED, "denied by the import policy")    \
	X(PATH_OWN_AS, "own AS in the path")             \
	X(PATH_OWN_NEXTHOP, "next hop is our own address")
XLIST_ENUM(path_filter, PATH_FILTER_N, PATH_FILTERS);
const char *path_filter_name(unsigned v);

struct path {
	const struct bgp_attrs *in;  /* as received */
	const struct bgp_attrs *eff; /* after import policy; NULL: not accepted */
	uint32_t next;
	uint32_t nexthop; /* eff's; 0: none */
	uint16_t peer, session;
	uint8_t filter; /* enum path_filter */
	uint8_t pad[3];
};

/* A prefix that the peer has been told of. */
struct sent {
	const struct bgp_attrs *set; /* as on the wire */
	uint32_t next;
	uint16_t peer, session;
};

struct stage; /* out.c: evaluated, not yet in a message */

enum { FAMILY_V4 = 1 << 0, FAMILY_V6 = 1 << 1, FAMILIES_ALL = FAMILY_V4 | FAMILY_V6 };

/* The last sets seen on the way out: prefixes of one set come together. Each pointer is a reference. */
struct export_cache {
	const struct bgp_attrs *in, *base; /* base NULL: communities keep it here */
	const struct bgp_attrs *said, *wire;
	uint8_t family;
};

struct out {
	struct list link; /* in rib->idle, rib->working or nowhere */
	bool live;        /* reads the journal */
	bool limited;     /* something was kept back at the limit */
	bool retry;       /* and there is room again */
	uint8_t todo;     /* families to walk through; before the journal */
	uint8_t force;    /* of these: to be sent again, changed or not */
	uint8_t eor;      /* families whose first walk is not over yet */
	uint32_t at;      /* rows of the lowest family of todo that are done */
	uint64_t pos;     /* in the journal */
	uint32_t count;
	struct stage *stage; /* NULL: nothing waits */
	struct export_cache cache;
};

struct rib_peer {
	uint32_t index;
	bool up;
	bool reimport; /* another import policy since the last sweep */
	uint16_t session;
	uint32_t local_as;
	const struct policy *import, *export;
	struct rib_session s;
	uint32_t received, accepted;
	/* the last set that came: a reference, and what the checks before policy say of it */
	const struct bgp_attrs *seen;
	uint8_t seen_filter;
	struct out out;
};

struct rib {
	struct rib_ops ops;
	struct intern *in;
	struct net_table v4, v6;
	struct slab paths, sents;
	struct nexthop_table nexthops;
	struct rib_peer **peer;
	uint32_t n_peers;
	unsigned multipath;
	const struct bgp_attrs *local; /* of what is originated here */
	/* the sweep */
	bool sweeping, again;
	uint8_t sweep_family;
	uint32_t sweep_at;
	/* the way out */
	struct journal journal;
	uint32_t n_live;
	struct list idle, working;
	struct stage *spare;
	/* scratch of a decision */
	struct decide_path *cand;
	uint32_t *rest;
	uint32_t cand_cap;
	struct rib_order *order; /* rib_walk.c */
};

/* The paths in force, as far as others hear of them. */
struct rib_choice {
	unsigned n;
	struct {
		uint16_t peer;
		uint32_t nexthop;
	} learned[BGP_PATHS_MAX];
	uint16_t first_peer; /* of the best, originated ones included */
	const struct bgp_attrs *first;
};

static inline struct net_table *rib_table(struct rib *r, uint8_t family)
{
	return family == IP_V6 ? &r->v6 : &r->v4;
}
static inline struct path *rib_path(const struct rib *r, uint32_t i)
{
	return slab_at(&r->paths, i);
}
static inline struct sent *rib_sent(const struct rib *r, uint32_t i)
{
	return slab_at(&r->sents, i);
}
static inline bool path_alive(const struct rib *r, const struct path *p)
{
	return p->peer == RIB_LOCAL || p->session == r->peer[p->peer]->session;
}
static inline bool path_eligible(const struct rib *r, const struct path *p)
{
	return p->eff && path_alive(r, p) && (p->peer == RIB_LOCAL || r->nexthops.row[p->nexthop].reachable);
}

/* rib.c */
struct rib_peer *rib_peer(const struct rib *r, uint32_t peer); /* never NULL: it must be known */

/* rib_path.c */
struct rib_choice rib_choice(const struct rib *r, const struct net *n);
/* Decide anew and tell who must know what differs from before. The net may be gone afterwards. */
void rib_settle(struct rib *r, struct net_table *t, uint32_t i, const struct rib_choice *before);
/* Sweep one net. */
void rib_clean(struct rib *r, struct net_table *t, uint32_t i);
/* Eligible paths of n into r->cand. */
unsigned rib_candidates(struct rib *r, const struct net *n);

/* rib_work.c */
void rib_sweep(struct rib *r);

/* rib_walk.c */
void rib_order_free(struct rib *r);
uint64_t rib_order_octets(const struct rib *r);

/* out.c: the net's best is another. */
void out_changed(struct rib *r, struct net_table *t, uint32_t i);
/* The peer has come up, goes, or its export rules changed. */
void out_start(struct rib *r, struct rib_peer *p);
void out_stop(struct rib *r, struct rib_peer *p);
void out_again(struct rib *r, struct rib_peer *p, uint8_t families, bool force);
/* One slice of evaluation for the peer that has waited longest. */
void out_work(struct rib *r);
uint64_t out_octets(const struct rib *r);
void out_free(struct rib *r);

/* export.c: the set that goes to p for the net whose best path is b (NULL: none). A reference, or NULL: nothing is sent. */
const struct bgp_attrs *export_set(struct rib *r, struct rib_peer *p, const struct ip_prefix *prefix,
				   const struct path *b);
void export_forget(struct rib *r, struct rib_peer *p);
