/* IP addresses, prefixes and ranges of both families, in network-order bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IP_STR 64 /* room for any address, prefix or range in text, with its NUL */

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_addr {
	uint8_t family; /* enum ip_family */
	uint8_t b[16];  /* IPv4: the first 4 */
};

struct ip_prefix {
	struct ip_addr addr; /* host bits are zero after ip_prefix_parse() unless it kept them */
	uint8_t len;         /* bits */
};

/* Octets of an address of this family: 4, 16, or 0. */
size_t ip_size(uint8_t family);
struct ip_addr ip_v4(uint32_t host_order);
/* Host-order value of an IPv4 address; 0 for another family. */
uint32_t ip_v4_u32(const struct ip_addr *a);
struct ip_addr ip_from_bytes(uint8_t family, const void *b);

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);
/* <0, 0, >0; the family first. */
int ip_cmp(const struct ip_addr *a, const struct ip_addr *b);
bool ip_is_any(const struct ip_addr *a); /* none, 0.0.0.0 or :: */
bool ip_is_multicast(const struct ip_addr *a);

/* Text to address: 0 or -EINVAL (out untouched). */
int ip_parse(const char *s, struct ip_addr *out) __attribute__((warn_unused_result));
/* "a.b.c.d/len"; without "/len" a host prefix. keep_host: leave the host bits (interface addresses). */
int ip_prefix_parse(const char *s, bool keep_host, struct ip_prefix *out) __attribute__((warn_unused_result));
/* Write text into buf (IP_STR octets) and lend it. */
const char *ip_str(const struct ip_addr *a, char buf[IP_STR]);
/* "192.0.2.1:500", "[2001:db8::1]:500" (RFC 3986 3.2.2); port 0: the address alone. */
const char *ip_port_str(const struct ip_addr *a, uint16_t port, char buf[IP_STR]);
const char *ip_prefix_str(const struct ip_prefix *p, char buf[IP_STR]);

/* Clear the bits of a behind len. */
void ip_mask(struct ip_addr *a, unsigned len);
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
bool ip_prefix_overlap(const struct ip_prefix *a, const struct ip_prefix *b);
/* First and last address of a prefix. */
void ip_prefix_range(const struct ip_prefix *p, struct ip_addr *lo, struct ip_addr *hi);
/* The range lo..hi is exactly one prefix? Then it is in out. */
bool ip_range_prefix(const struct ip_addr *lo, const struct ip_addr *hi, struct ip_prefix *out);
