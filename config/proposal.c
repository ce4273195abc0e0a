#include "config/proposal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

static const char *const ike_defaults[] = {
	"aes256gcm16-prfsha384-x25519",   "aes256gcm16-prfsha256-x25519",   "aes256gcm16-prfsha384-ecp256",
	"aes256gcm16-prfsha256-ecp256",   "aes128gcm16-prfsha256-x25519",   "aes128gcm16-prfsha256-ecp256",
	"aes256gcm16-prfsha256-modp2048", "aes128gcm16-prfsha256-modp2048",
};
static const char *const esp_defaults[] = {"aes256gcm16", "aes128gcm16"};
_Static_assert(N_ELEMS(ike_defaults) <= CFG_PROPOSALS_MAX && N_ELEMS(esp_defaults) <= CFG_PROPOSALS_MAX, "room");

/* Words that people copy from elsewhere. They are known, so that the answer can name the cure. */
static const struct known {
	const char *start; /* how the word begins */
	const char *why;
} known[] = {
	{"esn", "extended sequence numbers, which are not in this release: leave the word out"},
	{"prf", "a PRF that is not in this release: write prfsha256, prfsha384 or prfsha512"},
	{"modp", "a group that is not in this release: write x25519, ecp256 or modp2048"},
	{"ecp", "a group that is not in this release: write x25519, ecp256 or modp2048"},
	{"dhgroup", "a group that is not in this release: write x25519, ecp256 or modp2048"},
	{"curve", "a group that is not in this release: write x25519, ecp256 or modp2048"},
	{"x448", "a group that is not in this release: write x25519, ecp256 or modp2048"},
	{"mlkem", "a key exchange that is not in this release: write x25519, ecp256 or modp2048"},
	{"ke", "a key exchange that is not in this release: write x25519, ecp256 or modp2048"},
	{"sha", "an integrity word, but AES-GCM brings its own integrity: leave it out (a PRF is prfsha256)"},
	{"md5", "an integrity word, but AES-GCM brings its own integrity: leave it out (a PRF is prfsha256)"},
	{"aesxcbc", "an integrity word, but AES-GCM brings its own integrity: leave it out (a PRF is prfsha256)"},
	{"aescmac", "an integrity word, but AES-GCM brings its own integrity: leave it out (a PRF is prfsha256)"},
	{"aes", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
	{"gcmaes", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
	{"chacha20", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
	{"camellia", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
	{"3des", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
	{"des", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
	{"null", "a cipher that is not in this release: write aes256gcm16 or aes128gcm16"},
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
		 "`%s` is not a word of a proposal: write ciphers (aes256gcm16, aes128gcm16), PRFs (prfsha256, "
		 "prfsha384, "
		 "prfsha512) and groups (x25519, ecp256, modp2048) joined by -",
		 esc);
	return -EINVAL;
}

static int add_word(const char *word, size_t len, enum proposal_of of, struct cfg_proposal *p, char *err, size_t cap)
{
	const struct alg *a = alg_by_word(word, (unsigned)len);
	struct cfg_alg_list *list;

	if (!a)
		return bad_word(word, len, err, cap);
	if (of == PROPOSAL_IKE ? !a->ike : !a->esp) {
		snprintf(err, cap, "`%s` has no place in %s proposal: leave it out", a->word,
			 of == PROPOSAL_IKE ? "an IKE" : "an ESP");
		return -EINVAL;
	}
	if (a->type == ALG_ESN) /* "noesn" is what we do anyway */
		return 0;
	list = a->type == ALG_ENCR ? &p->encr : a->type == ALG_PRF ? &p->prf : &p->dh;
	for (unsigned i = 0; i < list->n; i++)
		if (list->alg[i] == a) {
			snprintf(err, cap, "`%s` stands in it twice: leave one out", a->word);
			return -EINVAL;
		}
	list->alg[list->n++] = a; /* no list outgrows the table: duplicates are refused */
	return 0;
}

/* RFC 7296 3.3.3: what a proposal must have. */
static int complete(const struct cfg_proposal *p, enum proposal_of of, char *err, size_t cap)
{
	const char *lacks = !p->encr.n           ? "a cipher: add aes256gcm16 or aes128gcm16"
			    : of == PROPOSAL_ESP ? NULL
			    : !p->prf.n          ? "a PRF: add prfsha256, prfsha384 or prfsha512"
			    : !p->dh.n           ? "a group: add x25519, ecp256 or modp2048"
						 : NULL;

	if (!lacks)
		return 0;
	snprintf(err, cap, "the proposal lacks %s", lacks);
	return -EINVAL;
}

int proposal_parse(const char *s, enum proposal_of of, struct cfg_proposal *out, char *err, size_t cap)
{
	for (;;) {
		size_t n = strcspn(s, "-");
		int r;

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
	o = add_list(&p->prf, buf, cap, o);
	add_list(&p->dh, buf, cap, o);
	return buf;
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
