/* The SAs and tunnels of the data plane, in slots that are taken at start.
 *
 * Who writes what: a tunnel's settings, the ctl thread (sad_tunnel_set/del); an SA's slot and a tunnel's TX slot, the
 * owner worker; the owner array, the owner worker with release, read by every worker. A slot's two directions are
 * separate: IN and OUT of one child need not share a slot number. SA structs are read by their owner only. RFC
 * 4301 4.4.2.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/pmtu.h"
#include "dataplane/sa.h"
#include "dataplane/transport.h"
#include "dataplane/una.h"
#include "ring/msg.h"
#include "ring/spi.h"

struct worker;
struct selector_key;

enum { SAD_NOBODY = 0xff, SAD_IN_PER_CHILD = 4 };
#define SAD_NO_SLOT UINT32_MAX

/* A tunnel as the ctl thread sets it. Readers: workers, in rare paths only. While it changes gen is 0, and what they read may be half
 * old and half new: it decides only between kinds of loss. (Transport mode's readers have transport.version.) */
struct sad_tunnel_conf {
	_Atomic uint32_t gen; /* 0: no such tunnel */
	uint16_t mtu;         /* largest inner packet; 0: computed from the port */
	uint16_t port;
	uint16_t mss;                  /* MSG_MSS_AUTO, MSG_MSS_OFF, or octets */
	uint8_t family;                /* of the outer addresses */
	uint8_t mode;                  /* MSG_MODE_* */
	uint8_t df;                    /* MSG_DF_* */
	uint8_t fragment;              /* MSG_FRAGMENT_* */
	uint8_t dscp;                  /* MSG_DSCP_COPY or 0..63 */
	uint8_t n_ts;                  /* 0: any traffic */
	uint8_t n_children;            /* 1, or n_ts: child i has ts[i] */
	uint8_t local[16], remote[16]; /* remote all zero: not known */
	char name[32];
	struct msg_ts_pair ts[MSG_TS_MAX];
};

/* What every packet of a tunnel needs. A slot can be given to another tunnel while SAs of the old one still live: an SA is used
 * only by the generation that it was installed for. */
struct sad_tunnel {
	/* OUT slot of the only child; SAD_NO_SLOT: none, or there are several. Writer: the owner worker; ctl, before it changes the
	 * owner or the number of children */
	_Atomic uint32_t tx;
	_Atomic uint32_t gen;       /* as in conf; writer: ctl */
	_Atomic uint8_t owner;      /* worker, or SAD_NOBODY; writer: ctl */
	_Atomic uint8_t n_children; /* as in conf; writer: ctl */
	uint8_t pad[6];
};

/* Its children, for what is not every packet's: installs, several children, acquires. Writer: the owner worker but for tx, as above. */
struct sad_child {
	_Atomic uint32_t tx;   /* OUT slot, or SAD_NO_SLOT */
	_Atomic uint32_t n_in; /* live IN SAs; writers: their owners */
	uint64_t no_sa_tsc;    /* when NO_SA was last raised */
};

struct sad {
	uint32_t n_sas, n_tunnels; /* start */
	struct sa_in *in;          /* [n_sas] */
	struct sa_out *out;        /* [n_sas] */
	struct sa_cold *cold_in, *cold_out;
	_Atomic uint8_t *owner_in; /* [n_sas]: worker, or SAD_NOBODY */
	_Atomic uint8_t *owner_out;
	struct sad_tunnel *tunnel;                   /* [n_tunnels] */
	struct sad_tunnel_conf *conf;                /* [n_tunnels] */
	struct sad_child (*child)[MSG_CHILDREN_MAX]; /* [n_tunnels] */
	_Atomic uint64_t
		*name_out; /* [n_sas]: sad_name_out(), 0: none; writer: the OUT SA's owner. For who has only a packet */
	struct pmtu *pmtu; /* [n_tunnels]; the owner worker's */
	struct transport transport; /* tunnels of that mode */
};

/* Octets per tunnel. */
enum {
	SAD_TUNNEL_SIZE = sizeof(struct sad_tunnel) + sizeof(struct sad_tunnel_conf) +
			  MSG_CHILDREN_MAX * sizeof(struct sad_child) + sizeof(struct pmtu) + 4
};

/* Take all memory. NULL: out of memory. EAL is up; main thread. */
struct sad *sad_new(uint32_t n_sas, uint32_t n_tunnels, int numa_node);
void sad_free(struct sad *s); /* wipes keys; NULL is fine */

/* ctl thread (sad_tunnel.c). 0; -EINVAL (family, slot, worker, selectors). Set over a living tunnel changes it: SAs keep what they were
 * installed with, but a new worker does not send with the old one's. No selectors (n_ts 0) are any; no children, one. del: -ENOENT for
 * another generation. The SAs of a deleted tunnel are the control plane's to delete. */
int sad_tunnel_set(struct sad *s, const struct msg_tunnel_set *m, uint8_t n_workers) MUST_USE;
int sad_tunnel_del(struct sad *s, struct msg_handle h) MUST_USE;
/* Owner worker: this OUT slot is the child's from now on; or, when it still is, none. */
void sad_tunnel_tx_set(struct sad *s, uint32_t tunnel, uint8_t child, uint32_t slot);
void sad_tunnel_tx_unset(struct sad *s, uint32_t tunnel, uint8_t child, uint32_t slot);
/* Do the config's selectors of this child name the packet? dir: MSG_DIR_*. Any worker. */
bool sad_tunnel_names(const struct sad_tunnel_conf *c, uint8_t child, uint32_t dir, const struct selector_key *k);

/* Owner worker, between bursts. m: checked copy; its key is wiped before return, whatever the result. RFC 4301 4.4.2.1
 * 0; -EEXIST slot live; -ENOTSUP suite; -EINVAL (the tunnel's mode and children included); -ENOENT no such tunnel; -ENOSPC the
 * child has 4 inbound SAs; -EXDEV the tunnel belongs to another worker. */
int sad_add_in(struct worker *w, struct msg_sa_add *m) MUST_USE;
int sad_add_out(struct worker *w, struct msg_sa_add *m) MUST_USE;
/* Stop, wipe, give back the last counters in gone (hdr untouched). -ENOENT, -ESTALE other generation, -EBUSY: a batch
 * of it is in flight, ask again in the next turn. */
int sad_del(struct worker *w, struct msg_handle sa, uint32_t dir, struct msg_sa_event *gone) MUST_USE;
/* The peer's new address (SA_MOVE). -ENOENT, -ESTALE; -EINVAL: another family than the SA's, or another address in transport mode: its
 * selectors name the old one. */
int sad_move(struct worker *w, const struct msg_sa_move *m) MUST_USE;
/* A control plane that came back claims a living SA. -ENOENT, -ESTALE. */
int sad_adopt(struct worker *w, struct msg_handle sa, uint32_t dir) MUST_USE;
/* Next live slot of w at or after `from` in this direction, or SAD_NO_SLOT; for SA_LIST. info is filled (hdr
 * untouched). */
uint32_t sad_next(struct worker *w, uint32_t from, uint32_t dir, struct msg_sa_event *info);
/* Counters as they are now. */
void sad_counters(const struct sad *s, uint32_t slot, uint32_t dir, struct msg_sa_counters *c);

/* Owner of the inbound SA with this SPI, or SAD_NOBODY. Any worker. */
static inline uint8_t sad_owner_in(const struct sad *s, uint32_t spi)
{
	uint32_t slot = spi_slot(spi);

	return slot < s->n_sas ? atomic_load_explicit(&s->owner_in[slot], memory_order_acquire) : SAD_NOBODY;
}

/* An OUT slot of a tunnel, whichever of its children's, or SAD_NO_SLOT. Its owner. */
/* What tells an SA of ours from the others in a packet that we have sent: the peer chooses the SPI, and two peers may choose one. */
static inline uint64_t sad_name_out(uint32_t spi_be, const uint8_t *dst, bool v6)
{
	uint32_t who = una_get32(dst);

	for (unsigned i = 4; v6 && i < 16; i += 4)
		who = who * 0x9e3779b1 + una_get32(dst + i);
	return (uint64_t)spi_be << 32 | who;
}

static inline uint32_t sad_tunnel_tx(const struct sad *s, uint32_t tunnel)
{
	uint32_t slot = atomic_load_explicit(&s->tunnel[tunnel].tx, memory_order_relaxed);

	for (unsigned i = 0; slot == SAD_NO_SLOT && i < MSG_CHILDREN_MAX; i++)
		slot = atomic_load_explicit(&s->child[tunnel][i].tx, memory_order_relaxed);
	return slot;
}

/* Owner of a tunnel, or SAD_NOBODY. Any worker. */
static inline uint8_t sad_owner_tunnel(const struct sad *s, uint32_t tunnel)
{
	return tunnel < s->n_tunnels ? atomic_load_explicit(&s->tunnel[tunnel].owner, memory_order_acquire)
				     : SAD_NOBODY;
}
