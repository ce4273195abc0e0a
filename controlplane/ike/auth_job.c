#include "controlplane/ike/auth_job.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

#include "controlplane/ike/auth.h"
#include "controlplane/ike/tunnel.h"

/* ---- on the core's thread ---- */

/* Our side's octets: RFC 7296 2.15. */
static void set_self(struct ike_job *job, const struct ike_sa *sa, const struct cfg_id *id)
{
	const struct sa_birth *b = sa->birth;
	uint8_t body[4 + CFG_ID_MAX];
	struct wr w = wr_of(body, sizeof(body));

	payload_id_encode(&w, id);
	if (sa->initiator)
		job_auth_set(&job->self, b->msg_i, b->len_i, &b->nr, &sa->keys.pi, body, w.len);
	else
		job_auth_set(&job->self, b->msg_r, b->len_r, &b->ni, &sa->keys.pr, body, w.len);
}

/* The peer's; its ID body as received, reserved octets and all. */
static void set_peer(struct ike_job *job, const struct ike_sa *sa, struct rd id)
{
	const struct sa_birth *b = sa->birth;

	if (sa->initiator)
		job_auth_set(&job->peer, b->msg_r, b->len_r, &b->ni, &sa->keys.pr, id.p, rd_left(&id));
	else
		job_auth_set(&job->peer, b->msg_i, b->len_i, &b->nr, &sa->keys.pi, id.p, rd_left(&id));
}

struct ike_job *auth_job_new(struct ike *k, const struct ike_sa *sa, const struct ike_tunnel *t,
			     const struct cfg_id *id, bool sign)
{
	struct ike_job *job = job_new(JOB_AUTH);
	struct job_proof *a = &job->auth;

	job->prf = sa->prf;
	set_self(job, sa, id);
	a->sign = sign;
	a->decoy = !t;
	a->by_cert = t && t->creds;
	a->creds = cert_creds_ref(t ? t->creds : NULL);
	a->has_psk = t && t->cfg->psk && !t->creds;
	if (a->has_psk)
		a->psk = *t->cfg->psk;
	a->wall_s = k->env.wall_s(k->env.ctx);
	a->params_sign.hashes = sa->birth->hashes_peer & AUTH_HASHES_OURS;
	/* RFC 8247 3.2 asks for PSS; peers that are old enough for `legacy` may lack it */
	a->params_sign.pkcs1 = t && t->cfg->ike.legacy;
	a->params_verify.hashes = sa->birth->hashes_ours;
	a->params_sign.legacy = a->params_verify.legacy = t && t->cfg->ike.legacy;
	return job;
}

void auth_job_verify(struct ike *k, struct ike_job *job, const struct ike_sa *sa, const struct cfg_id *id,
		     struct rd id_body, const struct payload_auth *auth, const struct ike_chain *c)
{
	struct job_proof *a = &job->auth;

	set_peer(job, sa, id_body);
	a->verify = true;
	a->peer_id = *id;
	if (auth->len <= sizeof(a->got.b)) {
		a->got.method = auth->method;
		a->got.len = auth->len;
		memcpy(a->got.b, auth->data, auth->len);
	}
	if (!auth_sig_method(auth->method))
		return;
	cert_pile_read(&a->pile, c);
	if (a->decoy)
		a->creds = cert_creds_ref(tunnel_decoy(k, &sa->path));
}

/* ---- in any thread ---- */

static struct auth_octets octets_of(const struct ike_job *job, const struct job_auth *a)
{
	return (struct auth_octets){
		.prf = job->prf,
		.message = a->message,
		.message_len = a->message_len,
		.peer_nonce = &a->nonce,
		.sk_p = &a->sk_p,
		.id = a->id,
		.id_len = a->id_len,
	};
}

/* All steps, whichever fails: how long it takes says nothing about which. */
static int verify_cert(struct job_proof *a, const struct auth_octets *peer, struct text *why)
{
	char spare[JOB_WHY_MAX];
	struct text unsaid = text_of(spare, sizeof(spare));
	EVP_PKEY *key = NULL;
	bool pkcs1 = false;
	int sig = -EACCES, chain = cert_check_peer(a->creds, &a->pile, &a->peer_id, a->wall_s, &key, why);

	if (key)
		sig = auth_sig_verify(key, peer, &a->params_verify, &a->got, &pkcs1, chain ? &unsaid : why);
	EVP_PKEY_free(key);
	if (chain == 0 && sig == 0)
		a->params_sign.pkcs1 |= pkcs1; /* answer in the padding that the peer knows */
	return chain ? chain : sig;
}

static const char *other_method(const struct job_proof *a)
{
	if (a->got.method == IKE_AUTH_NULL)
		return "it does not authenticate itself (NULL): set it to the method of this tunnel";
	if (a->by_cert)
		return "it authenticates with a PSK, this tunnel with certificates: set both ends to one method";
	if (auth_sig_method(a->got.method))
		return "it authenticates with a certificate, this tunnel with a PSK: set both ends to one method";
	return "its AUTH does not fit: the PSK differs, or its method is not PSK; compare auth.psk at both ends";
}

static int verify(struct ike_job *job, struct text *why)
{
	struct job_proof *a = &job->auth;
	struct auth_octets peer = octets_of(job, &job->peer);
	bool by_cert = auth_sig_method(a->got.method);
	int err;

	if (by_cert && a->creds) {
		err = verify_cert(a, &peer, why);
	} else {
		size_t len = a->got.method == IKE_AUTH_PSK ? a->got.len : 0;

		err = auth_psk_verify(&peer, a->has_psk ? &a->psk : NULL, a->got.b, len);
	}
	if (a->decoy || by_cert != a->by_cert)
		err = -EACCES;
	if (err && !why->len)
		text_say(why, "%s", other_method(a));
	return err;
}

static int sign(struct ike_job *job, struct text *why)
{
	struct job_proof *a = &job->auth;
	struct auth_octets self = octets_of(job, &job->self);
	static const struct secret none;
	size_t len;
	int err;

	if (a->by_cert) {
		if (a->verify && a->verified)
			return 0; /* nothing of ours for a stranger, and no work either */
		if (!cert_creds_key(a->creds)) {
			text_say(why, "our private key was not read: write `key: FILE` under auth");
			return -ENOKEY;
		}
		return auth_sig_make(cert_creds_key(a->creds), &self, &a->params_sign, &a->made, why);
	}
	a->made.method = IKE_AUTH_PSK;
	err = auth_psk(&self, a->has_psk ? &a->psk : &none, a->made.b, &len);
	a->made.len = (uint16_t)len;
	return err;
}

int auth_job_run(struct ike_job *job)
{
	struct job_proof *a = &job->auth;
	struct text why = text_of(a->why, sizeof(a->why));
	int err = 0;

	if (a->verify)
		a->verified = verify(job, &why);
	if (a->sign)
		err = sign(job, &why);
	text_end(&why);
	return err;
}
