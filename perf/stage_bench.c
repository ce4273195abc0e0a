/* TSC cycles per packet of every stage, and of the whole chain, without device I/O.
 *
 * usage: stage_bench [--quick] [--only gcm|suites] [--json FILE]
 *
 * Chain: all packets wait in a ring port, worker_poll() runs until all have left by another; what handing 32 pointers in
 * and out of such a port costs is measured in the same way without the stages and taken off. Stages: the product's stage
 * functions over bursts of 32, one rdtsc between two of them (about 2 cycles a packet each). Every figure is a median over
 * passes; packets are made fresh between passes, outside the timed part; tunnels are drawn anew at each pass (decrypt: once
 * a row). Hot: 256 packets. Cold: 8192.
 *
 * Suites: the same, hot, one tunnel, beside what ipsec-mb's own calls cost on as many octets (suite_ref.h).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "dataplane/classify.h"
#include "dataplane/crypto.h"
#include "dataplane/drop.h"
#include "dataplane/esp_in.h"
#include "dataplane/esp_out.h"
#include "dataplane/fwd.h"
#include "dataplane/neigh.h"
#include "dataplane/parse.h"
#include "dataplane/rx.h"
#include "dataplane/tx.h"
#include "perf/bed.h"
#include "perf/suite_ref.h"

#define STAGES(X)                            \
	X(ST_PARSE, "parse")                 \
	X(ST_CLASSIFY, "classify")           \
	X(ST_IN_LOOKUP, "esp_in_lookup")     \
	X(ST_IN_PREPARE, "esp_in_prepare")   \
	X(ST_CRYPTO, "crypto_run")           \
	X(ST_IN_FINISH, "esp_in_finish")     \
	X(ST_FWD_LOOKUP, "fwd_lookup")       \
	X(ST_FWD_SEND, "fwd_send")           \
	X(ST_OUT_LOOKUP, "esp_out_lookup")   \
	X(ST_OUT_PREPARE, "esp_out_prepare") \
	X(ST_OUT_FINISH, "esp_out_finish") X(ST_FWD_OUTER, "fwd_outer") X(ST_NEIGH, "neigh_rewrite") X(ST_TX, "tx")
XLIST_ENUM(stage, ST_N, STAGES);
static XLIST_NAME(stage_name, ST_N, STAGES)

	enum { PASSES_MAX = 2001 };

struct row {
	enum bed_dir dir;
	uint16_t len;
	uint32_t tunnels, mbufs;
	enum crypto_suite suite;
	uint8_t family;   /* inside and outside */
	double chain, io; /* cycles per packet; chain: with I/O */
	double ref;       /* what the library's own calls cost; 0: it was not asked */
	double stage[ST_N];
};

static const char *const dir_name[] = {"encrypt", "decrypt", "forward"};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static void lost(const struct row *r)
{
	const struct stats_worker *c = &bed.w->count;

	fprintf(stderr, "stage_bench: packets were lost (%s, %u octets, %u tunnels):", dir_name[r->dir], r->len,
		r->tunnels);
	for (unsigned i = 0; i < DROP_N; i++)
		if (c->drop[i])
			fprintf(stderr, " %s %lu", stats_drop_name(i), (unsigned long)c->drop[i]);
	fputc('\n', stderr);
	exit(1);
}

/* ---- the whole chain, and the I/O alone ---- */

static double chain_pass(const struct row *r)
{
	uint64_t tx = bed.w->count.tx, start, end;

	bed_restore();
	bed_feed();
	start = rte_rdtsc_precise();
	while (worker_poll(bed.w))
		;
	end = rte_rdtsc_precise();
	if (bed.w->count.tx - tx != bed.n || bed_drain() != 0)
		lost(r);
	return (double)(end - start) / bed.n;
}

static double io_pass(const struct row *r)
{
	struct rte_mbuf *m[VEC_BURST];
	uint16_t n, to = r->dir == BED_DECRYPT ? BED_LAN : BED_WAN;
	uint64_t start, end;

	bed_feed();
	start = rte_rdtsc_precise();
	while ((n = rx_burst(bed.w, m)) != 0) {
		for (uint16_t i = 0; i < n; i++)
			m[i]->port = to;
		tx_push(bed.w, m, n);
		tx_flush(bed.w);
	}
	end = rte_rdtsc_precise();
	if (bed_drain() != 0)
		lost(r);
	return (double)(end - start) / bed.n;
}

/* ---- stage by stage ---- */

struct clock {
	uint64_t last, spent[ST_N];
};

static inline void lap(struct clock *c, enum stage s)
{
	uint64_t now = rte_rdtsc();

	c->spent[s] += now - c->last;
	c->last = now;
}

/* w->fwd: the burst that classify, or esp_in_finish, has put there. */
static uint16_t take_all(struct vec *v, struct rte_mbuf **m)
{
	uint16_t n = v->n;

	memcpy(m, v->m, n * sizeof(m[0]));
	v->n = 0;
	return n;
}

static uint16_t stages_in(struct worker *w, struct clock *c, struct rte_mbuf **m)
{
	struct sa_in *sa[VEC_BURST];
	uint16_t n = take_all(&w->esp, m);

	n = esp_in_lookup(w, m, sa, n);
	lap(c, ST_IN_LOOKUP);
	esp_in_prepare(w, m, sa, n, w->batch_in);
	lap(c, ST_IN_PREPARE);
	crypto_run(&w->crypto, w->batch_in, NULL, 0);
	lap(c, ST_CRYPTO);
	n = esp_in_finish(w, w->batch_in, m);
	lap(c, ST_IN_FINISH);
	return n;
}

static void stages_out(struct worker *w, struct clock *c, struct rte_mbuf **m)
{
	uint16_t n;

	esp_out_lookup(w);
	lap(c, ST_OUT_LOOKUP);
	n = take_all(&w->ready, m);
	esp_out_prepare(w, m, w->ready_sa, n, w->batch_out);
	lap(c, ST_OUT_PREPARE);
	crypto_run(&w->crypto, w->batch_out, NULL, 0);
	lap(c, ST_CRYPTO);
	n = esp_out_finish(w, w->batch_out, m);
	lap(c, ST_OUT_FINISH);
	fwd_outer(w, m, n);
	lap(c, ST_FWD_OUTER);
}

static void stages_burst(struct worker *w, struct clock *c, enum bed_dir dir)
{
	struct rte_mbuf *m[VEC_MAX];
	struct fib_nh nh[VEC_BURST];
	uint16_t n = rx_burst(w, m);

	c->last = rte_rdtsc();
	n = parse_burst(w, m, n);
	lap(c, ST_PARSE);
	classify_burst(w, m, n);
	lap(c, ST_CLASSIFY);
	n = dir == BED_DECRYPT ? stages_in(w, c, m) : take_all(&w->fwd, m);
	fwd_lookup(w, m, nh, n);
	lap(c, ST_FWD_LOOKUP);
	fwd_send(w, m, nh, n);
	lap(c, ST_FWD_SEND);
	if (dir == BED_ENCRYPT)
		stages_out(w, c, m);
	n = take_all(&w->out, m);
	n = neigh_rewrite(w, m, n);
	lap(c, ST_NEIGH);
	tx_push(w, m, n);
	tx_flush(w);
	lap(c, ST_TX);
	drop_flush(w);
}

static void stage_pass(const struct row *r, struct clock *c)
{
	*c = (struct clock){0};
	bed.w->now_tsc = rte_rdtsc();
	bed_restore();
	bed_feed();
	for (uint32_t done = 0; done < bed.n; done += VEC_BURST)
		stages_burst(bed.w, c, r->dir);
	if (bed_drain() != 0)
		lost(r);
}

/* ---- rows ---- */

static void measure(struct row *r, uint32_t packets)
{
	static double chain[PASSES_MAX], io[PASSES_MAX], stage[ST_N][PASSES_MAX];
	unsigned passes = packets / r->mbufs | 1;
	struct clock c;

	passes = passes > PASSES_MAX ? PASSES_MAX : passes < 5 ? 5 : passes;
	bed_kind(crypto_forms[r->suite].encr, crypto_forms[r->suite].integ, r->family);
	bed_set(r->dir, r->len, r->tunnels, r->mbufs);
	for (unsigned i = 0; i < 2; i++) /* warm up */
		chain_pass(r);
	for (unsigned i = 0; i < passes; i++) {
		chain[i] = chain_pass(r);
		io[i] = io_pass(r);
		stage_pass(r, &c);
		for (unsigned s = 0; s < ST_N; s++)
			stage[s][i] = (double)c.spent[s] / bed.n;
	}
	r->chain = median(chain, passes);
	r->io = median(io, passes);
	for (unsigned s = 0; s < ST_N; s++)
		r->stage[s] = median(stage[s], passes);
	bed_clear();
}

static void suite_name(char *s, size_t size, enum crypto_suite suite)
{
	const struct crypto_form *f = &crypto_forms[suite];

	if (f->integ == MSG_INTEG_NONE)
		snprintf(s, size, "%s", msg_encr_name(f->encr));
	else
		snprintf(s, size, "%s %s", msg_encr_name(f->encr), msg_integ_name(f->integ));
}

/* The library first and afterwards again, so that a machine that gets slower or faster meanwhile favours nobody. */
static void measure_suite(struct row *r, uint32_t packets)
{
	const unsigned align = crypto_forms[r->suite].align, passes = packets / 256 | 1;
	const uint16_t text = (uint16_t)((r->len + 2 + align - 1) / align * align);
	const enum crypto_dir dir = r->dir == BED_ENCRYPT ? CRYPTO_ENCRYPT : CRYPTO_DECRYPT;
	double before = suite_ref(bed.w->crypto.mgr, r->suite, dir, text, passes);

	measure(r, packets);
	r->ref = (before + suite_ref(bed.w->crypto.mgr, r->suite, dir, text, passes)) / 2;
}

/* A suite's row and the same one in IPv6. */
static void print_suite(const struct row *r, const struct row *six)
{
	const double net = r->chain - r->io, crypto = r->stage[ST_CRYPTO];
	char name[64];

	suite_name(name, sizeof(name), r->suite);
	printf("%-32s %-8s %5u %9.1f %9.1f %7.2f %9.1f", name, dir_name[r->dir], r->len, net, six->chain - six->io,
	       (six->chain - six->io) / net, crypto);
	if (r->ref > 0)
		printf(" %9.1f %7.2f %7.2f", r->ref, crypto / r->ref, net / r->ref);
	putchar('\n');
	fflush(stdout);
}

/* Published figures of others on a machine like this one (AES-256-GCM, IPv4 tunnel, cycles per packet without I/O): FD.io VPP
 * 26.06 with ipsec-mb 2.0.2, and a prototype of this chain with ipsec-mb 1.3. 0: none. */
static const struct other {
	enum bed_dir dir;
	uint16_t len;
	uint32_t tunnels;
	double vpp, prototype;
} others[] = {
	{BED_ENCRYPT, 64, 1, 191, 134},    {BED_ENCRYPT, 512, 1, 316, 247},    {BED_ENCRYPT, 1420, 1, 533, 463},
	{BED_DECRYPT, 64, 1, 226, 135},    {BED_DECRYPT, 512, 1, 347, 246},    {BED_DECRYPT, 1420, 1, 564, 464},
	{BED_ENCRYPT, 64, 1000, 318, 150}, {BED_ENCRYPT, 512, 1000, 492, 269}, {BED_ENCRYPT, 1420, 1000, 710, 489},
	{BED_DECRYPT, 64, 1000, 392, 152}, {BED_DECRYPT, 512, 1000, 570, 269}, {BED_DECRYPT, 1420, 1000, 795, 493},
	{BED_FORWARD, 64, 1, 58, 16},
};

static const struct other *other_of(const struct row *r)
{
	static const struct other none;

	for (unsigned i = 0; i < N_ELEMS(others); i++)
		if (r->suite == CRYPTO_AES256_GCM16 && others[i].dir == r->dir && others[i].len == r->len &&
		    others[i].tunnels == r->tunnels)
			return &others[i];
	return &none;
}

static void print_row(const struct row *r)
{
	const struct other *o = other_of(r);
	double net = r->chain - r->io, hz = (double)rte_get_tsc_hz();

	printf("%-8s %5u %8u %6u %9.1f %6.1f %7.2f %8.2f", dir_name[r->dir], r->len, r->tunnels, r->mbufs, net, r->io,
	       hz / net / 1e6, hz / net * r->len * 8 / 1e9);
	if (o->vpp > 0)
		printf(" %8.0f %10.0f", o->vpp, o->prototype);
	putchar('\n');
	fflush(stdout);
}

static void print_stages(const struct row *r, unsigned n)
{
	printf("\nCycles per packet and stage (hot, 64 and 1420 octets, 1 tunnel)\n%-16s", "");
	for (unsigned i = 0; i < n; i++)
		if (r[i].mbufs == 256 && r[i].tunnels == 1 && r[i].len != 512)
			printf(" %7s %4u", dir_name[r[i].dir], r[i].len);
	putchar('\n');
	for (unsigned s = 0; s < ST_N; s++) {
		printf("%-16s", stage_name(s));
		for (unsigned i = 0; i < n; i++)
			if (r[i].mbufs == 256 && r[i].tunnels == 1 && r[i].len != 512)
				printf(" %12.1f", r[i].stage[s]);
		putchar('\n');
	}
}

static void write_json(const char *path, const struct row *r, unsigned n)
{
	FILE *f = fopen(path, "w");

	if (f == NULL) {
		fprintf(stderr, "stage_bench: cannot write %s\n", path);
		exit(1);
	}
	fprintf(f,
		"{\n \"tsc_mhz\": %.0f, \"dpdk\": \"%s\", \"ipsec_mb\": \"%s\", \"instruction_set\": \"%s\",\n "
		"\"rows\": [",
		(double)rte_get_tsc_hz() / 1e6, rte_version(), imb_get_version_str(), crypto_arch(&bed.w->crypto));
	for (unsigned i = 0; i < n; i++) {
		char name[64];

		suite_name(name, sizeof(name), r[i].suite);
		fprintf(f,
			"%s\n  {\"direction\": \"%s\", \"suite\": \"%s\", \"family\": %u, \"octets\": %u, \"tunnels\": "
			"%u, "
			"\"mbufs\": %u, ",
			i ? "," : "", dir_name[r[i].dir], name, r[i].family, r[i].len, r[i].tunnels, r[i].mbufs);
		if (r[i].ref > 0)
			fprintf(f, "\"cycles_library\": %.1f, ", r[i].ref);
		fprintf(f, "\"cycles\": %.1f, \"cycles_io\": %.1f, \"stages\": {", r[i].chain - r[i].io, r[i].io);
		for (unsigned s = 0, first = 1; s < ST_N; s++)
			if (r[i].stage[s] > 0) {
				fprintf(f, "%s\"%s\": %.1f", first ? "" : ", ", stage_name(s), r[i].stage[s]);
				first = 0;
			}
		fputs("}}", f);
	}
	fputs("\n ]\n}\n", f);
	if (fclose(f) != 0)
		exit(1);
}

/* All rows: direction x tunnels x size x (hot, cold). */
static unsigned rows_make(struct row *r)
{
	static const uint16_t sizes[] = {64, 512, 1420};
	static const uint32_t tunnels[] = {1, 1000}, mbufs[] = {256, 8192};
	unsigned n = 0;

	for (unsigned d = 0; d < 2; d++)
		for (unsigned t = 0; t < N_ELEMS(tunnels); t++)
			for (unsigned s = 0; s < N_ELEMS(sizes); s++)
				for (unsigned b = 0; b < N_ELEMS(mbufs); b++)
					r[n++] = (struct row){d, sizes[s], tunnels[t], mbufs[b], CRYPTO_AES256_GCM16,
							      4, 0,        0,          0,        {0}};
	for (unsigned b = 0; b < N_ELEMS(mbufs); b++)
		r[n++] = (struct row){BED_FORWARD, 64, 1, mbufs[b], CRYPTO_AES256_GCM16, 4, 0, 0, 0, {0}};
	return n;
}

static unsigned suites_make(struct row *r)
{
	static const uint16_t sizes[] = {64, 512, 1420};
	unsigned n = 0;

	for (unsigned suite = 0; suite < CRYPTO_SUITE_N; suite++)
		for (unsigned d = 0; d < 2; d++)
			for (unsigned s = 0; s < N_ELEMS(sizes); s++, n += 2)
				r[n] = (struct row){.dir = (enum bed_dir)d,
						    .len = sizes[s],
						    .tunnels = 1,
						    .mbufs = 256,
						    .suite = (enum crypto_suite)suite,
						    .family = 4};
	return n;
}

static void gcm(struct row *row, unsigned n, uint32_t packets)
{
	printf("AES-256-GCM, IPv4 tunnel, window 1024, bursts of 32, %s, %s, %s path, TSC %.0f MHz\n"
	       "Octets: inner IP. Cycles: TSC cycles per packet without I/O; io: what the ring ports cost.\n\n"
	       "%-8s %5s %8s %6s %9s %6s %7s %8s %8s %10s\n",
	       rte_version(), imb_get_version_str(), crypto_arch(&bed.w->crypto), (double)rte_get_tsc_hz() / 1e6, "",
	       "octets", "tunnels", "mbufs", "cycles", "io", "Mpps", "Gbit/s", "VPP", "prototype");
	for (unsigned i = 0; i < n; i++) {
		measure(&row[i], packets);
		print_row(&row[i]);
	}
	print_stages(row, n);
	printf("\nVPP, prototype: constants, measured elsewhere on a machine of this kind (VPP 26.06 with ipsec-mb "
	       "2.0.2; a\n"
	       "prototype of this chain with ipsec-mb 1.3, 4096 mbufs), not in this run.\n");
}

static void suites(struct row *row, unsigned n, uint32_t packets)
{
	printf("\nAll suites, 1 tunnel, 256 mbufs, IPv4 in IPv4 and IPv6 in IPv6. Crypto: crypto_run alone (IPv4). "
	       "Library: ipsec-mb's "
	       "own job or\nburst calls, whichever is better, in this run on the same octets of text.\n\n"
	       "%-32s %-8s %5s %9s %9s %7s %9s %9s %7s %7s\n",
	       "", "", "octets", "IPv4", "IPv6", "6/4", "crypto", "library", "crypto/", "IPv4/");
	for (unsigned i = 0; i < n; i += 2) {
		uint32_t some = crypto_forms[row[i].suite].encr == MSG_ENCR_3DES_CBC ? packets / 50 : packets / 10;

		measure_suite(&row[i], some);
		row[i + 1] = row[i];
		row[i + 1].family = 6;
		measure(&row[i + 1], some);
		print_suite(&row[i], &row[i + 1]);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
						{"only", required_argument, NULL, 'o'},
						{"json", required_argument, NULL, 'j'},
						{0}};
	static struct row row[64 + 12 * CRYPTO_SUITE_N];
	const char *json = NULL, *only = "";
	uint32_t packets = 2000000;
	unsigned n = 0, first;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'q')
			packets = 20000;
		else if (opt == 'o' && (!strcmp(optarg, "gcm") || !strcmp(optarg, "suites")))
			only = optarg;
		else if (opt == 'j')
			json = optarg;
		else
			return 2;
	}
	bed_start();
	if (strcmp(only, "suites") != 0) {
		n = rows_make(row);
		gcm(row, n, packets);
	}
	first = n;
	if (strcmp(only, "gcm") != 0) {
		n += suites_make(row + n);
		suites(row + first, n - first, packets);
	}
	if (json != NULL)
		write_json(json, row, n);
	return 0;
}
