/* Two IKE cores against each other in virtual time.
 *
 * The cores are the product's (controlplane/ike/ike.h); everything around them is a model: a network with delay, loss,
 * duplication, reordering, filters and a NAT; a data plane that knows which halves of child SAs are installed with
 * which keys; a work pool whose jobs take time. Data probes travel through the model data planes all the while: a probe
 * that was sent on an outbound half and finds no inbound half with the same SPI and key at the other side is lost, and
 * a scenario that promises no loss checks that count. Everything is deterministic in the seed. No sockets, no clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/ike/ike.h"

enum { SIM_NODES = 2, SIM_PAIRS_MAX = 64, SIM_DATAGRAM_MAX = 4096, SIM_NOTICES_MAX = 256, SIM_TUNNEL = 0 };

struct sim;

/* One half as the model data plane holds it. */
struct sim_half {
	bool used, ready; /* handed over; acknowledged */
	uint32_t spi;
	uint8_t child;
	bool esn, transport;
	const struct alg *encr;
	struct secret key;
	struct ike_path path;
	bool encap_udp;
	unsigned n_ts;
	struct cfg_ts ts[CFG_TS_MAX];
};

/* An SPI's life at one node: allocated, then installed, then removed. */
struct sim_pair {
	bool used;     /* the SPI is allocated, or one half is still there */
	bool reserved; /* given by spi_alloc, not yet installed or freed */
	uint32_t tunnel, spi_in;
	struct sim_half in, out;
	uint64_t rx_packets, tx_packets;
};

struct sim_node {
	struct sim *s;
	int id;
	struct ip_addr addr;
	struct ike *k;
	struct ike_env env;
	struct cfg_tunnel cfg;    /* change it before sim_start() */
	struct ike_limits limits; /* likewise */
	struct sim_pair pair[SIM_PAIRS_MAX];
	uint32_t tx[CFG_TS_MAX]; /* by child: name of the pair whose outbound half carries its traffic; 0: none */
	bool in_core;            /* a core call is on the stack: calls back are a bug */
	bool dead;               /* hears and says nothing */
	bool refuse_install;     /* install_in fails */
	bool quiet;              /* no probes leave here */
	uint64_t tick_at;        /* for the check against spinning deadlines */
	unsigned ticks_there;
	/* what was seen */
	uint64_t sent, received, keepalives, probes_sent, probes_received, probes_lost, probes_no_sa;
	unsigned n_notices[IKE_NOTICE_N];
	char last_cause[512];
};

/* What may happen to a datagram. */
struct sim_net {
	uint32_t delay_min_ms, delay_max_ms; /* reordering comes from the span */
	unsigned loss_percent, dup_percent;
	/* Per datagram, before all else; NULL: none. nth counts datagrams of this sender from 0. */
	enum sim_fate {
		SIM_PASS,
		SIM_DROP,
		SIM_DUP,
		SIM_DELAY
	} (*filter)(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len);
	void *filter_arg;
	uint32_t filter_delay_ms; /* of SIM_DELAY */
};

/* A NAT in front of node 1: its inside address is node 1's, the outside one is `addr`. */
struct sim_nat {
	bool on;
	bool forward; /* 500 and 4500 of the outside are forwarded to node 1 */
	struct ip_addr addr;
	uint16_t port[2]; /* outside ports that 500 and 4500 became; 0: no mapping yet */
	uint16_t next_port;
};

struct sim {
	uint64_t now, seed, rng;
	struct sim_node node[SIM_NODES];
	struct sim_net net;
	struct sim_nat nat;
	uint32_t job_ms, install_ms; /* how long jobs and installs take */
	uint32_t probe_ms;           /* a data probe each way every so often; 0: none */
	uint64_t probe_at;
	struct sim_event *queue; /* binary heap on (at, seq) */
	unsigned n_queue, cap_queue;
	uint64_t seq;
};

/* Children of node 0's tunnel: 1, or one for each selector. */
unsigned sim_children(const struct sim *s);
/* A pair of nodes 198.51.100.1 and 203.0.113.1 with default tunnels, same PSK, node 0 start always, node 1
 * respond-only, 10 ms of delay. The probes run every 5 ms once started. */
struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *s); /* cores too */
/* Outer addresses 2001:db8:1::1 and 2001:db8:2::1 instead. Before sim_add_nat() and sim_start(). */
void sim_use_v6(struct sim *s);
/* n pairs of selectors 10.1.i.0/24 <-> 10.2.i.0/24 at both ends, a child for each. Before sim_start(). */
void sim_use_children(struct sim *s, unsigned n);
/* Put node 1 behind a NAT at 192.0.2.1 (forward: reachable from outside). Before sim_start(). */
void sim_add_nat(struct sim *s, bool forward);
/* The NAT forgets its mappings and makes new ones. */
void sim_nat_rebind(struct sim *s);
/* Replace a node's proposals by words ("aes256gcm16-prfsha256-x25519"); at most CFG_PROPOSALS_MAX, NULL-terminated. */
void sim_propose(struct sim_node *n, bool ike, const char *const words[]);
void sim_psk(struct sim_node *n, const char *psk);
/* Make the cores and tell them of their tunnels. */
void sim_start(struct sim *s);

/* Let time pass. */
void sim_run(struct sim *s, uint64_t ms);
/* Until cond holds: true; false after max_ms. */
bool sim_run_until(struct sim *s, bool (*cond)(struct sim *s), uint64_t max_ms);
/* By-hand and data-plane events; spi_in 0: that of the pair which carries the first child's traffic. */
int sim_event(struct sim_node *n, enum ike_event_type type, uint32_t spi_in);
/* Traffic of child `child` found no SA; ts: the packet, or NULL. */
void sim_acquire(struct sim_node *n, uint8_t child, const struct cfg_ts *ts);
/* The data plane of a node forgets all, and its core is told. */
void sim_lose_dp(struct sim_node *n);
/* Feed bytes as if they came from the other node (or from path, when given). */
void sim_inject(struct sim_node *to, const struct ike_path *path, const uint8_t *msg, size_t len);
uint32_t sim_random(struct sim *s, uint32_t below);

/* Conditions. up: each side has an established IKE SA and can send to the other by matching halves. */
bool sim_up(struct sim *s);
/* Exactly one established IKE SA and one installed child for each of the tunnel's at both ends, the same SPIs, no half that no child owns. */
bool sim_settled(struct sim *s);
/* Nothing at all is left at either end. */
bool sim_empty(struct sim *s);
/* Words on why sim_settled() does not hold; lent, static. */
const char *sim_why(struct sim *s);

unsigned sim_count_ike(const struct sim_node *n, enum ike_sa_state state);
unsigned sim_count_child(const struct sim_node *n, enum ike_child_state state);
/* The established IKE SA / installed child; false: none. */
bool sim_the_ike(const struct sim_node *n, struct ike_sa_info *out);
bool sim_the_child(const struct sim_node *n, struct ike_child_info *out);
bool sim_child_of(const struct sim_node *n, uint8_t child, struct ike_child_info *out);
