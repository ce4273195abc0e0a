#include "dataplane/crypto.h"

#include <sys/random.h>

#include <rte_prefetch.h>

#include "base/err.h"
#include "base/secret.h"
#include "dataplane/crypto_jobs.h"
#include "dataplane/crypto_kat.h"

/* The instruction sets of the library, worst first. */
static const struct crypto_set {
	const char *name;
	uint64_t needs; /* IMB_CPUFLAGS_* */
	void (*init)(IMB_MGR *);
	IMB_ARCH arch;
} sets[] = {
#define SET(name, fn, id) {name, IMB_CPUFLAGS_##id, init_mb_mgr_##fn, IMB_ARCH_##id},
	MB_SETS(SET)
#undef SET
};

/* What this CPU and this build of the library can do. */
static bool set_usable(const IMB_MGR *mgr, const struct crypto_set *s)
{
	return (mgr->features & s->needs) == s->needs;
}

int crypto_self_test(const char **which)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);
	int err = 0;

	*which = "";
	if (mgr == NULL)
		return -ENOMEM;
	init_mb_mgr_auto(mgr, NULL);
	for (unsigned i = 0; i < N_ELEMS(sets) && err == 0; i++) {
		if (!set_usable(mgr, &sets[i]))
			continue;
		*which = sets[i].name;
		sets[i].init(mgr);
		if (imb_get_errno(mgr) != 0 || !crypto_kat_pass(mgr))
			err = -EIO;
	}
	free_mb_mgr(mgr);
	return err;
}

void crypto_attach(struct crypto *c, IMB_MGR *mgr)
{
	c->mgr = mgr;
	c->fn[CRYPTO_ENCRYPT][CRYPTO_AES128_GCM16] = mgr->gcm128_enc;
	c->fn[CRYPTO_ENCRYPT][CRYPTO_AES192_GCM16] = mgr->gcm192_enc;
	c->fn[CRYPTO_ENCRYPT][CRYPTO_AES256_GCM16] = mgr->gcm256_enc;
	c->fn[CRYPTO_DECRYPT][CRYPTO_AES128_GCM16] = mgr->gcm128_dec;
	c->fn[CRYPTO_DECRYPT][CRYPTO_AES192_GCM16] = mgr->gcm192_dec;
	c->fn[CRYPTO_DECRYPT][CRYPTO_AES256_GCM16] = mgr->gcm256_dec;
}

static bool random_start(struct crypto *c)
{
	alignas(16) uint8_t seed[16], unused[sizeof(c->random_key)];
	bool drawn = getrandom(seed, sizeof(seed), 0) == sizeof(seed);

	IMB_AES_KEYEXP_128(c->mgr, seed, c->random_key, unused);
	secret_wipe(seed, sizeof(seed));
	secret_wipe(unused, sizeof(unused));
	return drawn;
}

int crypto_init(struct crypto *c)
{
	*c = (struct crypto){0};
	c->mgr = alloc_mb_mgr(0);
	if (c->mgr == NULL)
		return -ENOMEM;
	init_mb_mgr_auto(c->mgr, NULL);
	if (imb_get_errno(c->mgr) != 0 || (c->mgr->features & IMB_CPUFLAGS_SSE) != IMB_CPUFLAGS_SSE ||
	    !crypto_kat_pass(c->mgr)) {
		crypto_fini(c);
		return -ENOTSUP;
	}
	crypto_attach(c, c->mgr);
	if (!random_start(c)) {
		crypto_fini(c);
		return -EIO;
	}
	return 0;
}

void crypto_random(struct crypto *c, uint8_t out[16])
{
	static const uint8_t zeros[16];

	c->random_n[0]++;
	IMB_AES128_CFB_ONE(c->mgr, out, zeros, c->random_n, c->random_key, sizeof(zeros)); /* the counter, enciphered */
}

void crypto_fini(struct crypto *c)
{
	if (c->mgr != NULL)
		free_mb_mgr(c->mgr);
	secret_wipe(c, sizeof(*c));
}

const char *crypto_arch(const struct crypto *c)
{
	for (unsigned i = 0; i < N_ELEMS(sets); i++)
		if ((IMB_ARCH)c->mgr->used_arch == sets[i].arch)
			return sets[i].name;
	return "none";
}

/* The lines of a key that the cipher will read: the round keys, and of the hash key's powers only the lowest for a small
 * packet. */
static inline void fetch_key(const struct crypto_op *op)
{
	static const uint8_t low[] = {MB_KEY_LOW};
	const uint8_t *line = (const uint8_t *)op->key;

	for (unsigned i = 0; i < 4; i++)
		rte_prefetch0(line + i * 64);
	if (op->len > 128)
		for (unsigned i = 4; i < MB_KEY_LINES - 2; i++)
			rte_prefetch0(line + i * 64);
	for (unsigned i = 0; i < N_ELEMS(low); i++)
		rte_prefetch0(line + low[i] * 64);
}

/* The first lines of a packet that will be looked at next. Where data begins is known (mbuf, then RTE_PKTMBUF_HEADROOM), so
 * that only data_len is read, in the line that rx has touched; a wrong guess wastes a fetch and no more. The line before the
 * data is for the headers that will go in front; behind 8 lines the CPU's own prefetcher has understood. */
static inline void fetch_packet(const struct rte_mbuf *m)
{
	const uint8_t *data = (const uint8_t *)m + sizeof(*m) + RTE_PKTMBUF_HEADROOM;
	unsigned end = m->data_len < 8 * 64 ? m->data_len : 8 * 64;

	rte_prefetch0(data - 64);
	for (unsigned at = 0; at < end; at += 64)
		rte_prefetch0(data + at);
}

static inline void run_gcm(struct crypto *c, struct crypto_op *op, enum crypto_dir dir)
{
	uint8_t *tag = dir == CRYPTO_ENCRYPT ? op->data + op->len : op->tag;

	c->fn[dir][op->suite](&op->key->gcm, &c->ctx, op->data, op->data, op->len, (const uint8_t *)&op->salt, op->aad,
			      op->aad_len, tag, CRYPTO_ICV);
}

/* A batch with other suites in it. */
static __rte_noinline void run_mixed(struct crypto *c, struct crypto_batch *b, struct rte_mbuf *const *next,
				     uint16_t n_next)
{
	for (uint16_t i = 0; i < n_next; i++)
		fetch_packet(next[i]);
	for (uint16_t i = 0; i < b->n; i++)
		if (b->op[i].suite < CRYPTO_GCM_N)
			run_gcm(c, &b->op[i], (enum crypto_dir)b->dir);
	crypto_jobs_run(c, b);
}

void crypto_run(struct crypto *c, struct crypto_batch *b, struct rte_mbuf *const *next, uint16_t n_next)
{
	const enum crypto_dir dir = (enum crypto_dir)b->dir;
	const uint16_t n = b->others == 0 ? b->n : 0;

	b->failed = 0;
	if (unlikely(b->others != 0))
		run_mixed(c, b, next, n_next);
	for (uint16_t i = 0; i < n; i++) {
		struct crypto_op *op = &b->op[i];

		/* two packets ahead is far enough for L3 and near enough for L1 */
		if (i + 2 < n && op[2].key != op[1].key)
			fetch_key(&op[2]);
		if (i < n_next)
			fetch_packet(next[i]);
		run_gcm(c, op, dir);
	}
	atomic_store_explicit(&b->done, 1, memory_order_release);
}
