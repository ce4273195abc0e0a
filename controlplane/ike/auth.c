#include "controlplane/ike/auth.h"

#include <errno.h>
#include <stdbool.h>

/* prf(prf(psk, "Key Pad for IKEv2"), message | nonce | prf(SK_p, ID body)). RFC 7296 2.15: the pad has no NUL. */
static int compute(const struct auth_octets *o, const void *psk, size_t psk_len, uint8_t out[CRYPTO_PRF_MAX])
{
	const struct crypto_part pad = {.p = "Key Pad for IKEv2", .len = 17}, id = {.p = o->id, .len = o->id_len};
	uint8_t key[CRYPTO_PRF_MAX], maced_id[CRYPTO_PRF_MAX];
	size_t prf_len = crypto_prf_len(o->prf);
	const struct crypto_part octets[] = {
		{o->message, o->message_len}, {o->peer_nonce->b, o->peer_nonce->len}, {maced_id, prf_len}};
	int err = crypto_prf(o->prf, psk, psk_len, &pad, 1, key);

	if (!err)
		err = crypto_prf(o->prf, o->sk_p->b, o->sk_p->len, &id, 1, maced_id);
	if (!err)
		err = crypto_prf(o->prf, key, prf_len, octets, N_ELEMS(octets), out);
	if (err)
		secret_wipe(out, CRYPTO_PRF_MAX);
	secret_wipe(key, sizeof(key));
	secret_wipe(maced_id, sizeof(maced_id));
	return err;
}

int auth_psk(const struct auth_octets *o, const struct secret *psk, uint8_t out[CRYPTO_PRF_MAX], size_t *len)
{
	int err = compute(o, psk->b, psk->len, out);

	*len = err ? 0 : crypto_prf_len(o->prf);
	return err;
}

int auth_psk_verify(const struct auth_octets *o, const struct secret *psk, const uint8_t *got, size_t got_len)
{
	/* an identity that we do not know costs the same work, and the answer is no whatever it gives */
	static const uint8_t nobody[32];
	uint8_t want[CRYPTO_PRF_MAX];
	size_t len = crypto_prf_len(o->prf);
	int err = compute(o, psk ? psk->b : nobody, psk ? psk->len : sizeof(nobody), want);
	bool same = !err && got_len == len && secret_equal(got, want, len);

	secret_wipe(want, sizeof(want));
	if (err)
		return err;
	return same && psk ? 0 : -EACCES;
}
