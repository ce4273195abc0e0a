#include "dataplane/eal.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "base/log.h"

enum { MB = 1 << 20, LAST_LINE = 256 };

#define HUGE_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static void arg(struct eal_args *a, const char *fmt, ...) PRINTF(2, 3);
static void arg(struct eal_args *a, const char *fmt, ...)
{
	char *at = a->text + a->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at, EAL_TEXT - a->used, fmt, ap);
	va_end(ap);
	if (n < 0 || (unsigned)n >= EAL_TEXT - a->used || a->argc == EAL_ARGS_MAX) {
		a->full = true;
		return;
	}
	a->used += (unsigned)n + 1;
	a->argv[a->argc++] = at;
}

/* --- CPUs --- */

/* "0-3,6": CPUs that this process may use. */
static void cpu_list(const cpu_set_t *set, char *out, unsigned cap)
{
	unsigned at = 0;

	out[0] = '\0';
	for (int i = 0; i < CPU_SETSIZE; i++) {
		int last = i, n;

		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		n = last > i ? snprintf(out + at, cap - at, "%s%d-%d", at ? "," : "", i, last)
			     : snprintf(out + at, cap - at, "%s%d", at ? "," : "", i);
		if (n < 0 || (unsigned)n >= cap - at)
			return;
		at += (unsigned)n;
		i = last;
	}
}

static int lcores(struct eal_args *a, const struct cfg_dataplane *d, char *why, unsigned cap)
{
	char all[512], map[EAL_TEXT / 2];
	unsigned at = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	cpu_list(&set, all, sizeof(all));
	at += (unsigned)snprintf(map, sizeof(map), "0@(%s)", all);
	for (unsigned i = 0; i < d->n_workers; i++) {
		int n;

		if (d->cpus_set && (d->cpu[i] >= CPU_SETSIZE || !CPU_ISSET(d->cpu[i], &set))) {
			snprintf(why, cap, "dataplane.workers: CPU %u is not there for us; there are: %s", d->cpu[i],
				 all);
			return -EINVAL;
		}
		n = d->cpus_set ? snprintf(map + at, sizeof(map) - at, ",%u@%u", i + 1, d->cpu[i])
				: snprintf(map + at, sizeof(map) - at, ",%u@(%s)", i + 1, all);
		if (n < 0 || (unsigned)n >= sizeof(map) - at)
			return -E2BIG;
		at += (unsigned)n;
	}
	arg(a, "--lcores");
	arg(a, "%s", map);
	arg(a, "--main-lcore");
	arg(a, "0");
	return 0;
}

unsigned eal_lcore(unsigned w)
{
	return w + 1;
}

/* --- memory --- */

static uint64_t huge_number(const char *file)
{
	unsigned long long v = 0;
	FILE *f = fopen(file, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

/* The port whose device gets physical addresses, which only hugepages keep in their place. */
static const struct port *uio_port(const struct port_set *ports)
{
	for (uint16_t i = 0; i < ports->n; i++)
		if (ports->p[i].uio)
			return &ports->p[i];
	return NULL;
}

static int memory_args(struct eal_args *a, const struct cfg_dataplane *d, const struct port_set *ports, uint64_t need,
		       char *why, unsigned cap)
{
	const struct port *uio = uio_port(ports);
	uint64_t mb = d->memory_mb ? d->memory_mb : (need + MB - 1) / MB;
	uint64_t pages = (mb + 1) / 2, free_pages = huge_number(HUGE_DIR "free_hugepages");
	bool huge = d->hugepages_set ? d->hugepages : free_pages >= pages;

	if (need > (uint64_t)mb * MB) {
		snprintf(why, cap,
			 "dataplane.memory: %llu MB are too few for these limits; write %lluMB, or leave it out",
			 (unsigned long long)mb, (unsigned long long)((need + MB - 1) / MB));
		return -ENOMEM;
	}
	if (huge && free_pages < pages) {
		snprintf(why, cap,
			 "dataplane.hugepages: %llu pages of 2 MB are needed, %llu are free; write %llu to "
			 "/proc/sys/vm/nr_hugepages, or hugepages: false",
			 (unsigned long long)pages, (unsigned long long)free_pages,
			 (unsigned long long)(huge_number(HUGE_DIR "nr_hugepages") + pages - free_pages));
		return -ENOMEM;
	}
	if (uio && !huge) {
		snprintf(why, cap,
			 "port %s: PCI device %s is bound to a UIO driver, which needs hugepages: write %llu to "
			 "/proc/sys/vm/nr_hugepages%s, or bind it to vfio-pci behind an IOMMU",
			 uio->cfg->name, uio->dev_name,
			 (unsigned long long)(huge_number(HUGE_DIR "nr_hugepages") + pages -
					      (free_pages < pages ? free_pages : pages)),
			 d->hugepages_set ? " and remove hugepages: false" : "");
		return -ENOMEM;
	}
	if (huge) {
		arg(a, "--in-memory");
	} else {
		arg(a, "--no-huge");
		arg(a, "--no-shconf");
	}
	arg(a, "-m");
	arg(a, "%llu", (unsigned long long)mb);
	a->memory = mb * MB;
	return 0;
}

/* Only the devices of the config are looked at. Virtual addresses unless there is no IOMMU; behind one EAL sees how long its
 * addresses may be. */
static void bus_args(struct eal_args *a, const struct port_set *ports)
{
	if (!port_any(ports, PORT_PCI)) {
		arg(a, "--no-pci");
		arg(a, "--iova-mode=va");
	} else if (uio_port(ports)) {
		arg(a, "--iova-mode=pa");
	}
}

int eal_args_make(struct eal_args *a, const struct config *c, const struct port_set *ports, uint64_t memory, char *why,
		  unsigned cap)
{
	int ret;

	*a = (struct eal_args){.argc = 0};
	snprintf(why, cap, "too many workers or ports for EAL's arguments");
	arg(a, "esplanade-dataplane");
	ret = lcores(a, &c->dataplane, why, cap);
	if (!ret)
		ret = memory_args(a, &c->dataplane, ports, memory, why, cap);
	if (ret)
		return ret;
	bus_args(a, ports);
	arg(a, "--force-max-simd-bitwidth=512");
	arg(a, "--no-telemetry");
	arg(a, "--log-level=*:notice");
	arg(a, "--file-prefix");
	arg(a, "esplanade-%d", (int)getpid());
	for (uint16_t i = 0; i < ports->n; i++) {
		arg(a, ports->p[i].kind == PORT_PCI ? "-a" : "--vdev");
		arg(a, "%s", ports->p[i].arg);
	}
	return a->full ? -E2BIG : 0;
}

void eal_args_print(const struct eal_args *a, int fd)
{
	for (int i = 0; i < a->argc; i++) {
		bool plain =
			strspn(a->argv[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/@") ==
			strlen(a->argv[i]);

		dprintf(fd, plain ? "%s%s" : "%s'%s'", i ? " " : "", a->argv[i]);
	}
	dprintf(fd, "\n");
}

/* --- start --- */

static char last_line[LAST_LINE];

/* DPDK's own log, a line at a time: to ours, and the last one kept, to tell why EAL did not start. */
static ssize_t eal_log(void *cookie, const char *buf, size_t len)
{
	size_t n = len;
	(void)cookie;

	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	if (n) {
		log_esc(buf, n, last_line, sizeof(last_line));
		log_debug(LOG_MAIN, "dpdk=\"%s\"", last_line);
	}
	return (ssize_t)len;
}

int eal_start(const struct eal_args *a, char *why, unsigned cap)
{
	char *argv[EAL_ARGS_MAX + 1]; /* EAL reorders it */
	FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){.write = eal_log});
	int ret;

	if (!f)
		return -ENOMEM;
	setvbuf(f, NULL, _IOLBF, LAST_LINE);
	(void)rte_openlog_stream(f);
	memcpy(argv, a->argv, sizeof(argv));
	ret = rte_eal_init(a->argc, argv);
	(void)rmdir(rte_eal_get_runtime_dir()); /* made, and not used: no file is shared */
	if (ret >= 0)
		return 0;
	snprintf(why, cap, "DPDK does not start with %llu MB: %s (%s)", (unsigned long long)(a->memory / MB), last_line,
		 rte_strerror(rte_errno));
	return rte_errno ? -rte_errno : -EIO;
}

void eal_stop(void)
{
	(void)rte_eal_cleanup();
}
