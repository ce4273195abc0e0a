/* The ESP stages alone, for every mix of families: a packet goes in as the forwarder or the classifier would hand it over, and is taken
 * out behind the stage. The peer is OpenSSL, as in rig.h.
 *
 *   us 192.0.2.1, 2001:db8::1      peer 198.51.100.7, 2001:db8:7::7      inner 10.1.0.9, fd01::9 here; 10.2.0.5, fd02::5 there
 */
#pragma once

#include "dataplane/ip6.h"
#include "tests/stage/rig.h"

enum { WIDE_IP4 = 20, WIDE_UDP = 8 };

extern const uint8_t wide_us[2][16], wide_peer[2][16], wide_here[2][16], wide_there[2][16]; /* [v6] */

/* A tunnel of these outer addresses (family 4 or 6), MSG_DSCP_COPY, one child. */
struct msg_tunnel_set wide_tunnel(uint32_t slot, uint8_t family);
void wide_tunnel_set(const struct msg_tunnel_set *t);
/* An SA of it, AES-256-GCM, selectors any of both families. */
struct rig_sa wide_sa(uint32_t slot, uint32_t dir, uint32_t tunnel, uint8_t family);
/* Both halves, installed. */
void wide_pair(uint32_t slot, uint32_t tunnel, uint8_t family, struct rig_sa *in, struct rig_sa *out);
struct msg_ts_pair wide_any(uint8_t family);

/* An IP packet with UDP in it, len octets in all, between these addresses; tos or traffic class. */
void wide_udp(struct rig_bytes *ip, bool v6, const uint8_t *src, const uint8_t *dst, uint8_t tos, uint16_t len);
/* From here to there, or back. */
void wide_inner(struct rig_bytes *ip, bool v6, uint32_t dir, uint8_t tos, uint16_t len);
/* IPv6: extension headers of `n` octets in front of what is there; first is the type of the first of them, whose chain ends with the
 * old next header already. */
void wide_insert(struct rig_bytes *ip, uint8_t first, const uint8_t *ext, uint16_t n);
uint8_t wide_tos(const struct rig_bytes *ip);

/* To be encrypted for the tunnel; flags: PKT_* but V6, which the version says. How many packets became of it; the first one in outer. What is
 * left in w->fwd (errors) is freed. */
unsigned wide_out(const struct rig_bytes *ip, uint32_t tunnel, uint8_t flags, struct rig_bytes *outer);
/* A burst of n at once; outer[n]. */
unsigned wide_out_burst(const struct rig_bytes *ip, unsigned n, uint32_t tunnel, uint8_t flags,
			struct rig_bytes *outer);
/* From the wire. true: it came out, with these flags. false: it was dropped, or it is none of ours (w->fwd; freed). */
bool wide_in(const struct rig_bytes *outer, struct rig_bytes *ip, uint8_t *flags);
unsigned wide_in_burst(const struct rig_bytes *outer, unsigned n, struct rig_bytes *ip, uint8_t *flags);

/* The peer's packet with this text, next header and padding; tos of the outer header. */
void wide_seal(struct rig_bytes *outer, struct rig_sa *sa, const struct rig_bytes *text, uint8_t next, uint8_t tos);
/* The peer opens ours: its text and next header. head: octets in front of ESP or UDP. */
void wide_open(struct rig_bytes *text, uint8_t *next, const struct rig_sa *sa, const struct rig_bytes *outer,
	       uint16_t head);
/* Nothing is left anywhere. */
void wide_settle(void);
