/* Parsers of the values of `bgp`. Private to the room. base is the struct of the block that the key stands in: see each. */
#pragma once

#include "config/load.h"

/* An AS number; false after an error. any: one that nobody can have (23456, 65535) is taken too. */
bool field_bgp_as_number(struct load *l, const struct tree_node *n, bool any, uint32_t *out);
/* A network of either family, without host bits; false after an error. */
bool field_bgp_network(struct load *l, const struct tree_node *n, struct ip_prefix *out);
/* The address of one host, of either family; false after an error. */
bool field_bgp_host(struct load *l, const struct tree_node *n, const char *what, struct ip_addr *out);

void field_bgp_as(struct load *l, const struct tree_node *n, void *bgp);
void field_bgp_router_id(struct load *l, const struct tree_node *n, void *bgp);
void field_bgp_originate(struct load *l, const struct tree_node *n, void *bgp);
void field_bgp_address(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_peer_as(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_source(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_import(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_export(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_families(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_password(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_password_file(struct load *l, const struct tree_node *n, void *peer);
void field_bgp_description(struct load *l, const struct tree_node *n, void *peer);
