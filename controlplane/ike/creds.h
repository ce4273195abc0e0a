/* The certificates of all tunnels: each set of files is read once, however many tunnels name it. */
#pragma once

#include "controlplane/ike/core.h"

/* Those of cfg, counted for the caller. 0, or -errno of cert_creds_load(); what has expired is taken all the same: an attempt will
 * say so. */
int creds_take(struct ike *k, struct cfg_certs *cfg, struct cert_creds **out) MUST_USE;
/* One user less; NULL is fine. */
void creds_give(struct ike *k, struct cert_creds *c);
void creds_free_all(struct ike *k);
