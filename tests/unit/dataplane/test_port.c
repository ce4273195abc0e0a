/* What becomes of the config's devices: EAL's arguments, the host's faults told with their cure, and who has which queue. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/eal.h"
#include "dataplane/port.h"
#include "dataplane/port_kind.h"
#include "dataplane/worker.h"

static struct config *c;
static struct port_set ports;
static char why[512];
static char root[] = "/tmp/esplanade-sysfs-XXXXXX";

static void file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A PCI device in a sysfs of our own. driver "", group: none. */
static void device(const char *address, const char *class, const char *driver, bool group)
{
	char path[256], to[128];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", root, address);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/class", root, address);
	file(path, class);
	if (driver[0]) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", root, address);
		snprintf(to, sizeof(to), "../../../bus/pci/drivers/%s", driver);
		assert_int_equal(symlink(to, path), 0);
	}
	if (group) {
		snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/iommu_group", root, address);
		assert_int_equal(symlink("../../kernel/iommu_groups/7", path), 0);
	}
}

static int start(void **state)
{
	char path[256];

	(void)state;
	if (!mkdtemp(root))
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		static const char *const dirs[] = {"bus", "bus/pci", "bus/pci/devices"};

		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	port_pci_sysfs = root;
	device("0000:00:03.0", "0x020000\n", "virtio-pci", false);
	device("0000:00:04.0", "0x020000\n", "vfio-pci", true);
	device("0000:00:05.0", "0x020000\n", "vfio-pci", false);
	device("0000:00:06.0", "0x020000\n", "uio_pci_generic", false);
	device("0000:00:07.0", "0x020000\n", "mlx5_core", true);
	device("0000:00:08.0", "0x020000\n", "", false);
	device("0000:00:1f.2", "0x010601\n", "ahci", false);
	return 0;
}

static int finish(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r %s", root);
	return system(cmd);
}

static int begin(void **state)
{
	(void)state;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -1;
	c->dataplane.n_workers = 2;
	why[0] = '\0';
	return 0;
}

static int end(void **state)
{
	(void)state;
	port_fini(&ports);
	free(c);
	return 0;
}

static void add(const char *dev)
{
	struct cfg_port *p = &c->port[c->n_ports];

	snprintf(p->name, sizeof(p->name), "p%u", c->n_ports++);
	snprintf(p->device, sizeof(p->device), "%s", dev);
	p->mtu = 1500;
}

static int plan(const char *a, const char *b)
{
	c->n_ports = 0;
	add(a);
	if (b)
		add(b);
	port_fini(&ports);
	return port_plan(&ports, c, why, sizeof(why));
}

static void refused(const char *dev, const char *text)
{
	assert_true(plan(dev, NULL) < 0);
	if (!strstr(why, text))
		fail_msg("%s: %s", dev, why);
}

static void pci_devices_that_cannot_be_taken(void **state)
{
	(void)state;
	refused("pci:0000:00:03.0",
		"port p0: PCI device 0000:00:03.0 is bound to the kernel's driver virtio-pci; the data plane "
		"needs vfio-pci, or uio_pci_generic where there is no IOMMU: driverctl set-override "
		"0000:00:03.0 vfio-pci (or dpdk-devbind.py -b vfio-pci 0000:00:03.0)");
	refused("pci:0000:00:05.0", "bound to vfio-pci but in no IOMMU group");
	refused("pci:0000:00:08.0", "is bound to no driver; the data plane needs");
	refused("pci:0000:00:1f.2", "is no network device (class 010601)");
	refused("pci:0000:00:1f.7", "there is no PCI device 0000:00:1f.7; network devices: ");
	assert_non_null(strstr(why, "0000:00:03.0"));
	assert_null(strstr(why, "0000:00:1f.2"));
}

static bool has(const struct eal_args *a, const char *name, const char *value)
{
	for (int i = 0; i < a->argc; i++)
		if (!strcmp(a->argv[i], name) && (!value || (i + 1 < a->argc && !strcmp(a->argv[i + 1], value))))
			return true;
	return false;
}

static void eal_gets_the_pci_devices_of_the_config_and_no_others(void **state)
{
	static struct eal_args a;

	(void)state;
	assert_int_equal(plan("pci:0000:00:04.0", "pci:0000:00:07.0"), 0);
	assert_int_equal(eal_args_make(&a, c, &ports, 1 << 20, why, sizeof(why)), 0);
	assert_true(has(&a, "-a", "0000:00:04.0") && has(&a, "-a", "0000:00:07.0"));
	assert_false(has(&a, "--no-pci", NULL) || has(&a, "--iova-mode=va", NULL) || has(&a, "--iova-mode=pa", NULL));
	assert_int_equal(plan("memif:role=server,socket=/run/x.sock", NULL), 0);
	assert_int_equal(eal_args_make(&a, c, &ports, 1 << 20, why, sizeof(why)), 0);
	assert_true(has(&a, "--no-pci", NULL) && has(&a, "--iova-mode=va", NULL));
}

static void uio_wants_hugepages(void **state)
{
	static struct eal_args a;

	(void)state;
	assert_int_equal(plan("pci:0000:00:06.0", NULL), 0);
	c->dataplane.hugepages_set = true;
	c->dataplane.hugepages = false;
	assert_true(eal_args_make(&a, c, &ports, 1 << 20, why, sizeof(why)) < 0);
	assert_non_null(strstr(
		why, "port p0: PCI device 0000:00:06.0 is bound to a UIO driver, which needs hugepages: write "));
	assert_non_null(strstr(why, "and remove hugepages: false"));
}

static void memif_arguments(void **state)
{
	uint8_t mac[6];

	(void)state;
	assert_int_equal(
		plan("memif:role=server,socket=/run/x.sock,id=5,queues=2", "memif:socket=/run/x.sock,role=server"), 0);
	assert_true(ports.p[0].server && ports.p[0].id == 5 && ports.p[0].n_rx == 2 && ports.p[1].n_rx == 1);
	assert_non_null(strstr(ports.p[0].arg,
			       "net_memif0,role=server,id=5,socket=/run/x.sock,socket-abstract=no,rsize=10,"
			       "bsize=2048,mac=02:6d:"));
	assert_memory_not_equal(ports.p[0].mac, ports.p[1].mac, 6);
	memcpy(mac, ports.p[0].mac, 6);
	assert_int_equal(plan("memif:role=server,socket=/run/x.sock,id=5", NULL), 0);
	assert_memory_equal(mac, ports.p[0].mac, 6); /* the neighbours know it */
	assert_int_equal(plan("memif:role=client,socket=/run/x.sock,id=5", NULL), 0);
	assert_memory_not_equal(mac, ports.p[0].mac, 6);
	assert_true(plan("memif:role=server,socket=/run/x.sock", "memif:role=server,socket=/run/x.sock,queues=2") < 0);
	assert_non_null(strstr(why, "port p1: memif id 0 of socket /run/x.sock is port p0 already"));
	assert_true(plan("memif:role=server,socket=/run/x.sock", "memif:role=client,socket=/run/x.sock,id=1") < 0);
	assert_non_null(strstr(why, "is the other end of memif socket"));
	refused("memif:role=server,socket=/run/x.sock,queues=3", "3 queues for 2 workers: write queues=2 at both ends");
}

static void interfaces_that_cannot_be_taken(void **state)
{
	(void)state;
	refused("af_xdp:lo", "lo is no Ethernet interface");
	refused("af_xdp:no-such-one", "there is no interface no-such-one; there are: ");
	refused("vmbus:x", "it drives af_packet:, af_xdp:, pci:, memif: and pcap:");
}

/* Every queue has one reader, who also sends through it, and nobody sends through another's. */
static void queues_are_shared_out(void **state)
{
	struct worker_port v[8];

	(void)state;
	for (uint16_t workers = 1; workers <= 8; workers++)
		for (uint16_t rx = 1; rx <= workers; rx++)
			for (uint16_t tx = rx; tx <= workers; tx++)
				for (uint16_t first = 0; first < workers; first++) {
					struct port p = {.cfg = c->port, .n_rx = rx, .n_tx = tx, .first = first};
					unsigned readers = 0, senders = 0;

					memset(v, 0, sizeof(v));
					for (uint8_t w = 0; w < workers; w++) {
						port_fill(&p, w, workers, &v[w]);
						readers |= v[w].rx ? 1u << v[w].rx_queue : 0;
						senders |= v[w].tx_other ? 0 : 1u << v[w].tx_queue;
						assert_true(v[w].rx == (v[w].rx_queue < rx));
						assert_true(v[w].tx_other == (v[w].tx_queue >= tx));
					}
					assert_int_equal(readers, (1u << rx) - 1);
					assert_int_equal(senders, (1u << tx) - 1);
					for (uint8_t w = 0; w < workers; w++)
						if (v[w].tx_other) {
							assert_int_not_equal(v[w].tx_by, w);
							assert_false(v[v[w].tx_by].tx_other);
						}
				}
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pci_devices_that_cannot_be_taken),
		T(eal_gets_the_pci_devices_of_the_config_and_no_others),
		T(uio_wants_hugepages),
		T(memif_arguments),
		T(interfaces_that_cannot_be_taken),
		T(queues_are_shared_out),
	};

	return cmocka_run_group_tests_name("port", tests, start, finish);
}
