/* Parts of the canonical file. Private to the room; config.h has config_print(). */
#pragma once

#include <stdio.h>

#include "config/config.h"

void print_quoted(FILE *f, const char *s);
/* Addresses; those of IPv6 between quotes, because of their colons (YAML 1.1 9.1.3). */
void print_addr(FILE *f, const struct ip_addr *a);
void print_prefix(FILE *f, const struct ip_prefix *p);
/* `addresses: [...]` on a line of its own, when there are some. */
void print_prefixes(FILE *f, const char *indent, const struct ip_prefix *p, unsigned n);
/* One of `tunnels` (print_tunnel.c). */
void print_tunnel(FILE *f, const struct cfg_tunnel *t, const char *psk_file);
/* `bgp`, `prefix-lists`, `as-path-lists`, `policies` (print_bgp.c). */
void print_bgp(FILE *f, const struct config *c);
