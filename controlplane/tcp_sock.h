/* Options of one TCP socket, for both families: addresses, TTL, GTSM (RFC 5082), MD5 (RFC 2385). No state, no loop. None of
 * them needs a capability; binding a port below 1024 does. 0 or -errno. Thread: any.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "base/build.h"
#include "base/ip.h"
#include "base/secret.h"

/* Who must be near: TTL (hop limit) >= min. */
struct tcp_sock_gtsm {
	struct ip_addr addr;
	uint8_t min;
};

socklen_t tcp_sock_addr(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *out);
struct ip_addr tcp_sock_ip(const struct sockaddr_storage *s, uint16_t *port);

/* Non-blocking, with what every BGP connection has: NODELAY, CS6 (RFC 4271 appendix E), a bound on octets that wait
 * unsent. fd or -errno. */
int tcp_sock_new(uint8_t family) MUST_USE;
/* The same for a socket that accept() gave. */
void tcp_sock_prepare(int fd, uint8_t family);
int tcp_sock_ttl(int fd, uint8_t family, uint8_t ttl) MUST_USE;
/* On a connection: what comes with less is dropped. 0: off. */
int tcp_sock_min_ttl(int fd, uint8_t family, uint8_t min) MUST_USE;
/* On a listener: segments of these peers with less, SYNs above all, are dropped before anything answers them; those of
 * others pass. n 0: none. -E2BIG: too many rows for one filter. */
int tcp_sock_gtsm(int fd, uint8_t family, const struct tcp_sock_gtsm *rows, unsigned n) MUST_USE;
/* Segments from and to peer carry this key; NULL: none any more. */
int tcp_sock_md5(int fd, const struct ip_addr *peer, const struct secret *key) MUST_USE;
/* Before connect(), or on a listener. 0: leave it to the kernel. */
int tcp_sock_mss(int fd, uint16_t mss) MUST_USE;
