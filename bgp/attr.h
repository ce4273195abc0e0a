/* Path attributes: bytes <-> one plain set. RFC 4271 4.3, 5; 4760; 6793; 7606; 1997, 4360, 8092.
 *
 * A row per attribute type says its flags, its length rule, its decoder and what RFC 7606 wants done when it is malformed.
 * A decoded set is a draft; interned (intern.h) it is shared and never changes. Private to bgp/. Thread: the core's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/rd.h"
#include "base/wr.h"

enum bgp_attr_code {
	BGP_ORIGIN = 1,
	BGP_AS_PATH = 2,
	BGP_NEXT_HOP = 3,
	BGP_MED = 4,
	BGP_LOCAL_PREF = 5,
	BGP_ATOMIC_AGGREGATE = 6,
	BGP_AGGREGATOR = 7,
	BGP_COMMUNITIES = 8,
	BGP_ORIGINATOR_ID = 9,
	BGP_CLUSTER_LIST = 10,
	BGP_MP_REACH = 14,
	BGP_MP_UNREACH = 15,
	BGP_EXT_COMMUNITIES = 16,
	BGP_AS4_PATH = 17,
	BGP_AS4_AGGREGATOR = 18,
	BGP_IPV6_EXT_COMMUNITIES = 25, /* kept as it comes (RFC 5701) */
	BGP_LARGE_COMMUNITIES = 32,
};
enum { BGP_ATTR_OPTIONAL = 0x80, BGP_ATTR_TRANSITIVE = 0x40, BGP_ATTR_PARTIAL = 0x20, BGP_ATTR_EXTLEN = 0x10 };
enum { BGP_ORIGIN_IGP, BGP_ORIGIN_EGP, BGP_ORIGIN_INCOMPLETE };
enum { BGP_AS_SET = 1, BGP_AS_SEQUENCE = 2, BGP_AS_TRANS = 23456 };

/* What attrs->has says. */
enum {
	BGP_HAS_MED = 1 << 0,
	BGP_HAS_LOCAL_PREF = 1 << 1,
	BGP_HAS_ATOMIC = 1 << 2,
	BGP_HAS_AGGREGATOR = 1 << 3,
	BGP_HAS_LOCAL = 1 << 4, /* originated here */
};

/* What attrs->partial says. */
enum {
	BGP_PARTIAL_AGGREGATOR = 1 << 0,
	BGP_PARTIAL_COMMUNITIES = 1 << 1,
	BGP_PARTIAL_EXT = 1 << 2,
	BGP_PARTIAL_LARGE = 1 << 3,
};

/* An attribute set. In data, one behind the other: AS_PATH as segments {type, count, 4-octet AS ...}, communities (4 each),
 * extended (8 each), large (12 each), then unknown transitive attributes as whole TLVs, their Partial bit set. All in network order.
 * What compares equal is one set: every octet counts but refs; padding is zero. */
struct bgp_attrs {
	uint32_t refs; /* intern.c's */
	uint32_t hash; /* intern.c's */
	uint32_t med, local_pref;
	uint32_t agg_as, agg_id; /* host order */
	struct ip_addr nexthop;  /* MP: the global address (RFC 2545 3) */
	uint8_t origin, has;
	uint8_t partial; /* BGP_PARTIAL_*: some AS before us did not know it (4271 5) */
	uint16_t hops;   /* length for the decision: an AS_SET counts 1 (4271 9.1.2.2) */
	uint16_t path_len, comm_len, ext_len, large_len, other_len; /* octets in data */
	uint8_t data[];
};

/* Room for any set that one message can carry: a 2-octet path grows to twice its octets. */
enum { BGP_ATTRS_DATA_MAX = 8192 };
struct bgp_attrs_draft {
	union {
		struct bgp_attrs a;
		uint8_t room[sizeof(struct bgp_attrs) + BGP_ATTRS_DATA_MAX];
	};
};

static inline uint32_t attr_data_len(const struct bgp_attrs *a)
{
	return (uint32_t)a->path_len + a->comm_len + a->ext_len + a->large_len + a->other_len;
}
static inline const uint8_t *attr_path(const struct bgp_attrs *a)
{
	return a->data;
}
static inline const uint8_t *attr_comm(const struct bgp_attrs *a)
{
	return a->data + a->path_len;
}
static inline const uint8_t *attr_ext(const struct bgp_attrs *a)
{
	return attr_comm(a) + a->comm_len;
}
static inline const uint8_t *attr_large(const struct bgp_attrs *a)
{
	return attr_ext(a) + a->ext_len;
}
static inline const uint8_t *attr_other(const struct bgp_attrs *a)
{
	return attr_large(a) + a->large_len;
}

/* RFC 7606 2: from the mildest; the strongest of a message wins. */
enum bgp_verdict { BGP_OK, BGP_DISCARD_ATTR, BGP_TREAT_AS_WITHDRAW, BGP_RESET };

/* What to tell the peer (RESET) and the log. */
struct bgp_error {
	uint8_t code, sub; /* RFC 4271 4.5, 6 */
	uint16_t data_len; /* octets of data */
	uint8_t data[64];  /* cut where the RFC's data would be longer */
	char text[160];    /* words for the log: attribute, what is wrong; already escaped */
};

/* How the session codes things: negotiated, constant while it lives. */
struct bgp_codec {
	bool as4;          /* RFC 6793: both sides */
	bool mp_v4, mp_v6; /* negotiated families; mp_v4 also when neither side spoke of any (4760 8) */
	bool as_sets;      /* take paths with an AS_SET (9774: treat as withdraw) */
	uint32_t local_as;
	uint32_t peer_as;             /* 0: the first AS of a path is not checked */
	struct ip_addr local, remote; /* of the TCP connection */
};

/* MP_REACH_NLRI and MP_UNREACH_NLRI as views of the message; present only when seen. */
struct attr_mp {
	bool reach, unreach;
	uint16_t reach_afi, unreach_afi;
	uint8_t reach_safi, unreach_safi;
	struct rd reach_nlri, unreach_nlri;
	struct ip_addr nexthop; /* of MP_REACH */
};

/* Decode the attributes of one UPDATE: r is exactly the Path Attributes field. classic_nlri: the message has NLRI outside MP_REACH
 * (NEXT_HOP is mandatory then). The draft's AS_PATH is in 4-octet form, AS4_PATH and AS4_AGGREGATOR merged in (6793 4.2.3).
 * Duplicates, flags, lengths, values, missing well-known ones by RFC 7606 3, 4, 5, 7; first AS by 4271 6.3 (RFC 7606 7.2). A draft
 * is whole when the verdict is OK or DISCARD_ATTR. discarded: attributes left out (+=). err is filled for all but OK. */
enum bgp_verdict attr_decode(struct rd r, const struct bgp_codec *c, bool classic_nlri, struct bgp_attrs_draft *out,
			     struct attr_mp *mp, unsigned *discarded, struct bgp_error *err);

/* Write a's attributes in ascending type order for a session: AS_PATH (and AS4_PATH, AS4_AGGREGATOR to a 2-octet peer), NEXT_HOP
 * when a's next hop is IPv4 and v4_nexthop; never LOCAL_PREF (eBGP, 4271 5.1.5). MP_REACH is update.c's. wr goes bad when full. */
void attr_encode(struct wr *w, const struct bgp_attrs *a, const struct bgp_codec *c, bool v4_nexthop);

/* Draft := a (to be changed and interned anew). */
void attr_draft(struct bgp_attrs_draft *d, const struct bgp_attrs *a);
/* Replace one variable part. part: 0 path, 1 communities, 2 ext, 3 large, 4 other. Recounts hops. 0; -E2BIG. */
int attr_set_part(struct bgp_attrs_draft *d, unsigned part, const void *octets, size_t len)
	__attribute__((warn_unused_result));
