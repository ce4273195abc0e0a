/* What each kind of port does itself. Private to port*.c. All that return int: 0, or -errno with a sentence in why. */
#pragma once

#include <net/if.h>

#include "dataplane/port.h"

enum {
	PORT_FRAME_EXTRA = 14 + 4 + 128 /* Ethernet, a tag, the kernel's slot head */,
	PORT_FRAME_MIN = 2048,
	PORT_FD_MAX = 4096
};

int port_fail(char *why, unsigned cap, int ret, const char *fmt, ...) PRINTF(4, 5);
/* An ioctl about the port's interface. 0 or -errno. */
int port_ask(const struct port_set *s, const struct port *p, unsigned long what, struct ifreq *r);
/* FNV-1a, for names and addresses that stay the same. */
uint32_t port_hash(const char *text);

/* port_iface.c */
bool port_iface_name_ok(const char *name);
/* Fill in ifname, ifindex and mac; *mtu: the interface's. */
int port_iface_find(struct port_set *s, struct port *p, const char *ifname, uint32_t *mtu, char *why, unsigned cap);
int port_iface_plan(struct port_set *s, struct port *p, const char *ifname, unsigned n_workers, char *why,
		    unsigned cap);
int port_iface_prepare(struct port_set *s, struct port *p, char *why, unsigned cap);
/* After the device was opened. */
void port_iface_opened(struct port *p);
uint64_t port_iface_missed(const struct port *p);

/* port_xdp.c */
int port_xdp_plan(struct port_set *s, struct port *p, const char *ifname, unsigned n_workers, char *why, unsigned cap);
int port_xdp_prepare(struct port_set *s, struct port *p, char *why, unsigned cap);
int port_xdp_pool_ok(const struct port *p, const struct rte_mempool *pool, char *why, unsigned cap);
void port_xdp_opened(struct port *p);
uint64_t port_xdp_missed(const struct port *p);
void port_xdp_fini(struct port *p);

/* port_pci.c */
extern const char *port_pci_sysfs; /* "/sys"; tests have their own */
int port_pci_plan(struct port *p, const char *address, unsigned n_workers, char *why, unsigned cap);

/* port_memif.c */
int port_memif_plan(const struct port_set *s, struct port *p, const char *spec, unsigned n_workers, char *why,
		    unsigned cap);
int port_memif_prepare(const struct port *p, char *why, unsigned cap);
void port_memif_turn(struct port *p, struct rte_rcu_qsbr *qsbr);

/* port_pcap.c */
int port_pcap_plan(struct port *p, const char *spec, unsigned n_workers, char *why, unsigned cap);
