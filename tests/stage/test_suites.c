/* Every suite, with and without extended sequence numbers, against OpenSSL as the peer. RFC 4303 2.2.1, 2.4, 3.3.4, 3.4.3, A2; 3602,
 * 2451, 4868, 7634, 4106, 4543 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataplane/limit.h"
#include "tests/lib/esp_peer.h"
#include "tests/stage/rig.h"

enum { ETH = 14, IP = 20, HDR = 8, TURN = 32 /* a burst */ };

static struct rig_sa in, out;

struct kind {
	unsigned encr, integ;
	bool esn;
};

/* The next kind of SA that there is; false: there are no more. Begin with {0}. */
static bool next_kind(struct kind *k)
{
	do {
		k->esn = !k->esn;
		if (!k->esn && ++k->integ == MSG_INTEG_N) {
			k->integ = 0;
			if (++k->encr == MSG_ENCR_N)
				return false;
		}
	} while (k->encr == MSG_ENCR_NONE || msg_encr_is_aead(k->encr) != (k->integ == MSG_INTEG_NONE));
	return true;
}

#define FOR_EACH_KIND(k) for (struct kind k = {0}; next_kind(&(k));)

static void kind_set(struct rig_sa *sa, const struct kind *k)
{
	sa->add.encr = (uint8_t)k->encr;
	sa->add.integ = (uint8_t)k->integ;
	sa->add.key_len = (uint16_t)(msg_encr_key_len(k->encr) + msg_integ_key_len(k->integ));
	memset(sa->add.key + sa->add.key_len, 0, sizeof(sa->add.key) - sa->add.key_len);
	sa->add.flags = k->esn ? MSG_SA_ESN : 0;
}

static void pair(const struct kind *k)
{
	in = rig_sa_make(0, MSG_DIR_IN);
	out = rig_sa_make(0, MSG_DIR_OUT);
	kind_set(&in, k);
	kind_set(&out, k);
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
}

static void end(void)
{
	struct msg_sa_event gone = {0};

	assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &gone), 0);
	assert_int_equal(sad_del(rig, out.add.sa, MSG_DIR_OUT, &gone), 0);
	rig_settle(0);
}

static void inner(struct rig_bytes *ip, uint16_t len, uint8_t fill)
{
	rig_udp(ip, RIG_FAR_HOST, RIG_LAN_HOST, len, fill);
}

static void arrived(struct rig_bytes ip)
{
	struct rig_bytes got;

	rig_tx_ip(RIG_LAN, &got);
	rig_ip(&ip)->time_to_live--;
	rig_cksum(&ip);
	assert_int_equal(got.len, ip.len);
	assert_memory_equal(got.b, ip.b, ip.len);
}

/* Ours, opened by the peer: number `seq`. */
static void left(uint16_t len, uint8_t fill, uint64_t seq)
{
	struct rig_bytes ip, outer, got;

	rig_tx_ip(RIG_WAN, &outer);
	out.seq = seq;
	assert_int_equal(rig_open(&got, &out, &outer), (uint32_t)seq);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, len, fill);
	rig_ip(&ip)->time_to_live--;
	rig_cksum(&ip);
	assert_int_equal(got.len, ip.len);
	assert_memory_equal(got.b, ip.b, ip.len);
}

/* A full burst of mixed lengths: lanes fill and drain. */
static void packets_of_every_length_pass_both_ways(void **state)
{
	struct rig_bytes ip;
	(void)state;

	FOR_EACH_KIND(k)
	{
		uint64_t seq = 1;

		pair(&k);
		for (uint16_t len = 28; len < 1400; len = (uint16_t)(len < 300 ? len + TURN : len + 7 * TURN)) {
			for (uint16_t i = 0; i < TURN; i++)
				rig_rx_clear((uint16_t)(len + i), (uint8_t)i);
			rig_run();
			for (uint16_t i = 0; i < TURN; i++)
				left((uint16_t)(len + i), (uint8_t)i, seq++);
			for (uint16_t i = 0; i < TURN; i++) {
				inner(&ip, (uint16_t)(len + i), (uint8_t)i);
				rig_rx_sealed(&in, &ip);
			}
			rig_run();
			for (uint16_t i = 0; i < TURN; i++) {
				inner(&ip, (uint16_t)(len + i), (uint8_t)i);
				arrived(ip);
			}
		}
		assert_int_equal(rig_counters(0, MSG_DIR_OUT).packets, seq - 1);
		assert_int_equal(rig_counters(0, MSG_DIR_IN).packets, seq - 1);
		rig_dropped_none();
		end();
	}
}

/* RFC 4303 3.4.4.1: any changed octet from the number to the ICV's end; and the window has not moved. */
static void any_changed_octet_is_refused(void **state)
{
	struct rig_bytes ip, f;
	uint64_t bad = 0;
	(void)state;

	FOR_EACH_KIND(k)
	{
		pair(&k);
		inner(&ip, 64, 1);
		rig_seal(&f, &in, 2000, &ip, NULL);
		for (int i = 4; i < f.len - ETH - IP; i++) {
			f.b[ETH + IP + i] ^= (uint8_t)(1 << i % 8);
			rig_rx(RIG_WAN, &f);
			rig_run();
			f.b[ETH + IP + i] ^= (uint8_t)(1 << i % 8);
			bad++;
		}
		rig_tx_nothing();
		rig_dropped(DROP_BAD_ICV, bad);
		assert_int_equal(rig_counters(0, MSG_DIR_IN).drop[MSG_SA_DROP_INTEGRITY], f.len - ETH - IP - 4);
		assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, 0);
		rig_rx(RIG_WAN, &f);
		rig_run();
		arrived(ip);
		end();
	}
}

static void cut(struct rig_bytes *f, uint16_t len)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)(f->b + ETH);

	f->len = (uint16_t)(ETH + len);
	h->total_length = rte_cpu_to_be_16(len);
	h->hdr_checksum = 0;
	h->hdr_checksum = rte_ipv4_cksum(h);
}

/* What cannot be a text of whole blocks never reaches the cipher. */
static void every_cut_is_refused(void **state)
{
	struct rig_bytes ip, f, c;
	uint64_t runts = 0, icvs = 0;
	(void)state;

	FOR_EACH_KIND(k)
	{
		const uint16_t bare = (uint16_t)(HDR + esp_peer_iv_len(k.encr) + esp_peer_icv_len(k.encr, k.integ));

		pair(&k);
		inner(&ip, 60, 1);
		rig_seal(&f, &in, 1, &ip, NULL);
		for (uint16_t len = IP; len < f.len - ETH; len++) {
			const uint16_t esp = (uint16_t)(len - IP);
			bool whole = esp > bare && (esp - bare) % esp_peer_align(k.encr) == 0;

			c = f;
			cut(&c, len);
			rig_rx(RIG_WAN, &c);
			rig_run();
			runts += !whole;
			icvs += whole;
			assert_int_equal(rig->count.drop[DROP_BAD_ICV], icvs);
			assert_int_equal(rig->count.drop[DROP_ESP_RUNT], runts);
		}
		rig_tx_nothing();
		end();
	}
}

static void padding_up_to_255_is_taken_when_it_is_right(void **state)
{
	struct rig_bytes ip, f;
	uint64_t bad = 0;
	(void)state;

	FOR_EACH_KIND(k)
	{
		const unsigned align = esp_peer_align(k.encr);

		pair(&k);
		for (unsigned pad = 0; pad < 256; pad += 5) {
			struct rig_trailer t = RIG_TRAILER;

			inner(&ip, (uint16_t)(400 + (-(400 + pad + 2) & (align - 1))), (uint8_t)pad);
			t.pad = (int)pad;
			rig_seal(&f, &in, in.seq++, &ip, &t);
			rig_rx(RIG_WAN, &f);
			rig_run();
			arrived(ip);
			t.pad_xor = 0x40;
			if (pad == 0)
				continue;
			rig_seal(&f, &in, in.seq++, &ip, &t);
			rig_rx(RIG_WAN, &f);
			rig_run();
			rig_tx_nothing();
			rig_dropped(DROP_BAD_PAD, ++bad);
		}
		end();
	}
}

/* The largest inner packet fills the port's MTU to less than a block, and never exceeds it. */
static void the_mtu_follows_the_suite(void **state)
{
	struct rig_bytes outer, got;
	(void)state;

	FOR_EACH_KIND(k)
	{
		uint16_t mtu;

		pair(&k);
		mtu = rig->sad->out[0].mtu;
		rig_rx_clear(mtu, 1);
		rig_run();
		rig_tx_ip(RIG_WAN, &outer);
		out.seq = 1;
		(void)rig_open(&got, &out, &outer);
		assert_int_equal(got.len, mtu);
		assert_in_range(outer.len, RIG_MTU - esp_peer_align(k.encr) + 1, RIG_MTU);
		end();
	}
}

/* --- numbers --- */

static void a_number_beyond_32_bits_passes_inside_a_burst(void **state)
{
	const uint64_t start = UINT64_C(0x5ffffffff) - 15;
	struct rig_bytes ip;
	(void)state;

	FOR_EACH_KIND(k)
	{
		if (!k.esn)
			continue;
		pair(&k);
		rig->sad->out[0].seq = start - 1;
		rig->sad->in[0].head = start - 1;
		for (uint16_t i = 0; i < TURN; i++)
			rig_rx_clear((uint16_t)(100 + i), (uint8_t)i);
		rig_run();
		for (uint16_t i = 0; i < TURN; i++)
			left((uint16_t)(100 + i), (uint8_t)i, start + i);
		in.seq = start;
		for (uint16_t i = 0; i < TURN; i++) {
			inner(&ip, (uint16_t)(100 + i), (uint8_t)i);
			rig_rx_sealed(&in, &ip);
		}
		rig_run();
		for (uint16_t i = 0; i < TURN; i++) {
			inner(&ip, (uint16_t)(100 + i), (uint8_t)i);
			arrived(ip);
		}
		assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, start + TURN - 1);
		rig_dropped_none();
		end();
	}
}

/* Late ones of both sides of 2^32, each once; forged ones move nothing. */
static void disorder_around_2_to_the_32_is_taken(void **state)
{
	static const int16_t order[] = {-1, 5, -3, 0, 1, -2, 1000, 3, -20, 500, -4, 2};
	const uint64_t edge = UINT64_C(0x300000000);
	struct rig_bytes ip, f;
	uint64_t seen = 0, icv = 0;
	(void)state;

	FOR_EACH_KIND(k)
	{
		if (!k.esn)
			continue;
		pair(&k);
		rig->sad->in[0].head = edge - 100;
		inner(&ip, 100, 1);
		for (unsigned i = 0; i < N_ELEMS(order); i++) {
			uint64_t seq = edge + (uint64_t)(int64_t)order[i];

			rig_seal(&f, &in, seq, &ip, NULL);
			f.b[f.len - 1] ^= 1;
			rig_rx(RIG_WAN, &f);
			f.b[f.len - 1] ^= 1;
			rig_rx(RIG_WAN, &f);
			rig_rx(RIG_WAN, &f);
			rig_run();
			arrived(ip);
			rig_tx_nothing();
			assert_int_equal(rig->count.drop[DROP_REPLAY], ++seen);
			assert_int_equal(rig->count.drop[DROP_BAD_ICV], ++icv);
		}
		assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, edge + 1000);
		/* the same low half in another subspace is another packet, which nobody sent */
		rig_seal(&f, &in, edge + 2000 - UINT64_C(0x100000000), &ip, NULL);
		rig_rx(RIG_WAN, &f);
		rig_run();
		rig_tx_nothing();
		assert_int_equal(rig->count.drop[DROP_BAD_ICV], ++icv);
		end();
	}
}

static void the_64_bit_space_has_an_end(void **state)
{
	struct kind k = {MSG_ENCR_AES256_GCM16, MSG_INTEG_NONE, true};
	struct msg_sa_event e;
	(void)state;

	pair(&k);
	rig->sad->out[0].seq = UINT64_C(0xffffffff);
	rig_rx_clear(100, 0);
	rig_run();
	left(100, 0, UINT64_C(0x100000000));
	rig->sad->out[0].seq = LIMIT_ESN_LAST - 3;
	for (uint8_t i = 0; i < 40; i++)
		rig_rx_clear(100, i);
	rig_run();
	for (uint8_t i = 0; i < 3; i++)
		left(100, i, LIMIT_ESN_LAST - 2 + i);
	rig_tx_nothing();
	rig_dropped(DROP_SEQ_END, 37);
	rig_event_is(MSG_SA_SOFT, &e, sizeof(e));
	rig_event_is(MSG_SA_HARD, &e, sizeof(e));
	assert_int_equal(e.c.seq, LIMIT_ESN_LAST);
	end();
}

/* --- IVs --- */

/* RFC 3602 3: no counter, not the block before; and the same key installed anew begins elsewhere. */
static void the_iv_of_cbc_is_unpredictable(void **state)
{
	enum { N = 300 };
	static uint8_t iv[2 * N][16];
	struct rig_bytes outer;
	uint8_t last[16] = {0};
	(void)state;

	FOR_EACH_KIND(k)
	{
		const uint16_t len = esp_peer_iv_len(k.encr), icv = esp_peer_icv_len(k.encr, k.integ);

		if (len == 0 || msg_encr_is_aead(k.encr))
			continue;
		memset(iv, 0, sizeof(iv));
		for (unsigned i = 0; i < 2 * N; i++) {
			if (i % N == 0)
				pair(&k);
			rig_rx_clear(100, 7);
			rig_run();
			rig_tx_ip(RIG_WAN, &outer);
			memcpy(iv[i], outer.b + IP + HDR, len);
			assert_memory_not_equal(iv[i], last, len);
			memcpy(last, outer.b + outer.len - icv - len, len);
			for (unsigned j = 0; j < i; j++)
				assert_memory_not_equal(iv[i], iv[j], len);
			/* no two neighbours alike in most octets, as counters are */
			for (unsigned j = 0, same = 0; i > 0 && j < len; j++) {
				same += iv[i][j] == iv[i - 1][j];
				assert_true(same < 5);
			}
			if (i % N == N - 1)
				end();
		}
	}
}

/* --- bursts --- */

/* Four suites share a burst, with a bad ICV, a replay or a runt at each place. */
static void a_bad_packet_in_a_mixed_burst_disturbs_no_other(void **state)
{
	static const struct kind kinds[4] = {{MSG_ENCR_AES256_CBC, MSG_INTEG_HMAC_SHA256_128, true},
					     {MSG_ENCR_AES128_GCM16, MSG_INTEG_NONE, false},
					     {MSG_ENCR_CHACHA20_POLY1305, MSG_INTEG_NONE, true},
					     {MSG_ENCR_3DES_CBC, MSG_INTEG_HMAC_SHA1_96, false}};
	static const uint8_t why[3] = {DROP_BAD_ICV, DROP_REPLAY, DROP_ESP_RUNT};
	struct msg_sa_event gone = {0};
	struct rig_bytes ip, f;
	struct rig_sa sa[4];
	(void)state;

	for (uint32_t i = 0; i < 4; i++) {
		sa[i] = rig_sa_make(i, MSG_DIR_IN);
		kind_set(&sa[i], &kinds[i]);
		assert_int_equal(rig_sa_add(&sa[i], MSG_DIR_IN), 0);
	}
	for (unsigned bad = 0; bad < 3 * TURN; bad++) {
		const unsigned fault = bad / TURN;

		for (uint16_t i = 0; i < TURN; i++) {
			struct rig_sa *s = &sa[i % 4];

			inner(&ip, (uint16_t)(100 + i), (uint8_t)i);
			rig_seal(&f, s, i == bad % TURN && fault == 1 && s->seq > 1 ? s->seq - 1 : s->seq++, &ip, NULL);
			if (i == bad % TURN && fault == 0)
				f.b[f.len - 12] ^= 4;
			if (i == bad % TURN && fault == 2)
				cut(&f, IP + HDR + 16);
			rig_rx(RIG_WAN, &f);
		}
		rig_run();
		for (uint16_t i = 0; i < TURN; i++) {
			inner(&ip, (uint16_t)(100 + i), (uint8_t)i);
			if (i != bad % TURN)
				arrived(ip);
		}
		rig_tx_nothing();
		assert_int_equal(rig->count.drop[why[fault]], bad % TURN + 1);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(sad_del(rig, sa[i].add.sa, MSG_DIR_IN, &gone), 0);
	rig_settle(0);
}

/* --- a library that fails --- */

static uint32_t no_cipher(IMB_MGR *mgr, IMB_JOB *jobs, const uint32_t n, const IMB_CIPHER_MODE mode,
			  const IMB_CIPHER_DIRECTION dir, const IMB_KEY_SIZE_BYTES key)
{
	(void)mgr, (void)jobs, (void)n, (void)mode, (void)dir, (void)key;
	return 0;
}

static uint32_t half_a_hash(IMB_MGR *mgr, IMB_JOB *jobs, const uint32_t n, const IMB_HASH_ALG alg)
{
	(void)mgr, (void)jobs, (void)alg;
	return n / 2;
}

static IMB_JOB *spoilt_job(IMB_MGR *mgr)
{
	IMB_JOB *j = IMB_GET_NEXT_JOB(mgr);

	j->status = IMB_STATUS_INVALID_ARGS;
	return j;
}

static IMB_JOB *no_job(IMB_MGR *mgr)
{
	(void)mgr;
	return NULL;
}

/* Whatever the library does not do is dropped by name in both directions: nothing leaves in clear, nothing leaks, and the next
 * burst passes. */
static void what_the_library_refuses_is_dropped(void **state)
{
	IMB_MGR *mgr = rig->crypto.mgr;
	const IMB_MGR sound = *mgr;
	struct rig_bytes ip;
	uint64_t lost = 0;
	(void)state;

	FOR_EACH_KIND(k)
	{
		bool by_burst = !msg_encr_is_aead(k.encr);

		if (!by_burst && k.encr != MSG_ENCR_CHACHA20_POLY1305)
			continue;
		pair(&k);
		for (unsigned turn = 0; turn < 40; turn++) {
			mgr->submit_cipher_burst = by_burst && turn % 2 ? no_cipher : sound.submit_cipher_burst;
			mgr->submit_hash_burst =
				turn % 2 == 0 || k.encr == MSG_ENCR_NULL ? half_a_hash : sound.submit_hash_burst;
			if (!by_burst || (k.encr == MSG_ENCR_3DES_CBC && turn % 2)) {
				mgr->submit_job = turn % 4 < 2 ? spoilt_job : no_job;
				mgr->get_completed_job = no_job;
				mgr->flush_job = no_job;
			}
			for (uint16_t i = 0; i < TURN; i++) {
				inner(&ip, 100, (uint8_t)i);
				rig_rx_clear(100, 1);
				rig_rx_sealed(&in, &ip);
			}
			rig_run();
			lost += 2 * TURN;
			rig_tx_nothing();
			rig_dropped(DROP_CIPHER, lost);
		}
		assert_int_equal(rig_counters(0, MSG_DIR_IN).drop[MSG_SA_DROP_CIPHER], 40 * TURN);
		assert_int_equal(rig_counters(0, MSG_DIR_OUT).drop[MSG_SA_DROP_CIPHER], 40 * TURN);
		assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, 0);
		mgr->submit_cipher_burst = sound.submit_cipher_burst;
		mgr->submit_hash_burst = sound.submit_hash_burst;
		mgr->submit_job = sound.submit_job;
		mgr->get_completed_job = sound.get_completed_job;
		mgr->flush_job = sound.flush_job;
		rig_rx_clear(100, 1);
		rig_rx_sealed(&in, &ip);
		rig_run();
		left(100, 1, 40 * TURN + 1);
		arrived(ip);
		end();
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(packets_of_every_length_pass_both_ways),
		T(any_changed_octet_is_refused),
		T(every_cut_is_refused),
		T(padding_up_to_255_is_taken_when_it_is_right),
		T(the_mtu_follows_the_suite),
		T(a_number_beyond_32_bits_passes_inside_a_burst),
		T(disorder_around_2_to_the_32_is_taken),
		T(the_64_bit_space_has_an_end),
		T(the_iv_of_cbc_is_unpredictable),
		T(a_bad_packet_in_a_mixed_burst_disturbs_no_other),
		T(what_the_library_refuses_is_dropped),
	};

	return cmocka_run_group_tests_name("suites", tests, rig_start, rig_stop);
}
