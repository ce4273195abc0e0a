/* The contract between the two processes: every message, who sends it, who answers.
 *
 * Shapes: fixed-size, uintN_t only, explicit padding, no pointers, no bool. Host byte order (one machine), except
 * addresses, which are network-order bytes. Commands and events are 1024-octet slots (an SA with its keys and eight pairs of
 * selectors fits), routes 64-octet records, IKE datagrams 2048-octet slots.
 *
 * Rule for the reader of any message: copy out, wipe the slot, publish the tail, msg_check_*(), then use. A message that
 * fails its check is counted and skipped; it is never a reason to stop.
 *
 * Who takes what (rings: see shm.h):
 *   worker's cmd ring   SA_IN_ADD, SA_OUT_ADD, SA_DEL, SA_MOVE, SA_LIST, SA_ADOPT: the SA's owner worker. Each gets one ACK
 *                       or NACK.
 *   ctl's cmd ring      TUNNEL_SET/DEL, ADDR_SET/DEL, NEIGH_SET, NEXTHOP_SET/DEL, POLICY_*, NAT_*, CAPTURE_*, BARRIER: each
 *                       gets one ACK or NACK from the ctl thread.
 *   ctl's route ring    ROUTE_SET/DEL, SYNC_BEGIN/END: no ACK each; the segment's `applied` counter moves and only failures
 *                       come back (NACK on ctl's evt ring, with the record's seq).
 *   evt rings           ACK, NACK, SA_SOFT, SA_HARD, SA_GONE, NO_SA, PEER_MOVED, BAD_SPI, LINK, SA_INFO, SA_INFO_END, FIB_INFO.
 * Order: per ring only. Who needs order across rings waits for the ACK.
 * Ids that no code handles yet are answered with NACK -ENOTSUP; they are reserved so that numbers never move.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"
#include "base/xlist.h"

/* Raise with every change of a struct or a number in ring/. Sizes are in shm_struct_sum() besides. */
#define MSG_LAYOUT 6

/* The message structs view the bytes of a union msg: exempt from type-based alias analysis, so that a cast is sound. */
#define MSG_VIEW __attribute__((may_alias))

enum { MSG_SLOT = 1024, MSG_ROUTE_SLOT = 64, MSG_IKE_SLOT = 2048, MSG_IKE_MAX = 65535 };

/* clang-format off */
#define MSG_TYPES(X)                                                                                         \
	X(MSG_NONE, "none")                                                                                  \
	/* commands */                                                                                       \
	X(MSG_TUNNEL_SET, "tunnel-set") X(MSG_TUNNEL_DEL, "tunnel-del")                                      \
	X(MSG_SA_IN_ADD, "sa-in-add") X(MSG_SA_OUT_ADD, "sa-out-add") X(MSG_SA_DEL, "sa-del")                \
	X(MSG_SA_LIST, "sa-list") X(MSG_SA_ADOPT, "sa-adopt")                                                \
	X(MSG_ADDR_SET, "addr-set") X(MSG_ADDR_DEL, "addr-del") X(MSG_NEIGH_SET, "neigh-set")                \
	X(MSG_NEXTHOP_SET, "nexthop-set") X(MSG_NEXTHOP_DEL, "nexthop-del")                                  \
	X(MSG_ROUTE_SET, "route-set") X(MSG_ROUTE_DEL, "route-del")                                          \
	X(MSG_POLICY_SET, "policy-set") X(MSG_POLICY_DEL, "policy-del") X(MSG_POLICY_COMMIT, "policy-commit") \
	X(MSG_NAT_SET, "nat-set") X(MSG_NAT_DEL, "nat-del") X(MSG_NAT_COMMIT, "nat-commit")                  \
	X(MSG_CAPTURE_START, "capture-start") X(MSG_CAPTURE_STOP, "capture-stop")                            \
	X(MSG_BARRIER, "barrier") X(MSG_SYNC_BEGIN, "sync-begin") X(MSG_SYNC_END, "sync-end")                \
	/* events */                                                                                         \
	X(MSG_ACK, "ack") X(MSG_NACK, "nack")                                                                \
	X(MSG_SA_SOFT, "sa-soft") X(MSG_SA_HARD, "sa-hard") X(MSG_SA_GONE, "sa-gone")                        \
	X(MSG_NO_SA, "no-sa") X(MSG_PEER_MOVED, "peer-moved") X(MSG_BAD_SPI, "bad-spi")                      \
	X(MSG_LINK, "link") X(MSG_SA_INFO, "sa-info") X(MSG_SA_INFO_END, "sa-info-end")                      \
	/* commands and an event again: numbers never move */                                                \
	X(MSG_SA_MOVE, "sa-move") X(MSG_FIB_GET, "fib-get") X(MSG_FIB_INFO, "fib-info")
/* clang-format on */
XLIST_ENUM(msg_type, MSG_TYPE_N, MSG_TYPES);

const char *msg_type_name(unsigned v);

/* Head of every command and event. */
struct MSG_VIEW msg_hdr {
	uint16_t type;   /* enum msg_type */
	uint16_t len;    /* octets of the whole message, head included: exactly sizeof its struct */
	uint32_t seq;    /* the sender's counter; ACK and NACK repeat the command's */
	uint32_t attach; /* attach generation: a message of another generation is skipped and counted */
	uint32_t pad;
};

/* What a slot holds. */
union MSG_VIEW msg {
	struct msg_hdr hdr;
	_Alignas(8) uint8_t bytes[MSG_SLOT];
};

/* A handle: slot + generation. A generation is never 0 for a live thing; the sender of ADD chooses it. */
struct MSG_VIEW msg_handle {
	uint32_t slot, gen;
};

/* One end of a selector pair. RFC 4301 4.4.1.1, RFC 7296 3.13.1. Ports of 0..65535 mean any. IPv4 addresses, here and in
 * all messages: the first 4 octets, the others zero. */
struct MSG_VIEW msg_ts {
	uint8_t lo[16], hi[16];
	uint16_t port_lo, port_hi;
};

/* local: our side's inner addresses; remote: the peer's. */
struct MSG_VIEW msg_ts_pair {
	struct msg_ts local, remote;
	uint8_t family; /* 4 or 6 */
	uint8_t proto;  /* 0: any */
	uint8_t pad[2];
};

enum { MSG_TS_MAX = 8, MSG_KEY_MAX = 128, MSG_CHILDREN_MAX = 8 };

/* ESP algorithms of the data plane. Numbers are ours. Those with an ICV of their own (GCM, ChaCha20-Poly1305, GMAC) go with
 * MSG_INTEG_NONE, the others never do. */
/* clang-format off */
#define MSG_ENCRS(X)                                                                                        \
	X(MSG_ENCR_NONE, "none") X(MSG_ENCR_AES128_GCM16, "AES-GCM-16-128") X(MSG_ENCR_AES256_GCM16, "AES-GCM-16-256") \
	X(MSG_ENCR_AES192_GCM16, "AES-GCM-16-192") X(MSG_ENCR_CHACHA20_POLY1305, "ChaCha20-Poly1305")       \
	X(MSG_ENCR_AES128_GMAC, "AES-GMAC-128") X(MSG_ENCR_AES192_GMAC, "AES-GMAC-192")                     \
	X(MSG_ENCR_AES256_GMAC, "AES-GMAC-256") X(MSG_ENCR_AES128_CBC, "AES-CBC-128")                       \
	X(MSG_ENCR_AES192_CBC, "AES-CBC-192") X(MSG_ENCR_AES256_CBC, "AES-CBC-256")                         \
	X(MSG_ENCR_3DES_CBC, "3DES-CBC") X(MSG_ENCR_NULL, "NULL")
#define MSG_INTEGS(X)                                                                                       \
	X(MSG_INTEG_NONE, "none") X(MSG_INTEG_HMAC_SHA1_96, "HMAC-SHA1-96") X(MSG_INTEG_HMAC_SHA256_128, "HMAC-SHA2-256-128") \
	X(MSG_INTEG_HMAC_SHA384_192, "HMAC-SHA2-384-192") X(MSG_INTEG_HMAC_SHA512_256, "HMAC-SHA2-512-256")
/* clang-format on */
XLIST_ENUM(msg_encr, MSG_ENCR_N, MSG_ENCRS);
XLIST_ENUM(msg_integ, MSG_INTEG_N, MSG_INTEGS);
const char *msg_encr_name(unsigned v);
const char *msg_integ_name(unsigned v);
/* Octets of key, salt included (RFC 4106 8.1, 7634 2, 4543 5); 0: none such. */
uint16_t msg_encr_key_len(unsigned encr);
uint16_t msg_integ_key_len(unsigned integ); /* RFC 4868 2.1.1, 2404 2 */
bool msg_encr_is_aead(unsigned encr);

enum { MSG_SA_ENCAP_UDP = 1 << 0, MSG_SA_ESN = 1 << 1, MSG_SA_TRANSPORT = 1 << 2 };
enum { MSG_DF_COPY, MSG_DF_SET, MSG_DF_CLEAR, MSG_DF_N };
enum { MSG_MODE_TUNNEL, MSG_MODE_TRANSPORT, MSG_MODE_N };
enum { MSG_FRAGMENT_BEFORE, MSG_FRAGMENT_AFTER, MSG_FRAGMENT_N };
enum { MSG_MSS_AUTO = 0, MSG_MSS_OFF = UINT16_MAX };
enum { MSG_DSCP_COPY = 0xff };

/* TUNNEL_SET: make or change a tunnel. -> ctl, ACK. slot < limits.tunnels. */
struct MSG_VIEW msg_tunnel_set {
	struct msg_hdr hdr;
	struct msg_handle tunnel;
	uint8_t worker; /* owner of all its SAs */
	uint8_t family; /* of the outer addresses */
	uint8_t df;     /* MSG_DF_* of the outer header */
	uint8_t mode; /* MSG_MODE_*; TRANSPORT: traffic between local and remote that the selectors name, and only the gateway's own */
	uint16_t mtu;       /* largest inner packet; 0: from the port's MTU and the SA's overhead */
	uint16_t port;      /* the local port's index in the config */
	uint16_t mss;       /* MSG_MSS_AUTO, MSG_MSS_OFF, or octets of TCP payload */
	uint8_t fragment;   /* MSG_FRAGMENT_*: too large packets are cut before or after the cipher */
	uint8_t dscp;       /* of the outer header: MSG_DSCP_COPY or 0..63 */
	uint8_t n_ts;       /* 1..MSG_TS_MAX */
	uint8_t n_children; /* 1: one child SA carries all selectors; n_ts: one each, child i has ts[i] */
	uint8_t pad[2];
	uint8_t local[16], remote[16]; /* remote all zero: not known (yet) */
	char name[32]; /* as in the config ([A-Za-z0-9][A-Za-z0-9_.-]*), NUL-terminated and filled with NUL */
	struct msg_ts_pair
		ts[MSG_TS_MAX]; /* the config's: which child a packet asks for, and what transport mode protects */
};

struct MSG_VIEW msg_tunnel_del {
	struct msg_hdr hdr;
	struct msg_handle tunnel;
};

/* SA_IN_ADD, SA_OUT_ADD: one half of a child SA, with its key. -> owner worker, ACK. RFC 4301 4.4.2.1.
 * A key crosses once in its life; the reader wipes slot and copy. IN: spi_slot(spi) == sa.slot. OUT: replaces the TX SA of
 * the tunnel's same child between two bursts; the old one stays until SA_DEL. */
struct MSG_VIEW msg_sa_add {
	struct msg_hdr hdr;
	struct msg_handle sa, tunnel;
	uint32_t spi;                     /* as on the wire, host order; > 255 */
	uint8_t encr, integ;              /* enum msg_encr, msg_integ */
	uint8_t flags;                    /* MSG_SA_* */
	uint8_t child;                    /* < the tunnel's n_children */
	uint8_t family;                   /* of local and remote */
	uint8_t n_ts;                     /* 1..MSG_TS_MAX */
	uint8_t local[16], remote[16];    /* outer addresses */
	uint16_t local_port, remote_port; /* UDP encapsulation; else 0 */
	uint16_t replay_window;           /* packets: 0 or a power of two in 64..1024; OUT: 0 */
	uint16_t key_len; /* octets: cipher key, its salt (RFC 4106 8.1), integrity key (RFC 7296 2.17) */
	uint8_t pad[6];
	/* 1..; soft <= hard; UINT64_MAX: none. Inner octets */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
	uint8_t key[MSG_KEY_MAX];
	struct msg_ts_pair ts[MSG_TS_MAX];
};

enum { MSG_DIR_IN = 0, MSG_DIR_OUT = 1 };

/* SA_DEL: stop and wipe the slot. -> owner worker, ACK, then SA_GONE with the final counters. */
struct MSG_VIEW msg_sa_del {
	struct msg_hdr hdr;
	struct msg_handle sa;
	uint32_t dir; /* MSG_DIR_* */
	uint32_t pad;
};

/* SA_MOVE: the peer of a live half is elsewhere now; keys, counters and window stay. -> owner worker, ACK. RFC 7296 2.23 */
struct MSG_VIEW msg_sa_move {
	struct msg_hdr hdr;
	struct msg_handle sa;
	uint32_t dir;         /* MSG_DIR_* */
	uint8_t family, pad;  /* of remote: the SA's own */
	uint16_t remote_port; /* UDP encapsulation; else 0 */
	uint8_t remote[16];
};

struct MSG_VIEW msg_sa_list { /* answered by SA_INFO per live SA of that worker, SA_INFO_END, ACK */
	struct msg_hdr hdr;
};

struct MSG_VIEW msg_sa_adopt {
	struct msg_hdr hdr;
	struct msg_handle sa;
	uint32_t dir, pad;
};

/* ADDR_SET/DEL: an address of the gateway's own that is on no port (loopback, tunnel). -> ctl, ACK. */
struct MSG_VIEW msg_addr {
	struct msg_hdr hdr;
	uint8_t addr[16];
	uint8_t family, plen, pad[6];
};

enum { MSG_NH_DROP, MSG_NH_PORT, MSG_NH_TUNNEL, MSG_NH_LOCAL, MSG_NH_KIND_N };

/* One leg of a next hop. What its kind does not use is zero. */
struct MSG_VIEW msg_nh_leg {
	uint8_t kind;             /* MSG_NH_*; more than one leg: PORT or TUNNEL */
	uint8_t family;           /* of via */
	uint16_t port;            /* PORT: index in the config */
	struct msg_handle tunnel; /* TUNNEL */
	uint32_t pad;
	uint8_t via[16]; /* PORT: the gateway; all zero: on link */
};
enum { MSG_NH_LEGS = 8 };
/* NEXTHOP_SET: id < limits.nexthops, 1..MSG_NH_LEGS legs that share the load by flow (one flow, one leg); the others are zero.
 * Set again, it changes its meaning for all routes to it at once. NEXTHOP_DEL: all but id zero. -> ctl, ACK. */
struct MSG_VIEW msg_nexthop {
	struct msg_hdr hdr;
	uint32_t id;
	uint8_t n, pad[3];
	struct msg_nh_leg leg[MSG_NH_LEGS];
};
/* FIB_GET: what do workers do with packets to addr? -> ctl; FIB_INFO on ctl's evt ring, then ACK. For people and tests. */
struct MSG_VIEW msg_fib_get {
	struct msg_hdr hdr;
	uint8_t addr[16];
	uint8_t family, pad[7];
};
/* FIB_INFO: read from the table that the workers read. */
struct MSG_VIEW msg_fib_info {
	struct msg_hdr hdr;
	uint32_t query;   /* seq of the FIB_GET */
	uint32_t nexthop; /* id; UINT32_MAX: the data plane's own (local, connected) or none */
	uint32_t routes;  /* of the control plane, in the table now */
	uint8_t found;    /* 0: no route, and what follows is zero */
	uint8_t family, plen, n;
	uint8_t addr[16]; /* the prefix that matched */
	struct msg_nh_leg leg[MSG_NH_LEGS];
};
/* ROUTE_SET, ROUTE_DEL (nexthop 0), SYNC_BEGIN, SYNC_END (all but type, seq and attach 0): 64 octets, on the route ring.
 * Host bits of addr are zero. */
struct MSG_VIEW msg_route {
	uint16_t type;
	uint8_t family, plen;
	uint32_t seq;
	uint32_t attach;
	uint32_t nexthop;
	uint8_t addr[16];
	uint8_t pad[32];
};

/* BARRIER: ACKed when all before it on this ring is in force in every worker. */
struct MSG_VIEW msg_barrier {
	struct msg_hdr hdr;
};

/* ACK, NACK. */
struct MSG_VIEW msg_ack {
	struct msg_hdr hdr;
	uint16_t type; /* of the command */
	uint16_t pad;
	int32_t status; /* 0, or -errno */
};

/* Counters of one SA: the fields of the classic "show ikev2 child-sa". Octets are inner IP octets. */
/* clang-format off */
#define MSG_SA_DROPS(X)                                                                                     \
	X(MSG_SA_DROP_INVALID_SA, "invalid sa") X(MSG_SA_DROP_REPLAY, "replay detected")                    \
	X(MSG_SA_DROP_INTEGRITY, "integrity failure") X(MSG_SA_DROP_CIPHER, "cipher failure")               \
	X(MSG_SA_DROP_TRUNCATED, "packet truncated") X(MSG_SA_DROP_PADDING, "invalid padding")              \
	X(MSG_SA_DROP_PROTOCOL, "unknown protocol") X(MSG_SA_DROP_MEMORY, "out of memory")                  \
	X(MSG_SA_DROP_TS, "ts unacceptable") X(MSG_SA_DROP_MISC, "misc error")
/* clang-format on */
XLIST_ENUM(msg_sa_drop, MSG_SA_DROP_N, MSG_SA_DROPS);
const char *msg_sa_drop_name(unsigned v);

struct MSG_VIEW msg_sa_counters {
	uint64_t packets, octets;
	uint64_t drop[MSG_SA_DROP_N];
	uint64_t seq; /* last sent, or highest received */
};

/* SA_SOFT, SA_HARD (once each), SA_GONE, SA_INFO. SA_INFO_END is a bare head. */
struct MSG_VIEW msg_sa_event {
	struct msg_hdr hdr;
	struct msg_handle sa, tunnel;
	uint32_t dir, spi;
	struct msg_sa_counters c;
};

/* NO_SA: traffic for a tunnel without a TX SA for it (acquire; at most one a second and tunnel). Ports: 0 where it has none. */
struct MSG_VIEW msg_no_sa {
	struct msg_hdr hdr;
	struct msg_handle tunnel;
	uint8_t family, proto;
	uint8_t child; /* that it asks for */
	uint8_t pad;
	uint16_t src_port, dst_port;
	uint8_t src[16], dst[16];
};

/* PEER_MOVED: an authenticated packet of this SA came from elsewhere. RFC 7296 2.23. */
struct MSG_VIEW msg_peer_moved {
	struct msg_hdr hdr;
	struct msg_handle sa, tunnel;
	uint8_t family, pad;
	uint16_t remote_port;
	uint8_t remote[16];
	uint32_t pad2;
};

struct MSG_VIEW msg_bad_spi { /* rate limited by the worker */
	struct msg_hdr hdr;
	uint32_t spi;
	uint8_t family, pad[3];
	uint8_t remote[16];
};

struct MSG_VIEW msg_link {
	struct msg_hdr hdr;
	uint16_t port;
	uint8_t up, pad;
	uint32_t pad2;
};

/* One slot of an IKE datagram. Longer ones continue in the next slots of the same ring: all but the last say MORE; the
 * head's addresses count in the first. A slot that says MORE is full. The non-ESP marker is not in data: encap says that it was, or shall be, there. */
enum { MSG_IKE_MORE = 1 << 0, MSG_IKE_ENCAP = 1 << 1, MSG_IKE_HDR = 64, MSG_IKE_DATA = MSG_IKE_SLOT - MSG_IKE_HDR };

struct MSG_VIEW msg_ike {
	uint32_t attach;
	uint16_t len;  /* octets in data */
	uint8_t flags; /* MSG_IKE_* */
	uint8_t family;
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint16_t port; /* port that received or shall send: index in the config; UINT16_MAX: by the route */
	uint8_t worker;
	uint8_t pad[17];
	uint8_t data[MSG_IKE_DATA];
};

_Static_assert(sizeof(struct msg_sa_add) <= MSG_SLOT, "an SA with its keys fits one slot");
_Static_assert(sizeof(struct msg_tunnel_set) <= MSG_SLOT, "a tunnel fits one slot");
_Static_assert(sizeof(struct msg_sa_event) <= MSG_SLOT, "an event fits one slot");
_Static_assert(sizeof(struct msg_route) == MSG_ROUTE_SLOT, "route record");
_Static_assert(sizeof(struct msg_ike) == MSG_IKE_SLOT, "IKE slot");
_Static_assert(offsetof(struct msg_ike, data) == MSG_IKE_HDR, "IKE slot head");

/* What a reader's tables allow; from its own memory, never from the segment. */
struct msg_limits {
	uint32_t sas, tunnels, nexthops;
	uint16_t ports;
	uint8_t workers;
	uint32_t attach;
};

/* Is this copy whole and sane (type, exact length, attach generation, every enum, index, length and pad)? 0; -ESTALE other
 * generation; -EBADMSG. m is private memory. Commands, events and routes have a door each. A reserved command passes with any
 * length that fits: it is to be answered with NACK -ENOTSUP. msg_check_ike() reads the head only, not data. */
int msg_check_cmd(const union msg *m, const struct msg_limits *l) MUST_USE;
int msg_check_evt(const union msg *m, const struct msg_limits *l) MUST_USE;
int msg_check_route(const struct msg_route *m, const struct msg_limits *l) MUST_USE;
int msg_check_ike(const struct msg_ike *m, const struct msg_limits *l) MUST_USE;
