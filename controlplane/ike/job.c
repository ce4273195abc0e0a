#include "controlplane/ike/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/auth_job.h"
#include "controlplane/ike/ike.h"

struct ike_job *job_new(enum job_kind kind)
{
	struct ike_job *job = xcalloc(1, sizeof(*job));

	job->kind = kind;
	return job;
}

void job_set_peer(struct ike_job *job, const struct payload_ke *ke)
{
	if (ke->len > sizeof(job->peer_public))
		return; /* length 0 fits no group */
	job->peer_public_len = ke->len;
	memcpy(job->peer_public, ke->data, ke->len);
}

void job_auth_set(struct job_auth *a, const uint8_t *message, size_t len, const struct ike_nonce *nonce,
		  const struct secret *sk_p, const uint8_t *id, size_t id_len)
{
	a->message = xcalloc(1, len ? len : 1);
	memcpy(a->message, message, len);
	a->message_len = len;
	a->nonce = *nonce;
	a->sk_p = *sk_p;
	a->id_len = id_len < sizeof(a->id) ? id_len : sizeof(a->id);
	memcpy(a->id, id, a->id_len);
}

void job_free(struct ike_job *job)
{
	if (!job)
		return;
	free(job->self.message);
	free(job->peer.message);
	cert_creds_unref(job->auth.creds);
	cert_pile_fini(&job->auth.pile);
	secret_wipe(job, sizeof(*job));
	free(job);
}

void ike_job_run(struct ike_job *job)
{
	int err = -EINVAL;

	job->auth.verified = -EACCES;
	switch (job->kind) {
	case JOB_DH_MAKE:
		err = crypto_dh_make(&job->dh, job->group, job->seed);
		break;
	case JOB_DH_ANSWER:
		err = crypto_dh_make(&job->dh, job->group, job->seed);
		if (err == 0)
			err = crypto_dh_shared(&job->dh, job->peer_public, job->peer_public_len, &job->shared);
		break;
	case JOB_DH_SHARED:
		err = crypto_dh_shared(&job->dh, job->peer_public, job->peer_public_len, &job->shared);
		break;
	case JOB_AUTH:
		err = auth_job_run(job);
		break;
	}
	job->err = err;
	secret_wipe(job->seed, sizeof(job->seed));
}
