/* Transport mode: which of our own packets it protects, what they look like, what it refuses. RFC 4301 4.1, 5; RFC 4303 3.1.1; RFC 3948 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataplane/drop.h"
#include "dataplane/pkt.h"
#include "dataplane/reasm.h"
#include "dataplane/transport.h"
#include "tests/stage/wide.h"

enum {
	HBH = 0,
	ICMP = 1,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAG = 44,
	GRE = 47,
	ESP = 50,
	ICMP6 = 58,
	NONE = 59,
	DEST = 60
};

static struct rig_sa in, out;

/* Tunnel 1 (IPv4) or 2 (IPv6): all protocols between us and the peer, but only remote port 7000 of UDP. */
static struct msg_tunnel_set tunnel(uint8_t family)
{
	struct msg_tunnel_set t = wide_tunnel(family == 6 ? 2 : 1, family);

	t.mode = MSG_MODE_TRANSPORT;
	t.n_ts = 1;
	t.ts[0] = wide_any(family);
	memset(&t.ts[1], 0, sizeof(t.ts[1]));
	return t;
}

static struct rig_sa half(uint8_t family, uint32_t dir, bool encap)
{
	struct rig_sa sa = wide_sa(family == 6 ? 2 : 1, dir, family == 6 ? 2 : 1, family);

	sa.encap = encap;
	sa.add.flags = (uint8_t)(MSG_SA_TRANSPORT | (encap ? MSG_SA_ENCAP_UDP : 0));
	sa.add.local_port = encap ? 4500 : 0;
	sa.add.remote_port = encap ? 32109 : 0;
	sa.add.n_ts = 1;
	sa.add.ts[0] = wide_any(family);
	memset(&sa.add.ts[1], 0, sizeof(sa.add.ts[1]));
	return sa;
}

static void up(uint8_t family, bool encap)
{
	struct msg_tunnel_set t = tunnel(family);

	wide_tunnel_set(&t);
	in = half(family, MSG_DIR_IN, encap);
	out = half(family, MSG_DIR_OUT, encap);
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
}

static void fresh(uint8_t family, bool encap)
{
	rig_clear(NULL);
	rig_reset(NULL);
	up(family, encap);
}

/* Between us and the peer. */
static void packet(struct rig_bytes *ip, bool v6, uint32_t dir, uint16_t len)
{
	const uint8_t *us = wide_us[v6], *peer = wide_peer[v6];

	wide_udp(ip, v6, dir == MSG_DIR_OUT ? us : peer, dir == MSG_DIR_OUT ? peer : us, 0xb9, len);
}

static void proto_set(struct rig_bytes *ip, uint8_t proto)
{
	bool v6 = ip->b[0] >> 4 == 6;

	ip->b[v6 ? 6 : 9] = proto;
	if (!v6)
		rig_cksum(ip);
}

/* IPv4: options of n octets. */
static void options(struct rig_bytes *ip, uint8_t n)
{
	memmove(ip->b + 20 + n, ip->b + 20, ip->len - 20u);
	memset(ip->b + 20, 1, n); /* no operation */
	ip->b[0] = (uint8_t)(0x45 + n / 4);
	ip->len = (uint16_t)(ip->len + n);
	rig_ip(ip)->total_length = rte_cpu_to_be_16(ip->len);
	rig_ip(ip)->hdr_checksum = 0;
	rig_ip(ip)->hdr_checksum = (uint16_t)~rte_raw_cksum(ip->b, 20u + n);
}

/* --- out: the packet's form --- */

/* Its header is the packet's own but for length, protocol and checksum; behind ESP is what stood behind it. */
static void form_is_right(const struct rig_bytes *ip, uint16_t head, uint16_t next_at)
{
	struct rig_bytes outer, text, want = *ip;
	uint8_t next;

	assert_int_equal(wide_out(ip, out.add.tunnel.slot, PKT_TUN, &outer), 1);
	wide_open(&text, &next, &out, &outer, head);
	assert_int_equal(next, ip->b[next_at]);
	assert_int_equal(text.len, ip->len - head);
	assert_memory_equal(text.b, ip->b + head, text.len);
	want.b[next_at] = out.encap ? UDP : ESP;
	if (ip->b[0] >> 4 == 6) {
		want.b[4] = (uint8_t)((outer.len - 40) >> 8);
		want.b[5] = (uint8_t)(outer.len - 40);
	} else {
		rig_ip(&want)->total_length = rte_cpu_to_be_16(outer.len);
		rig_ip(&want)->hdr_checksum = 0;
		rig_ip(&want)->hdr_checksum = (uint16_t)~rte_raw_cksum(want.b, head);
	}
	assert_memory_equal(outer.b, want.b, head);
	if (out.encap)
		assert_memory_equal(outer.b + head, ((uint8_t[]){4500 >> 8, 4500 & 255, 32109 >> 8, 32109 & 255}), 4);
}

static void the_header_stays_in_front(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned kind = 0; kind < 4; kind++) {
		bool v6 = kind & 1;

		fresh(v6 ? 6 : 4, kind & 2);
		for (uint16_t len = 48; len < 1400; len = (uint16_t)(len < 80 ? len + 1 : len + 61)) {
			packet(&ip, v6, MSG_DIR_OUT, len);
			form_is_right(&ip, v6 ? 40 : 20, v6 ? 6 : 9);
		}
		for (unsigned proto = 0; proto < 256; proto++) {
			packet(&ip, v6, MSG_DIR_OUT, 100);
			if (v6 && (proto == HBH || proto == ROUTING || proto == FRAG || proto == DEST))
				continue;
			proto_set(&ip, (uint8_t)proto);
			form_is_right(&ip, v6 ? 40 : 20, v6 ? 6 : 9);
		}
		rig_dropped_none();
	}
	wide_settle();
}

static void ipv4_options_stay_in_front(void **state)
{
	struct rig_bytes ip;
	(void)state;

	up(4, false);
	for (uint8_t n = 4; n <= 40; n = (uint8_t)(n + 4)) {
		packet(&ip, false, MSG_DIR_OUT, 100);
		options(&ip, n);
		form_is_right(&ip, (uint16_t)(20 + n), 9);
	}
	wide_settle();
}

/* RFC 4303 3.1.1: ESP is behind hop-by-hop and routing headers, in front of the far end's options. */
static const struct {
	uint8_t first;
	uint8_t ext[32];
	uint8_t n;
	uint16_t head, next_at;
} ipv6_heads[] = {
	{HBH, {UDP, 0, 1, 4}, 8, 48, 40},
	{DEST, {UDP, 0, 1, 4}, 8, 40, 6},
	{HBH, {DEST, 0, 1, 4, 0, 0, 0, 0, UDP, 0, 1, 4}, 16, 48, 40},
	{ROUTING, {UDP, 0, 4, 0}, 8, 48, 40},
	{DEST, {ROUTING, 0, 1, 4, 0, 0, 0, 0, UDP, 0, 4, 0}, 16, 56, 48},
	{HBH, {ROUTING, 0, 1, 4, 0, 0, 0, 0, DEST, 0, 4, 0, 0, 0, 0, 0, UDP, 0, 1, 4}, 24, 56, 48},
};

static void ipv6_headers_for_the_way_stay_in_front(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned encap = 0; encap < 2; encap++) {
		fresh(6, encap);
		for (unsigned i = 0; i < sizeof(ipv6_heads) / sizeof(ipv6_heads[0]); i++) {
			packet(&ip, true, MSG_DIR_OUT, 100);
			wide_insert(&ip, ipv6_heads[i].first, ipv6_heads[i].ext, ipv6_heads[i].n);
			form_is_right(&ip, ipv6_heads[i].head, ipv6_heads[i].next_at);
		}
	}
	wide_settle();
}

/* --- out: which packets --- */

static const struct {
	const char *name;
	uint8_t flags;
	bool v6;
	uint8_t proto;
	uint16_t port;       /* of the peer */
	uint8_t turn_source; /* xor of the last octet of an address */
	uint8_t turn_far;
	bool taken;
} ours[] = {
	{"a datagram of the kernel", PKT_TUN, false, UDP, 7000, 0, 0, true},
	{"over IPv6", PKT_TUN, true, UDP, 7000, 0, 0, true},
	{"a port that is not named", PKT_TUN, false, UDP, 7001, 0, 0, false},
	{"over IPv6 neither", PKT_TUN, true, UDP, 7001, 0, 0, false},
	{"TCP", PKT_TUN, false, TCP, 1, 0, 0, true},
	{"an echo reply of ours", PKT_OWN, false, ICMP, 0, 0, 0, true},
	{"and over IPv6", PKT_OWN, true, ICMP6, 0, 0, 0, true},
	{"GRE", PKT_TUN, true, GRE, 0, 0, 0, true},
	{"from another address of ours", PKT_TUN, false, TCP, 1, 2, 0, false},
	{"to another host", PKT_TUN, false, TCP, 1, 0, 2, false},
	{"to another host over IPv6", PKT_TUN, true, TCP, 1, 0, 2, false},
	{"forwarded, not ours", 0, false, TCP, 1, 0, 0, false},
	{"out of a tunnel", PKT_DECAPPED, true, TCP, 1, 0, 0, false},
	{"IKE", PKT_OWN, false, UDP, 7000, 0, 0, false},
	{"IKE over IPv6", PKT_OWN, true, UDP, 7000, 0, 0, false},
};

static void selective(uint8_t family)
{
	struct msg_tunnel_set t = tunnel(family);

	t.n_ts = 4;
	for (unsigned i = 0; i < 4; i++) {
		t.ts[i] = wide_any(family);
		t.ts[i].proto = ((uint8_t[]){UDP, TCP, GRE, family == 6 ? ICMP6 : ICMP})[i];
	}
	t.ts[0].remote.port_lo = t.ts[0].remote.port_hi = 7000;
	wide_tunnel_set(&t);
}

static struct rte_mbuf *own_mbuf(const struct rig_bytes *ip, uint8_t flags)
{
	struct rte_mbuf *m = rig_mbuf(ip);

	m->port = 0;
	*pkt_of(m) = (struct pkt){.flags = (uint8_t)(flags | (ip->b[0] >> 4 == 6 ? PKT_V6 : 0))};
	return m;
}

/* Does it go to a tunnel? */
static bool taken(const struct rig_bytes *ip, uint8_t flags)
{
	struct rte_mbuf *m = own_mbuf(ip, flags);
	uint16_t left = transport_out(rig, &m, 1);
	bool is = rig->enc.n == 1 || rig->dead.n == 1;

	assert_int_equal(left + is, 1);
	if (rig->enc.n == 1)
		assert_int_equal(pkt_of(rig->enc.m[0])->next, ip->b[0] >> 4 == 6 ? 2 : 1);
	rte_pktmbuf_free_bulk(rig->enc.m, rig->enc.n);
	rig->enc.n = 0;
	drop_flush(rig);
	if (left == 1)
		rte_pktmbuf_free(m);
	return is;
}

static void port_set(struct rig_bytes *ip, unsigned which, uint16_t port)
{
	uint16_t at = (uint16_t)((ip->b[0] >> 4 == 6 ? 40 : 20) + 2 * which);

	ip->b[at] = (uint8_t)(port >> 8);
	ip->b[at + 1] = (uint8_t)port;
}

static void only_what_is_named_is_protected(void **state)
{
	struct rig_bytes ip;
	(void)state;

	assert_false(transport_any(&rig->sad->transport));
	selective(4);
	selective(6);
	assert_true(transport_any(&rig->sad->transport));
	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		packet(&ip, ours[i].v6, MSG_DIR_OUT, 100);
		ip.b[ours[i].v6 ? 23 : 15] ^= ours[i].turn_source;
		ip.b[ours[i].v6 ? 39 : 19] ^= ours[i].turn_far;
		proto_set(&ip, ours[i].proto);
		port_set(&ip, 1, ours[i].port);
		if (taken(&ip, ours[i].flags) != ours[i].taken)
			fail_msg("%s", ours[i].name);
	}
	wide_settle();
}

static void neighbour_discovery_is_never_protected(void **state)
{
	struct rig_bytes ip;
	(void)state;

	selective(6);
	for (unsigned type = 0; type < 256; type++) {
		packet(&ip, true, MSG_DIR_OUT, 100);
		proto_set(&ip, ICMP6);
		ip.b[40] = (uint8_t)type;
		assert_int_equal(taken(&ip, PKT_TUN), type < 133 || type > 137);
	}
	wide_settle();
}

/* A later fragment has no ports: it may be of what is named, and does not leave in clear. RFC 4301 7.4 */
static void fragments_do_not_slip_by(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	selective(4);
	selective(6);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		packet(&ip, v6, MSG_DIR_OUT, 100);
		port_set(&ip, 1, 7001); /* whatever stands there */
		if (v6) {
			wide_insert(&ip, FRAG, (uint8_t[8]){UDP, 0, 0, 9}, 8);
		} else {
			rig_ip(&ip)->fragment_offset = RTE_BE16(0x2010);
			rig_cksum(&ip);
		}
		assert_true(taken(&ip, PKT_TUN));
	}
	/* and no SA takes it. 4.1 */
	fresh(6, false);
	assert_int_equal(wide_out(&ip, 2, PKT_TUN, &outer), 0);
	rig_dropped(DROP_FRAGMENT, 1);
	wide_settle();
}

static void without_an_sa_nothing_leaves(void **state)
{
	struct msg_sa_event gone;
	struct rig_bytes ip, outer;
	struct msg_no_sa e;
	union msg none;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		fresh(v6 ? 6 : 4, false);
		assert_int_equal(sad_del(rig, out.add.sa, MSG_DIR_OUT, &gone), 0);
		packet(&ip, v6, MSG_DIR_OUT, 100);
		assert_true(taken(&ip, PKT_TUN));
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(wide_out(&ip, out.add.tunnel.slot, PKT_TUN, &outer), 0);
		rig_event_is(MSG_NO_SA, &e, sizeof(e));
		assert_int_equal(e.family, v6 ? 6 : 4);
		assert_memory_equal(e.dst, wide_peer[v6], 16);
		assert_int_equal(e.proto, UDP);
		assert_int_equal(e.dst_port, 2000);
		assert_false(rig_event(&none));
		rig_dropped(DROP_NO_SA, 3);
	}
	wide_settle();
}

/* While ctl changes a tunnel nobody knows what holds: nothing leaves in clear. */
static void a_change_under_our_hands_is_waited_out_in_silence(void **state)
{
	struct rig_bytes ip;
	(void)state;

	selective(4);
	packet(&ip, false, MSG_DIR_OUT, 100);
	port_set(&ip, 1, 7001);
	assert_false(taken(&ip, PKT_TUN));
	transport_begin(&rig->sad->transport);
	assert_true(taken(&ip, PKT_TUN));
	rig_dropped(DROP_NO_SA, 1);
	transport_end(&rig->sad->transport);
	assert_false(taken(&ip, PKT_TUN));
	wide_settle();
}

static void tunnels_come_go_and_change_their_mode(void **state)
{
	struct msg_tunnel_set t = tunnel(4);
	struct rig_bytes ip;
	(void)state;

	packet(&ip, false, MSG_DIR_OUT, 100);
	for (unsigned i = 0; i < 3; i++) {
		wide_tunnel_set(&t);
		wide_tunnel_set(&t); /* again: still one */
		assert_true(taken(&ip, PKT_TUN));
		t.mode = MSG_MODE_TUNNEL;
		wide_tunnel_set(&t);
		assert_false(taken(&ip, PKT_TUN));
		assert_false(transport_any(&rig->sad->transport));
		t.mode = MSG_MODE_TRANSPORT;
		memset(t.remote, 0, 16); /* not known yet */
		wide_tunnel_set(&t);
		assert_false(taken(&ip, PKT_TUN));
		t = tunnel(4);
		wide_tunnel_set(&t);
		assert_true(taken(&ip, PKT_TUN));
		assert_int_equal(sad_tunnel_del(rig->sad, t.tunnel), 0);
		assert_false(transport_any(&rig->sad->transport));
	}
	wide_settle();
}

static void an_sa_is_of_its_tunnels_mode(void **state)
{
	struct msg_tunnel_set t = tunnel(4);
	struct rig_sa sa;
	(void)state;

	wide_tunnel_set(&t);
	sa = half(4, MSG_DIR_OUT, false);
	sa.add.flags = 0; /* the peer declined: RFC 7296 1.3.1 */
	assert_int_equal(rig_sa_add(&sa, MSG_DIR_OUT), -EINVAL);
	sa = half(4, MSG_DIR_OUT, false);
	sa.add.ts[0] = wide_any(6);
	assert_int_equal(rig_sa_add(&sa, MSG_DIR_OUT), -EINVAL);
	wide_settle();
}

/* What a route sends into such a tunnel by mistake is not ours to wrap. */
static void an_sa_takes_only_our_own_between_its_addresses(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	up(4, false);
	packet(&ip, false, MSG_DIR_OUT, 100);
	assert_int_equal(wide_out(&ip, 1, 0, &outer), 0);
	assert_int_equal(wide_out(&ip, 1, PKT_DECAPPED, &outer), 0);
	ip.b[15] ^= 2;
	rig_cksum(&ip);
	assert_int_equal(wide_out(&ip, 1, PKT_TUN, &outer), 0);
	ip.b[15] ^= 2;
	ip.b[19] ^= 2;
	rig_cksum(&ip);
	assert_int_equal(wide_out(&ip, 1, PKT_TUN, &outer), 0);
	wide_inner(&ip, true, MSG_DIR_OUT, 0, 100);
	assert_int_equal(wide_out(&ip, 1, PKT_TUN, &outer), 0);
	rig_dropped(DROP_TS_MISMATCH, 5);
	wide_settle();
}

/* RFC 4301 4.1: fragments come behind ESP, so what may be cut goes through whole. */
static void large_packets_are_cut_behind_the_cipher_or_told_of(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	for (unsigned encap = 0; encap < 2; encap++) {
		uint16_t mtu;

		fresh(4, encap);
		mtu = rig->sad->out[1].mtu;
		packet(&ip, false, MSG_DIR_OUT, mtu);
		assert_int_equal(wide_out(&ip, 1, PKT_TUN, &outer), 1);
		assert_true(outer.len <= RIG_MTU && outer.len > RIG_MTU - 4);
		packet(&ip, false, MSG_DIR_OUT, (uint16_t)(mtu + 1));
		assert_int_equal(wide_out(&ip, 1, PKT_TUN, &outer), 0); /* DF */
		rig_dropped(DROP_TOO_BIG, 1);
		rig_ip(&ip)->fragment_offset = 0;
		rig_cksum(&ip);
		assert_int_equal(wide_out(&ip, 1, PKT_TUN, &outer), 1);
		assert_int_equal(rig_ip(&outer)->fragment_offset, 0);
	}
	wide_settle();
}

/* --- in --- */

/* Behind this header comes ESP with what ip has behind it. */
static void seal(struct rig_bytes *outer, const struct rig_bytes *ip, uint16_t head, uint16_t next_at)
{
	struct rig_bytes text = {.len = (uint16_t)(ip->len - head)};
	uint16_t bare = in.add.family == 6 ? 40 : 20;

	memcpy(text.b, ip->b + head, text.len);
	wide_seal(outer, &in, &text, ip->b[next_at], 0);
	memmove(outer->b + head, outer->b + bare, outer->len - bare);
	memcpy(outer->b, ip->b, head);
	outer->len = (uint16_t)(outer->len + head - bare);
	outer->b[next_at] = in.encap ? UDP : ESP;
	if (bare == 40) {
		outer->b[4] = (uint8_t)((outer->len - 40) >> 8);
		outer->b[5] = (uint8_t)(outer->len - 40);
	} else {
		rig_ip(outer)->total_length = rte_cpu_to_be_16(outer->len);
		rig_ip(outer)->hdr_checksum = 0;
		rig_ip(outer)->hdr_checksum = (uint16_t)~rte_raw_cksum(outer->b, head);
	}
}

static void arrives(const struct rig_bytes *ip, uint16_t head, uint16_t next_at)
{
	struct rig_bytes outer, got;
	uint8_t flags;

	seal(&outer, ip, head, next_at);
	assert_true(wide_in(&outer, &got, &flags));
	assert_int_equal(flags, PKT_DECAPPED | (ip->b[0] >> 4 == 6 ? PKT_V6 : 0));
	assert_int_equal(got.len, ip->len);
	assert_memory_equal(got.b, ip->b, ip->len);
}

static void the_packet_comes_back_as_it_was(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned kind = 0; kind < 4; kind++) {
		bool v6 = kind & 1;

		fresh(v6 ? 6 : 4, kind & 2);
		for (uint16_t len = 48; len < 1400; len = (uint16_t)(len < 80 ? len + 1 : len + 61)) {
			packet(&ip, v6, MSG_DIR_IN, len); /* TTL, DSCP and ECN as they came */
			arrives(&ip, v6 ? 40 : 20, v6 ? 6 : 9);
		}
		for (unsigned i = 0; v6 && i < sizeof(ipv6_heads) / sizeof(ipv6_heads[0]); i++) {
			packet(&ip, true, MSG_DIR_IN, 100);
			wide_insert(&ip, ipv6_heads[i].first, ipv6_heads[i].ext, ipv6_heads[i].n);
			arrives(&ip, ipv6_heads[i].head, ipv6_heads[i].next_at);
		}
		for (uint8_t n = 4; !v6 && n <= 40; n = (uint8_t)(n + 4)) {
			packet(&ip, false, MSG_DIR_IN, 100);
			options(&ip, n);
			arrives(&ip, (uint16_t)(20 + n), 9);
		}
		rig_dropped_none();
	}
	wide_settle();
}

/* The checksum of TCP or UDP: what the sum has to be with its field zero. */
static uint16_t l4_sum(const struct rig_bytes *ip)
{
	bool v6 = ip->b[0] >> 4 == 6;
	uint16_t head = v6 ? 40 : 20;
	uint32_t sum = (uint32_t)(ip->len - head) + ip->b[v6 ? 6 : 9];

	for (uint16_t i = v6 ? 8 : 12; i < head; i = (uint16_t)(i + 2))
		sum += (uint32_t)(ip->b[i] << 8 | ip->b[i + 1]);
	for (uint16_t i = head; i < ip->len; i = (uint16_t)(i + 2))
		sum += (uint32_t)(ip->b[i] << 8 | (i + 1 < ip->len ? ip->b[i + 1] : 0));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void l4_seal(struct rig_bytes *ip, uint16_t at)
{
	uint16_t sum;

	ip->b[at] = ip->b[at + 1] = 0;
	sum = l4_sum(ip);
	ip->b[at] = (uint8_t)(sum >> 8);
	ip->b[at + 1] = (uint8_t)sum;
}

/* RFC 3948 3.1.2: the peer counted its own address, the NAT wrote another. */
static void checksums_are_right_behind_a_nat(void **state)
{
	static const struct {
		uint8_t proto, at;
		bool v6;
	} row[] = {{TCP, 16, false}, {UDP, 6, false}, {TCP, 16, true}, {UDP, 6, true}, {ICMP6, 2, true}};
	(void)state;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint16_t head = row[i].v6 ? 40 : 20;

		fresh(row[i].v6 ? 6 : 4, true);
		for (uint16_t len = 100; len < 164; len++) {
			struct rig_bytes ip, outer, got, real;

			packet(&ip, row[i].v6, MSG_DIR_IN, len);
			proto_set(&ip, row[i].proto);
			real = ip;
			l4_seal(&ip, (uint16_t)(head + row[i].at)); /* as it has to arrive */
			real.b[row[i].v6 ? 23 : 15] ^= 0x55;
			l4_seal(&real, (uint16_t)(head + row[i].at)); /* as the peer made it */
			memcpy(real.b, ip.b, head);
			seal(&outer, &real, head, row[i].v6 ? 6 : 9);
			assert_true(wide_in(&outer, &got, NULL));
			assert_memory_equal(got.b, ip.b, ip.len);
		}
	}
	wide_settle();
}

/* No NAT, no UDP: the checksum is what the peer made it, right or wrong, for the kernel to judge. */
static void without_udp_the_checksum_is_the_peers(void **state)
{
	struct rig_bytes ip;
	(void)state;

	up(4, false);
	packet(&ip, false, MSG_DIR_IN, 100);
	proto_set(&ip, TCP);
	ip.b[36] = 0x12;
	arrives(&ip, 20, 9);
	wide_settle();
}

static void what_is_not_selected_is_refused(void **state)
{
	struct msg_tunnel_set t = tunnel(4);
	struct rig_bytes ip, outer, got;
	union msg none;
	(void)state;

	wide_tunnel_set(&t);
	in = half(4, MSG_DIR_IN, false);
	in.add.ts[0].proto = TCP;
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	packet(&ip, false, MSG_DIR_IN, 100);
	seal(&outer, &ip, 20, 9);
	assert_false(wide_in(&outer, &got, NULL));
	proto_set(&ip, NONE); /* a dummy goes without blame */
	seal(&outer, &ip, 20, 9);
	assert_false(wide_in(&outer, &got, NULL));
	assert_int_equal(rig->count.drop[DROP_DUMMY], 1);
	proto_set(&ip, TCP);
	ip.b[15] ^=
		2; /* from elsewhere: the selectors do not know that, but the SA does; and nobody is told to follow */
	rig_cksum(&ip);
	seal(&outer, &ip, 20, 9);
	assert_false(wide_in(&outer, &got, NULL));
	assert_int_equal(rig->count.drop[DROP_TS_MISMATCH], 2);
	assert_false(rig_event(&none));
	wide_settle();
}

static void only_the_port_of_a_peer_moves(void **state)
{
	struct msg_sa_move m = {.sa = {1, 1}, .dir = MSG_DIR_OUT, .family = 4, .remote_port = 777};
	struct rig_bytes ip, outer, got;
	struct msg_peer_moved e;
	(void)state;

	up(4, true);
	packet(&ip, false, MSG_DIR_IN, 100);
	ip.b[26] = ip.b[27] = 0;
	seal(&outer, &ip, 20, 9);
	outer.b[20] ^= 1;
	assert_true(wide_in(&outer, &got, NULL));
	rig_event_is(MSG_PEER_MOVED, &e, sizeof(e));
	assert_int_equal(e.remote_port, 32109 ^ 256);
	memcpy(m.remote, wide_peer[0], 16);
	assert_int_equal(sad_move(rig, &m), 0);
	m.remote[3] ^= 1;
	assert_int_equal(sad_move(rig, &m), -EINVAL);
	wide_settle();
}

/* --- in clear --- */

enum { WIRE = 0 };
static const struct {
	const char *name;
	uint8_t flags;
	bool v6;
	uint8_t proto;
	uint16_t sport, dport; /* ICMP: type and code in sport */
	uint8_t quoted;        /* ICMP: the protocol of what is quoted */
	uint16_t quoted_port;
	bool bare;
} clear[] = {
	{"from the named port", WIRE, false, UDP, 7000, 2000, 0, 0, true},
	{"IPv6", WIRE, true, UDP, 7000, 2000, 0, 0, true},
	{"from another", WIRE, false, UDP, 7001, 2000, 0, 0, false},
	{"TCP", WIRE, false, TCP, 1, 2, 0, 0, true},
	{"out of its SA", PKT_DECAPPED, false, TCP, 1, 2, 0, 0, false},
	{"an error about the kernel's packet", PKT_OWN, false, ICMP, 0x0301, 0, TCP, 0, false},
	{"IKE", WIRE, false, UDP, 7000, 500, 0, 0, false},
	{"IKE behind a NAT", WIRE, true, UDP, 7000, 4500, 0, 0, false},
	{"ESP", WIRE, true, ESP, 7000, 4500, 0, 0, false},
	{"an echo request", WIRE, false, ICMP, 0x0800, 0, 0, 0, true},
	{"unreachable, about our ESP", WIRE, false, ICMP, 0x0302, 0, ESP, 0, false},
	{"too big, about our ESP", WIRE, true, ICMP6, 0x0200, 0, ESP, 0, false},
	{"unreachable, about our IKE", WIRE, false, ICMP, 0x0303, 0, UDP, 500, false},
	{"unreachable, about TCP that was never in clear", WIRE, false, ICMP, 0x0302, 0, TCP, 500, true},
	{"unreachable, about another datagram", WIRE, true, ICMP6, 0x0104, 0, UDP, 53, true},
	{"an echo that looks like an error", WIRE, true, ICMP6, 0x8000, 0, ESP, 0, true},
	{"neighbour discovery", WIRE, true, ICMP6, 0x8800, 0, 0, 0, false},
};

static void clear_packets_that_should_be_protected_are_known(void **state)
{
	(void)state;
	selective(4);
	selective(6);
	for (unsigned i = 0; i < sizeof(clear) / sizeof(clear[0]); i++) {
		struct rig_bytes ip, quote;
		uint16_t head = clear[i].v6 ? 40 : 20;
		struct rte_mbuf *m;
		bool bare;

		packet(&ip, clear[i].v6, MSG_DIR_IN, 150);
		proto_set(&ip, clear[i].proto);
		port_set(&ip, 0, clear[i].sport);
		port_set(&ip, 1, clear[i].dport);
		if (clear[i].quoted != 0) {
			packet(&quote, clear[i].v6, MSG_DIR_OUT, 80);
			proto_set(&quote, clear[i].quoted);
			port_set(&quote, 0, clear[i].quoted_port);
			memcpy(ip.b + head + 8, quote.b, quote.len);
		}
		m = own_mbuf(&ip, clear[i].flags);
		bare = transport_bare(rig, m);
		rte_pktmbuf_free(m);
		if (bare != clear[i].bare)
			fail_msg("%s", clear[i].name);
	}
	wide_settle();
}

/* The first or the last 40 octets of what is behind the header. */
static void piece(struct rig_bytes *f, const struct rig_bytes *ip, bool last)
{
	struct rig_bytes half = *ip;

	half.len = 60;
	memcpy(half.b + 20, ip->b + 20 + (last ? 40 : 0), 40);
	rig_ip(&half)->total_length = RTE_BE16(60);
	rig_ip(&half)->fragment_offset = last ? RTE_BE16(40 / 8) : RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	rig_cksum(&half);
	rig_frame(f, RIG_WAN, &half);
}

/* IKE may come in fragments of IP: what is bypassed is known when it is whole. What should be protected is then refused, too. */
static void fragments_are_judged_when_they_are_whole(void **state)
{
	/* nobody is attached here, so IKE that is good ends as punt-full */
	static const enum stats_drop why[] = {DROP_PUNT_FULL, DROP_CLEAR_TO_PROTECTED};
	struct rig_bytes ip, f;
	(void)state;

	up(4, false);
	rig->n_workers = 1;
	rig->reasm = reasm_new(0, SOCKET_ID_ANY);
	assert_non_null(rig->reasm);
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		packet(&ip, false, MSG_DIR_IN, 100);
		proto_set(&ip, tcp ? TCP : UDP);
		port_set(&ip, 1, 500);
		ip.b[26] = ip.b[27] = 0;  /* no checksum */
		ip.b[20 + 8 + 17] = 0x20; /* version */
		for (unsigned i = 0; i < 2; i++) {
			piece(&f, &ip, i == 1);
			rig_rx(RIG_WAN, &f);
		}
		rig_run();
		rig_dropped(why[tcp], 1);
		memset(&rig->count, 0, sizeof(rig->count));
	}
	reasm_free(rig->reasm);
	rig->reasm = NULL;
	rig->n_workers = 2;
	wide_settle();
}

/* --- the whole way --- */

static void echo(struct rig_bytes *ip, uint32_t dir)
{
	packet(ip, false, dir, 100);
	proto_set(ip, ICMP);
	memset(ip->b + 20, 0, 8);
	ip->b[20] = 8;
	rig_ip(ip)->fragment_offset = 0;
	rig_cksum(ip);
	ip->b[22] = ip->b[23] = 0;
	uint16_t sum = (uint16_t)~rte_raw_cksum(ip->b + 20, ip->len - 20u);
	memcpy(ip->b + 22, &sum, 2);
}

static void a_ping_is_answered_under_protection_and_ignored_in_clear(void **state)
{
	struct rig_bytes ip, outer, f, text;
	uint8_t next;
	(void)state;

	up(4, false);
	echo(&ip, MSG_DIR_IN);
	seal(&outer, &ip, 20, 9);
	rig_frame(&f, RIG_WAN, &outer);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	wide_open(&text, &next, &out, &outer, 20);
	assert_int_equal(next, ICMP);
	assert_int_equal(text.b[0], 0); /* the reply */
	assert_int_equal(text.len, ip.len - 20);
	assert_memory_equal(text.b + 8, ip.b + 28, text.len - 8u);
	rig_dropped_none();
	rig_frame(&f, RIG_WAN, &ip);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_CLEAR_TO_PROTECTED, 1);
	/* from another host it is none of the tunnel's */
	ip.b[15] ^= 2;
	rig_cksum(&ip);
	rig_frame(&f, RIG_WAN, &ip);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	assert_int_equal(outer.b[9], ICMP);
	rig_settle(0);
}

/* The kernel's packets go the same way; without an SA they go nowhere. */
static void the_kernels_packets_leave_protected_or_not_at_all(void **state)
{
	struct msg_sa_event gone;
	struct rig_bytes ip, outer, text;
	struct msg_no_sa e;
	uint8_t next;
	(void)state;

	up(4, false);
	packet(&ip, false, MSG_DIR_OUT, 200);
	vec_push(&rig->fwd, own_mbuf(&ip, PKT_TUN));
	rig->count.rx++;
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	wide_open(&text, &next, &out, &outer, 20);
	assert_int_equal(next, UDP);
	assert_memory_equal(text.b, ip.b + 20, text.len);
	assert_int_equal(rig_ip(&outer)->time_to_live, rig_ip(&ip)->time_to_live);
	assert_int_equal(sad_del(rig, out.add.sa, MSG_DIR_OUT, &gone), 0);
	vec_push(&rig->fwd, own_mbuf(&ip, PKT_TUN));
	rig->count.rx++;
	rig_run();
	rig_tx_nothing();
	rig_event_is(MSG_NO_SA, &e, sizeof(e));
	rig_dropped(DROP_NO_SA, 1);
	rig_settle(0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_header_stays_in_front),
		T(ipv4_options_stay_in_front),
		T(ipv6_headers_for_the_way_stay_in_front),
		T(only_what_is_named_is_protected),
		T(neighbour_discovery_is_never_protected),
		T(fragments_do_not_slip_by),
		T(without_an_sa_nothing_leaves),
		T(a_change_under_our_hands_is_waited_out_in_silence),
		T(tunnels_come_go_and_change_their_mode),
		T(an_sa_is_of_its_tunnels_mode),
		T(an_sa_takes_only_our_own_between_its_addresses),
		T(large_packets_are_cut_behind_the_cipher_or_told_of),
		T(the_packet_comes_back_as_it_was),
		T(checksums_are_right_behind_a_nat),
		T(without_udp_the_checksum_is_the_peers),
		T(what_is_not_selected_is_refused),
		T(only_the_port_of_a_peer_moves),
		T(clear_packets_that_should_be_protected_are_known),
		T(fragments_are_judged_when_they_are_whole),
		T(a_ping_is_answered_under_protection_and_ignored_in_clear),
		T(the_kernels_packets_leave_protected_or_not_at_all),
	};

	return cmocka_run_group_tests_name("transport", tests, rig_start, rig_stop);
}
