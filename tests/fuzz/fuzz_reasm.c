/* Fragments to ourselves.
 *
 * Records until the end: what, number, place (2 octets), length; and for RAW that many octets of a packet, which the parser looks at first.
 * Whatever comes, no mbuf is missing when its time is over, and a good packet goes after it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataplane/drop.h"
#include "dataplane/parse.h"
#include "dataplane/pkt.h"
#include "dataplane/reasm.h"
#include "tests/stage/wide.h"

enum { HEAD = 5, V6 = 1, MORE = 2, DECAPPED = 4, LATER = 8, CE = 16, RAW = 32 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void start(void)
{
	check(rig_start(NULL) == 0 && rig_reset(NULL) == 0);
	rig->reasm = reasm_new(0, SOCKET_ID_ANY);
	check(rig->reasm != NULL);
	rig->n_workers = 1;
	rig->port[RIG_WAN].addr6 = ip6_get(wide_us[1]);
}

static void flush(void);

/* What EAL's memory holds, the leak detector cannot see. */
static void finish(void)
{
	flush();
	reasm_free(rig->reasm);
	rig->reasm = NULL;
	(void)rig_clear(NULL);
	(void)rig_stop(NULL);
}

static void flush(void)
{
	rte_pktmbuf_free_bulk(rig->fwd.m, rig->fwd.n);
	rte_pktmbuf_free_bulk(rig->esp.m, rig->esp.n);
	rig->fwd.n = rig->esp.n = 0;
	drop_flush(rig);
}

static void push(const struct rig_bytes *ip, uint8_t what)
{
	struct rte_mbuf *m = rig_mbuf(ip);
	bool v6 = ip->b[0] >> 4 == 6;

	m->port = RIG_WAN;
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR,
				  .flags = (uint8_t)((v6 ? PKT_V6 : 0) | (what & DECAPPED ? PKT_DECAPPED : 0))};
	reasm_push(rig, m);
}

static void piece(uint8_t what, uint8_t id, uint16_t from, uint16_t len)
{
	bool v6 = what & V6;
	uint16_t head = v6 ? IP6_HDR + IP6_FRAG_HDR : WIDE_IP4;
	struct rig_bytes ip;

	wide_udp(&ip, v6, wide_peer[v6], wide_us[v6], what & CE ? 3 : 2, (uint16_t)(head + len));
	if (v6) {
		ip.b[6] = IP6_FRAGMENT;
		memset(ip.b + IP6_HDR, 0, IP6_FRAG_HDR);
		ip.b[IP6_HDR] = IPPROTO_UDP;
		una_put16(ip.b + IP6_HDR + 2, rte_cpu_to_be_16((uint16_t)((from & 0xfff8) | !!(what & MORE))));
		ip.b[IP6_HDR + 7] = id;
	} else {
		rig_ip(&ip)->packet_id = id;
		rig_ip(&ip)->fragment_offset = rte_cpu_to_be_16((uint16_t)(from >> 3 | (what & MORE ? 0x2000 : 0)));
		rig_cksum(&ip);
	}
	push(&ip, what);
}

static void raw(const uint8_t *p, uint16_t len, uint8_t what)
{
	struct rig_bytes ip = {.len = len};
	uint16_t says;
	bool v6 = len > 0 && p[0] >> 4 == 6;
	struct ip6_chain c;

	memcpy(ip.b, p, len);
	if (len < (v6 ? IP6_HDR : WIDE_IP4))
		return;
	if (!v6 && parse_ip((void *)ip.b, len, false) != DROP_N)
		return;
	if (v6 && (parse_ip6((void *)ip.b, len) != DROP_N || ip6_walk((void *)ip.b, len, &c) != DROP_N || c.whole))
		return;
	says = v6 ? (uint16_t)(IP6_HDR + rte_be_to_cpu_16(una_get16(ip.b + 4)))
		  : rte_be_to_cpu_16(rig_ip(&ip)->total_length);
	ip.len = says < ip.len ? says : ip.len;
	push(&ip, what);
}

static void good(void)
{
	unsigned before;

	flush();
	before = rig->fwd.n + rig->esp.n;
	piece(MORE, 0xfe, 0, 64);
	piece(0, 0xfe, 64, 9);
	check(rig->fwd.n + rig->esp.n == before + 1);
	check(rig->fwd.n == 0 || rig->fwd.m[0]->data_len == WIDE_IP4 + 73);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (rig == NULL) {
		start();
		atexit(finish);
	}
	rig->now_tsc = rte_rdtsc();
	while (size >= HEAD) {
		uint8_t what = data[0], id = data[1] & 0x7f;
		uint16_t from = (uint16_t)(data[2] << 8 | data[3]), len = (uint16_t)(data[4] * 8);

		data += HEAD;
		size -= HEAD;
		if (what & LATER)
			rig->now_tsc += rig->tsc_hz / 4;
		if (what & RAW) {
			len = (uint16_t)(len < size ? len : size);
			raw(data, len < RIG_MTU ? len : RIG_MTU, what);
			data += len;
			size -= len;
		} else {
			/* the last octet of the place: a length that is no multiple of 8 */
			piece(what, id, from, (uint16_t)(len + (from & 7)) % RIG_MTU);
		}
		flush();
		check(rte_mempool_in_use_count(rig->pool) <= REASM_MBUFS);
	}
	good();
	rig->now_tsc += rig->tsc_hz * 3;
	reasm_age(rig);
	flush();
	check(rte_mempool_in_use_count(rig->pool) == 0);
	return 0;
}
