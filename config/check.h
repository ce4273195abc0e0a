/* Rules between fields, after all have been read. Private to the room. */
#pragma once

#include "config/load.h"

struct index;

/* Fill in what follows from other fields, and report what does not fit together. */
void check_all(struct load *l);
/* Ports, addresses and routes (check_net.c). routed[n_tunnels]: set where a route leads into the tunnel. */
void check_net(struct load *l, const struct index *tunnels, bool *routed);
/* The way to each peer (check_peer.c). */
void check_peers(struct load *l);
/* Tunnels against each other (check_twins.c). */
void check_twins(struct load *l, const bool *routed);
