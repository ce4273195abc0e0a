#include "controlplane/ike/cookie.h"

#include <string.h>

#include "controlplane/ike/crypto.h"

enum { MAC_LEN = 32 };
_Static_assert(COOKIE_LEN == 1 + MAC_LEN, "version and HMAC-SHA2-256");

/* Our own use of HMAC-SHA2-256: not negotiated, so not a row that a config could lack. */
static const struct alg mac = {.type = ALG_PRF, .id = ALG_PRF_HMAC_SHA2_256};

void cookie_init(struct cookie_jar *j, const uint8_t random[COOKIE_SECRET_LEN], uint64_t now_ms)
{
	memset(j, 0, sizeof(*j));
	cookie_rotate(j, random, now_ms);
}

void cookie_fini(struct cookie_jar *j)
{
	secret_wipe(j, sizeof(*j));
}

bool cookie_due(const struct cookie_jar *j, uint64_t now_ms)
{
	return now_ms >= j->rotate_at_ms;
}

void cookie_rotate(struct cookie_jar *j, const uint8_t random[COOKIE_SECRET_LEN], uint64_t now_ms)
{
	/* a jar that nobody used for a whole period more holds no secret young enough to be "the one before" */
	bool idle = j->rotate_at_ms != 0 && now_ms >= j->rotate_at_ms + COOKIE_ROTATE_MS;
	unsigned slot;

	if (idle) {
		secret_fini(&j->key[j->version & 1]);
		j->live[j->version & 1] = false;
	}
	slot = ++j->version & 1;
	secret_fini(&j->key[slot]);
	memcpy(j->key[slot].b, random, COOKIE_SECRET_LEN);
	j->key[slot].len = COOKIE_SECRET_LEN;
	j->live[slot] = true;
	j->rotate_at_ms = now_ms + COOKIE_ROTATE_MS;
}

/* HMAC(secret, Ni | IPi | SPIi). The nonce's length goes in as well: what follows it must not be read as part of it. */
static int compute(const struct secret *key, const struct ike_nonce *ni, const struct ip_addr *remote, uint64_t spi_i,
		   uint8_t out[CRYPTO_PRF_MAX])
{
	const struct crypto_part part[] = {{&ni->len, sizeof(ni->len)},
					   {ni->b, ni->len},
					   {&remote->family, sizeof(remote->family)},
					   {remote->b, ip_size(remote->family)},
					   {&spi_i, sizeof(spi_i)}};

	return crypto_prf(&mac, key->b, key->len, part, N_ELEMS(part), out);
}

int cookie_make(const struct cookie_jar *j, const struct ike_nonce *ni, const struct ip_addr *remote, uint64_t spi_i,
		uint8_t out[COOKIE_LEN])
{
	uint8_t full[CRYPTO_PRF_MAX];
	int err = compute(&j->key[j->version & 1], ni, remote, spi_i, full);

	out[0] = j->version;
	memcpy(out + 1, full, MAC_LEN);
	return err;
}

bool cookie_check(const struct cookie_jar *j, const struct ike_nonce *ni, const struct ip_addr *remote, uint64_t spi_i,
		  const uint8_t *cookie, size_t len)
{
	uint8_t full[CRYPTO_PRF_MAX], age;
	unsigned slot;

	if (len != COOKIE_LEN)
		return false;
	age = (uint8_t)(j->version - cookie[0]);
	slot = cookie[0] & 1;
	if (age > 1 || !j->live[slot])
		return false;
	return compute(&j->key[slot], ni, remote, spi_i, full) == 0 && secret_equal(full, cookie + 1, MAC_LEN);
}
