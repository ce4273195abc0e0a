#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t ip_size(uint8_t family)
{
	return family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
}

struct ip_addr ip_v4(uint32_t v)
{
	return (struct ip_addr){
		.family = IP_V4,
		.b = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v},
	};
}

uint32_t ip_v4_u32(const struct ip_addr *a)
{
	if (a->family != IP_V4)
		return 0;
	return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

struct ip_addr ip_from_bytes(uint8_t family, const void *b)
{
	struct ip_addr a = {.family = family};

	memcpy(a.b, b, ip_size(family));
	return a;
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_cmp(a, b) == 0;
}

int ip_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, ip_size(a->family));
}

bool ip_is_any(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, ip_size(a->family)) == 0;
}

bool ip_is_multicast(const struct ip_addr *a)
{
	return a->family == IP_V4 ? (a->b[0] & 0xf0) == 0xe0 : a->family == IP_V6 && a->b[0] == 0xff;
}

int ip_parse(const char *s, struct ip_addr *out)
{
	struct ip_addr a = {.family = strchr(s, ':') ? IP_V6 : IP_V4};

	if (inet_pton(a.family == IP_V6 ? AF_INET6 : AF_INET, s, a.b) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

int ip_prefix_parse(const char *s, bool keep_host, struct ip_prefix *out)
{
	char addr[IP_STR];
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	struct ip_prefix p;
	unsigned long len;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, s, n);
	addr[n] = '\0';
	if (ip_parse(addr, &p.addr) < 0)
		return -EINVAL;
	len = ip_size(p.addr.family) * 8;
	if (slash) {
		char *end;
		unsigned long max = len;

		if (slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 3)
			return -EINVAL;
		len = strtoul(slash + 1, &end, 10);
		if (*end || len > max)
			return -EINVAL;
	}
	p.len = (uint8_t)len;
	if (!keep_host)
		ip_mask(&p.addr, p.len);
	*out = p;
	return 0;
}

const char *ip_str(const struct ip_addr *a, char buf[IP_STR])
{
	if (a->family != IP_V4 && a->family != IP_V6)
		return memcpy(buf, "-", 2);
	inet_ntop(a->family == IP_V6 ? AF_INET6 : AF_INET, a->b, buf, IP_STR);
	return buf;
}

const char *ip_port_str(const struct ip_addr *a, uint16_t port, char buf[IP_STR])
{
	char addr[IP_STR];

	ip_str(a, port ? addr : buf);
	if (port)
		snprintf(buf, IP_STR, a->family == IP_V6 ? "[%.45s]:%u" : "%.45s:%u", addr, port);
	return buf;
}

const char *ip_prefix_str(const struct ip_prefix *p, char buf[IP_STR])
{
	char addr[IP_STR];

	ip_str(&p->addr, addr);
	snprintf(buf, IP_STR, "%.45s/%u", addr, p->len);
	return buf;
}

void ip_mask(struct ip_addr *a, unsigned len)
{
	for (unsigned i = 0; i < ip_size(a->family); i++) {
		unsigned keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			a->b[i] &= (uint8_t)(0xff00u >> keep);
	}
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr x = *a, y = p->addr;

	if (x.family != y.family)
		return false;
	ip_mask(&x, p->len);
	ip_mask(&y, p->len);
	return ip_equal(&x, &y);
}

bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_equal(&a->addr, &b->addr);
}

bool ip_prefix_overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len ? ip_prefix_contains(a, &b->addr) : ip_prefix_contains(b, &a->addr);
}

void ip_prefix_range(const struct ip_prefix *p, struct ip_addr *lo, struct ip_addr *hi)
{
	struct ip_addr l = p->addr, h = p->addr;

	ip_mask(&l, p->len);
	for (unsigned i = 0; i < ip_size(h.family); i++) {
		unsigned keep = p->len > i * 8 ? p->len - i * 8u : 0;

		if (keep < 8)
			h.b[i] = (uint8_t)(l.b[i] | (0xffu >> keep));
	}
	*lo = l;
	*hi = h;
}

bool ip_range_prefix(const struct ip_addr *lo, const struct ip_addr *hi, struct ip_prefix *out)
{
	unsigned bits = (unsigned)ip_size(lo->family) * 8, len = 0;
	struct ip_prefix p = {.addr = *lo};
	struct ip_addr l, h;

	if (lo->family != hi->family || !bits)
		return false;
	while (len < bits && !((lo->b[len / 8] ^ hi->b[len / 8]) & (0x80 >> len % 8)))
		len++;
	p.len = (uint8_t)len;
	ip_prefix_range(&p, &l, &h);
	if (!ip_equal(&l, lo) || !ip_equal(&h, hi))
		return false;
	*out = p;
	return true;
}
