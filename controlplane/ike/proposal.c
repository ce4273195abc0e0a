#include "controlplane/ike/proposal.h"

#include <string.h>

/* ---- one transform ---- */

/* The types whose id 0 is NONE; for the others 0 is a value or nothing. RFC 7296 3.3.2. */
static bool may_be_none(uint8_t type)
{
	return type == ALG_INTEG || type == ALG_DH;
}

/* RFC 7296 3.3.5: the key length must be there for ciphers that have several, and must be what we mean; for all others
 * it must not be there. */
static bool fits(const struct alg *alg, const struct payload_transform *t)
{
	if (t->type != alg->type || t->id != alg->id || t->unacceptable)
		return false;
	return alg->key_bits ? t->has_key_bits && t->key_bits == alg->key_bits : !t->has_key_bits;
}

/* What a proposal says about one transform type. */
struct offered {
	unsigned n; /* transforms of the type */
	bool none;  /* one of them is NONE (id 0) */
	bool other; /* one of them is not */
};

static struct offered offered(const struct payload_sa *sa, const struct payload_proposal *p, uint8_t type)
{
	struct offered o = {0};

	for (unsigned i = 0; i < p->n; i++) {
		const struct payload_transform *t = &sa->transform[p->first + i];

		if (t->type != type)
			continue;
		o.n++;
		if (t->id == 0 && !t->unacceptable && !t->has_key_bits)
			o.none = true;
		else
			o.other = true;
	}
	return o;
}

static bool offers(const struct payload_sa *sa, const struct payload_proposal *p, const struct alg *alg)
{
	for (unsigned i = 0; i < p->n; i++)
		if (fits(alg, &sa->transform[p->first + i]))
			return true;
	return false;
}

/* Our first algorithm of the list, NONE aside, that the proposal has; NULL: none. */
static const struct alg *pick(const struct cfg_alg_list *ours, const struct payload_sa *sa,
			      const struct payload_proposal *p)
{
	for (unsigned i = 0; i < ours->n; i++)
		if (!(may_be_none(ours->alg[i]->type) && ours->alg[i]->id == 0) && offers(sa, p, ours->alg[i]))
			return ours->alg[i];
	return NULL;
}

/* We do without this type: nothing is listed, or NONE is. */
static bool none_listed(const struct cfg_alg_list *ours)
{
	for (unsigned i = 0; i < ours->n; i++)
		if (ours->alg[i]->id == 0)
			return true;
	return ours->n == 0;
}

/* ---- one proposal ---- */

/* RFC 7296 3.3.3, 3.3.6: a proposal with a type that this protocol does not have, or that we do not know, is out as a
 * whole. */
static bool types_known(const struct payload_sa *sa, const struct payload_proposal *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		switch (sa->transform[p->first + i].type) {
		case ALG_ENCR:
		case ALG_INTEG:
		case ALG_DH:
			break;
		case ALG_PRF:
			if (p->protocol != IKE_PROTO_IKE)
				return false;
			break;
		case ALG_ESN:
			if (p->protocol != IKE_PROTO_ESP)
				return false;
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool spi_good(const struct payload_proposal *p)
{
	if (p->protocol == IKE_PROTO_ESP)
		/* RFC 4303 2.1: 0 to 255 are reserved */
		return p->spi_size == 4 && p->spi > 255;
	return p->spi_size == 0 || (p->spi_size == 8 && p->spi != 0);
}

/* Choose the group. RFC 7296 1.2, 1.3, 2.17, 3.3.3. */
static bool pick_dh(const struct cfg_proposal *ours, const struct payload_sa *sa, const struct payload_proposal *p,
		    uint16_t ke_group, unsigned flags, struct proposal_choice *out)
{
	struct offered o = offered(sa, p, ALG_DH);
	bool none_ok = p->protocol == IKE_PROTO_ESP && (none_listed(&ours->dh) || flags & PROPOSAL_NO_PFS_OK) &&
		       (o.n == 0 || o.none);

	out->say_dh_none = false;
	out->dh = NULL;
	if (p->protocol == IKE_PROTO_ESP && flags & PROPOSAL_NO_DH) {
		/* 1.2: groups cannot be here; some peers list those of their later rekeys, which means nothing yet */
		out->say_dh_none = o.none;
		return true;
	}
	for (unsigned i = 0; i < ours->dh.n; i++)
		if (ke_group != 0 && ours->dh.alg[i]->id == ke_group && offers(sa, p, ours->dh.alg[i]))
			out->dh = ours->dh.alg[i];
	if (out->dh)
		return true;
	if (none_ok) {
		out->say_dh_none = o.none;
		return true;
	}
	out->dh = pick(&ours->dh, sa, p);
	return out->dh != NULL;
}

/* RFC 7296 3.3.3: ESN is mandatory in ESP, and 0 there means sequence numbers of 32 bits. */
static bool pick_esn(const struct payload_sa *sa, const struct payload_proposal *p, unsigned flags,
		     struct proposal_choice *out)
{
	bool yes = false, no = false;

	for (unsigned i = 0; i < p->n; i++) {
		const struct payload_transform *t = &sa->transform[p->first + i];

		if (t->type != ALG_ESN || t->unacceptable || t->has_key_bits)
			continue;
		yes |= t->id == ALG_ESN_YES;
		no |= t->id == ALG_ESN_NO;
	}
	out->esn = yes && flags & (PROPOSAL_ESN_PREFER | PROPOSAL_ESN_REQUIRE);
	return out->esn || (no && !(flags & PROPOSAL_ESN_REQUIRE));
}

/* Does one of ours match one of theirs? Then out holds the choice. */
static bool match(const struct cfg_proposal *ours, const struct payload_sa *sa, const struct payload_proposal *p,
		  uint16_t ke_group, unsigned flags, struct proposal_choice *out)
{
	struct offered integ = offered(sa, p, ALG_INTEG);

	*out = (struct proposal_choice){.num = p->num, .protocol = p->protocol, .spi_size = p->spi_size, .spi = p->spi};
	if (p->unacceptable || !types_known(sa, p) || !spi_good(p))
		return false;
	out->encr = pick(&ours->encr, sa, p);
	if (!out->encr)
		return false;
	/* RFC 7296 3.3, RFC 5282 8: an AEAD comes without INTEG or with NONE alone; others need one */
	if (out->encr->aead ? integ.other : !(out->integ = pick(&ours->integ, sa, p)))
		return false;
	out->say_integ_none = out->encr->aead && integ.none;
	if (p->protocol == IKE_PROTO_IKE && !(out->prf = pick(&ours->prf, sa, p)))
		return false;
	if (p->protocol == IKE_PROTO_ESP && !pick_esn(sa, p, flags, out))
		return false;
	return pick_dh(ours, sa, p, ke_group, flags, out);
}

enum ike_verdict proposal_choose(const struct cfg_proposal *ours, unsigned n_ours, uint8_t protocol,
				 const struct payload_sa *offer, uint16_t ke_group, unsigned flags,
				 struct proposal_choice *out)
{
	struct proposal_choice c, another = {0};

	for (unsigned i = 0; i < n_ours; i++)
		for (unsigned k = 0; k < offer->n; k++) {
			if (offer->proposal[k].protocol != protocol ||
			    !match(&ours[i], offer, &offer->proposal[k], ke_group, flags, &c))
				continue;
			if (!c.dh || c.dh->id == ke_group) {
				*out = c;
				return IKE_V_OK;
			}
			if (!another.encr)
				another = c;
		}
	*out = another;
	return another.encr ? IKE_V_INVALID_KE : IKE_V_NO_PROPOSAL;
}

/* ---- offers and answers ---- */

static void add(struct payload_sa *sa, uint8_t type, uint16_t id, uint16_t key_bits)
{
	struct payload_proposal *p = &sa->proposal[sa->n - 1];

	if (sa->n_transforms == PAYLOAD_TRANSFORMS_MAX)
		return;
	sa->transform[sa->n_transforms++] =
		(struct payload_transform){.type = type, .id = id, .key_bits = key_bits, .has_key_bits = key_bits != 0};
	p->n++;
}

static void add_alg(struct payload_sa *sa, const struct alg *alg)
{
	if (alg)
		add(sa, alg->type, alg->id, alg->key_bits);
}

static void add_list(struct payload_sa *sa, const struct cfg_alg_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		add_alg(sa, list->alg[i]);
}

static void begin(struct payload_sa *sa, uint8_t num, uint8_t protocol, uint64_t spi, uint8_t spi_size)
{
	sa->proposal[sa->n++] = (struct payload_proposal){.num = num,
							  .protocol = protocol,
							  .spi_size = spi_size,
							  .spi = spi,
							  .first = (uint16_t)sa->n_transforms};
}

void proposal_build(const struct cfg_proposal *ours, unsigned n_ours, uint8_t protocol, uint64_t spi, uint8_t spi_size,
		    unsigned flags, struct payload_sa *out)
{
	out->n = out->n_transforms = out->left_out = 0;
	for (unsigned i = 0; i < n_ours && i < PAYLOAD_PROPOSALS_MAX; i++) {
		begin(out, (uint8_t)(i + 1), protocol, spi, spi_size);
		add_list(out, &ours[i].encr);
		if (protocol == IKE_PROTO_IKE)
			add_list(out, &ours[i].prf);
		add_list(out, &ours[i].integ);
		if (protocol == IKE_PROTO_IKE || !(flags & PROPOSAL_NO_DH))
			add_list(out, &ours[i].dh);
		if (protocol != IKE_PROTO_ESP)
			continue;
		if (flags & (PROPOSAL_ESN_PREFER | PROPOSAL_ESN_REQUIRE))
			add(out, ALG_ESN, ALG_ESN_YES, 0);
		if (!(flags & PROPOSAL_ESN_REQUIRE))
			add(out, ALG_ESN, ALG_ESN_NO, 0);
	}
}

void proposal_answer(const struct proposal_choice *choice, uint64_t our_spi, struct payload_sa *out)
{
	out->n = out->n_transforms = out->left_out = 0;
	begin(out, choice->num, choice->protocol, our_spi, choice->spi_size);
	add_alg(out, choice->encr);
	add_alg(out, choice->prf);
	add_alg(out, choice->integ);
	if (choice->say_integ_none)
		add(out, ALG_INTEG, ALG_INTEG_NONE, 0);
	add_alg(out, choice->dh);
	if (choice->say_dh_none)
		add(out, ALG_DH, ALG_DH_NONE, 0);
	if (choice->protocol == IKE_PROTO_ESP)
		add(out, ALG_ESN, choice->esn ? ALG_ESN_YES : ALG_ESN_NO, 0);
}

/* Put an answered transform into the choice. false: not one that we have, or a second one of its type. */
static bool accept(const struct payload_transform *t, struct proposal_choice *out)
{
	const struct alg *alg = alg_find((enum alg_type)t->type, t->id, t->has_key_bits ? t->key_bits : 0);
	const struct alg **slot;

	switch (t->type) {
	case ALG_ENCR:
		slot = &out->encr;
		break;
	case ALG_PRF:
		slot = &out->prf;
		break;
	case ALG_INTEG:
		slot = &out->integ;
		break;
	case ALG_DH:
		slot = &out->dh;
		break;
	case ALG_ESN:
		out->esn = t->id == ALG_ESN_YES;
		return true;
	default:
		return false;
	}
	*slot = alg;
	return alg != NULL;
}

static bool same(const struct payload_transform *a, const struct payload_transform *b)
{
	return a->type == b->type && a->id == b->id && a->has_key_bits == b->has_key_bits &&
	       (!a->has_key_bits || a->key_bits == b->key_bits);
}

/* Each transform of the answer was offered, one at most of each type; saying NONE is saying nothing. */
static bool answer_within(const struct payload_sa *offered_sa, const struct payload_proposal *o,
			  const struct payload_sa *answer, const struct payload_proposal *a,
			  struct proposal_choice *out)
{
	for (unsigned i = 0; i < a->n; i++) {
		const struct payload_transform *t = &answer->transform[a->first + i];
		bool found = false;

		if (t->unacceptable || offered(answer, a, t->type).n != 1)
			return false;
		if (may_be_none(t->type) && t->id == 0 && !t->has_key_bits) {
			struct offered was = offered(offered_sa, o, t->type);

			if (was.n > 0 && !was.none)
				return false;
			continue;
		}
		for (unsigned k = 0; k < o->n && !found; k++)
			found = same(t, &offered_sa->transform[o->first + k]);
		if (!found || !accept(t, out))
			return false;
	}
	return true;
}

/* Each type of the offer has its answer, unless NONE was offered for it. */
static bool answer_complete(const struct payload_sa *offered_sa, const struct payload_proposal *o,
			    const struct payload_sa *answer, const struct payload_proposal *a)
{
	for (unsigned i = 0; i < o->n; i++) {
		uint8_t type = offered_sa->transform[o->first + i].type;

		if (offered(answer, a, type).n == 0 && !(may_be_none(type) && offered(offered_sa, o, type).none))
			return false;
	}
	return true;
}

enum ike_verdict proposal_verify(const struct payload_sa *offered_sa, const struct payload_sa *answer,
				 struct proposal_choice *out)
{
	const struct payload_proposal *a = &answer->proposal[0], *o = NULL;

	*out = (struct proposal_choice){0};
	if (answer->n != 1 || answer->left_out || a->unacceptable)
		return IKE_V_NO_PROPOSAL;
	for (unsigned i = 0; i < offered_sa->n; i++)
		if (offered_sa->proposal[i].num == a->num)
			o = &offered_sa->proposal[i];
	if (!o || o->protocol != a->protocol)
		return IKE_V_NO_PROPOSAL;
	if (o->spi_size != a->spi_size || !spi_good(a))
		return IKE_V_SYNTAX;
	*out = (struct proposal_choice){.num = a->num, .protocol = a->protocol, .spi_size = a->spi_size, .spi = a->spi};
	if (!answer_within(offered_sa, o, answer, a, out) || !answer_complete(offered_sa, o, answer, a) || !out->encr)
		return IKE_V_NO_PROPOSAL;
	return IKE_V_OK;
}

/* ---- groups ---- */

const struct alg *proposal_group(const struct cfg_proposal *ours, unsigned n_ours, uint16_t group)
{
	for (unsigned i = 0; i < n_ours; i++)
		for (unsigned k = 0; k < ours[i].dh.n; k++)
			if (group != 0 && ours[i].dh.alg[k]->id == group)
				return ours[i].dh.alg[k];
	return NULL;
}

const struct alg *proposal_first_group(const struct cfg_proposal *ours, unsigned n_ours)
{
	for (unsigned i = 0; i < n_ours; i++)
		for (unsigned k = 0; k < ours[i].dh.n; k++)
			if (ours[i].dh.alg[k]->id != 0)
				return ours[i].dh.alg[k];
	return NULL;
}
