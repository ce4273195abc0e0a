/* IKE_AUTH's work as a job: what it is to prove and to check, and doing it (RFC 7296 2.15, RFC 7427). */
#pragma once

#include "controlplane/ike/job.h"
#include "controlplane/ike/payload.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/wire.h"

/* A job of sa for the tunnel t; NULL: nobody is known by the peer's name, and what is done must take as long as for a wrong key.
 * id: ours. sign: our AUTH is to be made (behind auth_job_verify(): if the peer's is right). */
struct ike_job *auth_job_new(struct ike *k, const struct ike_sa *sa, const struct ike_tunnel *t,
			     const struct cfg_id *id, bool sign);
/* The peer's AUTH is to be checked: its identity, its ID body as received, and the message with CERT payloads. */
void auth_job_verify(struct ike *k, struct ike_job *job, const struct ike_sa *sa, const struct cfg_id *id,
		     struct rd id_body, const struct payload_auth *auth, const struct ike_chain *c);
/* ike_job_run() of JOB_AUTH. 0 or our own failure; the peer's is job->auth.verified. Any thread. */
int auth_job_run(struct ike_job *job) MUST_USE;
