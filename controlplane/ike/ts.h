/* Traffic selectors: narrowing (RFC 7296 2.9) between the config's pairs and the peer's two lists.
 *
 * On the wire TSi and TSr are two lists and mean every combination; the config and the data plane have pairs (local,
 * remote) of prefixes. A pair that results is the overlap of one of our pairs with one TSi and one TSr. An overlap that
 * is not a prefix is cut into prefixes as long as there is room (CFG_TS_MAX), the largest first; what did not fit is
 * told by `cut`. Local is always our side. Pure functions, any thread.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "controlplane/ike/payload.h"

struct ts_result {
	unsigned n;
	struct cfg_ts pair[CFG_TS_MAX]; /* to install */
	bool additional;                /* we would allow more in another child: ADDITIONAL_TS_POSSIBLE (2.9) */
	bool cut;                       /* part of an overlap is in no prefix that we kept */
};

/* Initiator: our proposal from the config's pairs. first: NULL, or the packet that asks for the child (RFC 7296 2.9 lets it
 * stand first). Equal selectors appear once. */
void ts_build(const struct cfg_ts *policy, unsigned n_policy, const struct cfg_ts *first, struct payload_ts *tsi,
	      struct payload_ts *tsr);

/* Responder: narrow the peer's proposal (TSi is remote) to our policy. The answer to send is in tsi and tsr: what
 * out->pair says, and no combination of it is outside our policy; if the policy's pairs cannot be said by two lists,
 * the pair that holds the peer's first selectors wins and additional is set. OK or TS_UNACCEPTABLE. */
enum ike_verdict ts_narrow(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *peer_tsi,
			   const struct payload_ts *peer_tsr, struct ts_result *out, struct payload_ts *tsi,
			   struct payload_ts *tsr) MUST_USE;

/* Initiator: the responder's answer must be a subset of what we sent (each of its selectors inside one of ours; else
 * TS_UNACCEPTABLE), and out gets the pairs of it that our policy holds. */
enum ike_verdict ts_verify(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *sent_tsi,
			   const struct payload_ts *sent_tsr, const struct payload_ts *got_tsi,
			   const struct payload_ts *got_tsr, struct ts_result *out) MUST_USE;

/* Each selector of a lies inside one of b. */
bool ts_list_within(const struct payload_ts *a, const struct payload_ts *b);
/* Every pair of a is inside some pair of b (rekey: the new child must not carry less, 2.9.2). */
bool ts_pairs_within(const struct cfg_ts *a, unsigned n_a, const struct cfg_ts *b, unsigned n_b);

/* "10.1.0.0-10.1.0.255/tcp/80-80 ..." cut with "...". buf of cap octets, lent. */
const char *ts_list_str(const struct payload_ts *ts, char *buf, size_t cap);
/* "10.1.0.0/24 <-> 10.2.0.0/24 tcp" per pair, comma separated. */
const char *ts_pairs_str(const struct cfg_ts *pair, unsigned n, char *buf, size_t cap);
/* One line for people after TS_UNACCEPTABLE: what the peer asked for, what we allow, the edit. peer_local and
 * peer_remote are the peer's lists seen from our side: local is the list that must lie inside our local networks. */
const char *ts_explain(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *peer_local,
		       const struct payload_ts *peer_remote, char *buf, size_t cap);
