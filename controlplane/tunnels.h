/* The tunnels that this process knows: the config's, and those that the config no longer has but whose SAs still live.
 *
 * A tunnel keeps its index and its data-plane handle from its first config to the end of its last SA, whatever the
 * order in later files. The config row is copied, with its PSK and a hold on its certificates, so that a reload never pulls
 * it away under the IKE core. One writer: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "base/list.h"
#include "config/config.h"
#include "ring/msg.h"

enum { TUNNELS_ADDRS_MAX = 8 };

struct tunnel {
	struct cfg_tunnel cfg; /* ours; cfg.psk points to psk or is NULL; cfg.certs is held */
	struct secret psk;
	struct msg_handle handle;     /* slot: the index */
	uint16_t port;                /* index in the config; UINT16_MAX: by the route */
	uint8_t worker;               /* owner; PLACE_NONE before the data plane has come */
	bool wanted;                  /* in the current config */
	bool known;                   /* to the IKE core */
	bool stale;                   /* the IKE core has an older config, or none */
	bool resolved;                /* remote.name has an address */
	bool asking;                  /* resolve's: a question is under way */
	uint8_t n_name_addr, name_at; /* resolve's: what the name stands for, and which of them peer is */
	struct ip_addr name_addr[TUNNELS_ADDRS_MAX];
	uint64_t asked_ms;              /* resolve's: when it was asked for last; 0: never */
	struct ip_addr peer;            /* the configured or resolved address; IP_NONE: any, or not resolved yet */
	uint64_t up_since_ms;           /* 0: no child */
	struct msg_sa_counters gone[2]; /* MSG_DIR_*: sums of SAs that have ended */
	struct list pairs;              /* sadb's, of this tunnel */
	uint8_t dp_state;               /* enum feed_state, written by feed */
	uint32_t nexthop;               /* feed's count of next hops that name it; 0: it can go */
	bool has_child;                 /* feed's: it can carry traffic (feed_tunnel_up) */
	char peer_error[256];           /* of this turn; "": none */
	bool ended;                     /* in this turn an IKE SA of it has ended, or an attempt */
	struct list touched;            /* in the gateway's list of tunnels to look at before the next wait */
	struct tunnel *next_name;       /* in its hash bucket */
};

enum { TUNNELS_BUCKETS = 4096 };

struct tunnels {
	struct tunnel **t; /* [n]; NULL: free index */
	uint32_t n;        /* <= CFG_TUNNELS_MAX */
	struct tunnel *bucket[TUNNELS_BUCKETS];
};

void tunnels_init(struct tunnels *ts);
/* Wipes the PSKs. */
void tunnels_fini(struct tunnels *ts);
/* NULL: no such index or name. Lent. */
struct tunnel *tunnels_at(const struct tunnels *ts, uint32_t index);
struct tunnel *tunnels_find(const struct tunnels *ts, const char *name);
/* By handle; NULL when the generation is another's. */
struct tunnel *tunnels_by_handle(const struct tunnels *ts, const struct msg_handle *h);
/* The name for a log line; "-" when there is none. */
const char *tunnels_name(const struct tunnels *ts, uint32_t index);
/* A new row, copied from cfg; NULL: CFG_TUNNELS_MAX are there. */
struct tunnel *tunnels_add(struct tunnels *ts, const struct cfg_tunnel *cfg);
/* Replace the config of t by cfg. false: it says the same as before (the line in the file does not count). */
bool tunnels_change(struct tunnel *t, const struct cfg_tunnel *cfg);
/* Forget; its pairs list must be empty. */
void tunnels_del(struct tunnels *ts, struct tunnel *t);
