/* IPv6 outside and inside of ESP, both inner families in one SA: headers, selectors, what is refused. RFC 4303, 4301, 8200, 3948, 6935 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataplane/pkt.h"
#include "tests/stage/wide.h"

enum { HBH = 0, TCP = 6, UDP = 17, ROUTING = 43, FRAG = 44, ESP = 50, ICMP6 = 58, DEST = 60 };
enum { IPIP = 4, IPV6 = 41 };

static struct rig_sa in, out;

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* A tunnel of this family with SAs of this suite, in UDP or not. */
static void pair(uint32_t slot, uint8_t family, bool encap, unsigned encr, unsigned integ)
{
	struct msg_tunnel_set t = wide_tunnel(slot, family);

	wide_tunnel_set(&t);
	in = wide_sa(slot, MSG_DIR_IN, slot, family);
	out = wide_sa(slot, MSG_DIR_OUT, slot, family);
	for (unsigned i = 0; i < 2; i++) {
		struct rig_sa *sa = i == 0 ? &in : &out;

		sa->encap = encap;
		sa->add.flags = encap ? MSG_SA_ENCAP_UDP : 0;
		sa->add.local_port = encap ? 4500 : 0;
		sa->add.remote_port = encap ? 32109 : 0;
		sa->add.encr = (uint8_t)encr;
		sa->add.integ = (uint8_t)integ;
		sa->add.key_len = (uint16_t)(msg_encr_key_len(encr) + msg_integ_key_len(integ));
		assert_int_equal(rig_sa_add(sa, i == 0 ? MSG_DIR_IN : MSG_DIR_OUT), 0);
	}
}

static void pair_gcm(uint32_t slot, uint8_t family, bool encap)
{
	pair(slot, family, encap, MSG_ENCR_AES256_GCM16, MSG_INTEG_NONE);
}

static uint16_t head_of(uint8_t family)
{
	return family == 6 ? IP6_HDR : WIDE_IP4;
}

/* One packet out, and what the peer finds in it is what went in. */
static void goes_out(uint32_t tunnel, bool v6, uint8_t tos, uint16_t len, struct rig_bytes *outer)
{
	struct rig_bytes ip, text;
	uint8_t next;

	wide_inner(&ip, v6, MSG_DIR_OUT, tos, len);
	assert_int_equal(wide_out(&ip, tunnel, 0, outer), 1);
	wide_open(&text, &next, &out, outer, head_of(out.add.family));
	assert_int_equal(next, v6 ? IPV6 : IPIP);
	assert_int_equal(text.len, ip.len);
	assert_memory_equal(text.b, ip.b, ip.len);
}

static void comes_in(bool v6, uint8_t tos, uint16_t len)
{
	struct rig_bytes ip, outer, got;
	uint8_t flags;

	wide_inner(&ip, v6, MSG_DIR_IN, tos, len);
	wide_seal(&outer, &in, &ip, v6 ? IPV6 : IPIP, tos);
	assert_true(wide_in(&outer, &got, &flags));
	assert_int_equal(flags, PKT_DECAPPED | (v6 ? PKT_V6 : 0));
	assert_int_equal(got.len, ip.len);
	assert_memory_equal(got.b, ip.b, ip.len);
}

static const struct {
	uint8_t encr, integ;
} suites[] = {
	{MSG_ENCR_AES256_GCM16, MSG_INTEG_NONE},      {MSG_ENCR_AES128_GCM16, MSG_INTEG_NONE},
	{MSG_ENCR_CHACHA20_POLY1305, MSG_INTEG_NONE}, {MSG_ENCR_AES256_CBC, MSG_INTEG_HMAC_SHA256_128},
	{MSG_ENCR_3DES_CBC, MSG_INTEG_HMAC_SHA1_96},  {MSG_ENCR_NULL, MSG_INTEG_HMAC_SHA512_256},
};

static void all_mixes_pass_in_every_suite_both_families_in_one_sa(void **state)
{
	struct rig_bytes outer;
	(void)state;

	for (unsigned s = 0; s < sizeof(suites) / sizeof(suites[0]); s++) {
		for (unsigned kind = 0; kind < 4; kind++) {
			uint8_t family = kind & 1 ? 6 : 4;

			rig_clear(NULL);
			rig_reset(NULL);
			pair(1, family, kind & 2, suites[s].encr, suites[s].integ);
			for (uint16_t len = 48; len < 1400; len = (uint16_t)(len < 100 ? len + 1 : len + 97)) {
				goes_out(1, len & 1, 0, len, &outer);
				goes_out(1, !(len & 1), 0, len, &outer);
				comes_in(len & 1, 0, len);
				comes_in(!(len & 1), 0, len);
			}
			rig_dropped_none();
			assert_int_equal(rig_counters(1, MSG_DIR_IN).packets, rig_counters(1, MSG_DIR_OUT).packets);
			assert_int_equal(rig_counters(1, MSG_DIR_IN).octets, rig_counters(1, MSG_DIR_OUT).octets);
		}
	}
	wide_settle();
}

/* RFC 4301 5.1.2.2 */
static void the_outer_ipv6_header_is_ours(void **state)
{
	struct rig_bytes outer;
	uint32_t label[2];
	(void)state;

	for (uint32_t slot = 1; slot <= 2; slot++) {
		pair_gcm(slot, 6, false);
		for (unsigned v6 = 0; v6 < 2; v6++) {
			for (unsigned tos = 0; tos < 256; tos += 5) {
				goes_out(slot, v6, (uint8_t)tos, 100, &outer);
				assert_int_equal(outer.b[0] >> 4, 6);
				assert_int_equal(wide_tos(&outer), tos);
				assert_int_equal(get16(outer.b + 4), outer.len - IP6_HDR);
				assert_int_equal(outer.b[6], ESP);
				assert_int_equal(outer.b[7], 64);
				assert_memory_equal(outer.b + 8, wide_us[1], 16);
				assert_memory_equal(outer.b + 24, wide_peer[1], 16);
				/* one label for an SA, whatever flows are in it */
				label[slot - 1] = (uint32_t)(outer.b[1] & 15) << 16 | get16(outer.b + 2);
				if (tos == 0 && v6 == 0 && slot == 2)
					assert_int_not_equal(label[0], label[1]);
				if (slot == 2 || tos != 0)
					assert_int_not_equal(label[slot - 1], 0x54321);
			}
		}
	}
	wide_settle();
}

/* The label does not move while an SA lives. */
static void the_flow_label_is_the_sas(void **state)
{
	struct rig_bytes outer;
	uint8_t first[3];
	(void)state;

	pair_gcm(1, 6, false);
	goes_out(1, true, 0, 100, &outer);
	memcpy(first, outer.b + 1, 3);
	for (unsigned i = 0; i < 40; i++) {
		goes_out(1, i & 1, 0, (uint16_t)(100 + i), &outer);
		assert_memory_equal(outer.b + 1, first, 3);
	}
	wide_settle();
}

/* Sum of pseudo header and UDP, which is all ones when right. RFC 8200 8.1 */
static uint16_t udp6_sum(const struct rig_bytes *ip, uint16_t at)
{
	uint32_t sum = (uint32_t)(ip->len - at) + UDP;

	for (uint16_t i = 8; i < 40; i = (uint16_t)(i + 2))
		sum += get16(ip->b + i);
	for (uint16_t i = at; i < ip->len; i = (uint16_t)(i + 2))
		sum += (uint32_t)(ip->b[i] << 8 | (i + 1 < ip->len ? ip->b[i + 1] : 0));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void udp_over_ipv6_has_a_checksum(void **state)
{
	struct rig_bytes outer;
	(void)state;

	pair_gcm(1, 6, true);
	for (uint16_t len = 60; len < 1300; len = (uint16_t)(len + 3)) {
		goes_out(1, len & 1, 0, len, &outer);
		assert_int_equal(outer.b[6], UDP);
		assert_int_equal(get16(outer.b + 40), 4500);
		assert_int_equal(get16(outer.b + 42), 32109);
		assert_int_equal(get16(outer.b + 44), outer.len - IP6_HDR);
		assert_int_not_equal(get16(outer.b + 46), 0);
		assert_int_equal(udp6_sum(&outer, IP6_HDR), 0xffff);
	}
	wide_settle();
}

/* A burst of packets for SAs of all kinds: each gets its own header. */
static void kinds_do_not_mix_in_a_burst(void **state)
{
	struct rig_sa sa[4];
	struct rig_bytes ip[32], outer[32], text;
	uint8_t next;
	(void)state;

	for (uint32_t i = 0; i < 4; i++) {
		pair_gcm(i + 1, i & 1 ? 6 : 4, i & 2);
		sa[i] = out;
	}
	for (unsigned tunnel = 0; tunnel < 4; tunnel++) {
		for (unsigned i = 0; i < 32; i++)
			wide_inner(&ip[i], (i ^ tunnel) & 1, MSG_DIR_OUT, (uint8_t)i, (uint16_t)(60 + 11 * i));
		assert_int_equal(wide_out_burst(ip, 32, tunnel + 1, 0, outer), 32);
		for (unsigned i = 0; i < 32; i++) {
			wide_open(&text, &next, &sa[tunnel], &outer[i], head_of(sa[tunnel].add.family));
			assert_memory_equal(text.b, ip[i].b, ip[i].len);
			assert_int_equal(wide_tos(&outer[i]), i);
		}
	}
	wide_settle();
}

/* IPv6 in IPv4 may not be cut by a router: copied, that is DF. RFC 8200 5 */
static void df_of_ipv6_in_ipv4_is_set_unless_cleared(void **state)
{
	static const struct {
		uint8_t df;
		bool want;
	} row[] = {{MSG_DF_COPY, true}, {MSG_DF_SET, true}, {MSG_DF_CLEAR, false}};
	struct rig_bytes outer;
	(void)state;

	for (uint32_t i = 0; i < 3; i++) {
		struct msg_tunnel_set t = wide_tunnel(i + 1, 4);

		t.df = row[i].df;
		wide_tunnel_set(&t);
		wide_pair(i + 1, i + 1, 4, &in, &out);
		goes_out(i + 1, true, 0, 100, &outer);
		assert_int_equal(outer.b[6] >> 6 & 1, row[i].want);
	}
	wide_settle();
}

/* --- ECN and DSCP --- */

static const uint8_t dscps[] = {0, 1, 10, 46, 63};

static void dscp_is_copied_or_fixed_and_ecn_copied(void **state)
{
	struct rig_bytes outer;
	(void)state;

	for (unsigned mix = 0; mix < 4; mix++) {
		for (unsigned d = 0; d < sizeof(dscps) + 1; d++) {
			struct msg_tunnel_set t = wide_tunnel(1, mix & 1 ? 6 : 4);

			rig_clear(NULL);
			rig_reset(NULL);
			t.dscp = d < sizeof(dscps) ? dscps[d] : MSG_DSCP_COPY;
			wide_tunnel_set(&t);
			wide_pair(1, 1, t.family, &in, &out);
			for (unsigned tos = 0; tos < 256; tos++) {
				uint8_t dscp = t.dscp == MSG_DSCP_COPY ? (uint8_t)(tos >> 2) : t.dscp;

				goes_out(1, mix & 2, (uint8_t)tos, 80, &outer);
				assert_int_equal(wide_tos(&outer), dscp << 2 | (tos & 3));
			}
		}
	}
	wide_settle();
}

/* RFC 6040 4.2, figure 4, as there: -1 is <drop>, 16 the exclamation marks. */
static void ecn_comes_out_as_figure_4_in_all_mixes(void **state)
{
	enum { NOT, ECT0, ECT1, CE, ODD = 16 };
	static const uint8_t code[4] = {[NOT] = 0, [ECT0] = 2, [ECT1] = 1, [CE] = 3};
	static const int figure[4][4] = {
		/*          NOT   ECT0        ECT1        CE */
		[NOT] = {NOT, NOT | ODD, NOT | ODD, -1},
		[ECT0] = {ECT0, ECT0, ECT1, CE},
		[ECT1] = {ECT1, ECT1 | ODD, ECT1, CE},
		[CE] = {CE, CE, CE | ODD, CE},
	};
	struct rig_bytes ip, outer, got;
	uint64_t odd = 0, dropped = 0;
	(void)state;

	for (unsigned mix = 0; mix < 4; mix++) {
		pair_gcm(mix + 1, mix & 1 ? 6 : 4, false);
		for (unsigned k = 0; k < 16 * sizeof(dscps); k++) {
			unsigned i = k / 4 % 4, o = k % 4;
			uint8_t dscp = dscps[k / 16];
			int want = figure[i][o];
			bool came;

			wide_inner(&ip, mix & 2, MSG_DIR_IN, (uint8_t)(dscp << 2 | code[i]), 80);
			wide_seal(&outer, &in, &ip, mix & 2 ? IPV6 : IPIP, (uint8_t)(0xa8 | code[o]));
			came = wide_in(&outer, &got, NULL);
			assert_int_equal(came, want >= 0);
			odd += want < 0 || want & ODD;
			dropped += want < 0;
			assert_int_equal(rig->count.ecn_odd, odd);
			assert_int_equal(rig->count.drop[DROP_ECN], dropped);
			if (!came)
				continue;
			assert_int_equal(wide_tos(&got), dscp << 2 | code[want & 15]); /* the inner DSCP stays */
			assert_int_equal(got.len, ip.len);
			wide_inner(&ip, mix & 2, MSG_DIR_IN, wide_tos(&got), 80); /* and so does all else */
			assert_memory_equal(got.b, ip.b, ip.len);
		}
	}
	assert_int_equal(dropped, 4 * sizeof(dscps));
	wide_settle();
}

/* --- in: UDP checksums, peers that move --- */

static bool comes_in_as(const struct rig_bytes *outer)
{
	struct rig_bytes got;

	return wide_in(outer, &got, NULL);
}

static void sealed(struct rig_bytes *outer)
{
	struct rig_bytes ip;

	wide_inner(&ip, true, MSG_DIR_IN, 0, 100);
	wide_seal(outer, &in, &ip, IPV6, 0);
}

static void udp6_seal(struct rig_bytes *outer)
{
	uint16_t sum;

	outer->b[46] = outer->b[47] = 0;
	sum = (uint16_t)~udp6_sum(outer, IP6_HDR);
	outer->b[46] = (uint8_t)(sum >> 8);
	outer->b[47] = (uint8_t)sum;
}

static void a_peer_that_moves_is_followed_when_its_address_is_sound(void **state)
{
	struct rig_bytes outer;
	struct msg_peer_moved e;
	union msg none;
	(void)state;

	pair_gcm(1, 6, true);
	sealed(&outer); /* no checksum: RFC 6935 5 */
	assert_true(comes_in_as(&outer));
	sealed(&outer);
	udp6_seal(&outer);
	assert_true(comes_in_as(&outer));
	assert_false(rig_event(&none));
	sealed(&outer);
	udp6_seal(&outer);
	outer.b[23] ^= 1; /* on the way: its last octet */
	assert_false(comes_in_as(&outer));
	assert_int_equal(rig->count.drop[DROP_BAD_CHECKSUM], 1);
	assert_false(rig_event(&none));
	sealed(&outer);
	outer.b[23] ^= 1;
	outer.b[41] ^= 3;
	udp6_seal(&outer);
	assert_true(comes_in_as(&outer));
	rig_event_is(MSG_PEER_MOVED, &e, sizeof(e));
	assert_int_equal(e.family, 6);
	assert_memory_equal(e.remote, outer.b + 8, 16);
	assert_int_equal(e.remote_port, get16(outer.b + 40));
	assert_false(rig_event(&none));
	/* said once */
	sealed(&outer);
	outer.b[23] ^= 1;
	outer.b[41] ^= 3;
	assert_true(comes_in_as(&outer));
	assert_false(rig_event(&none));
	wide_settle();
}

static void a_wrong_checksum_of_a_known_peer_is_the_icvs_business(void **state)
{
	struct rig_bytes outer;
	(void)state;

	pair_gcm(1, 6, true);
	sealed(&outer);
	udp6_seal(&outer);
	outer.b[46] ^= 1;
	assert_true(comes_in_as(&outer));
	wide_settle();
}

static void an_sa_moves_within_its_family(void **state)
{
	struct msg_sa_move m = {
		.sa = {1, 1}, .dir = MSG_DIR_OUT, .family = 6, .remote = {0x20, 1, 0xd, 0xb8, [15] = 99}};
	struct rig_bytes outer;
	(void)state;

	pair_gcm(1, 6, false);
	assert_int_equal(sad_move(rig, &m), 0);
	goes_out(1, true, 0, 100, &outer);
	assert_memory_equal(outer.b + 24, m.remote, 16);
	m.dir = MSG_DIR_IN;
	assert_int_equal(sad_move(rig, &m), 0);
	m = (struct msg_sa_move){.sa = {1, 1}, .dir = MSG_DIR_OUT, .family = 4, .remote = {198, 51, 100, 8}};
	assert_int_equal(sad_move(rig, &m), -EINVAL); /* the message says: the SA's own */
	m.dir = MSG_DIR_IN;
	assert_int_equal(sad_move(rig, &m), -EINVAL);
	goes_out(1, true, 0, 100, &outer);
	pair_gcm(2, 4, false);
	m = (struct msg_sa_move){.sa = {2, 1}, .dir = MSG_DIR_OUT, .family = 6, .remote = {0x20, 1, [15] = 1}};
	assert_int_equal(sad_move(rig, &m), -EINVAL);
	m.sa.slot = 1;
	memset(m.remote, 0, sizeof(m.remote));
	assert_int_equal(sad_move(rig, &m), -EINVAL);
	wide_settle();
}

/* --- in: what stands around ESP. faults D12 --- */

static const struct {
	const char *name;
	uint8_t first;
	uint8_t ext[32];
	uint8_t n;
	bool passes;
} around[] = {
	{"hop-by-hop", HBH, {ESP, 0, 1, 4}, 8, true},
	{"destination options", DEST, {ESP, 1, 1, 12}, 16, true},
	{"both", HBH, {DEST, 0, 1, 4, 0, 0, 0, 0, ESP, 0, 1, 4}, 16, true},
	{"a used up routing header", ROUTING, {ESP, 0, 4, 0}, 8, true},
	{"an atomic fragment", FRAG, {ESP, 0, 0, 0}, 8, true}, /* RFC 6946 4 */
	{"a first fragment", FRAG, {ESP, 0, 0, 1}, 8, false},
	{"a later fragment", FRAG, {ESP, 0, 0, 8}, 8, false},
	{"a fragment behind options", DEST, {FRAG, 0, 1, 4, 0, 0, 0, 0, ESP, 0, 0, 1}, 16, false},
	{"two fragment headers", FRAG, {FRAG, 0, 0, 0, 0, 0, 0, 0, ESP, 0, 0, 0}, 16, false},
	{"routing type 0 that goes on", ROUTING, {ESP, 0, 0, 1}, 8, false},
	{"options longer than the packet", DEST, {ESP, 255, 1, 4}, 8, false},
};

static void esp_is_found_behind_options_and_never_in_fragments(void **state)
{
	struct rig_bytes outer;
	(void)state;

	pair_gcm(1, 6, false);
	for (unsigned i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		uint64_t before = rig_counters(1, MSG_DIR_IN).packets;

		sealed(&outer);
		wide_insert(&outer, around[i].first, around[i].ext, around[i].n);
		if (comes_in_as(&outer) != around[i].passes)
			fail_msg("%s", around[i].name);
		assert_int_equal(rig_counters(1, MSG_DIR_IN).packets, before + around[i].passes);
		sealed(&outer); /* and the next is not disturbed */
		assert_true(comes_in_as(&outer));
	}
	wide_settle();
}

static void esp_to_another_address_or_of_another_family_is_not_the_sas(void **state)
{
	struct rig_bytes outer, ip;
	struct rig_sa v4;
	(void)state;

	pair_gcm(2, 4, false);
	v4 = in;
	pair_gcm(1, 6, false);
	sealed(&outer);
	outer.b[39] ^= 1;
	assert_false(comes_in_as(&outer));
	/* the SA of IPv4, in an IPv6 packet whose octets look like its addresses, and the other way round */
	wide_inner(&ip, false, MSG_DIR_IN, 0, 100);
	v4.add.family = 6;
	memset(v4.add.remote, 0, 16);
	memcpy(v4.add.remote + 8, wide_us[0], 4); /* where IPv4 has its destination */
	memcpy(v4.add.local, wide_us[1], 16);
	wide_seal(&outer, &v4, &ip, IPIP, 0);
	assert_false(comes_in_as(&outer));
	in.add.family = 4;
	memset(in.add.local, 0, 16);
	memcpy(in.add.remote, wide_peer[0], 16);
	wide_seal(&outer, &in, &ip, IPIP, 0);
	assert_false(comes_in_as(&outer));
	rig_dropped_none(); /* they went on to be told as unknown */
	wide_settle();
}

/* --- in: inner packets that lie --- */

static void plen(struct rig_bytes *ip, unsigned v)
{
	ip->b[4] = (uint8_t)(v >> 8);
	ip->b[5] = (uint8_t)v;
}

static void ipv4_inside(struct rig_bytes *ip)
{
	ip->b[0] = 0x45;
}

static void length_beyond(struct rig_bytes *ip)
{
	plen(ip, 61);
}

static void length_far_beyond(struct rig_bytes *ip)
{
	plen(ip, 65535);
}

static void cut_in_the_header(struct rig_bytes *ip)
{
	ip->len = 38;
}

static void source_multicast(struct rig_bytes *ip)
{
	ip->b[8] = 0xff;
}

static void source_loopback(struct rig_bytes *ip)
{
	memset(ip->b + 8, 0, 15);
	ip->b[23] = 1;
}

static void source_unspecified(struct rig_bytes *ip)
{
	memset(ip->b + 8, 0, 16);
}

static void to_a_group(struct rig_bytes *ip)
{
	ip->b[24] = 0xff;
}

static void options_beyond(struct rig_bytes *ip)
{
	ip->b[6] = DEST;
	ip->b[41] = 255;
}

static void jumbogram(struct rig_bytes *ip)
{
	wide_insert(ip, HBH, (uint8_t[]){UDP, 0, 0xc2, 4, 0, 1, 0, 0}, 8);
	plen(ip, 0);
}

static void hop_by_hop_late(struct rig_bytes *ip)
{
	wide_insert(ip, DEST, (uint8_t[16]){HBH, 0, 1, 4, [8] = UDP, [10] = 1, [11] = 4}, 16);
}

static void routing_0(struct rig_bytes *ip)
{
	wide_insert(ip, ROUTING, (uint8_t[8]){UDP, 0, 0, 1}, 8);
}

static void (*const lies[])(struct rig_bytes *) = {
	ipv4_inside,        length_beyond, length_far_beyond, cut_in_the_header, source_multicast, source_loopback,
	source_unspecified, to_a_group,    options_beyond,    jumbogram,         hop_by_hop_late,  routing_0,
};

static void inner_ipv6_that_lies_is_refused(void **state)
{
	(void)state;
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		pair_gcm(family, family, false);
		for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			uint64_t before = rig->count.drop[DROP_INNER_BAD];
			struct rig_bytes ip, outer;

			wide_inner(&ip, true, MSG_DIR_IN, 0, 100);
			lies[i](&ip);
			wide_seal(&outer, &in, &ip, IPV6, 0);
			if (comes_in_as(&outer))
				fail_msg("lie %u", i);
			assert_int_equal(rig->count.drop[DROP_INNER_BAD], before + 1);
			comes_in(true, 0, 100);
		}
	}
	wide_settle();
}

/* D10: text behind the packet is TFC padding and goes, also much of it. RFC 4303 2.7 */
static void tfc_padding_of_ipv6_is_cut_off(void **state)
{
	struct rig_bytes ip, outer, got;
	(void)state;

	pair_gcm(1, 6, false);
	for (uint16_t more = 0; more < 1300; more = (uint16_t)(more + 13)) {
		wide_inner(&ip, true, MSG_DIR_IN, 0, 60);
		memset(ip.b + 60, 0x55, more);
		ip.len = (uint16_t)(60 + more);
		wide_seal(&outer, &in, &ip, IPV6, 0);
		assert_true(wide_in(&outer, &got, NULL));
		assert_int_equal(got.len, 60);
		assert_memory_equal(got.b, ip.b, 60);
	}
	wide_settle();
}

/* D12: fragments inside travel as they are; ESP in it is a packet like any other. */
static void inner_fragments_and_nested_esp_are_packets(void **state)
{
	static const uint8_t frag[3][8] = {{UDP, 0, 0, 1}, {UDP, 0, 0, 9}, {UDP, 0, 0, 8}};
	struct rig_bytes ip, outer, got;
	uint8_t flags;
	(void)state;

	pair_gcm(1, 6, false);
	for (unsigned i = 0; i < 3; i++) {
		wide_inner(&ip, true, MSG_DIR_IN, 0, 100);
		wide_insert(&ip, FRAG, frag[i], 8);
		wide_seal(&outer, &in, &ip, IPV6, 0);
		assert_true(wide_in(&outer, &got, NULL));
		assert_memory_equal(got.b, ip.b, ip.len);
	}
	/* an ESP packet for the very same SA in it: it is clear now, and no second time taken for ESP here */
	sealed(&ip);
	wide_seal(&outer, &in, &ip, IPV6, 0);
	assert_true(wide_in(&outer, &got, &flags));
	assert_memory_equal(got.b, ip.b, ip.len);
	assert_int_equal(flags, PKT_DECAPPED | PKT_V6);
	wide_settle();
}

/* D3: a bad packet at each place of a burst, of both families alternately. */
static void a_bad_packet_anywhere_disturbs_no_other(void **state)
{
	static struct rig_bytes ip[32], outer[32], got[32];
	uint8_t flags;
	(void)state;

	for (unsigned fault = 0; fault < 4; fault++) {
		rig_clear(NULL);
		rig_reset(NULL);
		pair_gcm(1, 6, fault & 1);
		for (unsigned bad = 0; bad < 32; bad++) {
			unsigned k = 0;

			for (unsigned i = 0; i < 32; i++) {
				wide_inner(&ip[i], i & 1, MSG_DIR_IN, 0, (uint16_t)(80 + i));
				if (i == bad && fault == 1)
					ip[i].b[0] = 0x75;
				if (i == bad && fault == 2)
					ip[i].b[i & 1 ? 8 : 12] = 0xff;
				wide_seal(&outer[i], &in, &ip[i],
					  i == bad && fault == 3 ? ESP
					  : i & 1                ? IPV6
								 : IPIP,
					  0);
				if (i == bad && fault == 0)
					outer[i].b[outer[i].len - 20] ^= 1;
			}
			assert_int_equal(wide_in_burst(outer, 32, got, &flags), 31);
			for (unsigned i = 0; i < 32; i++) {
				if (i == bad)
					continue;
				assert_int_equal(got[k].len, ip[i].len);
				assert_memory_equal(got[k++].b, ip[i].b, ip[i].len);
			}
		}
	}
	wide_settle();
}

/* --- selectors --- */

static void range6(struct msg_ts *t, const uint8_t *addr)
{
	memcpy(t->lo, addr, 16);
	memcpy(t->hi, addr, 16);
}

static void ipv6_selectors_hold_both_ways(void **state)
{
	struct msg_tunnel_set t = wide_tunnel(1, 4);
	struct rig_bytes ip, outer, got;
	(void)state;

	wide_tunnel_set(&t);
	for (unsigned dir = 0; dir < 2; dir++) {
		struct rig_sa *sa = dir == MSG_DIR_IN ? &in : &out;

		*sa = wide_sa(1, dir, 1, 4);
		sa->add.n_ts = 1; /* UDP from 1000..1009 to 2000, one host each; nothing of IPv4 */
		memset(&sa->add.ts[1], 0, sizeof(sa->add.ts[1]));
		sa->add.ts[0] = wide_any(6);
		range6(&sa->add.ts[0].local, wide_here[1]);
		range6(&sa->add.ts[0].remote, wide_there[1]);
		sa->add.ts[0].proto = UDP;
		assert_int_equal(rig_sa_add(sa, dir), 0);
	}
	goes_out(1, true, 0, 100, &outer);
	comes_in(true, 0, 100);
	/* another host, another protocol, another family; each way */
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned dir = 0; dir < 2; dir++) {
			uint64_t before = rig->count.drop[DROP_TS_MISMATCH];

			wide_inner(&ip, i != 3, dir, 0, 100);
			if (i == 0)
				ip.b[23] ^= 1;
			else if (i == 1)
				ip.b[39] ^= 1;
			else if (i == 2)
				ip.b[6] = TCP;
			if (dir == MSG_DIR_OUT) {
				assert_int_equal(wide_out(&ip, 1, 0, &outer), 0);
			} else {
				wide_seal(&outer, &in, &ip, i == 3 ? IPIP : IPV6, 0);
				assert_false(wide_in(&outer, &got, NULL));
			}
			assert_int_equal(rig->count.drop[DROP_TS_MISMATCH], before + 1);
			assert_int_equal(rig_counters(1, dir).drop[MSG_SA_DROP_TS], i + 1);
		}
	}
	/* behind options it is UDP all the same */
	wide_inner(&ip, true, MSG_DIR_OUT, 0, 100);
	wide_insert(&ip, DEST, (uint8_t[8]){UDP, 0, 1, 4}, 8);
	assert_int_equal(wide_out(&ip, 1, 0, &outer), 1);
	wide_settle();
}

/* "Any" of one family says nothing of the other. */
static void any_is_of_one_family(void **state)
{
	struct rig_bytes ip, outer, got;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct msg_tunnel_set t = wide_tunnel(1, 4);

		rig_clear(NULL);
		rig_reset(NULL);
		wide_tunnel_set(&t);
		for (unsigned dir = 0; dir < 2; dir++) {
			struct rig_sa *sa = dir == MSG_DIR_IN ? &in : &out;

			*sa = wide_sa(1, dir, 1, 4);
			sa->add.n_ts = 1;
			sa->add.ts[0] = wide_any(v6 ? 6 : 4);
			memset(&sa->add.ts[1], 0, sizeof(sa->add.ts[1]));
			assert_int_equal(rig_sa_add(sa, dir), 0);
		}
		goes_out(1, v6, 0, 100, &outer);
		comes_in(v6, 0, 100);
		wide_inner(&ip, !v6, MSG_DIR_OUT, 0, 100);
		assert_int_equal(wide_out(&ip, 1, 0, &outer), 0);
		wide_inner(&ip, !v6, MSG_DIR_IN, 0, 100);
		wide_seal(&outer, &in, &ip, v6 ? IPIP : IPV6, 0);
		assert_false(wide_in(&outer, &got, NULL));
		rig_dropped(DROP_TS_MISMATCH, 2);
	}
	wide_settle();
}

/* Of several pairs of both families, some with ports: the hot line must not decide for those that it does not know. */
static void eight_pairs_of_both_families_are_all_asked(void **state)
{
	struct msg_tunnel_set t = wide_tunnel(1, 6);
	struct rig_bytes ip, outer;
	(void)state;

	wide_tunnel_set(&t);
	out = wide_sa(1, MSG_DIR_OUT, 1, 6);
	out.add.n_ts = 8;
	for (unsigned i = 0; i < 8; i++) {
		out.add.ts[i] = wide_any(i & 1 ? 6 : 4);
		out.add.ts[i].proto = UDP;
		out.add.ts[i].remote.port_lo = out.add.ts[i].remote.port_hi = (uint16_t)(2000 + i);
	}
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (uint16_t port = 1998; port < 2010; port++) {
			bool want = port >= 2000 && port < 2008 && ((port & 1) == v6);

			wide_inner(&ip, v6, MSG_DIR_OUT, 0, 100);
			ip.b[(v6 ? IP6_HDR : WIDE_IP4) + 2] = (uint8_t)(port >> 8);
			ip.b[(v6 ? IP6_HDR : WIDE_IP4) + 3] = (uint8_t)port;
			assert_int_equal(wide_out(&ip, 1, 0, &outer), want);
		}
	}
	wide_settle();
}

/* --- sizes --- */

/* The largest inner packet makes the largest outer one that fits the port; one octet more is too big. */
static void the_mtu_counts_the_ipv6_header(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	for (unsigned encap = 0; encap < 2; encap++) {
		uint16_t mtu;

		pair_gcm(encap + 1, 6, encap);
		mtu = rig->sad->out[encap + 1].mtu;
		wide_inner(&ip, true, MSG_DIR_OUT, 0, mtu);
		assert_int_equal(wide_out(&ip, encap + 1, 0, &outer), 1);
		assert_true(outer.len <= RIG_MTU && outer.len > RIG_MTU - 4);
	}
	wide_settle();
}

static void what_has_no_room_in_its_buffer_is_dropped_by_name(void **state)
{
	struct msg_tunnel_set t = wide_tunnel(1, 6);
	struct rig_bytes ip, outer;
	uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE - RTE_PKTMBUF_HEADROOM;
	unsigned sent = 0;
	(void)state;

	rig->port[RIG_WAN].mtu = 9000;
	wide_tunnel_set(&t);
	wide_pair(1, 1, 6, &in, &out);
	for (uint16_t len = (uint16_t)(room - 60); len <= room && len <= RIG_FRAME_MAX; len++) {
		wide_inner(&ip, true, MSG_DIR_OUT, 0, len);
		sent += wide_out(&ip, 1, 0, &outer);
	}
	assert_true(sent > 0);
	assert_int_equal(rig->count.drop[DROP_NO_HEADROOM] + sent,
			 61u - (room > RIG_FRAME_MAX ? room - RIG_FRAME_MAX : 0));
	assert_true(rig->count.drop[DROP_NO_HEADROOM] > 0);
	wide_settle();
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_mixes_pass_in_every_suite_both_families_in_one_sa),
		T(the_outer_ipv6_header_is_ours),
		T(the_flow_label_is_the_sas),
		T(udp_over_ipv6_has_a_checksum),
		T(kinds_do_not_mix_in_a_burst),
		T(df_of_ipv6_in_ipv4_is_set_unless_cleared),
		T(dscp_is_copied_or_fixed_and_ecn_copied),
		T(ecn_comes_out_as_figure_4_in_all_mixes),
		T(a_peer_that_moves_is_followed_when_its_address_is_sound),
		T(a_wrong_checksum_of_a_known_peer_is_the_icvs_business),
		T(an_sa_moves_within_its_family),
		T(esp_is_found_behind_options_and_never_in_fragments),
		T(esp_to_another_address_or_of_another_family_is_not_the_sas),
		T(inner_ipv6_that_lies_is_refused),
		T(tfc_padding_of_ipv6_is_cut_off),
		T(inner_fragments_and_nested_esp_are_packets),
		T(a_bad_packet_anywhere_disturbs_no_other),
		T(ipv6_selectors_hold_both_ways),
		T(any_is_of_one_family),
		T(eight_pairs_of_both_families_are_all_asked),
		T(the_mtu_counts_the_ipv6_header),
		T(what_has_no_room_in_its_buffer_is_dropped_by_name),
	};

	return cmocka_run_group_tests_name("esp6", tests, rig_start, rig_stop);
}
