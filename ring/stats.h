/* Counter blocks in the segment: written by their worker (relaxed stores), read by anyone, trusted by nobody.
 *
 * A reader takes snapshots: each figure is whole, figures among each other may be one publication (256 polls) apart.
 */
#pragma once

#include <stdint.h>

#include "base/xlist.h"
#include "ring/msg.h"

/* Every way in which a packet can end other than tx, punt or handoff. One reason per packet. */
/* clang-format off */
#define STATS_DROPS(X)                                                                                  \
	X(DROP_RUNT, "runt") X(DROP_BAD_VERSION, "bad-version") X(DROP_BAD_LENGTH, "bad-length")        \
	X(DROP_BAD_CHECKSUM, "bad-checksum") X(DROP_BAD_OPTIONS, "bad-options")                         \
	X(DROP_BAD_ETHERTYPE, "bad-ethertype") X(DROP_NOT_FOR_US, "not-for-us")                         \
	X(DROP_BAD_ADDRESS, "bad-address") X(DROP_FRAGMENT, "fragment") X(DROP_PROTOCOL, "unknown-protocol") \
	X(DROP_KEEPALIVE, "keepalive") X(DROP_BAD_ARP, "bad-arp") X(DROP_BAD_ICMP, "bad-icmp")          \
	X(DROP_IKE_POLICED, "ike-policed") X(DROP_PUNT_FULL, "punt-full") X(DROP_HANDOFF_FULL, "handoff-full") \
	X(DROP_NO_SA, "no-sa") X(DROP_BAD_SPI, "bad-spi") X(DROP_SA_MISMATCH, "sa-mismatch")            \
	X(DROP_ESP_RUNT, "esp-runt") X(DROP_REPLAY_OLD, "replay-old")  \
	X(DROP_REPLAY, "replay") X(DROP_BAD_ICV, "bad-icv") X(DROP_BAD_PAD, "bad-pad")                  \
	X(DROP_NEXT_HEADER, "bad-next-header") X(DROP_DUMMY, "dummy") X(DROP_INNER_BAD, "inner-malformed") \
	X(DROP_TS_MISMATCH, "ts-unacceptable") X(DROP_ECN, "ecn-illegal") \
	X(DROP_SEQ_END, "sequence-exhausted") X(DROP_LIMIT, "lifetime-exceeded") X(DROP_NO_ROUTE, "no-route") \
	X(DROP_BLACKHOLE, "blackhole") X(DROP_TTL, "ttl-exceeded") X(DROP_TOO_BIG, "too-big")           \
	X(DROP_RECURSION, "recursive-tunnel") X(DROP_NO_NEIGH, "no-neighbour") X(DROP_NO_MBUF, "no-mbuf") \
	X(DROP_NO_HEADROOM, "no-headroom") X(DROP_TX_FULL, "tx-full") X(DROP_LINK_DOWN, "link-down") \
	X(DROP_CLEAR_TO_PROTECTED, "clear-to-protected") X(DROP_TUN_POLICED, "tun-policed") \
	X(DROP_EXT_HEADER, "bad-extension-header") X(DROP_BAD_ND, "bad-nd")             \
	X(DROP_PMTU, "path-mtu-told") X(DROP_PMTU_REFUSED, "path-mtu-refused") \
	X(DROP_FRAG_OVERLAP, "fragment-overlap") X(DROP_REASM_FULL, "reassembly-full") X(DROP_REASM_TIMEOUT, "reassembly-timeout") \
	X(DROP_CIPHER, "cipher-failure")
/* clang-format on */
XLIST_ENUM(stats_drop, DROP_N, STATS_DROPS);
const char *stats_drop_name(unsigned v);

/* Where a worker's cycles go. Sampled: one poll of many is measured, so only the quotient means something. */
/* clang-format off */
#define STATS_STAGES(X)                                                                                 \
	X(STATS_RX, "rx") X(STATS_PARSE, "parse") X(STATS_DECRYPT, "decrypt") X(STATS_FORWARD, "forward") \
	X(STATS_ENCRYPT, "encrypt") X(STATS_TX, "tx")
/* clang-format on */
XLIST_ENUM(stats_stage, STATS_STAGE_N, STATS_STAGES);
const char *stats_stage_name(unsigned v);

enum { STATS_PORTS_MAX = 16 };

struct stats_worker {
	_Alignas(64) uint64_t polls, idle_sleeps;
	uint64_t tsc_busy, tsc_total; /* TSC cycles */
	uint64_t rx, tx, punt, handoff_out, handoff_in, icmp_sent, arp_sent, esp_in, esp_out;
	uint64_t bad_msgs;         /* commands that failed their check */
	uint64_t evt_lost;         /* events for which the ring was full */
	uint64_t to_tun, from_tun; /* packets to and from the kernel's own sockets */
	uint64_t ecn_odd;          /* out of a tunnel with a pair of ECN fields that no tunnel makes. RFC 6040 4.2 */
	uint64_t joined;           /* fragments to us that are part of another packet now: all of a whole one but one */
	struct {
		uint64_t packets, cycles; /* TSC */
	} stage[STATS_STAGE_N];
	uint64_t drop[DROP_N];
};

struct stats_port {
	_Alignas(64) uint64_t rx_packets, rx_octets, tx_packets, tx_octets, rx_missed, tx_errors;
	uint8_t up, mac[6], pad;
	uint32_t speed_mbps; /* 0: not known */
	uint16_t n_rx, n_tx; /* queues */
	char driver[24];     /* DPDK's name for it, NUL-terminated */
};

/* One per SA slot and direction: sa[slot * 2 + dir]. gen 0: free. Written by the owner worker. */
struct stats_sa {
	_Alignas(64) uint32_t gen;
	uint32_t spi;
	uint32_t mtu; /* OUT: largest inner packet now */
	uint32_t pad;
	struct msg_sa_counters c;
};
