/* The core's own state: struct ike, and what its parts share. Private to this room; ike.h is the door.
 *
 *   ike.c      calls from outside, ticks          x_init.c   IKE_SA_INIT
 *   tunnel.c   config's tunnels, start policy     x_auth.c   IKE_AUTH
 *   sa.c       IKE SAs: table, timers, end        x_child.c  CREATE_CHILD_SA for children
 *   child.c    child SAs: halves, switch, end     rekey.c    CREATE_CHILD_SA for the IKE SA; collisions
 *   xchg.c     one exchange, queue of requests    x_info.c   INFORMATIONAL
 *   step.c     which message may come when        offer.c    a child's selectors and mode
 *   job.c, msgid.c, timer.c, notice.c
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "controlplane/ike/cert.h"
#include "controlplane/ike/cookie.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike/timer.h"

/* Times that no config names. */
enum {
	LINGER_MS = 15000, /* a closed SA answers repeats of the last request for so long */
	SWITCH_MS = 75000, /* a responder acts on a rekey at the latest after so long (2.8): a peer that has no answer
			     * by then has given up */
	COLLISION_MS = 60000,    /* a redundant SA that its creator does not delete is deleted by us */
	TEMPORARY_MIN_MS = 3000, /* pause after TEMPORARY_FAILURE (2.25), plus up to as much again */
	TEMPORARY_TRIES = 30,    /* "several minutes" of it: the peers' states differ, start over */
	REFUSED_MS = 30000,      /* pause after another refusal of a rekey */
	FIRST_USE_MS = 1000,     /* the same for a child that replaces none */
	EARLY_USE_MS = 50,       /* the same when our own hosts' packets are being dropped for it */
	ACQUIRE_MS = 1500,       /* an acquire is news for so long: the data plane tells once a second */
	RX_POLL_MS = 50,         /* look for traffic on a new inbound SA meanwhile */
	RETRY_MAX_MS = 60000,    /* pauses between attempts double up to this */
	CORRECTIONS_MAX = 5,     /* COOKIE and INVALID_KE_PAYLOAD answers followed in one attempt */
	REFUSED_MAX_MS = 300000, /* pauses after refusals of one child double up to this */
	LEAVE_MS = 5000,         /* who answered leaves it to the peer for so long to ask for the other children */
	CHILDREN_MAX = 40,       /* per IKE SA */
	CHILD_IN_MAX = 4,        /* inbound halves of a tunnel's child that the data plane keeps at a time */
	PACE_MS = 5,             /* between IKE SAs, when all children are made anew */
	UNPROTECTED_PER_S = 50,  /* error replies outside an SA (2.21.4) */
};

/* Unprotected input is answered, and told, in measure: so many at once and so many a second. */
struct bucket {
	uint32_t tokens, suppressed;
	uint64_t last_ms;
	bool started;
};

/* One child of a tunnel, as the config has it (cfg_tunnel.children), and what is wanted of it. */
struct ike_want {
	bool asked;              /* by traffic or by hand, and not there yet */
	bool single;             /* the peer takes one pair of selectors only: SINGLE_PAIR_REQUIRED */
	uint32_t refusals;       /* in a row */
	uint64_t hold_until_ms;  /* traffic does not ask for it again before then */
	uint64_t acquired_at_ms; /* the last packet of ours that found no SA; 0: none yet */
	bool has_packet;         /* that packet: RFC 7296 2.9 */
	struct cfg_ts packet;
	uint32_t tx_spi_in; /* pair whose outbound half was handed over last; 0: none */
};

/* A tunnel of the config, and what is wanted of it. */
struct ike_tunnel {
	const struct cfg_tunnel *cfg; /* lent */
	uint32_t index;
	bool wanted;  /* all its children are to be up, and retried */
	bool by_hand; /* DOWN was said: nothing but UP or the peer brings it up */
	uint32_t attempts;
	uint64_t retry_at_ms;   /* 0: not waiting */
	uint64_t hold_until_ms; /* after a failed attempt: traffic begins none before then */
	struct timer timer;
	uint16_t weak_told; /* weak.c */
	char last_error[256];
	struct ike_want *want; /* [n_want], which never shrinks */
	unsigned n_want, n_children;
	struct list sas;          /* ike_sa.in_tunnel */
	struct list by_addr;      /* in ike.by_addr[] */
	struct cert_creds *creds; /* counted; NULL: PSK */
	uint64_t remote_key;      /* cert_id_key() of remote.id */
};

struct ike {
	struct ike_env env;
	struct ike_limits limits;
	uint64_t now_ms; /* of the call that is running */
	bool stopping;

	struct ike_tunnel **tunnel; /* by index; NULL: none */
	uint32_t n_tunnels;         /* length of tunnel[] */
	struct list *by_addr;       /* tunnels by remote address; buckets */
	struct list creds;          /* creds.c: those of all tunnels, each once */

	struct ike_sa **table; /* by our SPI; chained */
	uint32_t table_size, n_sas, n_half_open;
	uint32_t next_serial;
	struct list sas;  /* ike_sa.all */
	struct list half; /* ike_sa.half: responder SAs before IKE_AUTH */
	struct list dead; /* ike_sa.all: freed when the call ends */

	struct timer_heap timers;
	struct cookie_jar cookies;
	struct bucket replies, notices;
	struct ike_counters counters;

	uint8_t out[IKE_MSG_MAX];  /* the message being written */
	uint8_t text[IKE_MSG_MAX]; /* the SK payload being read */
};

/* One token, or false (and counted as suppressed). per_s tokens a second, as many at once. */
bool ike_bucket_take(struct bucket *b, uint32_t per_s, uint64_t now_ms);
/* Somewhere between lo and hi per cent of v. */
uint64_t ike_jitter(struct ike *k, uint64_t v, unsigned lo, unsigned hi);
uint64_t ike_random64(struct ike *k);
