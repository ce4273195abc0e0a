/* The ciphers of ESP over batches of packets, by ipsec-mb. RFC 4303; RFC 8221
 *
 * The owner of the SAs fills a batch (prepare), crypto_run() enciphers or deciphers it, the owner takes it apart
 * (finish). Everything the cipher needs is in the batch object and nothing on a stack, so any worker may do the middle
 * step. Nonce and AAD are written by prepare, long before the cipher's wide loads: written just before the call they
 * would stall it.
 *
 * AES-GCM goes by the library's direct calls, and a batch of nothing else costs nothing for the rest. What
 * is not AES-GCM is sorted into runs of one suite and goes by jobs (crypto_jobs.h).
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/build.h"
#include "dataplane/compat.h"
#include "dataplane/vec.h"

/* Octets: of AES-GCM's ICV and IV, of the AEADs' salt; the most that any suite has. */
enum {
	CRYPTO_ICV = 16,
	CRYPTO_IV = 8,
	CRYPTO_SALT = 4,
	CRYPTO_IV_MAX = 16,
	CRYPTO_ICV_MAX = 32,
	CRYPTO_ALIGN_MAX = 16
};

/* Cipher and integrity together. CRYPTO_GCM_N: those before it are AES-GCM, by the direct calls. Behind CRYPTO_HMAC: each
 * cipher with each of CRYPTO_HASH_N hashes. */
enum crypto_suite {
	CRYPTO_AES128_GCM16,
	CRYPTO_AES192_GCM16,
	CRYPTO_AES256_GCM16,
	CRYPTO_GCM_N,
	CRYPTO_CHACHA20_POLY1305 = CRYPTO_GCM_N,
	CRYPTO_AES128_GMAC,
	CRYPTO_AES192_GMAC,
	CRYPTO_AES256_GMAC,
	CRYPTO_HMAC,
	CRYPTO_HASH_N = 4,
	CRYPTO_CIPHER_N = 5,
	CRYPTO_SUITE_N = CRYPTO_HMAC + CRYPTO_CIPHER_N * CRYPTO_HASH_N
};
enum crypto_hash { CRYPTO_SHA1_96, CRYPTO_SHA256_128, CRYPTO_SHA384_192, CRYPTO_SHA512_256 };
enum crypto_cipher { CRYPTO_AES128_CBC, CRYPTO_AES192_CBC, CRYPTO_AES256_CBC, CRYPTO_3DES_CBC, CRYPTO_NULL };
enum crypto_dir { CRYPTO_DECRYPT, CRYPTO_ENCRYPT, CRYPTO_DIR_N };

/* What a packet's form depends on. */
struct crypto_form {
	uint8_t encr, integ; /* enum msg_encr, msg_integ */
	uint8_t iv_len, icv_len;
	uint8_t align; /* of the padded text. RFC 4303 2.4 */
};
extern const struct crypto_form crypto_forms[CRYPTO_SUITE_N];

/* The suite of an SA: enum crypto_suite; -ENOTSUP: no such pair, above all a cipher without integrity (RFC 8221 4). */
int crypto_suite_of(unsigned encr, unsigned integ) MUST_USE;

/* Key schedules of cipher and HMAC. */
struct crypto_mb_key {
	alignas(64) uint8_t ipad[64]; /* the hash's state behind key ^ ipad. RFC 2104 2 */
	uint8_t opad[64];
	union {
		struct {
			uint8_t enc[15 * 16], pad[16], dec[15 * 16];
		} aes;
		struct {
			uint64_t ks[3][IMB_DES_KEY_SCHED_SIZE / 8];
			const void *ks3[3]; /* what the library wants: the key must not be copied */
		} des;
		uint8_t chacha[32];
	};
};

/* An expanded key. */
struct crypto_key {
	union {
		alignas(64) struct gcm_key_data gcm; /* and GMAC */
		struct crypto_mb_key mb;
	};
};

/* What became of a packet that went by a job. */
enum crypto_result { CRYPTO_OK, CRYPTO_BAD_ICV, CRYPTO_FAILED };

/* One packet's work: one cache line. */
struct crypto_op {
	alignas(64)
		uint8_t *data; /* enciphered in place; the ICV follows; the IV, as in the packet, stands before it */
	const struct crypto_key *key;
	uint32_t salt;         /* AEAD's nonce: salt, IV (RFC 4106 4) .. */
	uint8_t iv[CRYPTO_IV]; /* .. must follow salt directly */
	uint16_t len;          /* octets at data, never 0; a multiple of the suite's align */
	uint8_t suite;         /* enum crypto_suite */
	uint8_t aad_len;       /* 8; 12 with ESN */
	uint8_t aad[12];       /* SPI, sequence number; with ESN its high half first. RFC 4106 5, for all suites */
	uint8_t result;        /* enum crypto_result; not AES-GCM */
	uint8_t pad[3];
	uint8_t tag[CRYPTO_ICV]; /* AES-GCM, decrypt: the ICV as computed */
};

/* One burst in one direction. Writer: the owner, but for `done`, `failed`, data's octets, tags and results, which belong to
 * whoever runs the crypto between hand-over and `done`. */
struct crypto_batch {
	uint16_t n;
	uint8_t dir;     /* enum crypto_dir */
	uint8_t owner;   /* worker */
	uint16_t others; /* ops that are not AES-GCM */
	uint16_t failed; /* ops whose result is not CRYPTO_OK */
	uint16_t udp6;   /* encrypt: packets in UDP over IPv6, whose checksum waits for the cipher */
	struct rte_mbuf *m[VEC_BURST];
	void *sa[VEC_BURST];     /* struct sa_in or sa_out; crypto does not look at it */
	uint64_t seq[VEC_BURST]; /* decrypt: the owner's */
	struct crypto_op op[VEC_BURST];
	alignas(64) _Atomic uint32_t done; /* on a line of its own: 1 when the crypto is through */
};

_Static_assert(sizeof(struct crypto_op) == 64, "one line per packet");
_Static_assert(offsetof(struct crypto_op, iv) == offsetof(struct crypto_op, salt) + 4,
	       "the nonce is 12 octets in a row");
_Static_assert(alignof(struct crypto_key) == 64 && sizeof(struct crypto_key) == MB_KEY_LINES * 64, "whole lines");
_Static_assert(offsetof(struct crypto_mb_key, aes.dec) % 16 == 0, "the library's loads are aligned");

/* One per worker: the library's manager and scratch for what it is given. */
struct crypto {
	IMB_MGR *mgr;
	aes_gcm_enc_dec_t fn[CRYPTO_DIR_N][CRYPTO_GCM_N];
	alignas(64) struct gcm_context_data ctx;
	alignas(64) uint8_t random_key[15 * 16]; /* crypto_random()'s, expanded */
	uint64_t random_n[2];
	/* crypto_jobs.c's */
	IMB_JOB job[VEC_BURST];
	uint8_t tag[VEC_BURST][CRYPTO_ICV_MAX], icv[VEC_BURST][CRYPTO_ICV_MAX];
};

/* Work with a manager of the caller's. */
void crypto_attach(struct crypto *c, IMB_MGR *mgr);
/* Pick the best instruction set and prove it with known answers, draw the key of crypto_random(). 0; -ENOMEM; -ENOTSUP: none
 * works; -EIO: no randomness. Caller's thread, before a worker runs. */
int crypto_init(struct crypto *c) MUST_USE;
void crypto_fini(struct crypto *c);
/* Run the known answers on every instruction set of this CPU. 0, or -EIO with the set's name in *which. */
int crypto_self_test(const char **which) MUST_USE;
/* "sse", "avx", "avx2", "avx512": what crypto_init() picked. */
const char *crypto_arch(const struct crypto *c);

/* Expand a key of crypto_key_len() octets: the cipher's, salt, integrity key. The expanded one holds pointers into itself. */
void crypto_key_set(struct crypto *c, struct crypto_key *k, enum crypto_suite suite, const uint8_t *key);
uint16_t crypto_key_len(enum crypto_suite suite);
/* The salt in such a key, as it goes into an op; 0: the suite has none. */
uint32_t crypto_salt(enum crypto_suite suite, const uint8_t *key);

/* 16 octets that nobody can guess: a counter under a key that crypto_init() drew. No call of the kernel. */
void crypto_random(struct crypto *c, uint8_t out[16]);

/* Encipher or decipher a batch. `next` are packets that will be looked at after it: their first lines are fetched
 * meanwhile, n_next may be 0. Decrypt leaves the computed ICV of AES-GCM in op.tag, for the owner to compare; all others are
 * compared here: op.result. */
void crypto_run(struct crypto *c, struct crypto_batch *b, struct rte_mbuf *const *next, uint16_t n_next);
