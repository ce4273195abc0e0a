/* What fits into a tunnel: MSS, the MTU of every suite, fragments before and behind the cipher, and what routers on the way tell.
 * RFC 9293 3.7.1, 6691, 4301 7 and 8, 1191, 8201, 8200 5 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/stage/wide.h"

#include <string.h>

#include <rte_icmp.h>

#include "dataplane/classify.h"
#include "dataplane/drop.h"
#include "dataplane/fib6.h"
#include "dataplane/fwd.h"
#include "dataplane/handoff.h"
#include "dataplane/icmp.h"
#include "dataplane/icmp6.h"
#include "dataplane/mss.h"
#include "dataplane/mtu.h"
#include "dataplane/pkt.h"
#include "dataplane/pmtu.h"
#include "tests/lib/esp_peer.h"

enum { IP4 = 20, ESP_HDR = 8, TCP = 6, OTHER_TUNNEL = 2 };

static struct rig_sa in, out;

static int reset(void **state)
{
	int err = rig_reset(state);

	rig->now_tsc = rte_rdtsc();
	worker_bucket_init(&rig->pmtu, rig->tsc_hz, PMTU_PER_S, PMTU_BURST);
	return err;
}

/* A pair in tunnel and slot 1, of this outer family. */
static void up(bool v6, bool udp, void (*conf)(struct msg_tunnel_set *))
{
	struct msg_tunnel_set t = wide_tunnel(1, v6 ? 6 : 4);

	if (conf != NULL)
		conf(&t);
	wide_tunnel_set(&t);
	in = wide_sa(1, MSG_DIR_IN, 1, t.family);
	out = wide_sa(1, MSG_DIR_OUT, 1, t.family);
	if (udp) {
		in.encap = out.encap = true;
		in.add.flags |= MSG_SA_ENCAP_UDP;
		out.add.flags |= MSG_SA_ENCAP_UDP;
		in.add.local_port = in.add.remote_port = out.add.local_port = out.add.remote_port = 4500;
	}
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
}

static void down(void)
{
	struct msg_sa_event gone;

	assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &gone), 0);
	assert_int_equal(sad_del(rig, out.add.sa, MSG_DIR_OUT, &gone), 0);
}

static uint16_t mtu_now(void)
{
	return rig->sad->out[1].mtu;
}

/* --- MSS --- */

static uint16_t l4_sum(const struct rig_bytes *ip)
{
	bool v6 = ip->b[0] >> 4 == 6;
	uint16_t head = v6 ? IP6_HDR : (uint16_t)((ip->b[0] & 15) * 4);

	if (v6)
		return ip6_cksum(ip6_get(ip->b + 8), ip6_get(ip->b + 24), TCP, ip->b + head,
				 (uint32_t)(ip->len - head));
	return rte_ipv4_udptcp_cksum((const void *)ip->b, ip->b + head);
}

/* A TCP segment with these options; its sum is right. */
static void segment(struct rig_bytes *ip, bool v6, uint32_t dir, uint8_t flags, const uint8_t *opt, uint16_t n)
{
	uint16_t head = v6 ? IP6_HDR : IP4, sum;
	uint8_t *tcp = ip->b + head;

	wide_inner(ip, v6, dir, 0, (uint16_t)(head + 20 + n));
	ip->b[v6 ? 6 : 9] = TCP;
	memset(tcp, 0x35, 12);
	tcp[12] = (uint8_t)((20 + n) / 4 << 4);
	tcp[13] = flags;
	memset(tcp + 14, 0, 6);
	memcpy(tcp + 20, opt, n);
	if (!v6) {
		rig_ip(ip)->fragment_offset = 0;
		rig_cksum(ip);
	}
	sum = l4_sum(ip);
	una_put16(tcp + 16, sum);
}

static bool sum_ok(const struct rig_bytes *ip)
{
	struct rig_bytes c = *ip;
	uint16_t head = c.b[0] >> 4 == 6 ? IP6_HDR : (uint16_t)((c.b[0] & 15) * 4), was = una_get16(c.b + head + 16);

	una_put16(c.b + head + 16, 0);
	return was == l4_sum(&c);
}

enum { SYN = 2, SYN_ACK = 0x12, ACK = 0x10, FIN_SYN = 3 };
static const struct {
	const char *name;
	uint8_t flags, n, opt[24], at; /* at: of the value in opt; 0: it stays as it is */
} syn[] = {
	{"SYN", SYN, 4, {2, 4, 0x05, 0xb4}, 2},
	{"SYN-ACK", SYN_ACK, 4, {2, 4, 0x05, 0xb4}, 2},
	{"no SYN", ACK, 4, {2, 4, 0x05, 0xb4}, 0},
	{"the largest", SYN, 4, {2, 4, 0xff, 0xff}, 2},
	{"small enough", SYN, 4, {2, 4, 0x02, 0x18}, 0},
	{"behind others", SYN, 12, {1, 1, 3, 3, 7, 4, 2, 1, 2, 4, 0x23, 0x28}, 10},
	{"at an odd place", SYN, 8, {1, 2, 4, 0x05, 0xb4, 1, 1, 0}, 3},
	{"at another odd place, large", SYN, 8, {3, 3, 7, 2, 4, 0xff, 0xfe, 0}, 5},
	{"no option", SYN, 0, {0}, 0},
	{"none in what is there", SYN, 4, {1, 1, 4, 2}, 0},
	{"behind the end", SYN, 8, {0, 0, 0, 0, 2, 4, 0x05, 0xb4}, 0},
	{"an option without length", SYN, 4, {1, 1, 1, 2}, 0},
	{"of length 0", SYN, 8, {3, 0, 2, 4, 0x05, 0xb4, 0, 0}, 0},
	{"of length 1", SYN, 8, {3, 1, 2, 4, 0x05, 0xb4, 0, 0}, 0},
	{"longer than the header", SYN, 8, {8, 10, 2, 4, 0x05, 0xb4, 0, 0}, 0},
	{"of length 3", SYN, 4, {2, 3, 0x05, 0xb4}, 0},
	{"of length 6", SYN, 8, {2, 6, 0x05, 0xb4, 0, 0, 0, 0}, 0},
	{"cut off", SYN, 4, {1, 2, 4, 0x05}, 0},
};

static void clamp(struct rig_bytes *ip, uint16_t mtu, uint16_t conf)
{
	struct rte_mbuf *m = rig_mbuf(ip);

	*pkt_of(m) = (struct pkt){.flags = ip->b[0] >> 4 == 6 ? PKT_V6 : 0};
	if (mss_is_syn(m))
		mss_clamp(m, mtu, conf);
	memcpy(ip->b, rte_pktmbuf_mtod(m, void *), ip->len);
	rte_pktmbuf_free(m);
}

static void the_option_is_found_and_lowered(void **state)
{
	static const struct {
		uint16_t mtu, conf, v4, v6;
	} to[] = {{1400, MSG_MSS_AUTO, 1360, 1340}, {1400, 1200, 1200, 1200},  {1400, 9000, 1360, 1340},
		  {1400, MSG_MSS_OFF, 0, 0},        {255, MSG_MSS_AUTO, 0, 0}, {1438, 1360, 1360, 1360}};
	(void)state;

	for (unsigned i = 0; i < sizeof(syn) / sizeof(syn[0]) * 2; i++) {
		bool v6 = i & 1;

		for (unsigned k = 0; k < sizeof(to) / sizeof(to[0]); k++) {
			struct rig_bytes ip, was;
			uint16_t head = v6 ? IP6_HDR : IP4, want = v6 ? to[k].v6 : to[k].v4, at;

			segment(&ip, v6, MSG_DIR_OUT, syn[i / 2].flags, syn[i / 2].opt, syn[i / 2].n);
			was = ip;
			clamp(&ip, to[k].mtu, to[k].conf);
			at = (uint16_t)(head + 20 + syn[i / 2].at);
			if (want != 0 && syn[i / 2].at != 0) {
				if (!sum_ok(&ip) || rte_be_to_cpu_16(una_get16(ip.b + at)) != want)
					fail_msg("%s, IPv%u", syn[i / 2].name, v6 ? 6 : 4);
				memcpy(was.b + at, ip.b + at, 2);
				memcpy(was.b + head + 16, ip.b + head + 16, 2);
			}
			if (memcmp(ip.b, was.b, ip.len) != 0)
				fail_msg("%s, IPv%u: more than the option", syn[i / 2].name, v6 ? 6 : 4);
		}
	}
}

static void what_is_no_whole_header_is_left_alone(void **state)
{
	struct rig_bytes ip, was;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint16_t head = v6 ? IP6_HDR : IP4;

		segment(&ip, v6, MSG_DIR_OUT, SYN, syn[0].opt, 4);
		for (uint16_t cut = head; cut < ip.len; cut++) {
			struct rig_bytes c = ip;

			c.len = cut;
			clamp(&c, 1000, MSG_MSS_AUTO);
			assert_memory_equal(c.b, ip.b, cut);
		}
		was = ip;
		was.b[head + 12] = 0x40; /* shorter than a header can be */
		ip = was;
		clamp(&ip, 1000, MSG_MSS_AUTO);
		assert_memory_equal(ip.b, was.b, ip.len);
	}
	segment(&ip, false, MSG_DIR_OUT, SYN, syn[0].opt, 4);
	for (unsigned i = 0; i < 2; i++) { /* a fragment's sum cannot be put right without the others */
		rig_ip(&ip)->fragment_offset = i ? RTE_BE16(0x2000) : RTE_BE16(3);
		was = ip;
		clamp(&ip, 1000, MSG_MSS_AUTO);
		assert_memory_equal(ip.b, was.b, ip.len);
	}
}

static void fixed_mss(struct msg_tunnel_set *t)
{
	t->mss = 1200;
}

/* Out and in, both families, in both. */
static void connections_through_a_tunnel_fit(void **state)
{
	(void)state;

	for (unsigned i = 0; i < 16; i++) {
		bool v6 = i & 1, outer6 = i & 2, syn_ack = i & 4, fixed = i & 8;
		uint16_t head = v6 ? IP6_HDR : IP4, want;
		struct rig_bytes ip, outer, got;
		uint8_t next;

		up(outer6, false, fixed ? fixed_mss : NULL);
		want = fixed ? 1200 : (uint16_t)(mtu_now() - head - 20);
		segment(&ip, v6, MSG_DIR_OUT, syn_ack ? SYN_ACK : SYN, syn[0].opt, 4);
		assert_int_equal(wide_out(&ip, 1, 0, &outer), 1);
		wide_open(&got, &next, &out, &outer, outer6 ? IP6_HDR : IP4);
		assert_int_equal(rte_be_to_cpu_16(una_get16(got.b + head + 22)), want);
		assert_true(sum_ok(&got));
		segment(&ip, v6, MSG_DIR_IN, syn_ack ? SYN_ACK : SYN, syn[0].opt, 4);
		wide_seal(&outer, &in, &ip, v6 ? 41 : 4, 0);
		assert_true(wide_in(&outer, &got, NULL));
		assert_int_equal(rte_be_to_cpu_16(una_get16(got.b + head + 22)), want);
		assert_true(sum_ok(&got));
		down();
	}
	wide_settle();
}

/* --- the MTU of a tunnel --- */

static void suite(unsigned encr, unsigned integ)
{
	struct rig_sa *sa[] = {&in, &out};

	for (unsigned i = 0; i < 2; i++) {
		sa[i]->add.encr = (uint8_t)encr;
		sa[i]->add.integ = (uint8_t)integ;
		sa[i]->add.key_len = (uint16_t)(msg_encr_key_len(encr) + msg_integ_key_len(integ));
		memset(sa[i]->add.key + sa[i]->add.key_len, 0, sizeof(sa[i]->add.key) - sa[i]->add.key_len);
	}
}

static void the_largest_packet_of_every_suite_fits_and_no_larger(void **state)
{
	unsigned suites = 0;
	(void)state;

	for (unsigned k = 0; k < MSG_ENCR_N * MSG_INTEG_N * 4; k++) {
		unsigned encr = k / 4 / MSG_INTEG_N, integ = k / 4 % MSG_INTEG_N;
		bool v6 = k & 1, udp = k & 2;
		unsigned over, align;
		struct rig_bytes ip, outer, got;
		uint8_t next;
		uint16_t mtu;

		if (encr == MSG_ENCR_NONE || msg_encr_is_aead(encr) != (integ == MSG_INTEG_NONE))
			continue;
		up(v6, udp, NULL);
		down();
		suite(encr, integ);
		for (unsigned i = 0; i < sizeof(in.add.key) && i < in.add.key_len; i++)
			in.add.key[i] = out.add.key[i] = (uint8_t)(i * 7 + 1);
		assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
		for (unsigned i = 0; i < out.add.key_len; i++) /* installing wiped a copy only */
			assert_int_equal(out.add.key[i], (uint8_t)(i * 7 + 1));
		assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
		mtu = mtu_now();
		over = (v6 ? IP6_HDR : IP4) + (udp ? WIDE_UDP : 0) + ESP_HDR + esp_peer_iv_len(encr) +
		       esp_peer_icv_len(encr, integ);
		align = esp_peer_align(encr);
		assert_true(over + (mtu + 2 + align - 1) / align * align <= RIG_MTU);
		assert_true(over + (mtu + 3 + align - 1) / align * align > RIG_MTU);
		memset(rig->count.drop, 0, sizeof(rig->count.drop));
		wide_inner(&ip, false, MSG_DIR_OUT, 0, mtu);
		assert_int_equal(wide_out(&ip, 1, 0, &outer), 1);
		assert_in_range(outer.len, RIG_MTU - align + 1, RIG_MTU);
		wide_open(&got, &next, &out, &outer, v6 ? IP6_HDR : IP4);
		assert_int_equal(got.len, mtu);
		wide_inner(&ip, false, MSG_DIR_OUT, 0, (uint16_t)(mtu + 1));
		assert_int_equal(wide_out(&ip, 1, 0, &outer), 0);
		rig_dropped(DROP_TOO_BIG, 1);
		down();
		suites++;
	}
	assert_true(suites >= 4 * 20);
	wide_settle();
}

static void config_mtu(struct msg_tunnel_set *t)
{
	t->mtu = 1300;
}

static void the_config_can_ask_for_less(void **state)
{
	(void)state;

	up(false, false, config_mtu);
	assert_int_equal(mtu_now(), 1300);
	down();
	rig->port[RIG_WAN].mtu = 1300;
	up(false, false, config_mtu); /* but not for more */
	assert_int_equal(mtu_now(), mtu_inner(1300, false, false, false, &crypto_forms[CRYPTO_AES256_GCM16]));
	down();
	rig->port[RIG_WAN].mtu = 100; /* too small for any */
	out = wide_sa(1, MSG_DIR_OUT, 1, 4);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), -EINVAL);
	rig->port[RIG_WAN].mtu = RIG_MTU; /* and nothing of it is left in the slot */
	assert_int_equal(rig->sad->cold_out[1].gen, 0);
	up(false, false, NULL);
	assert_int_equal(mtu_now(), 1446);
}

/* --- fragments --- */

static void after(struct msg_tunnel_set *t)
{
	t->fragment = MSG_FRAGMENT_AFTER;
}

static void after_clear(struct msg_tunnel_set *t)
{
	after(t);
	t->df = MSG_DF_CLEAR;
}

static void after_set(struct msg_tunnel_set *t)
{
	after(t);
	t->df = MSG_DF_SET;
}

static void may_be_cut(struct rig_bytes *ip)
{
	rig_ip(ip)->fragment_offset = 0;
	rig_cksum(ip);
}

static void before_the_cipher_or_behind_it(void **state)
{
	static const struct {
		void (*conf)(struct msg_tunnel_set *);
		bool df;
		unsigned made;
	} t[] = {{NULL, false, 2},        {NULL, true, 0},        {after, false, 1},    {after, true, 0},
		 {after_clear, false, 1}, {after_clear, true, 0}, {after_set, false, 2}};
	struct rig_bytes ip, outer[2], got;
	uint8_t next;
	(void)state;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		up(false, false, t[i].conf);
		wide_inner(&ip, false, MSG_DIR_OUT, 0, 1538);
		if (!t[i].df)
			may_be_cut(&ip);
		assert_int_equal(wide_out(&ip, 1, 0, outer), t[i].made);
		if (t[i].made == 1) {
			assert_int_equal(rig_ip(&outer[0])->fragment_offset, 0);
			wide_open(&got, &next, &out, &outer[0], IP4);
			assert_int_equal(got.len, ip.len);
			assert_memory_equal(got.b, ip.b, ip.len);
		} else if (t[i].made == 2) {
			assert_true(outer[0].len <= RIG_MTU);
			assert_int_equal(!!(rig_ip(&outer[0])->fragment_offset & RTE_BE16(0x4000)),
					 t[i].conf == after_set);
			wide_open(&got, &next, &out, &outer[0], IP4);
			assert_int_equal(rig_ip(&got)->fragment_offset, RTE_BE16(0x2000));
		}
		down();
	}
	wide_settle();
}

/* Behind the cipher: frames on the wire are fragments of one ESP packet. */
static void outer_fragments_are_one_packet(void **state)
{
	struct rig_bytes ip, outer, f, got;
	struct msg_tunnel_set t = wide_tunnel(0, 4);
	uint16_t at = 0;
	(void)state;

	after(&t);
	wide_tunnel_set(&t);
	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 1900, 1);
	may_be_cut(&ip);
	rig_frame(&f, RIG_LAN, &ip);
	rig_rx(RIG_LAN, &f);
	rig_run();
	outer.len = 0;
	for (unsigned i = 0; i < 2; i++) {
		rig_tx_ip(RIG_WAN, &f);
		assert_true(f.len <= RIG_MTU);
		assert_int_equal(rig_ip(&f)->fragment_offset, i ? rte_cpu_to_be_16(at / 8) : RTE_BE16(0x2000));
		memcpy(outer.b + IP4 + at, f.b + IP4, f.len - IP4);
		memcpy(outer.b, f.b, IP4);
		at = (uint16_t)(at + f.len - IP4);
	}
	outer.len = (uint16_t)(IP4 + at);
	rig_open(&got, &out, &outer);
	assert_int_equal(got.len, 1900);
	rig_settle(1);
}

static void the_sender_hears_what_fits(void **state)
{
	struct rig_bytes got;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_rx_clear(1447, 1);
	rig_run();
	rig_tx_ip(RIG_LAN, &got);
	assert_int_equal(got.b[20], 3);
	assert_int_equal(got.b[21], 4);
	assert_int_equal(rte_be_to_cpu_16(una_get16(got.b + 26)), 1446);
	rig_dropped(DROP_TOO_BIG, 1);
	rig_settle(1);
}

/* --- what routers tell --- */

/* A router's message about a packet of ours: quote octets of it. */
static void tell(struct rig_bytes *msg, const struct rig_bytes *ours, uint16_t quote, uint32_t mtu)
{
	bool v6 = ours->b[0] >> 4 == 6;
	uint16_t head = v6 ? IP6_HDR : IP4;

	wide_udp(msg, v6, wide_peer[v6], wide_us[v6], 0, (uint16_t)(head + 8 + quote));
	msg->b[v6 ? 6 : 9] = v6 ? 58 : 1;
	memset(msg->b + head, 0, 8);
	msg->b[head] = v6 ? 2 : 3;
	msg->b[head + 1] = v6 ? 0 : 4;
	if (v6)
		una_put32(msg->b + head + 4, rte_cpu_to_be_32(mtu));
	else
		una_put16(msg->b + head + 6, rte_cpu_to_be_16((uint16_t)mtu));
	memcpy(msg->b + head + 8, ours->b, quote);
	if (v6) {
		una_put16(msg->b + head + 2, ip6_cksum(ip6_get(msg->b + 8), ip6_get(msg->b + 24), 58, msg->b + head,
						       (uint32_t)(msg->len - head)));
		return;
	}
	rig_cksum(msg);
	una_put16(msg->b + head + 2, (uint16_t)~rte_raw_cksum(msg->b + head, (size_t)(msg->len - head)));
}

static void hear(const struct rig_bytes *msg, uint8_t flags)
{
	struct rte_mbuf *m = rig_mbuf(msg);
	bool v6 = msg->b[0] >> 4 == 6;

	*pkt_of(m) = (struct pkt){.flags = (uint8_t)(flags | (v6 ? PKT_V6 : 0))};
	m->port = RIG_WAN;
	if (v6)
		icmp6_in(rig, m, &(struct ip6_chain){.proto = 58, .off = IP6_HDR, .whole = true});
	else
		icmp_in(rig, m);
	drop_flush(rig);
}

/* The last packet that we have sent, of 1500 octets or a little less. */
static void sent(struct rig_bytes *outer)
{
	struct rig_bytes ip;

	wide_inner(&ip, false, MSG_DIR_OUT, 0, mtu_now());
	assert_int_equal(wide_out(&ip, 1, 0, outer), 1);
}

static uint16_t fits(uint16_t path, bool v6, bool udp)
{
	return mtu_inner(path, v6, udp, false, &crypto_forms[CRYPTO_AES256_GCM16]);
}

enum what { AS_IS, SPI, SRC, DST, FUTURE, ZERO, OLD, NO_DF, CUT, LATER, PROTO, OPTIONS };
static const struct {
	const char *name;
	enum what what;
	uint32_t mtu;
	uint16_t then[2]; /* outer MTU afterwards, [v6]; 0: it was refused; 1: none of ours, the kernel's */
} told[] = {
	{"true", AS_IS, 1400, {1400, 1400}},
	{"by one", AS_IS, 1499, {1499, 1499}},
	{"no MTU: the next plateau", AS_IS, 0, {1492, 1280}},
	{"below the floor", AS_IS, 300, {576, 1280}},
	{"the floor", AS_IS, 1280, {1280, 1280}},
	{"as large as the packet", AS_IS, 1500, {0, 0}},
	{"larger", AS_IS, 9000, {0, 0}},
	{"another SPI", SPI, 1400, {0, 0}},
	{"another source", SRC, 1400, {0, 0}},
	{"another destination", DST, 1400, {0, 0}},
	{"a number to come", FUTURE, 1400, {0, 0}},
	{"number 0", ZERO, 1400, {0, 0}},
	{"a number of long ago", OLD, 1400, {0, 0}},
	{"without DF", NO_DF, 1400, {0, 1400}},
	{"cut short", CUT, 1400, {1, 1}},
	{"a later fragment", LATER, 1400, {1, 1400}},
	{"another protocol", PROTO, 1400, {1, 1}},
	{"with options", OPTIONS, 1400, {1, 1}},
};

static void spoil(struct rig_bytes *q, enum what what, bool udp)
{
	bool v6 = q->b[0] >> 4 == 6;
	uint16_t head = v6 ? IP6_HDR : IP4, esp = (uint16_t)(head + (udp ? WIDE_UDP : 0));
	uint32_t seq = rte_be_to_cpu_32(una_get32(q->b + esp + 4));

	switch (what) {
	case SPI:
		q->b[esp + 3] ^= 1;
		break;
	case SRC:
		q->b[v6 ? 23 : 15] ^= 1;
		break;
	case DST:
		q->b[v6 ? 39 : 19] ^= 1;
		break;
	case FUTURE:
		una_put32(q->b + esp + 4, rte_cpu_to_be_32(seq + 1));
		break;
	case ZERO:
		una_put32(q->b + esp + 4, 0);
		break;
	case OLD:
		rig->sad->out[1].seq = seq + PMTU_RECENT;
		break;
	case NO_DF:
		if (!v6)
			rig_ip(q)->fragment_offset = 0;
		break;
	case LATER:
		if (!v6)
			rig_ip(q)->fragment_offset = RTE_BE16(0x4001);
		break;
	case PROTO:
		q->b[v6 ? 6 : 9] = TCP;
		break;
	case OPTIONS:
		q->b[v6 ? 6 : 0] = v6 ? 60 : 0x46;
		break;
	default:
		break;
	}
}

static void only_proof_is_believed(void **state)
{
	(void)state;

	for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]) * 4; i++) {
		bool v6 = i & 1, udp = i & 2;
		uint16_t then = told[i / 4].then[v6], was, quote;
		struct rig_bytes ours, msg;
		enum stats_drop why = then == 0 ? DROP_PMTU_REFUSED : then == 1 ? DROP_PROTOCOL : DROP_PMTU;

		assert_int_equal(rig_reset(NULL), 0);
		worker_bucket_init(&rig->pmtu, rig->tsc_hz, PMTU_PER_S, PMTU_BURST);
		up(v6, udp, NULL);
		was = mtu_now();
		for (unsigned n = 0; n < 3; n++)
			sent(&ours);
		/* 1500 exactly, as the padding may leave less */
		if (v6)
			una_put16(ours.b + 4, RTE_BE16(RIG_MTU - IP6_HDR));
		else
			rig_ip(&ours)->total_length = RTE_BE16(RIG_MTU);
		spoil(&ours, told[i / 4].what, udp);
		quote = (uint16_t)((v6 ? IP6_HDR : IP4) + (udp ? WIDE_UDP : 0) + ESP_HDR - (told[i / 4].what == CUT));
		tell(&msg, &ours, quote, told[i / 4].mtu);
		hear(&msg, 0);
		if (rig->count.drop[why] != 1 || mtu_now() != (then > 1 ? fits(then, v6, udp) : was))
			fail_msg("%s, IPv%u%s: %u", told[i / 4].name, v6 ? 6 : 4, udp ? " in UDP" : "", mtu_now());
		rig_dropped(why, 1);
		sad_free(rig->sad);
	}
	assert_int_equal(rig_reset(NULL), 0);
	wide_settle();
}

/* Out of a tunnel such a message is about the kernel's packets, if any. */
static void a_tunnel_says_nothing_about_the_way(void **state)
{
	struct rig_bytes ours, msg;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint16_t was;

		up(v6, false, NULL);
		was = mtu_now();
		sent(&ours);
		tell(&msg, &ours, 48, 1400);
		hear(&msg, PKT_DECAPPED);
		assert_int_equal(mtu_now(), was);
		down();
	}
	rig_dropped(DROP_PROTOCOL, 2);
}

static void a_flood_of_messages_is_not_looked_at(void **state)
{
	struct rig_bytes ours, msg;
	(void)state;

	up(false, false, NULL);
	sent(&ours);
	for (unsigned i = 0; i < PMTU_BURST + 10; i++) {
		tell(&msg, &ours, 28, 1400 - i);
		hear(&msg, 0);
	}
	assert_int_equal(rig->count.drop[DROP_PMTU], PMTU_BURST);
	assert_int_equal(rig->count.drop[DROP_PMTU_REFUSED], 10);
	assert_int_equal(mtu_now(), fits(1400 - PMTU_BURST + 1, false, false));
}

static void it_only_shrinks_and_is_forgotten(void **state)
{
	struct rig_bytes ours, msg;
	uint64_t start;
	(void)state;

	up(false, false, NULL);
	sent(&ours);
	start = rig->now_tsc;
	tell(&msg, &ours, 28, 1300);
	hear(&msg, 0);
	tell(&msg, &ours, 28, 1400); /* of an older packet: it grows by time alone */
	hear(&msg, 0);
	assert_int_equal(mtu_now(), fits(1300, false, false));
	rig->now_tsc = start + 599 * rig->tsc_hz;
	pmtu_age(rig, &rig->sad->out[1], 1);
	assert_int_equal(mtu_now(), fits(1300, false, false));
	rig->now_tsc = start + 600 * rig->tsc_hz;
	pmtu_age(rig, &rig->sad->out[1], 1);
	assert_int_equal(mtu_now(), fits(RIG_MTU, false, false));
}

static void successors_know_it_and_others_do_not(void **state)
{
	struct msg_tunnel_set t = wide_tunnel(OTHER_TUNNEL, 4), again = wide_tunnel(1, 4);
	struct rig_bytes ours, msg;
	struct rig_sa sa;
	(void)state;

	up(false, false, NULL);
	sent(&ours);
	tell(&msg, &ours, 28, 1300);
	hear(&msg, 0);
	sa = wide_sa(3, MSG_DIR_OUT, 1, 4);
	assert_int_equal(rig_sa_add(&sa, MSG_DIR_OUT), 0);
	assert_int_equal(rig->sad->out[3].mtu, fits(1300, false, false));
	wide_tunnel_set(&t);
	sa = wide_sa(4, MSG_DIR_OUT, OTHER_TUNNEL, 4);
	assert_int_equal(rig_sa_add(&sa, MSG_DIR_OUT), 0);
	assert_int_equal(rig->sad->out[4].mtu, fits(RIG_MTU, false, false));
	/* the next tunnel in the slot */
	assert_int_equal(sad_tunnel_del(rig->sad, again.tunnel), 0);
	again.tunnel.gen = 2;
	wide_tunnel_set(&again);
	sa = wide_sa(5, MSG_DIR_OUT, 1, 4);
	sa.add.tunnel.gen = 2;
	assert_int_equal(rig_sa_add(&sa, MSG_DIR_OUT), 0);
	assert_int_equal(rig->sad->out[5].mtu, fits(RIG_MTU, false, false));
}

/* The peer chooses the SPI. */
static void one_spi_of_two_peers_is_two(void **state)
{
	struct msg_tunnel_set t = wide_tunnel(OTHER_TUNNEL, 4);
	struct rig_bytes ours, msg;
	struct rig_sa sa;
	(void)state;

	t.remote[3] = 99;
	wide_tunnel_set(&t);
	sa = wide_sa(0, MSG_DIR_OUT, OTHER_TUNNEL, 4);
	sa.add.remote[3] = 99;
	sa.add.spi = wide_sa(1, MSG_DIR_OUT, 1, 4).add.spi;
	assert_int_equal(rig_sa_add(&sa, MSG_DIR_OUT), 0);
	up(false, false, NULL);
	sent(&ours);
	tell(&msg, &ours, 28, 1300);
	hear(&msg, 0);
	assert_int_equal(mtu_now(), fits(1300, false, false));
	assert_int_equal(rig->sad->out[0].mtu, fits(RIG_MTU, false, false));
}

/* A peer that has moved is known by its new address. */
static void a_moved_sa_is_found(void **state)
{
	struct rig_bytes ours, msg;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct msg_sa_move m = {.dir = MSG_DIR_OUT, .family = v6 ? 6 : 4};

		up(v6, false, NULL);
		m.sa = out.add.sa;
		memcpy(m.remote, wide_peer[v6], 16);
		m.remote[2] ^= 1;
		assert_int_equal(sad_move(rig, &m), 0);
		sent(&ours);
		tell(&msg, &ours, 48, 1300);
		hear(&msg, 0);
		assert_int_equal(mtu_now(), fits(1300, v6, false));
		down();
	}
}

static void the_owner_hears_of_it(void **state)
{
	static struct worker other;
	struct rte_mbuf *m[VEC_BURST];
	struct rig_bytes ours, msg;
	uint16_t n;
	(void)state;

	up(true, false, NULL);
	sent(&ours);
	tell(&msg, &ours, 48, 1400);
	for (unsigned mine = 0; mine < 2; mine++) { /* and who is not, or not any more, does nothing */
		atomic_store(&rig->sad->owner_out[1], 1);
		atomic_store(&rig->sad->tunnel[1].owner, mine ? 1 : 0);
		hear(&msg, 0);
		handoff_flush(rig);
		other = (struct worker){.id = 1,
					.n_workers = 2,
					.pool = rig->pool,
					.handoff = rig->handoff,
					.sad = rig->sad,
					.tsc_hz = rig->tsc_hz,
					.now_tsc = rig->now_tsc,
					.n_ports = RIG_PORTS};
		other.port[RIG_WAN].mtu = RIG_MTU;
		n = handoff_pop(&other, m, VEC_BURST);
		assert_int_equal(n, 1);
		classify_handed(&other, m, n);
		drop_flush(&other);
		assert_int_equal(other.count.drop[mine ? DROP_PMTU : DROP_PMTU_REFUSED], 1);
		assert_int_equal(mtu_now(), fits(mine ? 1400 : RIG_MTU, true, false));
	}
	atomic_store(&rig->sad->owner_out[1], 0);
	atomic_store(&rig->sad->tunnel[1].owner, 0);
	wide_settle();
}

/* --- IPv6 needs 1280 --- */

static void df_set(struct msg_tunnel_set *t)
{
	t->df = MSG_DF_SET;
}

static void ipv6_of_1280_gets_through_whatever_the_path(void **state)
{
	struct rig_bytes ip, ours, msg, outer;
	struct rte_mbuf *m;
	(void)state;

	rig->port[RIG_WAN].addr6 = ip6_get(wide_us[1]);
	for (unsigned i = 0; i < 3; i++) {
		bool v6 = i == 2;

		up(v6, false, i == 1 ? df_set : NULL);
		sent(&ours);
		tell(&msg, &ours, 48, 1280);
		hear(&msg, 0);
		assert_int_equal(mtu_now(), fits(1280, v6, false));
		wide_inner(&ip, true, MSG_DIR_OUT, 0, IP6_MIN_MTU);
		assert_int_equal(wide_out(&ip, 1, 0, &outer), 1);
		assert_true(outer.len > IP6_MIN_MTU);
		if (!v6) /* routers may cut it */
			assert_int_equal(rig_ip(&outer)->fragment_offset, 0);
		wide_inner(&ip, true, MSG_DIR_OUT, 0, IP6_MIN_MTU + 1); /* whoever makes that hears of 1280, not less */
		m = rig_mbuf(&ip);
		*pkt_of(m) = (struct pkt){.kind = PKT_TUNNEL, .flags = PKT_V6, .next = 1};
		m->port = RIG_WAN;
		assert_int_equal(fwd_fit(rig, m, IP6_MIN_MTU, &rig->ready), 0);
		assert_int_equal(rig->fwd.n, 1);
		assert_int_equal(rte_be_to_cpu_32(una_get32(rte_pktmbuf_mtod_offset(rig->fwd.m[0], uint8_t *, 44))),
				 1280);
		rte_pktmbuf_free(rig->fwd.m[--rig->fwd.n]);
		drop_flush(rig);
		down();
	}
	wide_settle();
}

/* We are the source of the outer IPv6 packet: we cut it, to what the path lets through. */
static void outer_ipv6_is_cut_to_the_path(void **state)
{
	static const uint16_t path[] = {1280, 1300, 0};
	(void)state;

	assert_int_equal(fib6_own_set(rig->fib, (struct ip6){0x20010db800070000, 0}, 64, FIB_PORT, RIG_WAN), 0);
	for (unsigned i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		uint16_t mtu = path[i] != 0 ? path[i] : RIG_MTU, len = path[i] != 0 ? 1360 : 1600, text = 0;
		struct rig_bytes ip;
		struct rte_mbuf *m;
		uint32_t id = 0;

		wide_udp(&ip, true, wide_us[1], wide_peer[1], 0, len);
		ip.b[6] = 50;
		m = rig_mbuf(&ip);
		*pkt_of(m) = (struct pkt){.flags = PKT_V6 | PKT_OWN | PKT_OUTER, .esp_off = path[i]};
		fwd_outer(rig, &m, 1);
		assert_int_equal(rig->out.n, 2);
		for (unsigned k = 0; k < 2; k++) {
			const uint8_t *p = rte_pktmbuf_mtod(rig->out.m[k], const uint8_t *);
			uint16_t n = (uint16_t)(rig->out.m[k]->data_len - 48),
				 field = rte_be_to_cpu_16(una_get16(p + 42));

			assert_true(rig->out.m[k]->data_len <= mtu);
			assert_int_equal(rte_be_to_cpu_16(una_get16(p + 4)), n + 8);
			assert_int_equal(p[6], 44);
			assert_int_equal(p[40], 50);
			assert_int_equal(field, text | !k);
			assert_memory_equal(p + 48, ip.b + 40 + text, n);
			assert_true(k == 0 || id == una_get32(p + 44));
			id = una_get32(p + 44);
			text = (uint16_t)(text + n);
		}
		assert_int_equal(text, len - 40);
		rte_pktmbuf_free_bulk(rig->out.m, 2);
		rig->out.n = 0;
	}
	wide_settle();
}

#define T(f) cmocka_unit_test_setup_teardown(f, reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_option_is_found_and_lowered),
		T(what_is_no_whole_header_is_left_alone),
		T(connections_through_a_tunnel_fit),
		T(the_largest_packet_of_every_suite_fits_and_no_larger),
		T(the_config_can_ask_for_less),
		T(before_the_cipher_or_behind_it),
		T(outer_fragments_are_one_packet),
		T(the_sender_hears_what_fits),
		T(only_proof_is_believed),
		T(a_tunnel_says_nothing_about_the_way),
		T(a_flood_of_messages_is_not_looked_at),
		T(it_only_shrinks_and_is_forgotten),
		T(successors_know_it_and_others_do_not),
		T(one_spi_of_two_peers_is_two),
		T(a_moved_sa_is_found),
		T(the_owner_hears_of_it),
		T(ipv6_of_1280_gets_through_whatever_the_path),
		T(outer_ipv6_is_cut_to_the_path),
	};

	return cmocka_run_group_tests_name("mtu", tests, rig_start, rig_stop);
}
