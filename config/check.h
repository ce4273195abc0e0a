/* Rules between fields, after all have been read. Private to the room. */
#pragma once

#include "config/load.h"

struct index;

/* Fill in what follows from other fields, and report what does not fit together. */
void check_all(struct load *l);
/* A tunnel's ends, how it begins and who it trusts; its addresses and identities are filled in (check_tunnel.c). */
void check_tunnel(struct load *l, struct cfg_tunnel *t);
/* What transport mode and children ask of the selectors, which are all there by now (check_tunnel.c). */
void check_mode(struct load *l, const struct cfg_tunnel *t);
/* Ports, addresses and routes (check_net.c). routed[n_tunnels]: set where a route leads into the tunnel. */
void check_net(struct load *l, const struct index *tunnels, bool *routed);
/* a is an address of the network that no host has. (check_net.c) */
bool check_is_end(const struct ip_prefix *net, const struct ip_addr *a);
/* The way to each peer of IKE and BGP (check_peer.c). */
void check_peers(struct load *l);
/* `bgp`: what follows from other fields is filled in (check_bgp.c). */
void check_bgp(struct load *l);
/* What Azure takes of a peer of its kinds; p's defaults are filled in (check_azure.c). */
void check_azure(struct load *l, const struct cfg_bgp_peer *p);
/* The names in policies (check_policy.c). */
void check_policies(struct load *l);
/* Tunnels against each other (check_twins.c). */
void check_twins(struct load *l, const bool *routed);
