/* IKEv2 (RFC 7296): the room's only door.
 *
 * A core without hands. It is given datagrams, events and the time, and gives datagrams, effects and its next deadline.
 * No socket, no clock, no random source, no ring inside: they come in by struct ike_env, and so do DH and PSK work, as
 * jobs with a completion call. So the same code runs in the control plane and in the simulator with virtual time.
 *
 * One struct ike serves all tunnels. An IKE SA belongs to a tunnel (an index of the config) as soon as the peer is known;
 * a responder's half-open SA has none yet. All calls come from one thread, none re-enters: env functions must not call
 * back into the core, but queue (the one exception: ike_job_run() may be run inside env->job; its completion may not).
 *
 * Invariants: one request outstanding per SA and direction (window 1, RFC 7296 2.3); a request is retransmitted bit for
 * bit (2.1); the last response is kept and repeated for a repeated request; unauthenticated input never ends an SA
 * (2.21.1, 2.4); an inbound child SA is acknowledged by the data plane before the message that makes the peer use it
 * leaves (2.8); keys are derived once, handed over once, wiped.
 *
 * RFCs: 7296, 5282 (GCM in SK), 8031 (x25519), 5903 (ECP), 3526 (MODP), 4868 (PRF), 4106 (ESP GCM), 3948 (keepalive), 7383
 * (fragmentation), 7427 (signatures).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/secret.h"
#include "base/xlist.h"
#include "config/config.h"

struct ike;
struct ike_job;

enum { IKE_MSG_MAX = 65535, IKE_NO_TUNNEL = 0xffffffffu };

/* Where a datagram came from or goes to. */
struct ike_path {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port; /* 500, 4500, or what a NAT made of it */
	uint16_t dp_port;                 /* data-plane port index; UINT16_MAX: by the route */
	uint8_t worker;                   /* worker that received it; replies leave by the same */
	bool encap;                       /* with the non-ESP marker (port 4500), RFC 7296 2.23 */
};

/* One half of a child SA for the data plane. Lent for the time of the call; keys in it are wiped afterwards. */
struct ike_child_half {
	uint32_t tunnel;                /* index */
	uint32_t spi;                   /* host order. in: ours (from spi_alloc); out: the peer's */
	uint32_t spi_in;                /* our inbound SPI of the same pair: the pair's name in all events */
	uint8_t child;                  /* which of the tunnel's children (cfg_tunnel.children), 0 where there is one */
	const struct alg *encr, *integ; /* integ NULL: the cipher has an ICV of its own */
	struct secret key;              /* cipher key, its salt (RFC 4106 8.1), integrity key: RFC 7296 2.17 */
	struct ike_path path;           /* outer addresses and, where encap_udp, ports */
	bool encap_udp;                 /* RFC 3948 */
	bool esn;
	bool transport;
	unsigned n_ts;
	struct cfg_ts ts[CFG_TS_MAX]; /* narrowed; local = ours */
};

/* What happened, for the log and the status history. Strings are lent and already escaped. */
#define IKE_NOTICES(X)                                                                 \
	X(IKE_NOTICE_IKE_UP, "ike-up")                                                 \
	X(IKE_NOTICE_IKE_REKEYED, "ike-rekeyed")                                       \
	X(IKE_NOTICE_IKE_DOWN, "ike-down")                                             \
	X(IKE_NOTICE_CHILD_UP, "child-up")                                             \
	X(IKE_NOTICE_CHILD_SENDS, "child-sends")                                       \
	X(IKE_NOTICE_CHILD_REKEYED, "child-rekeyed")                                   \
	X(IKE_NOTICE_CHILD_DOWN, "child-down")                                         \
	X(IKE_NOTICE_FAILED, "failed")                                                 \
	X(IKE_NOTICE_WEAK, "weak-algorithm")   /* in use: told once for each tunnel */ \
	X(IKE_NOTICE_PEER_ERROR, "peer-error") /* a bad peer or message: cause and remedy */
XLIST_ENUM(ike_notice_kind, IKE_NOTICE_N, IKE_NOTICES);
const char *ike_notice_name(unsigned v);

struct ike_notice {
	enum ike_notice_kind kind;
	uint32_t tunnel;             /* IKE_NO_TUNNEL: not known yet */
	const struct ike_path *path; /* NULL: none */
	uint64_t spi_i, spi_r;       /* IKE SA */
	uint32_t spi_in, spi_out;    /* child; 0: none */
	const char *cause;           /* words: what, why, and what to do about it; "" for life events */
};

/* The core's hands. Every function is called on the core's thread and must not call back into the core. */
struct ike_env {
	void *ctx;
	void (*send)(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len);
	/* RFC 3948 2.3: one octet 0xff to the peer's port 4500. */
	void (*keepalive)(void *ctx, const struct ike_path *path);
	void (*random)(void *ctx, void *buf, size_t len);
	/* Seconds since 1970, for the validity of certificates and nothing else. */
	int64_t (*wall_s)(void *ctx);
	/* The path of a tunnel's first message (remote_port 500). 0; -EHOSTUNREACH: no address known yet, try later. */
	int (*path)(void *ctx, uint32_t tunnel, struct ike_path *out);
	/* A fresh inbound SPI for a child of this tunnel, in *spi. 0 or -errno (none left). spi_free: one that was never
	 * given to install_in; after install_in its end is child_remove. */
	int (*spi_alloc)(void *ctx, uint32_t tunnel, uint32_t *spi);
	void (*spi_free)(void *ctx, uint32_t tunnel, uint32_t spi);
	/* Hand a half over. 0: an event IKE_EV_IN_READY / IKE_EV_OUT_READY or IKE_EV_INSTALL_FAILED for spi_in follows later
	 * (never before this returns). -errno: not taken, no event. */
	int (*install_in)(void *ctx, const struct ike_child_half *h);
	int (*install_out)(void *ctx, const struct ike_child_half *h);
	/* Remove one half (`in`: inbound) of the pair named spi_in. */
	void (*child_remove)(void *ctx, uint32_t tunnel, uint32_t spi_in, bool in);
	/* The peer's address or port of a pair changed (RFC 7296 2.23): redirect its outbound half. */
	void (*child_move)(void *ctx, uint32_t tunnel, uint32_t spi_in, const struct ike_path *path);
	/* Have ike_job_run(job) run, here and now or in another thread, then call ike_job_done() from the core's thread once
	 * the current call has returned. */
	void (*job)(void *ctx, struct ike_job *job);
	void (*notice)(void *ctx, const struct ike_notice *n);
	/* Octets and packets that the inbound half of spi_in has taken since its start: any growth is a sign of life (2.4). */
	uint64_t (*child_rx_packets)(void *ctx, uint32_t tunnel, uint32_t spi_in);
	/* The same of the outbound half: what carried nothing in its life is not rekeyed where traffic starts the tunnel. */
	uint64_t (*child_tx_packets)(void *ctx, uint32_t tunnel, uint32_t spi_in);
};

/* Limits, counted before allocating. Zero means the default. */
struct ike_limits {
	uint32_t ike_sas;      /* all IKE SAs; default 200000 */
	uint32_t half_open;    /* responder SAs before IKE_AUTH; default 512 */
	uint32_t cookie_at;    /* half-open SAs from which cookies are asked for (2.6); default 30; UINT32_MAX: never */
	uint32_t half_open_ms; /* life of a half-open SA; default 30000 */
	uint32_t retransmit_ms;      /* first retransmission; default 500 */
	uint32_t retransmit_tries;   /* sends of one request in all; default 8, factor 1.8: about 60 s */
	uint32_t old_child_grace_ms; /* an old inbound SA stays after its Delete; default 5000 */
	uint32_t keepalive_ms;       /* default 20000 */
	uint32_t retry_ms; /* pause after a failed attempt of a start-always tunnel; doubles to 60 s; default 2000 */
};

struct ike *ike_new(const struct ike_env *env, const struct ike_limits *limits);
/* Frees and wipes all; sends nothing (ike_shutdown() first, to say Delete). NULL is fine. */
void ike_free(struct ike *k);

/* Would ike_tunnel_set() take it, and can it come up? What the config room cannot see: certificates and keys that do not parse, fit
 * together, or are the tunnel's IDs. 0; -EINVAL; -EKEYEXPIRED: nothing but the time (seconds since 1970) is wrong, so that ike_tunnel_set()
 * takes it and its attempts fail. what is wrong and what to do about it in why. Reads nothing but cfg. */
int ike_tunnel_check(const struct cfg_tunnel *cfg, int64_t wall_s, char *why, size_t cap) MUST_USE;
/* All tunnels of a config; each finding is added to errs with its line. 0, or the worst of them (-EINVAL before -EKEYEXPIRED). */
int ike_config_check(const struct config *c, int64_t wall_s, struct cfg_errors *errs) MUST_USE;
/* Make known or change tunnel `index` (< CFG_TUNNELS_MAX). cfg is lent until ike_tunnel_del or the next set. A change does
 * not touch living SAs. start: always tunnels initiate at the next tick. 0 or -errno. */
int ike_tunnel_set(struct ike *k, uint32_t index, const struct cfg_tunnel *cfg, uint64_t now_ms) MUST_USE;
/* Close its SAs (Delete to the peer) and forget it. */
void ike_tunnel_del(struct ike *k, uint32_t index, uint64_t now_ms);

/* A datagram from the wire (without the non-ESP marker). */
void ike_input(struct ike *k, const struct ike_path *path, const uint8_t *msg, size_t len, uint64_t now_ms);

enum ike_event_type {
	IKE_EV_IN_READY,       /* tunnel, spi_in */
	IKE_EV_OUT_READY,      /* tunnel, spi_in */
	IKE_EV_INSTALL_FAILED, /* tunnel, spi_in, err */
	IKE_EV_CHILD_SOFT,     /* byte or packet limit near: rekey (tunnel, spi_in) */
	IKE_EV_CHILD_HARD,     /* stopped by the data plane: delete and make anew */
	IKE_EV_ACQUIRE,        /* traffic without an SA (tunnel; child; ts: the packet, RFC 7296 2.9, where has_ts) */
	IKE_EV_PEER_MOVED,     /* tunnel, spi_in, path: ESP of this pair came from there, authenticated */
	IKE_EV_DP_LOST, /* the data plane restarted: all children are gone; make them anew on their IKE SAs, paced */
	IKE_EV_UP,      /* by hand: start tunnel */
	IKE_EV_DOWN,    /* by hand: Delete; stays down until UP or the peer starts it */
	IKE_EV_REKEY_CHILD, /* by hand: every child of the tunnel */
	IKE_EV_REKEY_IKE,   /* by hand */
};

struct ike_event {
	enum ike_event_type type;
	uint32_t tunnel;
	uint32_t spi_in;
	int err;
	struct ike_path path;
	uint8_t child;
	bool has_ts;
	struct cfg_ts ts;
};

/* 0; -ENOENT: no such tunnel or nothing to act upon (by-hand events only, others are dropped silently). */
int ike_event(struct ike *k, const struct ike_event *ev, uint64_t now_ms);

/* Do the work of a job. Any thread; touches nothing but the job. */
void ike_job_run(struct ike_job *job);
/* The job is done; the core owns it again. */
void ike_job_done(struct ike *k, struct ike_job *job, uint64_t now_ms);

/* When ike_tick() is due (monotonic ms), UINT64_MAX: never. */
uint64_t ike_deadline(const struct ike *k);
void ike_tick(struct ike *k, uint64_t now_ms);
/* Send Delete on every SA; the caller goes on feeding input and ticks for as long as it cares. */
void ike_shutdown(struct ike *k, uint64_t now_ms);

/* ---- status ---- */

#define IKE_SA_STATES(X)                 \
	X(IKE_SA_INIT, "connecting")     \
	X(IKE_SA_AUTH, "authenticating") \
	X(IKE_SA_UP, "established") X(IKE_SA_REKEYED, "rekeyed") X(IKE_SA_CLOSING, "closing") X(IKE_SA_DEAD, "dead")
XLIST_ENUM(ike_sa_state, IKE_SA_STATE_N, IKE_SA_STATES);
const char *ike_sa_state_name(unsigned v);

#define IKE_CHILD_STATES(X)                     \
	X(IKE_CHILD_NEGOTIATING, "negotiating") \
	X(IKE_CHILD_INSTALLING, "installing")   \
	X(IKE_CHILD_UP, "installed")            \
	X(IKE_CHILD_REKEYING, "rekeying")       \
	X(IKE_CHILD_REKEYED, "rekeyed") X(IKE_CHILD_DELETING, "deleting") X(IKE_CHILD_OLD, "draining")
XLIST_ENUM(ike_child_state, IKE_CHILD_STATE_N, IKE_CHILD_STATES);
const char *ike_child_state_name(unsigned v);

struct ike_sa_info {
	uint32_t tunnel;
	uint32_t serial; /* of this SA, rising */
	uint64_t spi_i, spi_r;
	bool initiator; /* ours is SPIi */
	enum ike_sa_state state;
	struct ike_path path;
	struct cfg_id local_id, remote_id;
	const struct alg *encr, *prf, *integ, *dh;        /* NULL where none */
	bool nat_local, nat_remote;                       /* who is behind a NAT */
	uint64_t up_since_ms, rekey_at_ms, expires_at_ms; /* monotonic; 0: not yet / never */
	uint32_t mid_out, mid_in;                         /* next message ids */
};

struct ike_child_info {
	uint32_t tunnel, ike_serial;
	uint32_t spi_in, spi_out;
	enum ike_child_state state;
	bool initiator;                      /* we began its exchange */
	const struct alg *encr, *integ, *dh; /* dh: of its PFS; NULL: none */
	bool encap_udp, esn, transport;
	struct ike_path path;
	unsigned n_ts;
	uint8_t child;
	struct cfg_ts ts[CFG_TS_MAX];
	uint64_t up_since_ms, rekey_at_ms, expires_at_ms;
};

/* What a tunnel's last attempt came to. */
struct ike_tunnel_info {
	bool wanted;             /* it is to be up */
	uint32_t n_ike, n_child; /* established */
	uint32_t n_sending;   /* children that can send: who answered waits for the peer to show that it has the pair */
	uint8_t sending;      /* which of the tunnel's children, a bit each */
	uint32_t attempts;    /* since it was last up */
	uint64_t retry_at_ms; /* 0: not waiting */
	char last_error[256]; /* words, escaped; "" */
};

/* fn returns false to stop. info is lent. */
void ike_sa_walk(const struct ike *k, bool (*fn)(void *arg, const struct ike_sa_info *i), void *arg);
void ike_child_walk(const struct ike *k, bool (*fn)(void *arg, const struct ike_child_info *i), void *arg);
int ike_tunnel_info(const struct ike *k, uint32_t index, struct ike_tunnel_info *out) MUST_USE;

#ifdef ESPLANADE_KEYLOG
/* Test builds only (keylog.h): what is told of keys, a line at a time, and telling a half's. */
extern void (*ike_keylog)(const char *line);
void ike_keylog_child(const struct ike_child_half *h, bool in);
#endif

struct ike_counters {
	uint64_t rx, tx, retransmits, duplicates, malformed, bad_spi, bad_version, decrypt_failed, cookies_sent,
		half_open_refused, auth_failed, no_proposal, ts_unacceptable, ignored;
};
void ike_counters(const struct ike *k, struct ike_counters *out);
