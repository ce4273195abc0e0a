/* Ports: what the config calls a device, opened through DPDK, with one RX and one TX queue per worker.
 *
 *   af_packet:IFACE              a Linux interface (net_af_packet; queues by the kernel's fan-out)
 *   pcap:rx=FILE,tx=FILE         packets from a file to a file (net_pcap); rx or tx may be absent
 *   pcap:iface=IFACE             libpcap on an interface
 *
 * A port's index is its place in the config. Before EAL: port_plan() turns each device into EAL arguments and finds
 * mistakes that a person can mend (no such interface: the ones there are). After EAL: port_open(). Then the ctl thread
 * alone reads link states and statistics. Workers use struct worker_port (worker.h), filled by port_fill().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "config/config.h"
#include "ring/stats.h"

struct rte_mempool;
struct worker_port;

enum port_kind { PORT_AF_PACKET, PORT_PCAP, PORT_KIND_N };

enum {
	PORT_RX_DESC = 512,
	PORT_TX_DESC = 512,
	PORT_IFNAME = 16,
	PORT_ARG = 512, /* octets of one --vdev argument */
};

struct port {
	const struct cfg_port *cfg;
	uint16_t index;
	enum port_kind kind;
	char ifname[PORT_IFNAME]; /* Linux interface; "" for files */
	int ifindex;
	char vdev[PORT_ARG]; /* EAL's --vdev value */
	char vdev_name[32];
	uint16_t dev; /* DPDK's number, after port_open() */
	uint8_t mac[6];
	uint16_t n_rx;  /* RX queues that exist; workers beyond them do not read the port */
	uint32_t frame; /* AF_PACKET: octets of a ring slot */
	bool opened, up;
	bool gone;                 /* said that the interface was removed; ctl thread */
	int sock[CFG_WORKERS_MAX]; /* AF_PACKET: the driver's own, to read what the kernel dropped */
	unsigned n_socks;
	uint64_t missed; /* frames, so far; ctl thread */
};

struct port_set {
	uint16_t n;
	int sock; /* for questions about interfaces; owned */
	struct port p[CFG_PORTS_MAX];
};

/* Check the devices of a config against this host and write the vdev arguments. 0; -errno with a sentence for the user
 * in why (what, which object, the way out). Nothing on the host is changed. */
int port_plan(struct port_set *s, const struct config *c, char *why, unsigned cap) MUST_USE;
void port_fini(struct port_set *s);
/* Interfaces of the planned ports: up, and without receive offloads that would merge or change frames. As port_plan().
 * Needs CAP_NET_ADMIN. */
int port_prepare(struct port_set *s, char *why, unsigned cap) MUST_USE;
/* Configure and start the devices. pool: for received packets. As port_plan(). EAL is up. */
int port_open(struct port_set *s, uint16_t n_workers, struct rte_mempool *pool, char *why, unsigned cap) MUST_USE;
void port_close(struct port_set *s);
/* A worker's view of port i. */
void port_fill(const struct port *p, uint8_t worker, struct worker_port *out);
/* mbufs that the ports' queues can hold at once. */
uint32_t port_mbufs(const struct port_set *s, uint16_t n_workers);
/* Octets that one mbuf must have behind its headroom. */
uint32_t port_room(const struct port_set *s);

/* ctl thread: is the link up now? Never again once its interface was removed. */
bool port_link(const struct port_set *s, const struct port *p);
/* Was its interface removed? One of the same name does not count. */
bool port_gone(const struct port_set *s, const struct port *p);
/* ctl thread: the device's counters into a block of the segment. */
void port_stats(struct port *p, struct stats_port *out);
