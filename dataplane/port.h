/* Ports: what the config calls a device, opened through DPDK.
 *
 *   af_packet:IFACE              a Linux interface (net_af_packet; queues by the kernel's fan-out)       port_iface.c
 *   af_xdp:IFACE                 a Linux interface by AF_XDP sockets and our own XDP program (net_af_xdp)  port_xdp.c
 *   pci:0000:00:05.0             a device that is bound to vfio-pci or a UIO driver                      port_pci.c
 *   memif:role=R,socket=PATH[,id=N][,queues=N]  shared memory with another program (net_memif)         port_memif.c
 *   pcap:rx=FILE,tx=FILE         packets from a file to a file (net_pcap); rx or tx may be absent        port_pcap.c
 *   pcap:iface=IFACE             libpcap on an interface
 *
 * A port's index is its place in the config. Before EAL: port_plan() turns each device into EAL arguments and finds
 * mistakes that a person can mend (no such interface: the ones there are). After EAL: port_open(). Then the ctl thread
 * alone reads link states and statistics. Workers use struct worker_port (worker.h), filled by port_fill().
 *
 * Queues: a device that has as many as there are workers gives each worker one of its own. One that has fewer is read by
 * as many workers (the next port's by the next workers), and the others hand them what they have to send.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "config/config.h"
#include "ring/stats.h"

struct rte_mempool;
struct rte_rcu_qsbr;
struct worker_port;

enum port_kind { PORT_AF_PACKET, PORT_AF_XDP, PORT_PCI, PORT_MEMIF, PORT_PCAP, PORT_KIND_N };

enum {
	PORT_RX_DESC = 512,
	PORT_TX_DESC = 512,
	PORT_IFNAME = 16,
	PORT_ARG = 512, /* octets of one --vdev argument */
	PORT_PATH = 108,
	PORT_XDP_MTU = 3400 /* a frame, its head and the kernel's own in one page */
};

struct port {
	const struct cfg_port *cfg;
	uint16_t index;
	enum port_kind kind;
	char ifname[PORT_IFNAME]; /* Linux interface; "" for what has none */
	int ifindex;
	char arg[PORT_ARG]; /* EAL's value of --vdev, or of -a for PCI */
	char dev_name[32];  /* DPDK's name of it */
	uint16_t dev;       /* DPDK's number, after port_open() */
	uint8_t mac[6];
	uint16_t n_rx, n_tx;       /* queues; after port_open() those that there are */
	uint16_t first;            /* the worker that reads queue 0, if there are fewer queues than workers */
	uint32_t frame;            /* octets that a buffer has to hold; 0: what the MTU says */
	bool opened, up;           /* ctl thread, after start */
	bool gone;                 /* said that the interface was removed; ctl thread */
	int sock[CFG_WORKERS_MAX]; /* the driver's own sockets, to read what the kernel dropped */
	unsigned n_socks;
	uint64_t missed;        /* frames, so far; ctl thread */
	int prog;               /* AF_XDP: memfd of the program, 0: none */
	bool uio;               /* PCI: no IOMMU, so physical addresses */
	bool server;            /* memif: the end that listens */
	char socket[PORT_PATH]; /* memif */
	unsigned id;            /* memif */
	bool waiting;           /* memif: the driver is not started, or has lost its peer; ctl thread */
	uint64_t token;         /* memif: workers that have passed it read the port no more */
};

struct port_set {
	uint16_t n;
	int sock; /* for questions about interfaces; owned */
	struct port p[CFG_PORTS_MAX];
};

/* Check the devices of a config against this host and write the EAL arguments. 0; -errno with a sentence for the user
 * in why (what, which object, the way out). Nothing on the host is changed. */
int port_plan(struct port_set *s, const struct config *c, char *why, unsigned cap) MUST_USE;
void port_fini(struct port_set *s);
/* Interfaces of the planned ports: up, without receive offloads that would merge or change frames, with as many queues as
 * are read, and without what a killed predecessor left. The interfaces are locked (guard.h). As port_plan(). Needs
 * CAP_NET_ADMIN, CAP_SYS_ADMIN for AF_XDP. */
int port_prepare(struct port_set *s, char *why, unsigned cap) MUST_USE;
/* Configure and start the devices. pool: for received packets. As port_plan(). EAL is up. */
int port_open(struct port_set *s, uint16_t n_workers, struct rte_mempool *pool, char *why, unsigned cap) MUST_USE;
void port_close(struct port_set *s);
/* A worker's view of port i. */
void port_fill(const struct port *p, uint8_t worker, uint16_t n_workers, struct worker_port *out);
/* mbufs that the ports' devices can hold at once. */
uint32_t port_mbufs(const struct port_set *s, uint16_t n_workers);
/* Octets that one mbuf must have behind its headroom. */
uint32_t port_room(const struct port_set *s);
bool port_any(const struct port_set *s, enum port_kind kind);

/* ctl thread: is the link up now? Never again once its interface was removed. */
bool port_link(const struct port_set *s, const struct port *p);
/* Was its interface removed? One of the same name does not count. */
bool port_gone(const struct port_set *s, const struct port *p);
/* ctl thread, with each look at the links: a device that lost its peer is made ready for the next one. */
void port_turn(struct port *p, struct rte_rcu_qsbr *qsbr);
/* ctl thread: the device's counters into a block of the segment. */
void port_stats(struct port *p, struct stats_port *out);
