#include "config/alg.h"

#include <string.h>
#include <strings.h>

#include "base/build.h"

/* clang-format off */
#define AES_CBC(bits) \
	{.type = ALG_ENCR, .id = ALG_ENCR_AES_CBC, .key_bits = (bits), .word = "aes" #bits, .name = "AES-CBC-" #bits, \
	 .key_len = (bits) / 8, .iv_len = 16, .block = 16, .ike = true, .esp = true}
/* RFC 4106 8.1, RFC 5282 7: key material is the key and 4 octets of salt */
#define AES_GCM(bits) \
	{.type = ALG_ENCR, .id = ALG_ENCR_AES_GCM_16, .key_bits = (bits), .word = "aes" #bits "gcm16", \
	 .name = "AES-GCM-16-" #bits, .key_len = (bits) / 8 + 4, .iv_len = 8, .icv_len = 16, .block = 1, \
	 .aead = true, .ike = true, .esp = true}
/* RFC 4543 5.3: as AES-GCM; 9: for ESP and AH alone */
#define AES_GMAC(bits) \
	{.type = ALG_ENCR, .id = ALG_ENCR_AES_GMAC, .key_bits = (bits), .word = "aes" #bits "gmac", \
	 .name = "AES-GMAC-" #bits, .key_len = (bits) / 8 + 4, .iv_len = 8, .icv_len = 16, .block = 1, \
	 .aead = true, .esp = true}
/* RFC 4868 2.1.2: the preferred key length is the output length */
#define PRF(id_, word_, name_, len, legacy_) \
	{.type = ALG_PRF, .id = (id_), .word = (word_), .name = (name_), .key_len = (len), .ike = true, \
	 .legacy = (legacy_)}
#define INTEG(id_, word_, name_, len, icv, legacy_) \
	{.type = ALG_INTEG, .id = (id_), .word = (word_), .name = (name_), .key_len = (len), .icv_len = (icv), \
	 .ike = true, .esp = true, .legacy = (legacy_)}
#define DH(id_, word_, name_, len, legacy_) \
	{.type = ALG_DH, .id = (id_), .word = (word_), .name = (name_), .key_len = (len), .ike = true, .esp = true, \
	 .legacy = (legacy_)}

/* The order within a type is the order of preference in help texts. legacy: RFC 8221 5, 6 and RFC 8247 2.1 to 2.4. */
static const struct alg rows[] = {
	AES_GCM(256),
	AES_GCM(192),
	AES_GCM(128),
	/* RFC 7634 2, 5: no Key Length attribute; 256 bits of key and 4 octets of salt */
	{.type = ALG_ENCR, .id = ALG_ENCR_CHACHA20_POLY1305, .word = "chacha20poly1305", .name = "ChaCha20-Poly1305",
	 .key_len = 36, .iv_len = 8, .icv_len = 16, .block = 1, .aead = true, .ike = true, .esp = true},
	AES_CBC(256),
	AES_CBC(192),
	AES_CBC(128),
	{.type = ALG_ENCR, .id = ALG_ENCR_3DES, .word = "3des", .name = "3DES-CBC", .key_len = 24, .iv_len = 8,
	 .block = 8, .ike = true, .esp = true, .legacy = true},
	AES_GMAC(256),
	AES_GMAC(192),
	AES_GMAC(128),
	/* RFC 7296 3.3.2, RFC 2410: never in IKE, never without integrity */
	{.type = ALG_ENCR, .id = ALG_ENCR_NULL, .word = "null", .name = "NULL", .block = 1, .esp = true},

	PRF(ALG_PRF_HMAC_SHA2_256, "prfsha256", "PRF-HMAC-SHA2-256", 32, false),
	PRF(ALG_PRF_HMAC_SHA2_384, "prfsha384", "PRF-HMAC-SHA2-384", 48, false),
	PRF(ALG_PRF_HMAC_SHA2_512, "prfsha512", "PRF-HMAC-SHA2-512", 64, false),
	PRF(ALG_PRF_HMAC_SHA1, "prfsha1", "PRF-HMAC-SHA1", 20, true),

	/* RFC 7296 3.3.3: AEAD ciphers go with no integrity transform, or with NONE. No word: it is never written */
	{.type = ALG_INTEG, .id = ALG_INTEG_NONE, .name = "none", .ike = true, .esp = true},
	INTEG(ALG_INTEG_HMAC_SHA2_256_128, "sha256", "HMAC-SHA2-256-128", 32, 16, false),
	INTEG(ALG_INTEG_HMAC_SHA2_384_192, "sha384", "HMAC-SHA2-384-192", 48, 24, false),
	INTEG(ALG_INTEG_HMAC_SHA2_512_256, "sha512", "HMAC-SHA2-512-256", 64, 32, false),
	INTEG(ALG_INTEG_HMAC_SHA1_96, "sha1", "HMAC-SHA1-96", 20, 12, true),

	DH(ALG_DH_X25519, "x25519", "X25519", 32, false),
	DH(ALG_DH_ECP256, "ecp256", "ECP-256", 64, false), /* RFC 5903 7: both coordinates */
	DH(ALG_DH_ECP384, "ecp384", "ECP-384", 96, false),
	DH(ALG_DH_ECP521, "ecp521", "ECP-521", 132, false),
	DH(ALG_DH_X448, "x448", "X448", 56, false),
	DH(ALG_DH_MODP2048, "modp2048", "MODP-2048", 256, false),
	DH(ALG_DH_MODP3072, "modp3072", "MODP-3072", 384, false),
	DH(ALG_DH_MODP4096, "modp4096", "MODP-4096", 512, false),
	DH(ALG_DH_MODP6144, "modp6144", "MODP-6144", 768, false),
	DH(ALG_DH_MODP8192, "modp8192", "MODP-8192", 1024, false),
	DH(ALG_DH_MODP1024, "modp1024", "MODP-1024", 128, true),

	{.type = ALG_ESN, .id = ALG_ESN_NO, .word = "noesn", .name = "no ESN", .esp = true},
	{.type = ALG_ESN, .id = ALG_ESN_YES, .word = "esn", .name = "ESN", .esp = true},
};

/* Other spellings: strongSwan's short ones, OpenSSL's, and Azure's. */
static const struct {
	const char *alias, *word;
} aliases[] = {
	{"aes", "aes128"},            {"aes128gcm", "aes128gcm16"}, {"aes128gcm128", "aes128gcm16"},
	{"gcmaes128", "aes128gcm16"}, {"aes192gcm", "aes192gcm16"}, {"aes192gcm128", "aes192gcm16"},
	{"gcmaes192", "aes192gcm16"}, {"aes256gcm", "aes256gcm16"}, {"aes256gcm128", "aes256gcm16"},
	{"gcmaes256", "aes256gcm16"}, {"chacha20", "chacha20poly1305"},
	{"des3", "3des"},             {"sha", "sha1"},              {"sha2_256", "sha256"},
	{"sha2_384", "sha384"},       {"sha2_512", "sha512"},       {"sha1_96", "sha1"},
	{"curve25519", "x25519"},     {"curve448", "x448"},         {"dhgroup2", "modp1024"},
	{"pfs2", "modp1024"},         {"dhgroup14", "modp2048"},    {"dhgroup2048", "modp2048"},
	{"pfs14", "modp2048"},        {"pfs2048", "modp2048"},
};
/* clang-format on */

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

const struct alg *alg_prf_of(const struct alg *integ)
{
	switch (integ->id) {
	case ALG_INTEG_HMAC_SHA1_96:
		return alg_find(ALG_PRF, ALG_PRF_HMAC_SHA1, 0);
	case ALG_INTEG_HMAC_SHA2_256_128:
		return alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0);
	case ALG_INTEG_HMAC_SHA2_384_192:
		return alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_384, 0);
	case ALG_INTEG_HMAC_SHA2_512_256:
		return alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_512, 0);
	}
	return NULL;
}
