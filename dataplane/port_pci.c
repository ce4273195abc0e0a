/* PCI devices: who has them, and what EAL needs to take them. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "dataplane/port_kind.h"

const char *port_pci_sysfs = "/sys";

/* What the link NAME of the device points to, its last part; "" if there is none. */
static void link_name(const struct port *p, const char *name, char *out, size_t cap)
{
	char path[PATH_MAX], to[PATH_MAX];
	const char *base;
	ssize_t n;

	out[0] = '\0';
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", port_pci_sysfs, p->dev_name, name);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return;
	to[n] = '\0';
	base = strrchr(to, '/');
	snprintf(out, cap, "%.31s", base ? base + 1 : to);
}

static bool read_hex(const struct port *p, const char *name, unsigned *v)
{
	char path[PATH_MAX];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", port_pci_sysfs, p->dev_name, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fscanf(f, "%x", v) == 1;
	fclose(f);
	return ok;
}

/* "0000:00:05.0 0000:00:06.0": the network devices that there are. */
static void list_devices(char *buf, unsigned cap)
{
	char path[PATH_MAX];
	unsigned at = 0;
	DIR *d;

	snprintf(buf, cap, "none");
	snprintf(path, sizeof(path), "%s/bus/pci/devices", port_pci_sysfs);
	d = opendir(path);
	for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
		struct port q = {.index = 0};
		unsigned class;
		int n;

		if (strlen(e->d_name) != strlen("0000:00:00.0"))
			continue;
		snprintf(q.dev_name, sizeof(q.dev_name), "%.12s", e->d_name);
		if (!read_hex(&q, "class", &class) || class >> 16 != 2)
			continue;
		n = snprintf(buf + at, cap - at, "%s%s", at ? " " : "", q.dev_name);
		if (n < 0 || (unsigned)n >= cap - at)
			break;
		at += (unsigned)n;
	}
	if (d)
		closedir(d);
}

/* Bound to a driver that DPDK can work through? */
static int check_driver(struct port *p, char *why, unsigned cap)
{
	/* Mellanox' work beside the kernel's driver */
	static const char *const fine[] = {"vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core"};
	char driver[64], group[32];

	link_name(p, "driver", driver, sizeof(driver));
	for (unsigned i = 0; i < N_ELEMS(fine); i++) {
		if (strcmp(driver, fine[i]) != 0)
			continue;
		p->uio = strstr(driver, "uio") != NULL;
		link_name(p, "iommu_group", group, sizeof(group));
		if (!strcmp(driver, "vfio-pci") && !group[0])
			return port_fail(
				why, cap, -ENODEV,
				"port %s: PCI device %s is bound to vfio-pci but in no IOMMU group; boot with "
				"intel_iommu=on or amd_iommu=on, or bind it to a UIO driver: driverctl set-override %s "
				"uio_pci_generic",
				p->cfg->name, p->dev_name, p->dev_name);
		return 0;
	}
	return port_fail(
		why, cap, -EBUSY,
		"port %s: PCI device %s is bound to %s%s; the data plane needs vfio-pci, or uio_pci_generic "
		"where there is no IOMMU: driverctl set-override %s vfio-pci (or dpdk-devbind.py -b vfio-pci %s)",
		p->cfg->name, p->dev_name, driver[0] ? "the kernel's driver " : "no driver", driver, p->dev_name,
		p->dev_name);
}

int port_pci_plan(struct port *p, const char *address, unsigned n_workers, char *why, unsigned cap)
{
	char names[256];
	unsigned class;

	snprintf(p->dev_name, sizeof(p->dev_name), "%s", address);
	for (char *c = p->dev_name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	snprintf(p->arg, sizeof(p->arg), "%s", p->dev_name);
	if (!read_hex(p, "class", &class)) {
		list_devices(names, sizeof(names));
		return port_fail(why, cap, -ENODEV, "port %s: there is no PCI device %s; network devices: %s",
				 p->cfg->name, p->dev_name, names);
	}
	if (class >> 16 != 2) {
		list_devices(names, sizeof(names));
		return port_fail(why, cap, -ENODEV,
				 "port %s: PCI device %s is no network device (class %06x); those are: %s",
				 p->cfg->name, p->dev_name, class, names);
	}
	p->n_rx = p->n_tx = (uint16_t)n_workers; /* at most; port_open() sees what it has */
	return check_driver(p, why, cap);
}
