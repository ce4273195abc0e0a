/* Words for people about proposals: why nothing was chosen and which edit cures it. Nothing is decided here. */
#include "controlplane/ike/proposal.h"

#include "controlplane/ike/text.h"

/* ---- names ---- */

/* IANA's transforms that peers really offer and that we lack: for messages only, nothing can be agreed by this list. */
static const struct foreign {
	uint8_t type;
	uint16_t id;
	const char *word;
} foreign[] = {
	{ALG_ENCR, 2, "des"},         {ALG_ENCR, 12, "aes-cbc"},    {ALG_ENCR, 13, "aes-ctr"},
	{ALG_ENCR, 14, "aes-ccm8"},   {ALG_ENCR, 15, "aes-ccm12"},  {ALG_ENCR, 16, "aes-ccm16"},
	{ALG_ENCR, 18, "aes-gcm8"},   {ALG_ENCR, 19, "aes-gcm12"},  {ALG_ENCR, 20, "aes-gcm16"},
	{ALG_ENCR, 21, "aes-gmac"},   {ALG_ENCR, 23, "camellia"},   {ALG_PRF, 1, "prfmd5"},
	{ALG_PRF, 4, "prfaesxcbc"},   {ALG_PRF, 8, "prfaescmac"},   {ALG_INTEG, 1, "md5"},
	{ALG_INTEG, 5, "aesxcbc"},    {ALG_INTEG, 8, "aescmac"},    {ALG_DH, 1, "modp768"},
	{ALG_DH, 5, "modp1536"},      {ALG_DH, 22, "modp1024s160"}, {ALG_DH, 23, "modp2048s224"},
	{ALG_DH, 24, "modp2048s256"}, {ALG_DH, 25, "ecp192"},       {ALG_DH, 26, "ecp224"},
	{ALG_DH, 27, "ecp224bp"},     {ALG_DH, 28, "ecp256bp"},     {ALG_DH, 29, "ecp384bp"},
	{ALG_DH, 30, "ecp512bp"},     {ALG_ESN, 0, "noesn"},        {ALG_ESN, 1, "esn"},
};

static const char *type_name(uint8_t type)
{
	static const char *const names[] = {"?", "cipher (ENCR)", "PRF", "integrity (INTEG)", "DH group", "ESN"};

	return type < N_ELEMS(names) ? names[type] : "?";
}

static void say_transform(struct text *t, const struct payload_transform *tr)
{
	const struct alg *alg = tr->type <= ALG_DH
					? alg_find((enum alg_type)tr->type, tr->id, tr->has_key_bits ? tr->key_bits : 0)
					: NULL;

	if ((tr->type == ALG_DH || tr->type == ALG_INTEG) && tr->id == 0) {
		text_say(t, "none");
		return;
	}
	if (alg && alg->word) {
		text_say(t, "%s", alg->word);
		return;
	}
	for (size_t i = 0; i < N_ELEMS(foreign); i++)
		if (foreign[i].type == tr->type && foreign[i].id == tr->id) {
			text_say(t, "%s", foreign[i].word);
			if (tr->has_key_bits)
				text_say(t, "-%u", tr->key_bits);
			return;
		}
	text_say(t, "type%u:%u", tr->type, tr->id);
	if (tr->has_key_bits)
		text_say(t, "/%u", tr->key_bits);
}

static void say_offered(struct text *t, const struct payload_sa *sa, const struct payload_proposal *p, uint8_t type)
{
	bool any = false;

	for (unsigned i = 0; i < p->n; i++) {
		const struct payload_transform *tr = &sa->transform[p->first + i];

		if (tr->type != type)
			continue;
		text_say(t, any ? "/" : "");
		say_transform(t, tr);
		any = true;
	}
	if (!any)
		text_say(t, "nothing");
}

/* The whole proposal: types joined by "-", choices of a type by "/". */
static void say_proposal(struct text *t, const struct payload_sa *sa, const struct payload_proposal *p)
{
	uint8_t before = 0;

	if (p->n == 0)
		text_say(t, "(empty)");
	for (unsigned i = 0; i < p->n; i++) {
		const struct payload_transform *tr = &sa->transform[p->first + i];

		if (tr->type == ALG_ESN && tr->id == ALG_ESN_NO)
			continue;
		text_say(t, before == 0 ? "" : before == tr->type ? "/" : "-");
		say_transform(t, tr);
		before = tr->type;
	}
}

static void say_list(struct text *t, const struct cfg_alg_list *list)
{
	if (list->n == 0)
		text_say(t, "nothing");
	for (unsigned i = 0; i < list->n; i++)
		text_say(t, "%s%s", i ? "/" : "", list->alg[i]->word);
}

static void say_ours(struct text *t, const struct cfg_proposal *p, uint8_t protocol, unsigned flags)
{
	say_list(t, &p->encr);
	if (p->integ.n > 0) {
		text_say(t, "-");
		say_list(t, &p->integ);
	}
	if (protocol == IKE_PROTO_IKE && p->prf.n > 0) {
		text_say(t, "-");
		say_list(t, &p->prf);
	}
	if (p->dh.n > 0 && !(flags & PROPOSAL_NO_DH)) {
		text_say(t, "-");
		say_list(t, &p->dh);
	}
}

/* ---- the first difference ---- */

/* How near two proposals are: the step that fails first. The order is the one in which people read proposals. */
enum step { WRONG_PROTOCOL, BROKEN, NO_ENCR, WRONG_INTEG, NO_PRF, NO_ESN_MATCH, NO_DH_MATCH, ALL_FIT };

static bool common(const struct cfg_alg_list *ours, const struct payload_sa *sa, const struct payload_proposal *p)
{
	for (unsigned i = 0; i < ours->n; i++)
		for (unsigned k = 0; k < p->n; k++) {
			const struct payload_transform *t = &sa->transform[p->first + k];
			const struct alg *a = ours->alg[i];

			if (t->type == a->type && t->id == a->id && !t->unacceptable &&
			    (t->has_key_bits ? t->key_bits : 0) == a->key_bits)
				return true;
		}
	return false;
}

static bool has_type(const struct payload_sa *sa, const struct payload_proposal *p, uint8_t type, uint16_t *id)
{
	for (unsigned i = 0; i < p->n; i++)
		if (sa->transform[p->first + i].type == type) {
			*id = sa->transform[p->first + i].id;
			return true;
		}
	return false;
}

static bool offers_id(const struct payload_sa *sa, const struct payload_proposal *p, uint8_t type, uint16_t id)
{
	for (unsigned i = 0; i < p->n; i++)
		if (sa->transform[p->first + i].type == type && sa->transform[p->first + i].id == id)
			return true;
	return false;
}

static bool esn_fits(const struct payload_sa *sa, const struct payload_proposal *p, unsigned flags)
{
	if (offers_id(sa, p, ALG_ESN, ALG_ESN_YES) && flags & (PROPOSAL_ESN_PREFER | PROPOSAL_ESN_REQUIRE))
		return true;
	return !(flags & PROPOSAL_ESN_REQUIRE) && offers_id(sa, p, ALG_ESN, ALG_ESN_NO);
}

/* Leave only one of ours and one of theirs: what does choosing say, and where does it stop? */
static enum step compare(const struct cfg_proposal *ours, uint8_t protocol, const struct payload_sa *sa,
			 const struct payload_proposal *p, unsigned flags)
{
	uint16_t id = 0;

	if (p->protocol != protocol)
		return WRONG_PROTOCOL;
	if (p->unacceptable || p->n == 0)
		return BROKEN;
	for (unsigned i = 0; i < p->n; i++)
		if (sa->transform[p->first + i].type < ALG_ENCR || sa->transform[p->first + i].type > ALG_ESN)
			return BROKEN;
	if (!common(&ours->encr, sa, p))
		return NO_ENCR;
	if (ours->integ.n == 0 ? has_type(sa, p, ALG_INTEG, &id) && id != ALG_INTEG_NONE : !common(&ours->integ, sa, p))
		return WRONG_INTEG;
	if (protocol == IKE_PROTO_IKE && !common(&ours->prf, sa, p))
		return NO_PRF;
	if (protocol == IKE_PROTO_ESP && !esn_fits(sa, p, flags))
		return NO_ESN_MATCH;
	if (flags & PROPOSAL_NO_DH || common(&ours->dh, sa, p))
		return ALL_FIT;
	if (protocol == IKE_PROTO_ESP && ours->dh.n == 0 &&
	    (!has_type(sa, p, ALG_DH, &id) || offers_id(sa, p, ALG_DH, ALG_DH_NONE)))
		return ALL_FIT;
	return NO_DH_MATCH;
}

/* The peer's first transform of a type that we could allow here; NULL: none of them. */
static const struct alg *could_allow(const struct payload_sa *sa, const struct payload_proposal *p, uint8_t type,
				     uint8_t protocol)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct payload_transform *t = &sa->transform[p->first + i];
		const struct alg *a;

		if (t->type != type || t->unacceptable || t->type > ALG_DH)
			continue;
		a = alg_find((enum alg_type)type, t->id, t->has_key_bits ? t->key_bits : 0);
		if (a && a->id != 0 && (protocol == IKE_PROTO_IKE ? a->ike : a->esp))
			return a;
	}
	return NULL;
}

static void say_legacy(struct text *t, bool legacy)
{
	if (legacy)
		text_say(t, " (weak: it needs ike: {legacy: true})");
}

/* The peer's proposal in words that could be ours; false: it has something that we lack. */
static bool say_whole(struct text *t, const struct payload_sa *sa, const struct payload_proposal *p, uint8_t protocol,
		      unsigned flags, bool *legacy)
{
	const struct alg *encr = could_allow(sa, p, ALG_ENCR, protocol),
			 *integ = could_allow(sa, p, ALG_INTEG, protocol);
	const struct alg *prf = could_allow(sa, p, ALG_PRF, protocol), *dh = could_allow(sa, p, ALG_DH, protocol);
	const struct alg *const all[] = {encr, encr && encr->aead ? NULL : integ,
					 protocol == IKE_PROTO_IKE ? prf : NULL, flags & PROPOSAL_NO_DH ? NULL : dh};

	if (!encr || (!encr->aead && !integ) || (protocol == IKE_PROTO_IKE && (!prf || !dh)))
		return false;
	for (size_t i = 0; i < N_ELEMS(all); i++)
		if (all[i]) {
			text_say(t, "%s%s", i ? "-" : "", all[i]->word);
			*legacy |= all[i]->legacy;
		}
	return true;
}

/* The edit at our end, if there is one: a word, or where a cipher or its integrity differs a proposal, because AEADs and
 * others go in proposals of their own. */
static bool say_edit(struct text *t, const struct cfg_alg_list *ours, uint8_t type, uint8_t protocol,
		     const struct payload_sa *sa, const struct payload_proposal *p, unsigned flags)
{
	const char *key = protocol == IKE_PROTO_IKE ? "ike.proposals" : "esp.proposals";
	const struct alg *a = could_allow(sa, p, type, protocol);
	bool legacy = a && a->legacy;
	char words[128];
	struct text w = text_of(words, sizeof(words));

	if (!a || (type == ALG_INTEG && !ours->n))
		return false;
	if (type == ALG_ENCR && say_whole(&w, sa, p, protocol, flags, &legacy))
		text_say(t, "add %s", text_end(&w));
	else
		text_say(t, "add %s", a->word);
	text_say(t, " to this tunnel's %s", key);
	say_legacy(t, legacy);
	return true;
}

/* "no common X: the peer has .., we have ..; add .. to .., or have the peer offer .." */
static void say_difference(struct text *t, const struct cfg_alg_list *ours, uint8_t type, uint8_t protocol,
			   const struct payload_sa *sa, const struct payload_proposal *p, unsigned flags)
{
	bool edit;

	text_say(t, "no common %s: the peer has ", type_name(type));
	say_offered(t, sa, p, type);
	text_say(t, ", we have ");
	say_list(t, ours);
	text_say(t, "; ");
	edit = say_edit(t, ours, type, protocol, sa, p, flags);
	if (ours->n > 0)
		text_say(t, "%shave the peer offer %s", edit ? ", or " : "", ours->alg[0]->word);
	else if (type == ALG_DH)
		text_say(t, "%shave the peer leave PFS out", edit ? ", or " : "");
	else if (!edit)
		text_say(t, "have the peer leave it out (our ciphers carry their own integrity)");
}

static void say_step(struct text *t, enum step step, const struct cfg_proposal *ours, uint8_t protocol,
		     const struct payload_sa *sa, const struct payload_proposal *p, unsigned flags)
{
	switch (step) {
	case WRONG_PROTOCOL:
		text_say(t, "protocol %u where %s is wanted; only ESP children are supported, not AH", p->protocol,
			 protocol == IKE_PROTO_IKE ? "IKE (1)" : "ESP (3)");
		break;
	case BROKEN:
		text_say(t, "it is empty, too long, or has transform types that we do not know; have the peer offer ");
		say_ours(t, ours, protocol, 0);
		break;
	case NO_ENCR:
		say_difference(t, &ours->encr, ALG_ENCR, protocol, sa, p, flags);
		break;
	case WRONG_INTEG:
		say_difference(t, &ours->integ, ALG_INTEG, protocol, sa, p, flags);
		break;
	case NO_PRF:
		say_difference(t, &ours->prf, ALG_PRF, protocol, sa, p, flags);
		break;
	case NO_ESN_MATCH:
		if (flags & PROPOSAL_ESN_REQUIRE)
			text_say(t, "the peer offers no extended sequence numbers; write `esn: prefer` in this "
				    "tunnel's esp, or have the peer offer them");
		else
			text_say(t, "the peer insists on extended sequence numbers; write `esn: prefer` in this "
				    "tunnel's esp, or have the peer offer them off (noesn) as well");
		break;
	case NO_DH_MATCH:
		say_difference(t, &ours->dh, ALG_DH, protocol, sa, p, flags);
		break;
	case ALL_FIT:
		text_say(t, "the algorithms fit, but its SPI is not valid");
		break;
	}
}

const char *proposal_explain(const struct cfg_proposal *ours, unsigned n_ours, uint8_t protocol,
			     const struct payload_sa *offer, unsigned flags, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	enum step best = WRONG_PROTOCOL;
	unsigned best_ours = 0, best_theirs = 0;

	if (n_ours == 0 || offer->n == 0)
		return text_end(&t);
	for (unsigned i = 0; i < n_ours; i++)
		for (unsigned k = 0; k < offer->n; k++) {
			enum step s = compare(&ours[i], protocol, offer, &offer->proposal[k], flags);

			if (s <= best)
				continue;
			best = s;
			best_ours = i;
			best_theirs = k;
		}
	/* the cure first: a long list may be cut */
	say_step(&t, best, &ours[best_ours], protocol, offer, &offer->proposal[best_theirs], flags);
	text_say(&t, " [peer: ");
	for (unsigned k = 0; k < offer->n; k++) {
		text_say(&t, k ? ", " : "");
		say_proposal(&t, offer, &offer->proposal[k]);
	}
	text_say(&t, "] [ours: ");
	for (unsigned i = 0; i < n_ours; i++) {
		text_say(&t, i ? ", " : "");
		say_ours(&t, &ours[i], protocol, flags);
	}
	text_say(&t, "]");
	return text_end(&t);
}

const char *proposal_choice_str(const struct proposal_choice *c, char *buf, size_t cap)
{
	const struct alg *const algs[] = {c->encr, c->integ, c->prf, c->dh};
	struct text t = text_of(buf, cap);

	for (size_t i = 0; i < N_ELEMS(algs); i++)
		if (algs[i])
			text_say(&t, "%s%s", t.len ? "-" : "", algs[i]->word);
	return text_end(&t);
}
