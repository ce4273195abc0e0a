/* BGP's connections: kernel sockets on the loop.
 *
 *   tcp_config() -> one listener per own address that a peer may connect to (tcp_listen.c) -> accepted()
 *   tcp_connect() -> connected() | closed()         input(), writable(), closed()         tcp_send(), tcp_close()
 *
 * A peer is a row of tcp_config()'s table, named by its index; a connection has the number that tcp_connect() was given or
 * accepted() gave. Only who is in the table is let in; others are closed, counted and logged. A listener needs no address
 * to be there (IP_FREEBIND): it may come before the TUN has it. What protects the session is on the socket from its first
 * segment on: MD5 and GTSM are with the listener before a SYN is answered.
 * A turn reads at most TCP_READ_MAX of a connection, then the others have theirs. After tcp_close() what was sent leaves first:
 * FIN, then up to TCP_DRAIN_MS of reading and throwing away, because a close() over unread octets would be a RST that
 * eats our NOTIFICATION. At most TCP_DRAINING_MAX do so.
 *
 * Callbacks come from the loop, never from within a call; they may call anything here. Thread: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"
#include "base/ip.h"
#include "base/secret.h"
#include "controlplane/loop.h"

enum {
	TCP_READ_MAX = 64 * 1024,
	TCP_DRAIN_MS = 2000,
	TCP_DRAINING_MAX =
		64, /* with more the oldest ends at once: a peer that connects in a storm takes no more files */
	TCP_CONNECT_MS = 20000,
	TCP_LISTEN_RETRY_MS = 5000
};

struct tcp;

struct tcp_peer {
	struct ip_addr addr;           /* IP_NONE: nobody has this index */
	struct ip_addr source;         /* our end; IP_NONE: any */
	uint8_t ttl;                   /* of what we send, 1..255 */
	uint8_t min_ttl;               /* RFC 5082: what comes with less is dropped; 0: off */
	uint16_t mss;                  /* 0: the kernel's */
	bool accept;                   /* it may connect to us */
	const struct secret *password; /* RFC 2385; NULL: none. Lent until the next tcp_config() */
};

struct tcp_ops {
	void *ctx;
	void (*connected)(void *ctx, uint32_t conn, const struct ip_addr *local);
	/* The connection's number; 0: refused. */
	uint32_t (*accepted)(void *ctx, uint32_t peer, const struct ip_addr *local);
	/* It is gone: err -errno, or 0: the peer closed it. */
	void (*closed)(void *ctx, uint32_t conn, int err);
	void (*input)(void *ctx, uint32_t conn, const uint8_t *p, size_t len);
	void (*writable)(void *ctx, uint32_t conn);
};

/* What the kernel knows of a connection. */
struct tcp_info_row {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t mss, rtt_us, retrans; /* of sending; smoothed; segments sent again in its life */
	uint8_t ttl;
};

struct tcp_counters {
	uint64_t accepted, refused, connects;
};

struct tcp *tcp_new(struct loop *loop, const struct tcp_ops *ops);
/* Closes all at once; its handles end when the loop has run once more. NULL is fine. */
void tcp_free(struct tcp *t);

/* The table of peers (copied, but for the passwords) and the TCP port, ours and theirs. Listeners follow; open connections keep
 * what they began with. */
void tcp_config(struct tcp *t, uint16_t port, const struct tcp_peer *peers, uint32_t n);
/* The way to the peer takes segments of this size now. For connections to come. */
void tcp_peer_mss(struct tcp *t, uint32_t peer, uint16_t mss);

/* 0: connected() or closed() follows; -errno: nothing does. */
int tcp_connect(struct tcp *t, uint32_t peer, uint32_t conn) MUST_USE;
/* Octets taken; fewer than len: writable() follows, or closed(). */
size_t tcp_send(struct tcp *t, uint32_t conn, const uint8_t *b, size_t len);
/* No event follows. An unknown number is fine. */
void tcp_close(struct tcp *t, uint32_t conn);

/* Connections that are closed here and whose last octets the other side has not acknowledged. */
unsigned tcp_leaving(const struct tcp *t);
bool tcp_info_get(const struct tcp *t, uint32_t conn, struct tcp_info_row *out);
void tcp_counters(const struct tcp *t, struct tcp_counters *out);
