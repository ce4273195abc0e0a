/* A feed with a data plane that remembers, a config to be written by hand, and ears for what feed tells. */
#pragma once

#include "rig.h"
#include "tests/lib/fake_fib.h"

enum { LAB_ROUTES = 256, LAB_TOLD = 64 };

struct lab {
	struct tunnels ts;
	struct config cfg;
	struct cfg_route route[LAB_ROUTES];
	struct ip_prefix originate[8];
	struct fake_fib fib;
	unsigned n_ready, n_gone;
	/* the last word on each */
	struct lab_nexthop {
		struct ip_addr nh;
		bool reachable;
		uint32_t metric;
		unsigned times;
	} nexthop[LAB_TOLD];
	unsigned n_nexthop;
	struct lab_way {
		bool reachable;
		const struct tunnel *tunnel;
		char cause[128];
		unsigned times;
	} way[LAB_TOLD];
	struct lab_originate {
		struct ip_prefix p;
		bool present;
		unsigned times;
	} orig[8];
	unsigned n_orig;
};

extern struct lab lab;

/* Two ports: 203.0.113.10/24 and 192.168.2.1/24. nexthops: that the data plane has room for. */
void lab_up(void);
void lab_down(void);
/* IPv6 on both: 2001:db8:1::10/64 and 2001:db8:2::1/64. Before tunnels to IPv6 peers. */
void lab_six(void);
/* via, tunnel: NULL: not that; both NULL: blackhole. */
void lab_route(const char *to, const char *via, const char *tunnel, uint8_t distance);
/* Not up. */
struct tunnel *lab_tunnel(const char *name, const char *peer);
void lab_gateway_addr(const char *prefix);
/* The config as it is now, until all is said and applied. */
void lab_config(void);
/* Until nothing is left to do. */
void lab_settle(void);
/* A BGP route from peer; further next hops of peers + 1 and so on up to a NULL. nh NULL: none. */
void lab_bgp(const char *prefix, uint32_t peer, const char *nh, const char *nh2);
void lab_peer(uint32_t peer, const char *addr);
const struct lab_nexthop *lab_told(const char *nh);
/* "tunnel azure", "203.0.113.1 port 0", "drop", joined by " + "; "-": no such route. Lent until the next call. */
const char *lab_fib(const char *prefix);
/* The same of the longest match. */
const char *lab_way_to(const char *addr);
/* "state: cause" of the selected row, or of the first if there is none; "": no such prefix. */
const char *lab_state(const char *prefix);
