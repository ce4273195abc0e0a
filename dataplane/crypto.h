/* AES-GCM over batches of packets, by ipsec-mb's direct calls. RFC 4106; NIST SP 800-38D
 *
 * The owner of the SAs fills a batch (prepare), crypto_run() enciphers or deciphers it, the owner takes it apart
 * (finish). Everything the cipher needs is in the batch object and nothing on a stack, so any worker may do the middle
 * step. Nonce and AAD are written by prepare, long before the cipher's wide loads: written just before the call they
 * would stall it.
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef LINUX
#define LINUX /* else the header packs struct gcm_key_data, and a misaligned one crashes */
#endif
#include <intel-ipsec-mb.h>

#include <rte_mbuf.h>

#include "base/build.h"
#include "dataplane/vec.h"

enum { CRYPTO_ICV = 16, CRYPTO_IV = 8, CRYPTO_SALT = 4 };

enum crypto_suite { CRYPTO_AES128_GCM16, CRYPTO_AES256_GCM16, CRYPTO_SUITE_N };
enum crypto_dir { CRYPTO_DECRYPT, CRYPTO_ENCRYPT, CRYPTO_DIR_N };

/* An expanded key. */
struct crypto_key {
	alignas(64) struct gcm_key_data gcm;
};

/* One packet's work: one cache line. */
struct crypto_op {
	alignas(64) uint8_t *data; /* enciphered in place; the ICV follows */
	const struct crypto_key *key;
	uint32_t salt;           /* nonce: salt, IV (RFC 4106 4) .. */
	uint8_t iv[CRYPTO_IV];   /* .. must follow salt directly */
	uint16_t len;            /* octets at data, never 0 */
	uint8_t suite;           /* enum crypto_suite */
	uint8_t aad_len;         /* 8; 12 with ESN */
	uint8_t aad[16];         /* SPI, sequence number. RFC 4106 5 */
	uint8_t tag[CRYPTO_ICV]; /* decrypt: the ICV as computed */
};

/* One burst in one direction. Writer: the owner, but for `done`, data's octets and tags, which belong to whoever runs
 * the crypto between hand-over and `done`. */
struct crypto_batch {
	uint16_t n;
	uint8_t dir;   /* enum crypto_dir */
	uint8_t owner; /* worker */
	struct rte_mbuf *m[VEC_BURST];
	void *sa[VEC_BURST]; /* struct sa_in or sa_out; crypto does not look at it */
	struct crypto_op op[VEC_BURST];
	alignas(64) _Atomic uint32_t done; /* on a line of its own: 1 when the crypto is through */
};

_Static_assert(sizeof(struct crypto_op) == 64, "one line per packet");
_Static_assert(offsetof(struct crypto_op, iv) == offsetof(struct crypto_op, salt) + 4,
	       "the nonce is 12 octets in a row");
_Static_assert(alignof(struct crypto_key) == 64 && sizeof(struct crypto_key) == 1024, "16 lines");

/* One per worker: the library's manager and its scratch. */
struct crypto {
	IMB_MGR *mgr;
	aes_gcm_enc_dec_t fn[CRYPTO_DIR_N][CRYPTO_SUITE_N];
	alignas(64) struct gcm_context_data ctx;
};

/* Pick the best instruction set and prove it with known answers. 0; -ENOMEM; -ENOTSUP: none works. Caller's thread. */
int crypto_init(struct crypto *c) MUST_USE;
void crypto_fini(struct crypto *c);
/* Run the known answers on every instruction set of this CPU. 0, or -EIO with the set's name in *which. */
int crypto_self_test(const char **which) MUST_USE;
/* "sse", "avx", "avx2", "avx512": what crypto_init() picked. */
const char *crypto_arch(const struct crypto *c);

/* Expand a key of the suite's length (crypto_key_len()). */
void crypto_key_set(struct crypto *c, struct crypto_key *k, enum crypto_suite suite, const uint8_t *key);
uint16_t crypto_key_len(enum crypto_suite suite);

/* Encipher or decipher a batch. `next` are packets that will be looked at after it: their first lines are fetched
 * meanwhile, n_next may be 0. Decrypt leaves the computed ICV in op.tag; the owner compares. */
void crypto_run(struct crypto *c, struct crypto_batch *b, struct rte_mbuf *const *next, uint16_t n_next);
