#include "controlplane/ike/creds.h"

#include <errno.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "controlplane/ike/notice.h"

struct creds_entry {
	struct list node; /* ike.creds */
	struct cert_creds *c;
	uint32_t users;
};

int creds_take(struct ike *k, struct cfg_certs *cfg, struct cert_creds **out)
{
	struct creds_entry *n;
	char why[NOTICE_MAX];
	int err;

	list_each (e, &k->creds) {
		n = list_entry(e, struct creds_entry, node);
		if (cert_creds_of(n->c, cfg)) {
			n->users++;
			*out = n->c;
			return 0;
		}
	}
	err = cert_creds_load(cfg, k->env.wall_s(k->env.ctx), out, why, sizeof(why));
	if (err && err != -EKEYEXPIRED)
		return err;
	n = xcalloc(1, sizeof(*n));
	n->c = *out;
	n->users = 1;
	list_add_tail(&k->creds, &n->node);
	return 0;
}

static void forget(struct creds_entry *n)
{
	list_del(&n->node);
	cert_creds_unref(n->c);
	free(n);
}

void creds_give(struct ike *k, struct cert_creds *c)
{
	if (!c)
		return;
	list_each_safe (e, &k->creds) {
		struct creds_entry *n = list_entry(e, struct creds_entry, node);

		if (n->c == c && --n->users == 0)
			forget(n);
	}
}

void creds_free_all(struct ike *k)
{
	while (!list_empty(&k->creds))
		forget(list_entry(k->creds.next, struct creds_entry, node));
}
