#include "tests/lib/esp_peer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

enum { HDR = 8, SALT = 4, AEAD_IV = 8, AEAD_ICV = 16 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_cbc(unsigned encr)
{
	return encr >= MSG_ENCR_AES128_CBC && encr <= MSG_ENCR_3DES_CBC;
}

static bool is_gmac(unsigned encr)
{
	return encr >= MSG_ENCR_AES128_GMAC && encr <= MSG_ENCR_AES256_GMAC;
}

uint16_t esp_peer_iv_len(unsigned encr)
{
	if (encr == MSG_ENCR_NULL)
		return 0;
	return is_cbc(encr) && encr != MSG_ENCR_3DES_CBC ? 16 : 8;
}

uint16_t esp_peer_icv_len(unsigned encr, unsigned integ)
{
	static const uint8_t len[MSG_INTEG_N] = {[MSG_INTEG_HMAC_SHA1_96] = 12,
						 [MSG_INTEG_HMAC_SHA256_128] = 16,
						 [MSG_INTEG_HMAC_SHA384_192] = 24,
						 [MSG_INTEG_HMAC_SHA512_256] = 32};

	return msg_encr_is_aead(encr) ? AEAD_ICV : len[integ];
}

uint16_t esp_peer_align(unsigned encr)
{
	return is_cbc(encr) ? esp_peer_iv_len(encr) : 4;
}

static const EVP_CIPHER *cipher_of(unsigned encr)
{
	switch (encr) {
	case MSG_ENCR_AES128_GCM16:
	case MSG_ENCR_AES128_GMAC:
		return EVP_aes_128_gcm();
	case MSG_ENCR_AES192_GCM16:
	case MSG_ENCR_AES192_GMAC:
		return EVP_aes_192_gcm();
	case MSG_ENCR_AES256_GCM16:
	case MSG_ENCR_AES256_GMAC:
		return EVP_aes_256_gcm();
	case MSG_ENCR_CHACHA20_POLY1305:
		return EVP_chacha20_poly1305();
	case MSG_ENCR_AES128_CBC:
		return EVP_aes_128_cbc();
	case MSG_ENCR_AES192_CBC:
		return EVP_aes_192_cbc();
	case MSG_ENCR_AES256_CBC:
		return EVP_aes_256_cbc();
	case MSG_ENCR_3DES_CBC:
		return EVP_des_ede3_cbc();
	default:
		return NULL;
	}
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* SPI and number as they are authenticated. RFC 4106 5 */
static int aad_of(uint8_t aad[12], const struct msg_sa_add *sa, uint32_t high, const uint8_t *esp)
{
	bool esn = sa->flags & MSG_SA_ESN;

	memcpy(aad, esp, 4);
	put32(aad + 4, high);
	memcpy(aad + (esn ? 8 : 4), esp + 4, 4);
	return esn ? 12 : 8;
}

/* One way or the other; out may be text. false: the ICV is wrong. */
static bool aead(const struct msg_sa_add *sa, uint32_t high, const uint8_t *esp, const uint8_t *from, uint16_t len,
		 uint8_t *out, uint8_t *icv, int enc)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t nonce[12], aad[12];
	int n = 0, aad_len = aad_of(aad, sa, high, esp);
	bool right;

	memcpy(nonce, sa->key + sa->key_len - SALT, SALT);
	memcpy(nonce + SALT, esp + HDR, AEAD_IV);
	must(EVP_CipherInit_ex(x, cipher_of(sa->encr), NULL, sa->key, nonce, enc) == 1);
	must(EVP_CipherUpdate(x, NULL, &n, aad, aad_len) == 1);
	if (is_gmac(sa->encr)) { /* RFC 4543 3.3: the payload, IV and all, is AAD */
		must(EVP_CipherUpdate(x, NULL, &n, esp + HDR, AEAD_IV) == 1 &&
		     EVP_CipherUpdate(x, NULL, &n, from, len) == 1);
		memmove(out, from, len);
	} else {
		must(EVP_CipherUpdate(x, out, &n, from, len) == 1);
	}
	if (!enc)
		must(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, AEAD_ICV, icv) == 1);
	right = EVP_CipherFinal_ex(x, out + len, &n) == 1;
	if (enc)
		must(right && EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, AEAD_ICV, icv) == 1);
	EVP_CIPHER_CTX_free(x);
	return right;
}

static void cbc(const struct msg_sa_add *sa, const uint8_t *iv, const uint8_t *from, uint16_t len, uint8_t *out,
		int enc)
{
	EVP_CIPHER_CTX *x;
	int n = 0;

	if (sa->encr == MSG_ENCR_NULL) {
		memmove(out, from, len);
		return;
	}
	x = EVP_CIPHER_CTX_new();
	must(EVP_CipherInit_ex(x, cipher_of(sa->encr), NULL, sa->key, iv, enc) == 1);
	must(EVP_CIPHER_CTX_set_padding(x, 0) == 1);
	must(EVP_CipherUpdate(x, out, &n, from, len) == 1 && n == len);
	EVP_CIPHER_CTX_free(x);
}

/* HMAC from the SPI on; with ESN the high half as if it followed. RFC 4303 2.2.1 */
static void hmac(const struct msg_sa_add *sa, uint32_t high, const uint8_t *esp, size_t len, uint8_t icv[64])
{
	static char *const hash[MSG_INTEG_N] = {[MSG_INTEG_HMAC_SHA1_96] = "SHA1",
						[MSG_INTEG_HMAC_SHA256_128] = "SHA256",
						[MSG_INTEG_HMAC_SHA384_192] = "SHA384",
						[MSG_INTEG_HMAC_SHA512_256] = "SHA512"};
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash[sa->integ], 0),
			       OSSL_PARAM_construct_end()};
	const uint8_t *key = sa->key + msg_encr_key_len(sa->encr);
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *x = EVP_MAC_CTX_new(mac);
	uint8_t tail[4];
	size_t n = 0;

	put32(tail, high);
	must(EVP_MAC_init(x, key, msg_integ_key_len(sa->integ), params) == 1 && EVP_MAC_update(x, esp, len) == 1);
	if (sa->flags & MSG_SA_ESN)
		must(EVP_MAC_update(x, tail, sizeof(tail)) == 1);
	must(EVP_MAC_final(x, icv, &n, 64) == 1);
	EVP_MAC_CTX_free(x);
	EVP_MAC_free(mac);
}

uint16_t esp_peer_seal(const struct msg_sa_add *sa, uint64_t seq, const uint8_t *iv, const uint8_t *text, uint16_t len,
		       uint8_t *esp)
{
	const uint16_t iv_len = esp_peer_iv_len(sa->encr), icv_len = esp_peer_icv_len(sa->encr, sa->integ);
	const uint32_t high = (uint32_t)(seq >> 32);
	uint8_t *out = esp + HDR + iv_len, icv[64];

	put32(esp, sa->spi);
	put32(esp + 4, (uint32_t)seq);
	if (iv_len != 0)
		memcpy(esp + HDR, iv, iv_len);
	if (msg_encr_is_aead(sa->encr)) {
		must(aead(sa, high, esp, text, len, out, icv, 1));
	} else {
		cbc(sa, iv, text, len, out, 1);
		hmac(sa, high, esp, (size_t)HDR + iv_len + len, icv);
	}
	memcpy(out + len, icv, icv_len);
	return (uint16_t)(HDR + iv_len + len + icv_len);
}

int esp_peer_open(const struct msg_sa_add *sa, uint32_t high, const uint8_t *esp, uint16_t len, uint8_t *text)
{
	const uint16_t iv_len = esp_peer_iv_len(sa->encr), icv_len = esp_peer_icv_len(sa->encr, sa->integ);
	const uint8_t *from = esp + HDR + iv_len;
	uint8_t icv[64];
	uint16_t n;

	if (len <= HDR + iv_len + icv_len || (len - HDR - iv_len - icv_len) % esp_peer_align(sa->encr) != 0)
		return -1;
	n = (uint16_t)(len - HDR - iv_len - icv_len);
	if (msg_encr_is_aead(sa->encr)) {
		memcpy(icv, from + n, icv_len);
		return aead(sa, high, esp, from, n, text, icv, 0) ? n : -1;
	}
	hmac(sa, high, esp, (size_t)HDR + iv_len + n, icv);
	if (memcmp(icv, from + n, icv_len) != 0)
		return -1;
	cbc(sa, esp + HDR, from, n, text, 0);
	return n;
}
