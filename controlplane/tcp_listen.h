/* tcp.c's listeners: who may connect to which address, under which key, TTL and size. Private to tcp*.c. */
#pragma once

#include "base/list.h"
#include "controlplane/tcp.h"

struct tcp {
	struct loop *loop;
	struct tcp_ops ops;
	uint16_t port;
	struct tcp_peer *peer;
	uint32_t n_peers;
	struct list listeners;
	struct list open[256]; /* connections by number; connecting ones too */
	struct list draining;
	struct conn *accepting; /* while accepted() runs */
	unsigned n_open;        /* handles */
	bool freed;
	struct tcp_counters c;
	uint64_t refused_ms, refused_mum; /* of log lines */
	uint8_t buf[TCP_READ_MAX];
};

/* Open, change and close listeners until they are what the table of peers asks for. */
void tcp_listen_sync(struct tcp *t);
/* The same for the sizes of segments only. */
void tcp_listen_resize(struct tcp *t);
void tcp_listen_close_all(struct tcp *t);

/* tcp.c: a connection from peer has been accepted; fd is taken over. */
void tcp_take(struct tcp *t, uint32_t peer, int fd, const struct ip_addr *local);
/* tcp.c: one of t's handles has been closed. */
void tcp_release(struct tcp *t);
