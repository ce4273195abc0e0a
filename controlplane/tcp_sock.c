#include "controlplane/tcp_sock.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/xalloc.h"

enum {
	UNSENT_MAX = 256 * 1024,
	TOS = 0xc0,
	MSS_MIN = 88 /* Linux takes no less */,
	V4_TTL = 8,
	V4_SRC = 12,
	V6_TTL = 7,
	V6_SRC = 8
};

socklen_t tcp_sock_addr(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (a->family == IP_V6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, a->b, 16);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	memcpy(&v4->sin_addr, a->b, 4);
	return sizeof(*v4);
}

struct ip_addr tcp_sock_ip(const struct sockaddr_storage *s, uint16_t *port)
{
	const struct sockaddr_in *v4 = (const void *)s;
	const struct sockaddr_in6 *v6 = (const void *)s;

	if (port)
		*port = ntohs(s->ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
	return s->ss_family == AF_INET6 ? ip_from_bytes(IP_V6, &v6->sin6_addr) : ip_from_bytes(IP_V4, &v4->sin_addr);
}

static int set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v)) ? -errno : 0;
}

void tcp_sock_prepare(int fd, uint8_t family)
{
	/* a session lives without any of these */
	(void)!set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)!set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
	if (family == IP_V6)
		(void)!set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, TOS);
	else
		(void)!set_int(fd, IPPROTO_IP, IP_TOS, TOS);
}

int tcp_sock_new(uint8_t family)
{
	int fd = socket(family == IP_V6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (family == IP_V6)
		rc = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (rc) {
		close(fd);
		return rc;
	}
	tcp_sock_prepare(fd, family);
	return fd;
}

int tcp_sock_ttl(int fd, uint8_t family, uint8_t ttl)
{
	return family == IP_V6 ? set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl)
			       : set_int(fd, IPPROTO_IP, IP_TTL, ttl);
}

int tcp_sock_min_ttl(int fd, uint8_t family, uint8_t min)
{
	return family == IP_V6 ? set_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, min)
			       : set_int(fd, IPPROTO_IP, IP_MINTTL, min);
}

/* ---- the listener's filter ---- */

static struct sock_filter load(unsigned size, int at)
{
	return (struct sock_filter)BPF_STMT((uint16_t)(BPF_LD | size | BPF_ABS), (uint32_t)(SKF_NET_OFF + at));
}

static struct sock_filter jump(unsigned op, uint32_t k, unsigned yes, unsigned no)
{
	return (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | op | BPF_K), k, (uint8_t)yes, (uint8_t)no);
}

static struct sock_filter verdict(uint32_t keep)
{
	return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, keep);
}

/* Source address unlike row's: on behind these instructions. Else its TTL decides. */
static unsigned add_row(struct sock_filter *f, const struct tcp_sock_gtsm *row)
{
	bool v6 = row->addr.family == IP_V6;
	struct rd r = rd_of(row->addr.b, ip_size(row->addr.family));
	unsigned words = v6 ? 4 : 1, n = 0;

	for (unsigned i = 0; i < words; i++) {
		f[n++] = load(BPF_W, (v6 ? V6_SRC : V4_SRC) + 4 * (int)i);
		f[n++] = jump(BPF_JEQ, rd_u32(&r), 0, 2 * (words - 1 - i) + 4);
	}
	f[n++] = load(BPF_B, v6 ? V6_TTL : V4_TTL);
	f[n++] = jump(BPF_JGE, row->min, 1, 0);
	f[n++] = verdict(0);
	f[n++] = verdict(UINT32_MAX);
	return n;
}

int tcp_sock_gtsm(int fd, uint8_t family, const struct tcp_sock_gtsm *rows, unsigned n)
{
	unsigned per = family == IP_V6 ? 12 : 6, at = 0;
	struct sock_fprog prog = {0};
	int zero = 0, rc;

	if (!n)
		return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)) && errno != ENOENT ? -errno
													    : 0;
	if (n * per + 1 > BPF_MAXINSNS)
		return -E2BIG;
	prog.filter = xcalloc(n * per + 1, sizeof(*prog.filter));
	for (unsigned i = 0; i < n; i++)
		at += add_row(&prog.filter[at], &rows[i]);
	prog.filter[at++] = verdict(UINT32_MAX);
	prog.len = (unsigned short)at;
	rc = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
	free(prog.filter);
	return rc;
}

/* ---- MD5, MSS ---- */

int tcp_sock_md5(int fd, const struct ip_addr *peer, const struct secret *key)
{
	struct tcp_md5sig m = {0};
	int rc;

	if (key && key->len > sizeof(m.tcpm_key))
		return -EMSGSIZE;
	tcp_sock_addr(peer, 0, (void *)&m.tcpm_addr);
	if (key) {
		m.tcpm_keylen = key->len;
		memcpy(m.tcpm_key, key->b, key->len);
	}
	rc = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &m, sizeof(m)) ? -errno : 0;
	secret_wipe(&m, sizeof(m));
	return !key && rc == -ENOENT ? 0 : rc;
}

int tcp_sock_mss(int fd, uint16_t mss)
{
	return mss < MSS_MIN ? 0 : set_int(fd, IPPROTO_TCP, TCP_MAXSEG, mss);
}
