/* esplanade-dataplane: start everything in order, become the ctl thread, end everything in reverse order. */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "dataplane/nbr.h"
#include "dataplane/cmd.h"
#include "dataplane/ctl.h"
#include "dataplane/eal.h"
#include "dataplane/fib.h"
#include "dataplane/guard.h"
#include "dataplane/handoff.h"
#include "dataplane/mcast.h"
#include "dataplane/neigh.h"
#include "dataplane/onlink.h"
#include "dataplane/pool.h"
#include "dataplane/port.h"
#include "dataplane/privs.h"
#include "dataplane/punt.h"
#include "dataplane/reasm.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/tundev.h"
#include "dataplane/whole.h"
#include "dataplane/worker.h"

#define CONTROL_USER "esplanade"

enum { MBUF_CACHE = 512, MBUFS_PER_WORKER = 4096, WHY = 512, TUNNELS_MIN = 1024, MEMORY_SLACK = 48 << 20, PAGE = 4096 };

struct options {
	const char *config, *run_dir;
	bool show_eal, check;
};

/* Everything that has to be given back; zero: not there. */
struct gateway {
	struct options opt;
	struct config *cfg;
	struct port_set ports;
	struct guard guard;
	struct tundev tundev;
	int mcast; /* descriptor */
	struct eal_args eal;
	bool eal_up;
	struct rte_mempool *pool;
	struct ctl ctl;
	struct handoff *handoff;
	struct worker *worker[CFG_WORKERS_MAX];
	struct cmd *cmd[CFG_WORKERS_MAX];
	unsigned launched;
	_Atomic bool stop;
	char why[WHY];
};

/* --- arguments --- */

static void usage(FILE *f)
{
	fprintf(f,
		"usage: esplanade-dataplane [--config FILE] [--run-dir DIR] [--log-level SPEC] [--check | --show-eal]\n"
		"  --config FILE     default /etc/esplanade/gateway.yaml\n"
		"  --run-dir DIR     default /run/esplanade; made if need be\n"
		"  --log-level SPEC  error, warn, info or debug; or per component: info,port=debug\n"
		"  --check           check the config and the ports, and exit\n"
		"  --show-eal        print the arguments that DPDK would get, and exit\n"
		"  --version, --help\n");
}

static struct options options(int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"run-dir", required_argument, NULL, 'r'},
		{"log-level", required_argument, NULL, 'l'},
		{"check", no_argument, NULL, 'k'},
		{"show-eal", no_argument, NULL, 'e'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options o = {.config = "/etc/esplanade/gateway.yaml", .run_dir = "/run/esplanade"};

	for (int opt; (opt = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (opt) {
		case 'c':
			o.config = optarg;
			break;
		case 'r':
			o.run_dir = optarg;
			break;
		case 'l':
			if (log_set(optarg))
				log_fatal(LOG_MAIN, "cause=\"--log-level %s: write error, warn, info or debug\"",
					  optarg);
			break;
		case 'k':
			o.check = true;
			break;
		case 'e':
			o.show_eal = true;
			break;
		case 'v':
			printf("esplanade-dataplane %s\n", ESPLANADE_VERSION);
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
	return o;
}

/* --- sizes --- */

static uint32_t n_tunnels(const struct config *c)
{
	uint32_t n = TUNNELS_MIN;

	while (n < 2 * c->n_tunnels)
		n *= 2;
	return n;
}

static uint32_t n_nexthops(const struct config *c)
{
	return 2 * n_tunnels(c);
}

/* Few, so that the set in use stays in the caches: what lists, rings and waiting packets can hold at worst. */
static uint32_t n_mbufs(const struct config *c, const struct port_set *ports)
{
	uint32_t n = c->dataplane.n_workers;

	return n * (MBUFS_PER_WORKER + REASM_MBUFS) + n * (n - 1) * HANDOFF_RING +
	       n * (NEIGH_RING + NEIGH_DOWN + 2 * TUN_RING) + NBR_FAMILIES * NBR_HOLD_ALL + 2 * MBUF_CACHE +
	       port_mbufs(ports, (uint16_t)n);
}

static uint64_t memory(const struct config *c, const struct port_set *ports)
{
	uint64_t sas = (uint64_t)c->dataplane.sa_max *
		       (sizeof(struct sa_in) + sizeof(struct sa_out) + 2 * sizeof(struct sa_cold) + 16);
	uint64_t tunnels = (uint64_t)n_tunnels(c) * SAD_TUNNEL_SIZE;
	uint64_t mbufs =
		(uint64_t)n_mbufs(c, ports) * (sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM + port_room(ports) + 192);
	uint64_t workers =
		c->dataplane.n_workers * (sizeof(struct worker) + sizeof(struct punt) + reasm_memory() + (128u << 10));

	const struct fib_params fib = {.routes_max = c->dataplane.routes_max,
				       .routes6_max = c->dataplane.routes6_max,
				       .n_nexthops = n_nexthops(c)};

	return fib_memory(&fib) + sas + tunnels + mbufs + workers + (uint64_t)n_nexthops(c) * 16 + MEMORY_SLACK;
}

/* --- start --- */

static struct config *read_config(const char *path)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load(path, false, &errs);

	if (!c) {
		cfg_errors_print(&errs, path, STDERR_FILENO);
		cfg_errors_free(&errs);
		log_fatal(LOG_MAIN, "config=%s cause=\"not usable, see above\" cure=\"gwctl config check %s\"", path,
			  path);
	}
	cfg_errors_free(&errs);
	return c;
}

static int run_dir(struct gateway *g)
{
	const struct passwd *pw = getpwnam(CONTROL_USER);
	int ret;

	if (mkdir(g->opt.run_dir, 0755) && errno != EEXIST) {
		snprintf(g->why, WHY, "run directory %s: %s; make it, or give another --run-dir", g->opt.run_dir,
			 err_str(errno));
		return -errno;
	}
	ret = attach_listen(&g->ctl.attach, g->opt.run_dir, pw ? pw->pw_uid : 0);
	if (ret == -EADDRINUSE)
		snprintf(g->why, WHY,
			 "run directory %s: another esplanade-dataplane answers there; stop it, or give another "
			 "--run-dir",
			 g->opt.run_dir);
	else if (ret)
		snprintf(g->why, WHY, "run directory %s: dataplane.sock: %s", g->opt.run_dir, err_str(ret));
	return ret;
}

static bool link_local(const struct ip_addr *a)
{
	return a->family == IP_V6 && ip6_is_link_local(ip6_get(a->b));
}

/* The device that the kernel's sockets speak through, with the ports' addresses. */
static int start_tun(struct gateway *g)
{
	const struct config *c = g->cfg;
	uint16_t mtu = UINT16_MAX;
	int ret;

	for (unsigned i = 0; i < c->n_ports; i++)
		mtu = RTE_MIN(mtu, c->port[i].mtu);
	ret = tundev_open(&g->tundev, c->dataplane.tun, mtu, g->why, WHY);
	if (ret)
		return ret;
	for (unsigned i = 0; i < c->n_ports && !ret; i++)
		for (unsigned k = 0; k < c->port[i].n_addr && !ret; k++)
			if (!link_local(&c->port[i].addr[k].addr))
				ret = tundev_addr_set(&g->tundev, &c->port[i].addr[k].addr);
	if (ret)
		snprintf(g->why, WHY, "TUN device %s: the ports' addresses are refused: %s", g->tundev.name,
			 err_str(ret));
	return ret;
}

/* What touches the host, up to DPDK. */
static int start_host(struct gateway *g)
{
	int ret = run_dir(g);

	if (!ret)
		ret = guard_lock(&g->guard, &g->ports, g->why, WHY);
	if (!ret)
		ret = guard_on(&g->guard, &g->ports, g->opt.run_dir, g->why, WHY);
	if (!ret)
		ret = port_prepare(&g->ports, g->why, WHY);
	if (!ret && (g->mcast = mcast_join(&g->ports)) < 0) {
		ret = g->mcast;
		snprintf(g->why, WHY, "ports: the groups of their IPv6 addresses are refused: %s", err_str(ret));
	}
	if (!ret)
		ret = start_tun(g);
	if (!ret && (ret = privs_early((port_any(&g->ports, PORT_AF_XDP) ? PRIVS_XDP : 0) |
				       (port_any(&g->ports, PORT_PCI) ? PRIVS_PCI : 0))) != 0)
		snprintf(g->why, WHY, "cannot give up capabilities: %s", err_str(ret));
	if (!ret)
		ret = eal_start(&g->eal, g->why, WHY);
	g->eal_up = ret == 0;
	return ret;
}

static int start_tables(struct gateway *g)
{
	const struct cfg_dataplane *d = &g->cfg->dataplane;
	int node = (int)rte_socket_id();
	uint16_t room = (uint16_t)(RTE_PKTMBUF_HEADROOM + port_room(&g->ports));
	struct fib_params fib = {.routes_max = d->routes_max,
				 .routes6_max = d->routes6_max,
				 .n_nexthops = n_nexthops(g->cfg),
				 .n_ports = g->ports.n,
				 .numa_node = node};
	struct ctl *c = &g->ctl;
	int ret;

	snprintf(g->why, WHY, "%llu MB of memory are too few; write a larger dataplane.memory",
		 (unsigned long long)(g->eal.memory >> 20));
	g->pool = pool_new("packets", n_mbufs(g->cfg, &g->ports), MBUF_CACHE, room, node);
	c->qsbr = rte_zmalloc_socket("qsbr", rte_rcu_qsbr_get_memsize(d->n_workers), 64, node);
	if (!g->pool || !c->qsbr || rte_rcu_qsbr_init(c->qsbr, d->n_workers))
		return -ENOMEM;
	fib.qsbr = c->qsbr;
	c->fib = fib_new(&fib);
	c->sad = sad_new(d->sa_max, n_tunnels(g->cfg), node);
	c->neigh = neigh_new((uint8_t)d->n_workers, node);
	g->handoff = handoff_new((uint8_t)d->n_workers, node);
	if (!c->fib || !c->sad || !c->neigh || !g->handoff)
		return -ENOMEM;
	c->arp = nbr_new(c->neigh, c->fib, &g->ports, node);
	if (!c->arp)
		return -ENOMEM;
	c->neigh->bell_ctl = c->bell;
	c->tun = tun_new(&g->tundev, g->pool, (uint8_t)d->n_workers, c->bell, node);
	if (!c->tun)
		return -ENOMEM;
	ret = onlink_install(c->fib, g->cfg);
	if (!ret)
		ret = onlink_install6(c->fib, &g->ports);
	if (ret)
		snprintf(g->why, WHY, "ports: their networks do not fit the table: %s", err_str(ret));
	return ret;
}

static int start_worker(struct gateway *g, uint8_t id)
{
	struct worker *w = rte_zmalloc("worker", sizeof(*w), CACHE_LINE);
	const char *why = "out of memory";

	g->worker[id] = w;
	g->cmd[id] = cmd_new(g->ctl.bell);
	if (!w || !g->cmd[id] || worker_init(w, id, &why)) {
		snprintf(g->why, WHY, "worker %u: %s", id, why);
		return -ENOMEM;
	}
	w->n_workers = (uint8_t)g->cfg->dataplane.n_workers;
	w->spin = g->cfg->dataplane.idle == CFG_IDLE_SPIN;
	w->n_ports = g->ports.n;
	for (uint16_t i = 0; i < g->ports.n; i++)
		port_fill(&g->ports.p[i], id, (uint16_t)g->cfg->dataplane.n_workers, &w->port[i]);
	w->pool = g->pool;
	w->qsbr = g->ctl.qsbr;
	w->sad = g->ctl.sad;
	w->fib = g->ctl.fib;
	w->neigh = g->ctl.neigh;
	w->handoff = g->handoff;
	w->tun = g->ctl.tun;
	w->cmd = g->cmd[id];
	w->bell = w->bell_control = -1;
	w->stop = &g->stop;
	w->reasm = reasm_new(id, (int)rte_socket_id());
	w->punt = punt_new(w, (int)rte_socket_id());
	if (!w->punt || !w->reasm)
		snprintf(g->why, WHY, "worker %u: %s", id, why);
	return w->punt && w->reasm ? 0 : -ENOMEM;
}

static int worker_main(void *arg)
{
	if (privs_none())
		return -1;
	return worker_run(arg);
}

static void wait_for_workers(void *qsbr)
{
	rte_rcu_qsbr_synchronize(qsbr, RTE_QSBR_THRID_INVALID);
}

/* In EAL's interrupt thread, which has no other door. */
static void interrupt_thread(void *gateway)
{
	struct gateway *g = gateway;

	if (privs_none())
		log_err(LOG_MAIN, "thread=interrupt event=privileges-stay cause=\"%s\"", err_str(errno));
	if (port_any(&g->ports, PORT_MEMIF))
		whole_unmap_waits(wait_for_workers, g->ctl.qsbr);
}

static int start_workers(struct gateway *g)
{
	const struct config *c = g->cfg;
	struct shm_params p = {.workers = c->dataplane.n_workers,
			       .ports = g->ports.n,
			       .sas = c->dataplane.sa_max,
			       .tunnels = n_tunnels(c),
			       .nexthops = n_nexthops(c)};
	int ret = 0;

	for (unsigned i = 0; i < p.workers && !ret; i++)
		ret = start_worker(g, (uint8_t)i);
	if (ret)
		return ret;
	ret = attach_start(&g->ctl.attach, &p, g->cmd, (uint32_t)(rte_get_tsc_hz() / 1000));
	if (ret) {
		snprintf(g->why, WHY, "no shared memory for the control plane: %s", err_str(ret));
		return ret;
	}
	if (privs_lock_memory())
		log_warn(LOG_MAIN, "event=memory-not-locked cause=\"%s\"", err_str(errno));
	ret = privs_main();
	if (!ret)
		ret = rte_eal_alarm_set(1, interrupt_thread, g);
	for (unsigned i = 0; i < p.workers && !ret; i++) {
		ret = rte_eal_remote_launch(worker_main, g->worker[i], eal_lcore(i));
		g->launched += ret == 0;
	}
	if (ret)
		snprintf(g->why, WHY, "workers do not start: %s", err_str(ret));
	return ret;
}

static int start_ctl(struct gateway *g)
{
	struct ctl *c = &g->ctl;
	sigset_t set;

	/* before EAL makes its threads, which inherit the mask */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->ports = &g->ports;
	c->worker = g->worker;
	c->n_workers = (uint8_t)g->cfg->dataplane.n_workers;
	c->attach.listener = c->attach.conn = -1;
	snprintf(g->why, WHY, "no descriptors: %s", err_str(errno));
	return c->signals < 0 || c->bell < 0 ? -errno : 0;
}

static void filters(const struct port_set *ports)
{
	for (uint16_t i = 0; i < ports->n; i++)
		if (ports->p[i].kind == PORT_PCI && mcast_filter(&ports->p[i]))
			log_warn(LOG_PORT,
				 "port=%s event=no-multicast cause=\"the device takes no groups; IPv6 neighbours may "
				 "not find us\"",
				 ports->p[i].cfg->name);
}

static int start(struct gateway *g)
{
	int ret = start_ctl(g);

	if (!ret)
		ret = start_host(g);
	if (!ret)
		ret = start_tables(g);
	if (!ret)
		ret = port_open(&g->ports, (uint16_t)g->cfg->dataplane.n_workers, g->pool, g->why, WHY);
	if (!ret)
		filters(&g->ports);
	if (!ret)
		ret = start_workers(g);
	return ret;
}

/* --- end --- */

static void end_workers(struct gateway *g)
{
	atomic_store(&g->stop, true);
	for (unsigned i = 0; i < g->launched; i++)
		(void)rte_eal_wait_lcore(eal_lcore(i));
	for (unsigned i = 0; i < CFG_WORKERS_MAX; i++) {
		if (g->worker[i]) {
			punt_free(g->worker[i]->punt);
			worker_fini(g->worker[i]);
		}
		cmd_free(g->cmd[i]);
	}
}

static void free_workers(struct gateway *g)
{
	for (unsigned i = 0; i < CFG_WORKERS_MAX; i++) {
		if (g->worker[i])
			reasm_free(g->worker[i]->reasm);
		rte_free(g->worker[i]);
	}
}

/* In reverse order of start(); whatever is not there is passed over. */
static void end(struct gateway *g)
{
	if (g->eal_up) {
		end_workers(g);
		handoff_free(g->handoff);
		neigh_free(g->ctl.neigh);
		tun_free(g->ctl.tun);
		nbr_free(g->ctl.arp);
		sad_free(g->ctl.sad);
		fib_free(g->ctl.fib);
		port_close(&g->ports);
		free_workers(g); /* nobody has a packet of their pools any more */
		rte_free(g->ctl.qsbr);
		rte_mempool_free(g->pool);
		eal_stop();
	}
	tundev_close(&g->tundev);
	if (g->mcast > 0)
		close(g->mcast);
	guard_off(&g->guard);
	attach_fini(&g->ctl.attach);
	port_fini(&g->ports);
	config_free(g->cfg);
}

int main(int argc, char **argv)
{
	static struct gateway g;
	int sig;

	g.opt = options(argc, argv);
	g.cfg = read_config(g.opt.config);
	if (port_plan(&g.ports, g.cfg, g.why, WHY) ||
	    eal_args_make(&g.eal, g.cfg, &g.ports, memory(g.cfg, &g.ports), g.why, WHY))
		log_fatal(LOG_MAIN, "cause=\"%s\"", g.why);
	if (g.opt.show_eal || g.opt.check) {
		if (g.opt.show_eal)
			eal_args_print(&g.eal, STDOUT_FILENO);
		end(&g);
		return 0;
	}
	if (start(&g)) {
		end(&g);
		log_fatal(LOG_MAIN, "cause=\"%s\"", g.why);
	}
	log_info(LOG_MAIN, "event=running version=%s workers=%u ports=%u run-dir=%s epoch=%016llx crypto=%s",
		 ESPLANADE_VERSION, g.cfg->dataplane.n_workers, g.ports.n, g.opt.run_dir,
		 (unsigned long long)g.ctl.attach.params.epoch, crypto_arch(&g.worker[0]->crypto));
	sig = ctl_run(&g.ctl);
	log_info(LOG_MAIN, "event=stopping signal=%d", sig);
	end(&g);
	return 0;
}
