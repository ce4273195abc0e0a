/* Private to sadb*.c: slots, pairs and halves, and the message that installs one. */
#pragma once

#include "controlplane/sadb.h"

enum half_state { HALF_NONE, HALF_ADDING, HALF_READY, HALF_DOOMED, HALF_DELETING };

struct half {
	uint8_t state;            /* enum half_state */
	bool used;                /* has had its key: never again */
	bool unsent;              /* DELETING, but the command could not be sent yet */
	struct msg_sa_counters c; /* as last seen */
};

struct pair {
	struct list link;         /* in the tunnel's pairs */
	struct tunnel *tunnel;    /* sadb's `nobody` for an orphan of an unknown tunnel */
	struct msg_handle handle; /* of both halves */
	uint32_t spi_in, spi_out; /* host order; 0: not known yet */
	uint8_t worker;
	bool named;          /* the core still knows it */
	bool orphan;         /* a former control plane's */
	uint8_t child;       /* of its tunnel; an orphan's is not known */
	uint8_t orphan_left; /* sweeps until it is stopped; 0: not yet decided */
	struct ike_path path;
	struct half half[2]; /* MSG_DIR_* */
};

struct sadb {
	struct dp *dp;
	struct tunnels *ts;
	struct sadb_ops ops;
	struct pair **slot;  /* [n_slots] */
	uint32_t *free_slot; /* [n_slots], a queue */
	uint32_t n_slots, free_head, n_free;
	uint32_t gen;       /* the last one given */
	uint32_t n_halves;  /* not NONE */
	unsigned lists_out; /* SA_LIST without answer */
	bool listed;        /* we know what lives in this life of the data plane */
	bool unsent;        /* some half's stop could not be sent */
	bool waning;        /* some orphan has sweeps left */
	struct tunnel nobody;
};

/* NULL when the slot holds another generation, or nothing. */
struct pair *sadb_pair_at(const struct sadb *s, uint32_t slot, uint32_t gen);
/* The core's pair of that name. tunnel IKE_NO_TUNNEL: any. */
struct pair *sadb_pair_find(const struct sadb *s, uint32_t tunnel, uint32_t spi_in);
/* 0 or -ENOSPC. */
int sadb_pair_slot(struct sadb *s, uint32_t *slot) MUST_USE;
struct pair *sadb_pair_new(struct sadb *s, struct tunnel *t, uint32_t slot, uint32_t gen);
/* Free p when nobody names it and nothing of it is left in the data plane. p may be gone afterwards. */
void sadb_pair_settle(struct sadb *s, struct pair *p);
/* Make room for n slots; pairs beyond are dropped. */
void sadb_pair_resize(struct sadb *s, uint32_t n);
/* The free queue anew from what is taken. */
void sadb_pair_requeue(struct sadb *s);
/* Read the half's counters from the segment, if it is there. */
void sadb_pair_refresh(struct sadb *s, struct pair *p, unsigned dir);
/* The half has ended: its counters are final and go to the tunnel's sum. One log line. */
void sadb_pair_gone(struct sadb *s, struct pair *p, unsigned dir, const char *how);
/* A pair of ours can send: its tunnel's orphans go, at once where all its children can, else after a while. */
void sadb_pair_outdo(struct sadb *s, struct tunnel *t);
/* Once a second: orphans whose time is up. */
void sadb_pair_wane(struct sadb *s);
/* Stop a half in the data plane. */
void sadb_pair_stop(struct sadb *s, struct pair *p, unsigned dir);
/* Tell the core; an orphan has nobody to tell. */
void sadb_pair_event(struct sadb *s, const struct pair *p, enum ike_event_type type, int err);
/* SA_IN_ADD or SA_OUT_ADD for h. 0; -ENOTSUP: the data plane lacks the suite; -E2BIG: too many selectors. The caller
 * wipes m. */
int sadb_pair_msg(const struct sadb *s, const struct pair *p, const struct ike_child_half *h, unsigned dir,
		  struct msg_sa_add *m) MUST_USE;
/* A command's callback argument, and back. */
uint64_t sadb_pair_arg(const struct pair *p, unsigned dir);
struct pair *sadb_pair_of_arg(const struct sadb *s, uint64_t arg, unsigned *dir);
