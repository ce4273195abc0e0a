/* Proposals for tests: ours from words, a peer's transform by transform. */
#pragma once

#include <string.h>

#include "controlplane/ike/proposal.h"

/* ---- proposals from words ---- */

static inline void list_add(struct cfg_proposal *p, const struct alg *a)
{
	struct cfg_alg_list *list = a->type == ALG_ENCR  ? &p->encr
				    : a->type == ALG_PRF ? &p->prf
				    : a->type == ALG_DH  ? &p->dh
							 : &p->integ;

	list->alg[list->n++] = a;
}

/* "aes256gcm16-prfsha256-x25519" as the config has it. */
static inline struct cfg_proposal ours_of(const char *words)
{
	struct cfg_proposal p = {0};

	while (*words) {
		size_t len = strcspn(words, "-");
		const struct alg *a = alg_by_word(words, (unsigned)len);

		assert_non_null(a);
		list_add(&p, a);
		words += len + (words[len] == '-');
	}
	return p;
}

/* A peer's offer, transform by transform. */
struct t {
	uint8_t type;
	uint16_t id, bits;
};
#define GCM256                    \
	{                         \
		ALG_ENCR, 20, 256 \
	}
#define GCM128                    \
	{                         \
		ALG_ENCR, 20, 128 \
	}
#define CBC256                    \
	{                         \
		ALG_ENCR, 12, 256 \
	}
#define SHA256                   \
	{                        \
		ALG_INTEG, 12, 0 \
	}
#define SHA1                    \
	{                       \
		ALG_INTEG, 2, 0 \
	}
#define PRF256                \
	{                     \
		ALG_PRF, 5, 0 \
	}
#define PRF384                \
	{                     \
		ALG_PRF, 6, 0 \
	}
#define PRFSHA1               \
	{                     \
		ALG_PRF, 2, 0 \
	}
#define X25519                \
	{                     \
		ALG_DH, 31, 0 \
	}
#define ECP256                \
	{                     \
		ALG_DH, 19, 0 \
	}
#define MODP2048              \
	{                     \
		ALG_DH, 14, 0 \
	}
#define MODP1024             \
	{                    \
		ALG_DH, 2, 0 \
	}
#define DH_NONE              \
	{                    \
		ALG_DH, 0, 0 \
	}
#define NO_ESN                \
	{                     \
		ALG_ESN, 0, 0 \
	}
#define ESN                   \
	{                     \
		ALG_ESN, 1, 0 \
	}
#define INTEG_NONE              \
	{                       \
		ALG_INTEG, 0, 0 \
	}

static inline void offer_add(struct payload_sa *sa, uint8_t protocol, const struct t *t, size_t n)
{
	struct payload_proposal *p = &sa->proposal[sa->n++];

	*p = (struct payload_proposal){
		.num = (uint8_t)sa->n, .protocol = protocol, .first = (uint16_t)sa->n_transforms, .n = (uint16_t)n};
	if (protocol == IKE_PROTO_ESP) {
		p->spi_size = 4;
		p->spi = 0xc0000000u + sa->n;
	}
	for (size_t i = 0; i < n; i++)
		sa->transform[sa->n_transforms++] = (struct payload_transform){
			.type = t[i].type, .id = t[i].id, .key_bits = t[i].bits, .has_key_bits = t[i].bits != 0};
}

#define OFFER(sa, protocol, ...)                                 \
	offer_add(sa, protocol, (const struct t[]){__VA_ARGS__}, \
		  sizeof((const struct t[]){__VA_ARGS__}) / sizeof(struct t))

static struct payload_sa offer;

static inline int clear(void **state)
{
	(void)state;
	offer.n = offer.n_transforms = offer.left_out = 0;
	return 0;
}

static inline enum ike_verdict ike_choose(const char *words, uint16_t ke, struct proposal_choice *c)
{
	struct cfg_proposal ours = ours_of(words);

	return proposal_choose(&ours, 1, IKE_PROTO_IKE, &offer, ke, 0, c);
}

static inline enum ike_verdict esp_choose(const char *words, uint16_t ke, unsigned flags, struct proposal_choice *c)
{
	struct cfg_proposal ours = ours_of(words);

	return proposal_choose(&ours, 1, IKE_PROTO_ESP, &offer, ke, flags, c);
}
