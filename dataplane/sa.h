/* The hot halves of a child SA: only what was computed at install and every packet needs. Names, limits beyond the next
 * one, further selectors and drop counters are in struct sa_cold, in an array of its own.
 *
 * Writer: the SA's owner worker, for every field. The lines that a packet touches: 1 (+ 1 of the window) + the key's few
 * (small packets) or MB_KEY_LINES. Strides are odd multiples of 64, so that slots do not fall into the same cache sets.
 */
#pragma once

#include <stdalign.h>
#include <stdint.h>

#include "dataplane/crypto.h"
#include "dataplane/replay.h"
#include "ring/msg.h"

enum {
	SA_LIVE = 1 << 0,
	SA_ENCAP = 1 << 1,   /* out: wrap in UDP */
	SA_SELECT = 1 << 2,  /* IPv4: more than one pair, none, a protocol or ports: ask selector_match() */
	SA_STOPPED = 1 << 3, /* a hard limit was reached: nothing passes any more */
	SA_ANY = 1 << 4,     /* selectors let all IPv4 pass */
	SA_FAST =
		1
		<< 5, /* AES-GCM, tunnel mode, IPv4 outside, DSCP copied, no ESN: the packet's form is known without looking */
	SA_ESN = 1 << 6,
	SA_TRANSPORT = 1 << 7,
	SA_V6 = 1 << 8,     /* the outer addresses are IPv6: in the line for rare kinds */
	SA_FAST6 = 1 << 10, /* as SA_FAST with IPv6 outside; out: no UDP */
	SA_ANY6 = 1 << 9,   /* selectors let all IPv6 pass; without it, selector_match() */
};

struct sa_out {
	/* line 0: every packet */
	alignas(64) uint64_t seq; /* last number sent; starts at 0. RFC 4303 2.2 */
	uint64_t seq_limit;       /* the first number that limit.c has to be asked about */
	int64_t bytes_left;       /* inner octets until the next byte limit; sa_cold.bytes_mark - this = sent */
	uint32_t src_be, dst_be;  /* outer addresses */
	uint32_t spi_be;
	uint32_t salt;               /* as in the key, RFC 4106 4 */
	uint16_t cksum;              /* one's complement sum of the constant part of the outer header */
	uint16_t mtu;                /* largest inner packet */
	uint16_t sport_be, dport_be; /* UDP encapsulation */
	uint16_t flags;              /* SA_* */
	uint8_t df;                  /* MSG_DF_* */
	uint8_t suite;               /* enum crypto_suite */
	uint32_t slot;
	uint32_t tunnel_gen;            /* of the tunnel that it was installed for */
	uint8_t iv_len, icv_len, align; /* crypto_forms[suite]'s; SA_FAST: constants */
	uint8_t dscp;                   /* of the outer header: MSG_DSCP_COPY or 0..63 */
	/* line 1, MB_KEY_LINES of them */
	struct crypto_key key;
	/* behind the key, for SAs that are not SA_FAST */
	uint8_t src6[16], dst6[16];     /* SA_V6 */
	uint8_t iv_mask[CRYPTO_IV_MAX]; /* CBC: random, hides the counter that becomes the IV */
	uint64_t head6;                 /* SA_V6: the outer header's first octets; traffic class and length are zero */
	uint8_t child;                  /* of its tunnel */
	uint8_t pad[7];
	uint8_t pad2[64]; /* makes the stride odd */
};

struct sa_in {
	/* line 0: every packet */
	alignas(64) uint32_t spi_be;
	uint32_t local_be;  /* outer destination that the SA belongs to */
	uint64_t head;      /* highest number authenticated */
	int64_t bytes_left; /* as in sa_out */
	int64_t packets_left;
	/* the IPv4 pair of selectors that decides alone, host order: inner source in [rlo, rhi], destination in [llo, lhi] */
	uint32_t rlo, rhi, llo, lhi;
	uint32_t salt;
	uint32_t remote_be;      /* where the last authenticated packet came from */
	uint16_t remote_port_be; /* 0: not in UDP */
	uint16_t window;         /* packets; 0: no replay check */
	uint16_t flags;          /* SA_* */
	uint8_t suite;           /* enum crypto_suite: crypto_forms[] has the rest */
	uint8_t pad;
	/* lines 1..4 */
	uint64_t bitmap[REPLAY_WORDS];
	/* line 5, MB_KEY_LINES of them */
	struct crypto_key key;
	/* behind the key, for SAs that are not SA_FAST */
	uint8_t local6[16], remote6[16]; /* SA_V6 */
	uint8_t child;                   /* of its tunnel */
	uint8_t pad2[31];
	uint8_t pad3[64]; /* makes the stride odd */
};

/* What only rare packets, events and counters need. */
struct sa_cold {
	uint32_t gen; /* 0: free */
	uint32_t spi;
	struct msg_handle tunnel;
	uint64_t bytes_mark, packets_mark; /* the limits that *_left count towards (limit.c) */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
	uint64_t seq_last;         /* OUT: the last number that may be sent */
	bool soft_seen, soft_sent; /* reached; the event is in the ring */
	bool hard_seen, hard_sent;
	uint8_t n_ts;
	uint8_t claimed; /* SA_ADOPT came in this attach */
	uint64_t drop[MSG_SA_DROP_N];
	struct msg_ts_pair ts[MSG_TS_MAX];
};

_Static_assert(sizeof(struct sa_out) == (1 + MB_KEY_LINES + 2) * 64, "hot, key, rare");
_Static_assert(offsetof(struct sa_out, key) == 64, "key on a line of its own");
_Static_assert(sizeof(struct sa_in) == (5 + MB_KEY_LINES + 2) * 64, "hot, window, key, rare");
_Static_assert(offsetof(struct sa_in, bitmap) == 64, "window behind the hot line");
_Static_assert(offsetof(struct sa_in, key) == 320, "key behind the window");
_Static_assert(offsetof(struct sa_out, src6) == (1 + MB_KEY_LINES) * 64 &&
		       offsetof(struct sa_in, local6) == (5 + MB_KEY_LINES) * 64,
	       "what the common kind does not touch is behind the key");
_Static_assert((sizeof(struct sa_out) / 64) % 2 == 1 && (sizeof(struct sa_in) / 64) % 2 == 1, "odd strides");
