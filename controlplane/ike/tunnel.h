/* The config's tunnels: who may speak for which, and when we begin (start policy, retries). */
#pragma once

#include "controlplane/ike/core.h"
#include "controlplane/ike/proposal.h"
#include "controlplane/ike/sa.h"

/* NULL: not known. */
struct ike_tunnel *tunnel_find(const struct ike *k, uint32_t index);
int tunnel_set(struct ike *k, uint32_t index, const struct cfg_tunnel *cfg) MUST_USE;
void tunnel_del(struct ike *k, uint32_t index);
void tunnel_free_all(struct ike *k);

/* Responder, IKE_SA_INIT: the peer's identity is not known, so the tunnel is not either. Choose a suite from the tunnels
 * that name the peer's address, then from those that name none. OK, NO_PROPOSAL, INVALID_KE (choice->dh). *t: the tunnel
 * that it came from, or for NO_PROPOSAL one to explain by (NULL: no tunnel could be this peer's). */
enum ike_verdict tunnel_choose(struct ike *k, const struct ike_path *path, const struct payload_sa *offer,
			       uint16_t ke_group, struct proposal_choice *choice, struct ike_tunnel **t) MUST_USE;
/* Responder, IKE_AUTH: the tunnel of this peer: address, IDi, IDr if given, and sa's suite allowed. NULL: none. */
struct ike_tunnel *tunnel_match(struct ike *k, const struct ike_sa *sa, const struct cfg_id *peer,
				const struct cfg_id *ours);
/* The tunnel's identities on a path: what was configured, or the address (type NONE for remote: any will do). */
void tunnel_local_id(const struct ike_tunnel *t, const struct ike_path *path, struct cfg_id *out);
void tunnel_remote_id(const struct ike_tunnel *t, const struct ike_path *path, struct cfg_id *out);

/* Certificates of the tunnels that a peer at path->remote may be of: the names of whom they believe, for a CERTREQ (n 0: none of them
 * uses certificates); and those of one of them, to be busy with for who is unknown (lent; NULL: none). */
void tunnel_certreq(const struct ike *k, const struct ike_path *path, struct cert_names *out);
struct cert_creds *tunnel_decoy(const struct ike *k, const struct ike_path *path);

/* Begin an IKE SA if it is wanted, none is there, and the time has come. */
void tunnel_tick(struct ike *k, struct ike_tunnel *t);
void tunnel_rearm(struct ike *k, struct ike_tunnel *t);
/* An attempt, or an established SA, came to its end; retry by policy. cause in words. */
void tunnel_failed(struct ike *k, struct ike_tunnel *t, const char *cause);
/* What people see of it. */
void tunnel_error(struct ike_tunnel *t, const char *cause);
/* Child `index` is up. */
void tunnel_up(struct ike *k, struct ike_tunnel *t, uint8_t index);
/* End all its SAs. */
void tunnel_end_sas(struct ike *k, struct ike_tunnel *t, enum sa_end how, const char *cause);
/* A child's traffic is wanted (acquire, by hand, always): see that there is a child, or an attempt under way. */
void tunnel_want(struct ike *k, struct ike_tunnel *t);
/* The SA of a tunnel to use for new requests; NULL: none. */
struct ike_sa *tunnel_sa(const struct ike_tunnel *t);
/* A pair is gone; if it carried our traffic and another pair lives, rekey that, so that there is one to send on. */
void tunnel_repair_tx(struct ike *k, struct ike_tunnel *t, uint8_t index, uint32_t spi_in);

/* NULL: t is NULL, or its config never had that child. */
struct ike_want *tunnel_want_of(struct ike_tunnel *t, uint8_t index);
/* Is this child to be there? */
bool tunnel_wants(const struct ike_tunnel *t, uint8_t index);
/* On sa, ask at due_ms for every child that is to be there and is not by then. */
void tunnel_ask(struct ike *k, struct ike_tunnel *t, struct ike_sa *sa, uint64_t due_ms);
/* The peer refused child `index`: for how long to leave it at that. It is asked for no more if only traffic wanted it. */
uint64_t tunnel_refused(struct ike *k, struct ike_tunnel *t, uint8_t index, const char *cause);
