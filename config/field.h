/* Parsers of the values that need more than a row of the schema. Private to the room.
 * base is the struct of the block that the key stands in: see each. */
#pragma once

#include "config/load.h"

/* Can be the address of one host; is only meant on one link. */
bool field_is_host(const struct ip_addr *a);
bool field_is_link_local(const struct ip_addr *a);
/* An address with length, with its host bits or without. false after an error. */
bool field_prefix(struct load *l, const struct tree_node *n, bool keep_host, struct ip_prefix *out);
/* An address of one host; false after an error ("write `what`"). */
bool field_address(struct load *l, const struct tree_node *n, const char *what, struct ip_addr *out);
/* A name; false after an error. */
bool field_name(struct load *l, const char *s, unsigned line, char out[CFG_NAME_MAX]);

/* A secret that stands in the file itself, or in one of its own. *out is made; it stays when it is there already. */
struct field_secret {
	const char *name, *file_key; /* "PSK", "psk-file" */
	const char *inline_what, *file_what;
	unsigned max; /* octets */
};
void field_secret(struct load *l, const struct tree_node *n, const struct field_secret *k, struct secret **out);
void field_secret_file(struct load *l, const struct tree_node *n, const struct field_secret *k, char **file,
		       struct secret **out);

void field_gateway_name(struct load *l, const struct tree_node *n, void *config);

void field_workers(struct load *l, const struct tree_node *n, void *dataplane);
void field_hugepages(struct load *l, const struct tree_node *n, void *dataplane);
/* An interface name that the kernel could have given. */
bool field_is_iface(const char *s, size_t n);
void field_device(struct load *l, const struct tree_node *n, void *port);
void field_tun(struct load *l, const struct tree_node *n, void *dataplane);
void field_to(struct load *l, const struct tree_node *n, void *route);
void field_via(struct load *l, const struct tree_node *n, void *route);
void field_route_tunnel(struct load *l, const struct tree_node *n, void *route);
void field_blackhole(struct load *l, const struct tree_node *n, void *route);
