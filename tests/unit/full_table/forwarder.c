#include "forwarder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/nbr.h"
#include "dataplane/ctl.h"
#include "dataplane/neigh.h"
#include "dataplane/onlink.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/tundev.h"

enum { SAS = 16, TUNNELS = 16, NEXTHOPS = 4096 };

static struct {
	struct ctl ctl;
	struct port_set ports; /* none: the control plane's port 0 is a number in next hops */
	struct tundev tundev;
	struct cmd *cmd[1];
	pthread_t ctl_thread, worker_thread;
	int signal; /* writes what a signalfd would give */
	_Atomic bool stop;
} dp;

uint32_t forwarder_via(const struct forwarder *f, uint32_t addr, struct fib_nh *nh)
{
	uint32_t id;

	fib_lookup(f->fib, &addr, &id, 1);
	*nh = fib_nh(f->fib, id);
	return nh->kind == FIB_PORT ? rte_be_to_cpu_32(nh->arg) : 0;
}

void forwarder_watch(struct forwarder *f, const struct forwarder_watch *watch, uint32_t n)
{
	uint64_t turn;

	atomic_store(&f->n_watch, 0);
	turn = atomic_load(&f->turns);
	while (atomic_load(&f->turns) < turn + 2) /* the one that was under way has ended */
		usleep(100);
	f->watch = watch;
	atomic_store(&f->looked, 0);
	atomic_store(&f->wrong, 0);
	atomic_store(&f->n_watch, n);
}

static void *worker(void *arg)
{
	struct forwarder *f = arg;
	uint32_t at = 0, n;
	struct fib_nh nh;

	rte_rcu_qsbr_thread_register(dp.ctl.qsbr, 0);
	rte_rcu_qsbr_thread_online(dp.ctl.qsbr, 0);
	while (!atomic_load(&dp.stop)) {
		n = atomic_load(&f->n_watch);
		for (unsigned i = 0; n && i < 32; i++) {
			at = (at + 7919) % n;
			if (forwarder_via(f, f->watch[at].addr, &nh) != f->watch[at].via)
				atomic_fetch_add(&f->wrong, 1);
		}
		atomic_fetch_add(&f->looked, n ? 32 : 0);
		atomic_fetch_add(&f->turns, 1);
		rte_rcu_qsbr_quiescent(dp.ctl.qsbr, 0);
		/* a new segment: there are no rings here */
		atomic_store(&dp.cmd[0]->seen, atomic_load(&dp.cmd[0]->next));
		if (!n)
			usleep(20);
	}
	rte_rcu_qsbr_thread_offline(dp.ctl.qsbr, 0);
	return NULL;
}

static void *ctl(void *arg)
{
	(void)ctl_run(arg);
	return NULL;
}

static int tables(struct forwarder *f, const struct config *c)
{
	struct fib_params p = {.routes_max = c->dataplane.routes_max, .n_nexthops = NEXTHOPS, .n_ports = 1};
	struct ctl *t = &dp.ctl;

	t->qsbr = rte_zmalloc("qsbr", rte_rcu_qsbr_get_memsize(1), 64);
	if (!t->qsbr || rte_rcu_qsbr_init(t->qsbr, 1))
		return -ENOMEM;
	p.qsbr = t->qsbr;
	f->fib = t->fib = fib_new(&p);
	t->sad = sad_new(SAS, TUNNELS, 0);
	t->neigh = neigh_new(1, 0);
	t->arp = t->fib && t->neigh ? nbr_new(t->neigh, t->fib, &dp.ports, 0) : NULL;
	dp.tundev.gone = true; /* nobody needs the host's sockets */
	dp.tundev.fd = -1;
	t->tun = tun_new(&dp.tundev, NULL, 1, -1, 0);
	dp.cmd[0] = cmd_new(t->bell);
	if (!t->sad || !t->arp || !t->tun || !dp.cmd[0])
		return -ENOMEM;
	return onlink_install(t->fib, c);
}

int forwarder_start(struct forwarder *f, const char *dir, const struct config *c)
{
	struct shm_params p = {.workers = 1, .ports = 1, .sas = SAS, .tunnels = TUNNELS, .nexthops = NEXTHOPS};
	struct ctl *t = &dp.ctl;
	int pipe_end[2], ret;

	memset(&dp, 0, sizeof(dp));
	t->ports = &dp.ports;
	t->n_workers = 1;
	t->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->bell < 0 || pipe(pipe_end))
		return -errno;
	t->signals = pipe_end[0];
	dp.signal = pipe_end[1];
	ret = attach_listen(&t->attach, dir, 0);
	if (!ret)
		ret = tables(f, c);
	if (!ret)
		ret = attach_start(&t->attach, &p, dp.cmd, (uint32_t)(rte_get_tsc_hz() / 1000));
	if (!ret)
		ret = -pthread_create(&dp.worker_thread, NULL, worker, f);
	return ret ? ret : -pthread_create(&dp.ctl_thread, NULL, ctl, t);
}

void forwarder_stop(struct forwarder *f)
{
	struct signalfd_siginfo end = {.ssi_signo = 15};

	if (write(dp.signal, &end, sizeof(end)) != sizeof(end))
		abort();
	pthread_join(dp.ctl_thread, NULL);
	atomic_store(&dp.stop, true);
	pthread_join(dp.worker_thread, NULL);
	attach_fini(&dp.ctl.attach);
	tun_free(dp.ctl.tun);
	nbr_free(dp.ctl.arp);
	neigh_free(dp.ctl.neigh);
	sad_free(dp.ctl.sad);
	fib_free(f->fib);
	rte_free(dp.ctl.qsbr);
	cmd_free(dp.cmd[0]);
	close(dp.ctl.bell);
	close(dp.ctl.signals);
	close(dp.signal);
}
