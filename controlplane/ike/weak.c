#include "controlplane/ike/weak.h"

#include <stdio.h>

#include "controlplane/ike/notice.h"
#include "controlplane/ike/tunnel.h"

/* By type: where it says so, and what to have instead. */
static const struct {
	const char *ike, *esp, *better;
} words[] = {
	[ALG_ENCR] = {"RFC 8247 2.1", "RFC 8221 5", "aes256gcm16 or aes256"},
	[ALG_PRF] = {"RFC 8247 2.2", "RFC 8247 2.2", "prfsha256"},
	[ALG_INTEG] = {"RFC 8247 2.3", "RFC 8221 6", "sha256"},
	[ALG_DH] = {"RFC 8247 2.4", "RFC 8247 2.4", "ecp256 or modp2048"},
};

/* One legacy row each type has; a bit for it, of IKE or of ESP, says that it was told. */
static void tell(struct ike *k, const struct ike_sa *sa, const struct alg *a, bool esp)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	uint16_t bit = a ? (uint16_t)(1u << (a->type + (esp ? 8 : 0))) : 0;
	char cause[NOTICE_MAX];

	if (!t || !a || !a->legacy || t->weak_told & bit)
		return;
	t->weak_told |= bit;
	snprintf(
		cause, sizeof(cause),
		"the %s SA uses %s, which is weak (%s): ask the peer's administrator for %s, then take %s and `legacy` "
		"out of this tunnel",
		esp ? "child" : "IKE", a->name, esp ? words[a->type].esp : words[a->type].ike, words[a->type].better,
		a->word);
	notice_sa(k, sa, IKE_NOTICE_WEAK, cause);
}

void weak_tell_ike(struct ike *k, const struct ike_sa *sa)
{
	tell(k, sa, sa->encr, false);
	tell(k, sa, sa->integ, false);
	tell(k, sa, sa->prf, false);
	tell(k, sa, sa->dh, false);
}

void weak_tell_child(struct ike *k, const struct ike_sa *sa, const struct ike_child *c)
{
	tell(k, sa, c->encr, true);
	tell(k, sa, c->integ, true);
	tell(k, sa, c->dh, true);
}
