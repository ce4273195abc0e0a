#include "config/proposal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

/* Each kind of cipher in a proposal of its own (RFC 5282 8), best first; no row that RFC 8221 or 8247 says SHOULD NOT of.
 * The second row of each is what meets Azure's, Windows' and AWS's policies without GCM. */
#define GROUPS "x25519-ecp256-ecp384-ecp521-modp2048-modp3072-modp4096"
static const char *const ike_defaults[] = {
	"aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-" GROUPS,
	"aes256-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-" GROUPS,
};
static const char *const esp_defaults[] = {
	"aes256gcm16-aes128gcm16-chacha20poly1305",
	"aes256-aes128-sha256-sha384-sha512",
};
_Static_assert(N_ELEMS(ike_defaults) <= CFG_PROPOSALS_MAX && N_ELEMS(esp_defaults) <= CFG_PROPOSALS_MAX, "room");

#define CIPHERS   "aes256gcm16, aes128gcm16, chacha20poly1305, aes256 or aes128"
#define INTEGS    "sha256, sha384 or sha512"
#define PRFS      "prfsha256, prfsha384 or prfsha512"
#define DH_GROUPS "x25519, ecp256, ecp384, modp2048 or modp3072"

/* Words that people copy from elsewhere. They are known, so that the answer can name the cure. */
static const struct known {
	const char *start; /* how the word begins */
	const char *why;
} known[] = {
	{"prf", "a PRF that this gateway does not have: write " PRFS},
	{"modp2048s", "group 24, which RFC 8247 says not to use, and which this gateway does not have: write modp2048"},
	{"dhgroup24",
	 "group 24, which RFC 8247 says not to use, and which this gateway does not have: write DHGroup14"},
	{"pfs24", "group 24, which RFC 8247 says not to use, and which this gateway does not have: write PFS2048"},
	{"modp", "a group that this gateway does not have: write " DH_GROUPS},
	{"ecp", "a group that this gateway does not have: write " DH_GROUPS},
	{"dhgroup", "a group that this gateway does not have: write " DH_GROUPS},
	{"pfs", "a group that this gateway does not have: write " DH_GROUPS ", or leave it out for none"},
	{"curve", "a group that this gateway does not have: write " DH_GROUPS},
	{"mlkem", "a key exchange that this gateway does not have: write " DH_GROUPS},
	{"ke", "a key exchange that this gateway does not have: write " DH_GROUPS},
	{"sha", "an integrity algorithm that this gateway does not have: write " INTEGS},
	{"md5", "an integrity algorithm that this gateway does not have: write " INTEGS},
	{"aesxcbc", "an integrity algorithm that this gateway does not have: write " INTEGS},
	{"aescmac", "an integrity algorithm that this gateway does not have: write " INTEGS},
	{"aes", "a cipher that this gateway does not have: write " CIPHERS},
	{"gcmaes", "a cipher that this gateway does not have: write " CIPHERS},
	{"camellia", "a cipher that this gateway does not have: write " CIPHERS},
	{"blowfish", "a cipher that this gateway does not have: write " CIPHERS},
	{"cast", "a cipher that this gateway does not have: write " CIPHERS},
	{"des", "a cipher that this gateway does not have: write " CIPHERS},
	{"none", "nothing to offer: leave it out"},
};

static int bad_word(const char *word, size_t len, char *err, size_t cap)
{
	char esc[48];

	log_esc(word, len, esc, sizeof(esc));
	for (unsigned i = 0; i < N_ELEMS(known); i++) {
		size_t n = strlen(known[i].start);

		if (n <= len && !strncasecmp(known[i].start, word, n)) {
			snprintf(err, cap, "`%s` is %s", esc, known[i].why);
			return -EINVAL;
		}
	}
	snprintf(err, cap,
		 "`%s` is not a word of a proposal: write ciphers (aes256gcm16, aes256), integrity (sha256; none with "
		 "gcm), PRFs (prfsha256) and groups (x25519, ecp256, modp2048) joined by -",
		 esc);
	return -EINVAL;
}

static int add_word(const char *word, size_t len, enum proposal_of of, struct cfg_proposal *p, char *err, size_t cap)
{
	const struct alg *a = alg_by_word(word, (unsigned)len);
	struct cfg_alg_list *list;

	if (!a)
		return bad_word(word, len, err, cap);
	if (a->type == ALG_ESN) {
		snprintf(err, cap,
			 "extended sequence numbers are not said here: leave `%s` out and write esp: {esn: %s}",
			 a->word, a->id == ALG_ESN_YES ? "require" : "no");
		return -EINVAL;
	}
	if (of == PROPOSAL_IKE ? !a->ike : !a->esp) {
		snprintf(err, cap, "`%s` has no place in %s proposal: leave it out", a->word,
			 of == PROPOSAL_IKE ? "an IKE" : "an ESP");
		return -EINVAL;
	}
	list = a->type == ALG_ENCR    ? &p->encr
	       : a->type == ALG_PRF   ? &p->prf
	       : a->type == ALG_INTEG ? &p->integ
				      : &p->dh;
	for (unsigned i = 0; i < list->n; i++)
		if (list->alg[i] == a) {
			snprintf(err, cap, "`%s` stands in it twice: leave one out", a->word);
			return -EINVAL;
		}
	if (list->n == CFG_TRANSFORMS_MAX) {
		snprintf(err, cap, "more than %d of one kind, from `%s` on: leave some out", CFG_TRANSFORMS_MAX,
			 a->word);
		return -EINVAL;
	}
	list->alg[list->n++] = a;
	return 0;
}

/* strongSwan: where no PRF is named, the integrity algorithms name it ("aes256-sha256-modp2048"). With a cipher that has an
 * ICV of its own they name nothing else. */
static void imply_prf(struct cfg_proposal *p)
{
	if (!p->prf.n)
		for (; p->prf.n < p->integ.n; p->prf.n++)
			p->prf.alg[p->prf.n] = alg_prf_of(p->integ.alg[p->prf.n]);
	if (p->encr.n && p->encr.alg[0]->aead)
		p->integ = (struct cfg_alg_list){.n = 0};
}

/* RFC 7296 3.3: ciphers with an ICV of their own and others are in proposals of their own. */
static int same_kind(const struct cfg_proposal *p, char *err, size_t cap)
{
	for (unsigned i = 1; i < p->encr.n; i++)
		if (p->encr.alg[i]->aead != p->encr.alg[0]->aead) {
			snprintf(err, cap,
				 "`%s` and `%s` cannot stand in one proposal (only one of them has integrity of its "
				 "own): "
				 "write two",
				 p->encr.alg[0]->word, p->encr.alg[i]->word);
			return -EINVAL;
		}
	return 0;
}

/* RFC 7296 3.3.3: what a proposal must have, and what not beside a cipher with an ICV of its own. */
static int complete(const struct cfg_proposal *p, enum proposal_of of, char *err, size_t cap)
{
	const struct alg *first = p->encr.n ? p->encr.alg[0] : NULL;
	const char *lacks = !first ? "a cipher: add " CIPHERS
			    : !first->aead && !p->integ.n
				    ? "integrity, which its ciphers do not have of their own: add " INTEGS
			    : of == PROPOSAL_IKE && !p->prf.n ? "a PRF: add " PRFS
			    : of == PROPOSAL_IKE && !p->dh.n  ? "a group: add " DH_GROUPS
							      : NULL;

	if (lacks) {
		snprintf(err, cap, "the proposal lacks %s", lacks);
		return -EINVAL;
	}
	if (first->aead && p->integ.n) {
		snprintf(err, cap, "`%s` is an integrity algorithm, but %s has its own: leave it out",
			 p->integ.alg[0]->word, first->name);
		return -EINVAL;
	}
	return 0;
}

int proposal_parse(const char *s, enum proposal_of of, struct cfg_proposal *out, char *err, size_t cap)
{
	int r;

	for (;;) {
		size_t n = strcspn(s, "-");

		if (!n) {
			snprintf(err, cap, "a word is missing: write words joined by single -, such as aes256gcm16-%s",
				 of == PROPOSAL_IKE ? "prfsha384-x25519" : "x25519");
			return -EINVAL;
		}
		r = add_word(s, n, of, out, err, cap);
		if (r < 0)
			return r;
		if (!s[n])
			break;
		s += n + 1;
	}
	r = same_kind(out, err, cap);
	if (r < 0)
		return r;
	if (of == PROPOSAL_IKE)
		imply_prf(out);
	return complete(out, of, err, cap);
}

static size_t add_list(const struct cfg_alg_list *l, char *buf, size_t cap, size_t o)
{
	for (unsigned i = 0; i < l->n && o < cap; i++)
		o += (size_t)snprintf(buf + o, cap - o, "%s%s", o ? "-" : "", l->alg[i]->word);
	return o;
}

const char *proposal_str(const struct cfg_proposal *p, char *buf, size_t cap)
{
	size_t o = 0;

	buf[0] = '\0';
	o = add_list(&p->encr, buf, cap, o);
	o = add_list(&p->integ, buf, cap, o);
	o = add_list(&p->prf, buf, cap, o);
	add_list(&p->dh, buf, cap, o);
	return buf;
}

const struct alg *proposal_legacy(const struct cfg_proposal *p)
{
	const struct cfg_alg_list *const lists[] = {&p->encr, &p->integ, &p->prf, &p->dh};

	for (unsigned i = 0; i < N_ELEMS(lists); i++)
		for (unsigned k = 0; k < lists[i]->n; k++)
			if (lists[i]->alg[k]->legacy)
				return lists[i]->alg[k];
	return NULL;
}

unsigned proposal_defaults(enum proposal_of of, struct cfg_proposal *p)
{
	const char *const *words = of == PROPOSAL_IKE ? ike_defaults : esp_defaults;
	unsigned n = of == PROPOSAL_IKE ? N_ELEMS(ike_defaults) : N_ELEMS(esp_defaults);
	char err[256];

	for (unsigned i = 0; i < n; i++)
		if (proposal_parse(words[i], of, &p[i], err, sizeof(err)) < 0)
			return i; /* our own words: the unit test would have seen it */
	return n;
}
