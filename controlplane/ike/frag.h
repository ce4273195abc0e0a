/* IKE messages in fragments (RFC 7383).
 *
 * Sending: what would be a longer IP packet than the threshold leaves as several messages with an SKF payload each. They are
 * kept behind each other, as sent, where a message of one piece would be: each has its length in its header, and
 * frag_send() says them all. Receiving: fragments of one message for each direction are collected until they are all there;
 * each is authenticated first, and their number, octets and time are bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/ike/ike.h"
#include "controlplane/ike/sk.h"
#include "controlplane/ike/wire.h"

enum {
	FRAG_COUNT_MAX = 255,      /* fragments of a message that we take */
	FRAG_OCTETS_MAX = 65535,   /* of their insides: RFC 7383 5 */
	FRAG_MS = 30000,           /* until an incomplete message is forgotten (2.6) */
	FRAG_SIZE_DEFAULT = 1280,  /* octets of an IP packet */
	FRAG_SIZE_SMALL = 576,     /* RFC 7383 2.5.1: what passes everywhere by IPv4 ... */
	FRAG_SIZE_SMALL_V6 = 1280, /* ... and by IPv6 */
	FRAG_SMALLER_AT = 3,       /* sends of a request without an answer, before it is cut smaller (2.5.2) */
};

/* A message that is being collected. */
struct frag_set {
	uint32_t mid;
	uint16_t total, have; /* total 0: none is */
	uint8_t next;         /* type of the first payload: fragment 1 has it */
	uint16_t largest;     /* octets of the longest fragment's message */
	uint32_t octets;
	uint64_t print;     /* msgid_print() of fragment 1 */
	uint64_t forget_ms; /* then it is forgotten */
	struct frag_piece {
		uint8_t *p; /* NULL: not here yet */
		uint16_t len;
	} * piece; /* [total] */
};

/* Of an IKE SA. */
struct frag {
	bool on;                /* both sides said so in IKE_SA_INIT (2.3) */
	uint16_t size;          /* octets of an IP packet above which we cut */
	struct frag_set set[2]; /* the peer's request, the peer's response */
};

enum frag_verdict {
	FRAG_BAD,    /* numbers that cannot be, or of an older cut: drop it silently */
	FRAG_REPEAT, /* it is here already: drop it silently */
	FRAG_FORGED, /* not authentic, or not enough memory of ours: drop it silently */
	FRAG_KEPT,   /* authentic; others are missing */
	FRAG_WHOLE,  /* authentic, and the last one that was missing */
	FRAG_FLOOD,  /* authentic, but more than we hold: all of the message is forgotten (5) */
};

/* ---- receiving ---- */

/* A fragment that may come now: the checks of 2.6 in their order. text: cap octets of scratch, which hold the message's inside
 * (*len octets) when it is WHOLE. The set is then for the caller to drop. */
enum frag_verdict frag_take(struct frag_set *s, const struct ike_msg *m, const struct sk_key *key, uint8_t *text,
			    size_t cap, size_t *len, uint64_t now_ms) MUST_USE;
/* The peer's fragments, the longest a message of largest octets, came by this path: ours need not be longer (2.5.1). */
void frag_fit(struct frag *f, const struct ike_path *path, size_t largest);
/* Forget what was collected. */
void frag_drop(struct frag_set *s);
/* When something is to be forgotten; UINT64_MAX: nothing is there. */
uint64_t frag_deadline(const struct frag *f);
void frag_tick(struct frag *f, uint64_t now_ms);
void frag_fini(struct frag *f);

/* ---- sending ---- */

/* Octets of the longest IKE message whose IP packet by this path has at most size octets. */
size_t frag_limit(const struct ike_path *path, size_t size);
/* Seal the message in o, whose payloads are all written, as fragments of at most limit octets. env: for randomness. All
 * fragments behind each other, malloc'd, *len octets; NULL: it cannot be cut so (too many, or the crypto failed). */
uint8_t *frag_seal(struct wire_out *o, struct sk_key *key, size_t limit, const struct ike_env *env, size_t *len);
/* RFC 7383 2.5.2: the messages that frag_seal() or sk_seal() made, cut into more, and f->size is that of the new ones; as
 * frag_seal(). NULL: they are small enough. buf, text: cap octets of scratch each. */
uint8_t *frag_smaller(struct frag *f, const struct ike_path *path, const uint8_t *msgs, size_t msgs_len,
		      struct sk_key *key, const struct ike_env *env, uint8_t *buf, uint8_t *text, size_t cap,
		      size_t *len);
/* Send each of the messages that lie behind each other in msgs. Their number. */
unsigned frag_send(const struct ike_env *env, const struct ike_path *path, const uint8_t *msgs, size_t len);
