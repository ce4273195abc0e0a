/* One valid example of each message, from which the tests make bad ones. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "ring/msg.h"
#include "ring/spi.h"

static const struct msg_limits valid_limits = {
	.sas = 64, .tunnels = 16, .nexthops = 32, .ports = 3, .workers = 2, .attach = 0x01020304};

static inline struct msg_hdr valid_hdr(unsigned type, size_t len)
{
	return (struct msg_hdr){.type = (uint16_t)type, .len = (uint16_t)len, .seq = 77, .attach = valid_limits.attach};
}

static inline struct msg_ts valid_ts(void)
{
	return (struct msg_ts){.lo = {10, 0, 1, 1}, .hi = {10, 0, 2, 5}, .port_lo = 10, .port_hi = 0x1000};
}

static inline void valid_sa_add(struct msg_sa_add *a, unsigned type)
{
	*a = (struct msg_sa_add){.hdr = valid_hdr(type, sizeof(*a)),
				 .sa = {5, 1},
				 .tunnel = {3, 1},
				 .spi = spi_make(5, 0x87654321),
				 .encr = MSG_ENCR_AES256_GCM16,
				 .flags = MSG_SA_ENCAP_UDP,
				 .family = 4,
				 .n_ts = 2,
				 .local = {192, 0, 2, 1},
				 .remote = {192, 0, 2, 2},
				 .local_port = 1,
				 .remote_port = 2,
				 .key_len = 36,
				 .replay_window = type == MSG_SA_IN_ADD ? 1024 : 0,
				 .soft_bytes = 1000,
				 .hard_bytes = 2000,
				 .soft_packets = 10,
				 .hard_packets = 20};
	memset(a->key, 0x55, a->key_len);
	for (int i = 0; i < a->n_ts; i++)
		a->ts[i] = (struct msg_ts_pair){.family = 4, .proto = 6, .local = valid_ts(), .remote = valid_ts()};
	if (type == MSG_SA_OUT_ADD)
		a->spi = 256;
}

static inline void valid_sa_event(struct msg_sa_event *e, unsigned type)
{
	*e = (struct msg_sa_event){.hdr = valid_hdr(type, sizeof(*e)),
				   .sa = {5, 1},
				   .tunnel = {3, 1},
				   .spi = spi_make(5, 0x10000000),
				   .dir = MSG_DIR_IN,
				   .c = {.packets = 3, .octets = 4}};
}

static inline bool valid_cmd(union msg *m, unsigned type)
{
	switch (type) {
	case MSG_TUNNEL_SET:
		*(struct msg_tunnel_set *)m = (struct msg_tunnel_set){
			.hdr = valid_hdr(type, sizeof(struct msg_tunnel_set)),
			.tunnel = {3, 1},
			.worker = 1,
			.family = 4,
			.df = MSG_DF_SET,
			.mtu = 68,
			.port = 2,
			.local = {192, 0, 2, 1},
			.remote = {192, 0, 2, 2},
			.dscp = MSG_DSCP_COPY,
			.n_ts = 1,
			.n_children = 1,
			.name = "azure-1.b_c",
			.ts = {{.family = 4, .proto = 6, .local = valid_ts(), .remote = valid_ts()}}};
		return true;
	case MSG_TUNNEL_DEL:
		*(struct msg_tunnel_del *)m = (struct msg_tunnel_del){
			.hdr = valid_hdr(type, sizeof(struct msg_tunnel_del)), .tunnel = {3, 1}};
		return true;
	case MSG_SA_IN_ADD:
	case MSG_SA_OUT_ADD:
		valid_sa_add((struct msg_sa_add *)m, type);
		return true;
	case MSG_SA_DEL:
	case MSG_SA_ADOPT: /* the same shape */
		*(struct msg_sa_del *)m = (struct msg_sa_del){
			.hdr = valid_hdr(type, sizeof(struct msg_sa_del)), .sa = {5, 1}, .dir = MSG_DIR_OUT};
		return true;
	case MSG_SA_MOVE:
		*(struct msg_sa_move *)m = (struct msg_sa_move){.hdr = valid_hdr(type, sizeof(struct msg_sa_move)),
								.sa = {5, 1},
								.family = 4,
								.remote_port = 4500,
								.remote = {192, 0, 2, 2}};
		return true;
	case MSG_SA_LIST:
	case MSG_BARRIER:
		m->hdr = valid_hdr(type, sizeof(struct msg_hdr));
		return true;
	case MSG_ADDR_SET:
	case MSG_ADDR_DEL:
		*(struct msg_addr *)m = (struct msg_addr){.hdr = valid_hdr(type, sizeof(struct msg_addr)),
							  .addr = {10, 2, 2, 2},
							  .family = 4,
							  .plen = 32};
		return true;
	case MSG_NEXTHOP_SET:
		*(struct msg_nexthop *)m = (struct msg_nexthop){
			.hdr = valid_hdr(type, sizeof(struct msg_nexthop)),
			.id = 7,
			.n = 1,
			.leg[0] = {.kind = MSG_NH_PORT, .family = 4, .port = 1, .via = {192, 0, 2, 9}}};
		return true;
	case MSG_FIB_GET:
		*(struct msg_fib_get *)m = (struct msg_fib_get){
			.hdr = valid_hdr(type, sizeof(struct msg_fib_get)), .addr = {10, 1, 2, 3}, .family = 4};
		return true;
	case MSG_FIB_INFO:
		*(struct msg_fib_info *)m = (struct msg_fib_info){.hdr = valid_hdr(type, sizeof(struct msg_fib_info)),
								  .query = 9,
								  .nexthop = 7,
								  .found = 1,
								  .family = 4,
								  .plen = 24,
								  .n = 1,
								  .addr = {10, 1, 2, 0},
								  .leg[0] = {.kind = MSG_NH_TUNNEL, .tunnel = {3, 9}}};
		return true;
	case MSG_NEXTHOP_DEL:
		*(struct msg_nexthop *)m =
			(struct msg_nexthop){.hdr = valid_hdr(type, sizeof(struct msg_nexthop)), .id = 7};
		return true;
	default:
		return false;
	}
}

static inline bool valid_evt(union msg *m, unsigned type)
{
	switch (type) {
	case MSG_SA_INFO_END:
		m->hdr = valid_hdr(type, sizeof(struct msg_hdr));
		return true;
	case MSG_ACK:
	case MSG_NACK:
		*(struct msg_ack *)m = (struct msg_ack){.hdr = valid_hdr(type, sizeof(struct msg_ack)),
							.type = MSG_SA_IN_ADD,
							.status = type == MSG_ACK ? 0 : -17};
		return true;
	case MSG_SA_SOFT:
	case MSG_SA_HARD:
	case MSG_SA_GONE:
	case MSG_SA_INFO:
		valid_sa_event((struct msg_sa_event *)m, type);
		return true;
	case MSG_NO_SA:
		*(struct msg_no_sa *)m = (struct msg_no_sa){.hdr = valid_hdr(type, sizeof(struct msg_no_sa)),
							    .tunnel = {3, 1},
							    .family = 4,
							    .proto = 6,
							    .src_port = 1,
							    .dst_port = 2,
							    .src = {10, 0, 0, 1},
							    .dst = {10, 0, 0, 2}};
		return true;
	case MSG_PEER_MOVED:
		*(struct msg_peer_moved *)m =
			(struct msg_peer_moved){.hdr = valid_hdr(type, sizeof(struct msg_peer_moved)),
						.sa = {5, 1},
						.tunnel = {3, 1},
						.family = 4,
						.remote_port = 4500,
						.remote = {192, 0, 2, 7}};
		return true;
	case MSG_BAD_SPI:
		*(struct msg_bad_spi *)m = (struct msg_bad_spi){.hdr = valid_hdr(type, sizeof(struct msg_bad_spi)),
								.spi = 0xabcdef01,
								.family = 4,
								.remote = {192, 0, 2, 7}};
		return true;
	case MSG_LINK:
		*(struct msg_link *)m =
			(struct msg_link){.hdr = valid_hdr(type, sizeof(struct msg_link)), .port = 1, .up = 1};
		return true;
	default:
		return false;
	}
}

/* Fill m with a valid message of this type; false: a type that has no door for it. */
static inline bool valid_msg(union msg *m, unsigned type)
{
	memset(m, 0, sizeof(*m));
	return valid_cmd(m, type) || valid_evt(m, type);
}

static inline struct msg_route valid_route(unsigned type)
{
	struct msg_route r = {.type = (uint16_t)type, .seq = 5, .attach = valid_limits.attach};

	if (type == MSG_ROUTE_SET || type == MSG_ROUTE_DEL) {
		r.family = 4;
		r.plen = 20;
		r.nexthop = type == MSG_ROUTE_SET ? 7 : 0;
		memcpy(r.addr, (uint8_t[]){172, 16, 16}, 3);
	}
	return r;
}

static inline struct msg_ike valid_ike(void)
{
	return (struct msg_ike){.attach = valid_limits.attach,
				.len = 300,
				.flags = MSG_IKE_ENCAP,
				.family = 4,
				.local = {192, 0, 2, 1},
				.remote = {192, 0, 2, 2},
				.local_port = 1,
				.remote_port = 2,
				.port = 1,
				.worker = 1};
}
