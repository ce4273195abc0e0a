#include "config/alg.h"

#include <string.h>
#include <strings.h>

#include "base/build.h"

/* The order within a type is the order of preference in help texts. */
static const struct alg rows[] = {
	/* RFC 4106 8.1, RFC 5282 7: key material is the key and 4 octets of salt */
	{.type = ALG_ENCR,
	 .id = ALG_ENCR_AES_GCM_16,
	 .key_bits = 256,
	 .word = "aes256gcm16",
	 .name = "AES-GCM-16-256",
	 .key_len = 36,
	 .iv_len = 8,
	 .icv_len = 16,
	 .aead = true,
	 .ike = true,
	 .esp = true},
	{.type = ALG_ENCR,
	 .id = ALG_ENCR_AES_GCM_16,
	 .key_bits = 128,
	 .word = "aes128gcm16",
	 .name = "AES-GCM-16-128",
	 .key_len = 20,
	 .iv_len = 8,
	 .icv_len = 16,
	 .aead = true,
	 .ike = true,
	 .esp = true},
	/* RFC 4868 2.1.2: the preferred key length is the output length */
	{.type = ALG_PRF,
	 .id = ALG_PRF_HMAC_SHA2_256,
	 .word = "prfsha256",
	 .name = "PRF-HMAC-SHA2-256",
	 .key_len = 32,
	 .ike = true},
	{.type = ALG_PRF,
	 .id = ALG_PRF_HMAC_SHA2_384,
	 .word = "prfsha384",
	 .name = "PRF-HMAC-SHA2-384",
	 .key_len = 48,
	 .ike = true},
	{.type = ALG_PRF,
	 .id = ALG_PRF_HMAC_SHA2_512,
	 .word = "prfsha512",
	 .name = "PRF-HMAC-SHA2-512",
	 .key_len = 64,
	 .ike = true},
	/* RFC 7296 3.3.3: AEAD ciphers go with no integrity transform, or with NONE. No word: it is never written */
	{.type = ALG_INTEG, .id = ALG_INTEG_NONE, .name = "none", .ike = true, .esp = true},
	{.type = ALG_DH,
	 .id = ALG_DH_X25519,
	 .word = "x25519",
	 .name = "X25519",
	 .key_len = 32,
	 .ike = true,
	 .esp = true}, /* RFC 8031 3.1 */
	{.type = ALG_DH,
	 .id = ALG_DH_ECP256,
	 .word = "ecp256",
	 .name = "ECP-256",
	 .key_len = 64,
	 .ike = true,
	 .esp = true}, /* RFC 5903 7 */
	{.type = ALG_DH,
	 .id = ALG_DH_MODP2048,
	 .word = "modp2048",
	 .name = "MODP-2048",
	 .key_len = 256,
	 .ike = true,
	 .esp = true}, /* RFC 3526 3 */
	{.type = ALG_ESN, .id = ALG_ESN_NO, .word = "noesn", .name = "no ESN", .esp = true},
};

/* Other spellings: strongSwan's short ones, OpenSSL's, and Azure's. */
static const struct {
	const char *alias, *word;
} aliases[] = {
	{"aes128gcm", "aes128gcm16"}, {"aes128gcm128", "aes128gcm16"}, {"gcmaes128", "aes128gcm16"},
	{"aes256gcm", "aes256gcm16"}, {"aes256gcm128", "aes256gcm16"}, {"gcmaes256", "aes256gcm16"},
	{"curve25519", "x25519"},     {"dhgroup14", "modp2048"},       {"dhgroup2048", "modp2048"},
};

const struct alg *alg_table(unsigned *n)
{
	*n = N_ELEMS(rows);
	return rows;
}

const struct alg *alg_find(enum alg_type type, uint16_t id, uint16_t key_bits)
{
	for (unsigned i = 0; i < N_ELEMS(rows); i++)
		if (rows[i].type == type && rows[i].id == id && (type != ALG_ENCR || rows[i].key_bits == key_bits))
			return &rows[i];
	return NULL;
}

static bool same_word(const char *a, const char *word, unsigned len)
{
	return a && strlen(a) == len && !strncasecmp(a, word, len);
}

const struct alg *alg_by_word(const char *word, unsigned len)
{
	for (unsigned i = 0; i < N_ELEMS(aliases); i++)
		if (same_word(aliases[i].alias, word, len))
			return alg_by_word(aliases[i].word, (unsigned)strlen(aliases[i].word));
	for (unsigned i = 0; i < N_ELEMS(rows); i++)
		if (same_word(rows[i].word, word, len))
			return &rows[i];
	return NULL;
}
