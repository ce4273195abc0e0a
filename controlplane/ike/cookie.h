/* Stateless cookies of a responder under load (RFC 7296 2.6).
 *
 * Cookie = secret's version (1 octet) | HMAC-SHA2-256(secret, Ni | IPi | SPIi). Two secrets are live: the one in use
 * and the one before it, so a rotation does not refuse those who were just asked. One owner thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/secret.h"
#include "controlplane/ike/payload.h"

enum { COOKIE_LEN = 33, COOKIE_SECRET_LEN = 32, COOKIE_ROTATE_MS = 60000, COOKIE_MAX = 64 /* RFC: 1 to 64 octets */ };

struct cookie_jar {
	struct secret key[2]; /* [version & 1] */
	bool live[2];
	uint8_t version; /* of the secret in use */
	uint64_t rotate_at_ms;
};

void cookie_init(struct cookie_jar *j, const uint8_t random[COOKIE_SECRET_LEN], uint64_t now_ms);
void cookie_fini(struct cookie_jar *j);
/* Time for cookie_rotate()? Call before make and check. */
bool cookie_due(const struct cookie_jar *j, uint64_t now_ms);
/* A new secret; the one in use becomes the one before. After two periods without use both old ones are gone. */
void cookie_rotate(struct cookie_jar *j, const uint8_t random[COOKIE_SECRET_LEN], uint64_t now_ms);
int cookie_make(const struct cookie_jar *j, const struct ike_nonce *ni, const struct ip_addr *remote, uint64_t spi_i,
		uint8_t out[COOKIE_LEN]) MUST_USE;
/* Is this one of ours, for the same nonce, address and SPI? Constant time. */
bool cookie_check(const struct cookie_jar *j, const struct ike_nonce *ni, const struct ip_addr *remote, uint64_t spi_i,
		  const uint8_t *cookie, size_t len);
