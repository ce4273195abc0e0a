/* Routes: how fast a full table gets into the forwarding table, and how fast it is read there.
 *
 * usage: fib_bench [--quick] [--json FILE] [--dataplane PROGRAM]
 *
 * Table: fib_set() and fib_del() alone, and lookups in bursts of 32 at a million prefixes, by one thread of this process. Ring:
 * the product's data plane as a process of its own (in a network namespace of its own: that needs root), its worker polling
 * without rest; this process is its control plane, and pushes as fast as the route ring takes. The clock runs from the first record
 * to `applied` having counted the last: every worker has it then. Prefixes have lengths as on the Internet, in random
 * order and by address.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "base/build.h"
#include "dataplane/fib.h"
#include "ring/shm.h"

enum { NEXTHOPS = 512, BURST = 32, CONNECT_S = 20, SHORT = 9 };

struct prefix {
	uint32_t addr;
	uint8_t plen;
};

/* Seconds for all prefixes. */
struct pass {
	const char *order;
	double set, replace, del; /* table: CPU time; ring: by the clock */
	double cpu;               /* ring: of the ctl thread, all three together */
};

static struct prefix *prefix;
static uint32_t n_prefixes = 1000000;
static uint64_t rnd_state = 88172645463325252ull;

static void die(const char *what)
{
	fprintf(stderr, "fib_bench: %s\n", what);
	exit(1);
}

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16);
}

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

/* Of this thread: who else uses the machine does not count. */
static double cpu_now(void)
{
	return clock_s(CLOCK_THREAD_CPUTIME_ID);
}

static int by_address(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)x->plen - y->plen;
}

/* Different ones, by address. */
static void prefixes_make(void)
{
	static const uint8_t plens[] = {24, 24, 24, 24, 24, 24, 24, 24, 23, 22, 22, 22, 21, 20, 19, 18, 17, 16};
	uint32_t more = n_prefixes + n_prefixes / 4, kept = 0;

	prefix = calloc(more, sizeof(*prefix));
	if (!prefix)
		die("out of memory");
	for (uint32_t i = 0; i < more; i++) {
		prefix[i].plen = plens[rnd() % sizeof(plens)];
		prefix[i].addr = (0x01000000 + rnd() % 0xdf000000) & UINT32_MAX << (32 - prefix[i].plen);
	}
	qsort(prefix, more, sizeof(*prefix), by_address);
	for (uint32_t i = 1; i < more; i++)
		if (by_address(&prefix[kept], &prefix[i]))
			prefix[++kept] = prefix[i];
	if (kept + 1 < n_prefixes)
		die("too few different prefixes");
	for (uint32_t i = kept; i >= n_prefixes; i--) /* leave out any, not the last */
		prefix[rnd() % n_prefixes] = prefix[i];
	qsort(prefix, n_prefixes, sizeof(*prefix), by_address);
}

static void prefixes_shuffle(void)
{
	for (uint32_t i = n_prefixes - 1; i > 0; i--) {
		uint32_t k = rnd() % (i + 1);
		struct prefix p = prefix[i];

		prefix[i] = prefix[k];
		prefix[k] = p;
	}
}

/* --- the table --- */

static void eal(void)
{
	char file_prefix[64];
	char *argv[] = {"fib_bench",      "--no-huge",      "--no-shconf",         "-m",       "768",
			"--no-pci",       "--no-telemetry", "--log-level=*:error", "--lcores", "0@0",
			"--iova-mode=va", "--file-prefix",  file_prefix,           NULL};

	snprintf(file_prefix, sizeof(file_prefix), "esplanade-bench-%d", (int)getpid());
	if (rte_eal_init((int)N_ELEMS(argv) - 1, argv) < 0)
		die("DPDK does not start without hugepages");
	(void)rmdir(rte_eal_get_runtime_dir());
}

static struct fib *table_new(void)
{
	struct fib_params p = {.routes_max = n_prefixes + 1, .n_nexthops = NEXTHOPS, .n_ports = 1};
	struct fib *f = fib_new(&p);

	if (!f)
		die("out of memory");
	for (uint32_t i = 0; i < NEXTHOPS; i++) {
		struct msg_nexthop m = {.id = i, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 4}};

		if (fib_nexthop_set(f, &m))
			die("a next hop");
	}
	return f;
}

static double table_set(struct fib *f, uint32_t shift)
{
	double begun = cpu_now();

	for (uint32_t i = 0; i < n_prefixes; i++)
		if (fib_set(f, prefix[i].addr, prefix[i].plen, (i + shift) % NEXTHOPS))
			die("a route is refused");
	return cpu_now() - begun;
}

static void table_pass(struct fib *f, struct pass *p)
{
	double begun;

	p->set = table_set(f, 0);
	p->replace = table_set(f, 1);
	begun = cpu_now();
	for (uint32_t i = 0; i < n_prefixes; i++)
		if (fib_del(f, prefix[i].addr, prefix[i].plen))
			die("a route is not there");
	p->del = cpu_now() - begun;
}

/* Cycles per address; n different ones, in random order. */
static double lookups(const struct fib *f, uint32_t n)
{
	uint32_t *addr = calloc(n, sizeof(*addr)), id[BURST], sum = 0;
	uint64_t begun = 0;

	if (!addr)
		die("out of memory");
	for (uint32_t i = 0; i < n; i++)
		addr[i] = prefix[rnd() % n_prefixes].addr + rnd() % 256;
	for (unsigned round = 0; round < 2; round++) { /* the first one warms */
		begun = rte_rdtsc();
		for (uint32_t i = 0; i + BURST <= n; i += BURST) {
			fib_lookup(f, addr + i, id, BURST);
			sum += id[0] + id[BURST - 1];
		}
		begun = rte_rdtsc() - begun;
	}
	free(addr);
	return sum == 1 ? 0 : (double)begun / n;
}

/* Milliseconds to change a prefix of n bits, n < SHORT: words without end, over all other routes. */
static void short_prefixes(struct fib *f, double *ms)
{
	for (uint8_t plen = 0; plen < SHORT; plen++) {
		double begun;

		if (fib_set(f, 0, plen, 1))
			die("a route is refused");
		begun = cpu_now();
		for (uint32_t i = 0; i < 8; i++)
			if (fib_set(f, 0, plen, 2 + i))
				die("a route is refused");
		ms[plen] = (cpu_now() - begun) * 1000 / 8;
		if (fib_del(f, 0, plen))
			die("a route is not there");
	}
}

/* --- the ring --- */

static pid_t child;
static char dir[64];

static void ring_end(void)
{
	char path[128];

	if (child > 0) {
		kill(child, SIGTERM);
		waitpid(child, NULL, 0);
	}
	snprintf(path, sizeof(path), "%s/gateway.yaml", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/out.pcap", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/dataplane.sock", dir);
	unlink(path);
	rmdir(dir);
}

static void ring_start(const char *program)
{
	char path[128];
	FILE *f;

	snprintf(dir, sizeof(dir), "/tmp/fib_bench.%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/gateway.yaml", dir);
	if (mkdir(dir, 0755) || !(f = fopen(path, "w")))
		die("cannot write below /tmp");
	atexit(ring_end);
	fprintf(f,
		"gateway: {name: bench}\ndataplane: {workers: 1, idle: spin, max-sas: 64, max-routes: %u}\n"
		"ports:\n  wan0: {device: \"pcap:tx=%s/out.pcap\", addresses: [192.0.2.1/24]}\n",
		n_prefixes, dir);
	fclose(f);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET))
			die("no network namespace: the data plane's part needs root");
		execl(program, program, "--config", path, "--run-dir", dir, "--log-level", "warn", (char *)NULL);
		die("the data plane does not start");
	}
}

static void ring_attach(struct shm *s)
{
	char path[128];
	const char *why = "it does not answer";
	double until = now() + CONNECT_S;

	snprintf(path, sizeof(path), "%s/dataplane.sock", dir);
	while (now() < until && waitpid(child, NULL, WNOHANG) == 0) {
		int sock = shm_connect(path);
		struct pollfd p = {.fd = sock, .events = POLLIN};

		/* the connection is the attachment: it stays open */
		if (sock >= 0 && poll(&p, 1, 1000) == 1 && shm_recv(s, sock, &why) == 0)
			return;
		if (sock >= 0)
			close(sock);
		usleep(20000);
	}
	die(why);
}

static uint64_t refused;

static void ring_events(struct shm *s, uint32_t *acks)
{
	union msg m;

	while (spsc_pop(&s->ctl_evt, &m) == 0) {
		*acks += m.hdr.type == MSG_ACK;
		refused += m.hdr.type == MSG_NACK;
	}
}

static void ring_nexthops(struct shm *s)
{
	uint32_t acks = 0;

	for (uint32_t i = 0; i < NEXTHOPS; i++) {
		struct msg_nexthop m = {
			.hdr = {.type = MSG_NEXTHOP_SET, .len = sizeof(m), .attach = s->hello.attach},
			.id = i,
			.n = 1,
			.leg[0] = {.kind = MSG_NH_PORT, .family = 4},
		};

		while (spsc_push(&s->ctl_cmd, &m, sizeof(m)))
			usleep(100);
		shm_ring_bell(s->bell_ctl);
	}
	while (acks < NEXTHOPS && !refused) {
		usleep(1000);
		ring_events(s, &acks);
	}
}

/* All prefixes down the ring, and the last one in force. */
static double ring_push(struct shm *s, enum msg_type type, uint32_t shift)
{
	uint64_t target = atomic_load(&s->hdr->applied) + n_prefixes;
	const struct timespec pause = {.tv_nsec = 50000};
	uint32_t acks = 0;
	double begun = now();

	for (uint32_t i = 0; i < n_prefixes; i++) {
		uint32_t be = __builtin_bswap32(prefix[i].addr);
		struct msg_route m = {.type = (uint16_t)type,
				      .family = 4,
				      .plen = prefix[i].plen,
				      .seq = i,
				      .attach = s->hello.attach,
				      .nexthop = type == MSG_ROUTE_SET ? (i + shift) % NEXTHOPS : 0};

		memcpy(m.addr, &be, 4);
		while (spsc_push(&s->route, &m, sizeof(m))) {
			shm_ring_bell(s->bell_ctl);
			nanosleep(&pause, NULL);
			ring_events(s, &acks);
		}
		if (i == 0)
			shm_ring_bell(s->bell_ctl);
	}
	shm_ring_bell(s->bell_ctl);
	while (atomic_load(&s->hdr->applied) < target && !refused) {
		nanosleep(&pause, NULL);
		ring_events(s, &acks);
	}
	if (refused)
		die("the data plane refused a route");
	return now() - begun;
}

/* CPU seconds of the data plane's main thread. */
static double ctl_cpu(void)
{
	unsigned long user = 0, sys = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)child, (int)child);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
		user = sys = 0;
	if (f)
		fclose(f);
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static void ring_pass(struct shm *s, struct pass *p)
{
	double cpu = ctl_cpu();

	p->set = ring_push(s, MSG_ROUTE_SET, 0);
	p->replace = ring_push(s, MSG_ROUTE_SET, 1);
	p->del = ring_push(s, MSG_ROUTE_DEL, 0);
	p->cpu = ctl_cpu() - cpu;
}

/* --- what came out --- */

static void print_pass(const char *what, const struct pass *p)
{
	double n = n_prefixes / 1e6;

	printf("%-6s %-8s %8.2f %8.2f %8.2f", what, p->order, n / p->set, n / p->replace, n / p->del);
	if (p->cpu > 0)
		printf(" %10.2f", p->cpu * 1e6 / n_prefixes / 3);
	printf("\n");
}

static void json_pass(FILE *f, const char *what, const struct pass *p)
{
	fprintf(f,
		"  {\"what\": \"%s\", \"order\": \"%s\", \"set_s\": %.3f, \"replace_s\": %.3f, \"delete_s\": %.3f, "
		"\"ctl_cpu_s\": %.2f}",
		what, p->order, p->set, p->replace, p->del, p->cpu);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
						{"json", required_argument, NULL, 'j'},
						{"dataplane", required_argument, NULL, 'd'},
						{0}};
	struct pass table[2] = {{.order = "random"}, {.order = "address"}}, ring[2] = {table[0], table[1]};
	const char *json = NULL, *program = NULL;
	double hot, cold, ms[SHORT];
	cpu_set_t cpus;
	struct shm s = {0};
	struct fib *f;
	FILE *out;

	for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (opt == '?')
			return 2;
		n_prefixes = opt == 'q' ? 200000 : n_prefixes;
		json = opt == 'j' ? optarg : json;
		program = opt == 'd' ? optarg : program;
	}
	prefixes_make();
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		die("no CPUs");
	eal();
	f = table_new();
	table_pass(f, &table[1]);
	prefixes_shuffle();
	table_pass(f, &table[0]);
	(void)table_set(f, 0);
	hot = lookups(f, 1024);
	cold = lookups(f, 4000000);
	short_prefixes(f, ms);
	fib_free(f);
	if (program) {                                         /* its worker takes a CPU from now on */
		if (sched_setaffinity(0, sizeof(cpus), &cpus)) /* EAL has chosen one */
			die("no CPUs");
		ring_start(program);
		ring_attach(&s);
		ring_nexthops(&s);
		ring_pass(&s, &ring[0]);
		qsort(prefix, n_prefixes, sizeof(*prefix), by_address);
		ring_pass(&s, &ring[1]);
	}

	printf("%u prefixes, million records per second; cpu: us of the ctl thread per record\n\n"
	       "%-6s %-8s %8s %8s %8s %10s\n",
	       n_prefixes, "", "order", "set", "replace", "delete", "cpu");
	for (unsigned i = 0; i < 2; i++)
		print_pass("table", &table[i]);
	for (unsigned i = 0; program && i < 2; i++)
		print_pass("ring", &ring[i]);
	printf("\nlookups, TSC cycles per address: %.1f (1024 addresses), %.1f (4 million)\n", hot, cold);
	printf("a short prefix, milliseconds:");
	for (unsigned i = 0; i < SHORT; i++)
		printf(" /%u %.4f", i, ms[i]);
	printf("\n");
	if (!json)
		return 0;
	out = fopen(json, "w");
	if (!out)
		die("cannot write the figures");
	fprintf(out,
		"{\n \"prefixes\": %u, \"lookup_hot_cycles\": %.1f, \"lookup_cold_cycles\": %.1f,\n \"default_ms\": "
		"%.4f, "
		"\"slash_1_ms\": %.3f,\n \"rows\": [\n",
		n_prefixes, hot, cold, ms[0], ms[1]);
	for (unsigned i = 0; i < (program ? 4u : 2u); i++) {
		json_pass(out, i < 2 ? "table" : "ring", i < 2 ? &table[i] : &ring[i - 2]);
		fprintf(out, "%s\n", i + 1 < (program ? 4u : 2u) ? "," : "");
	}
	fprintf(out, " ]\n}\n");
	return fclose(out) ? 1 : 0;
}
