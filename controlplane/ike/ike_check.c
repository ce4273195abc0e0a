/* What the config room cannot see: whether certificates and keys can be used. */
#include <errno.h>
#include <stdio.h>

#include "config/errors.h"
#include "controlplane/ike/cert.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike/notice.h"

enum { ID_TEXT = 128 };

/* Our identity must be one that the peer finds in our certificate: RFC 4945 3.1. */
static int check_local(const struct cfg_tunnel *cfg, const struct cert_creds *c, char *why, size_t cap)
{
	char id[ID_TEXT], subject[ID_TEXT];

	if (cfg->local.id.type == CFG_ID_NONE && cert_creds_id(c)->type == CFG_ID_NONE) {
		snprintf(why, cap,
			 "our certificate has no subject, or one of more than %d octets: write one of its other names "
			 "as "
			 "local.id",
			 CFG_ID_MAX);
		return -EINVAL;
	}
	if (cfg->local.id.type == CFG_ID_NONE || cert_creds_has_id(c, &cfg->local.id))
		return 0;
	snprintf(why, cap,
		 "local.id %s is not in our certificate (%s): leave local.id out to use the subject, or write a name "
		 "of its "
		 "subjectAltName",
		 cfg_id_str(&cfg->local.id, id, sizeof(id)), cfg_id_str(cert_creds_id(c), subject, sizeof(subject)));
	return -EINVAL;
}

static int check_remote(const struct cfg_tunnel *cfg, char *why, size_t cap)
{
	if (cfg->remote.id.type != CFG_ID_KEY)
		return 0;
	snprintf(why, cap, "remote.id is a key ID, which no certificate has: write a name, an address or the subject");
	return -EINVAL;
}

/* A set of files that was read, and what came of it: most tunnels of a gateway name the same, and keys are slow to check. */
struct reading {
	const struct cfg_certs *of; /* NULL: none yet */
	struct cert_creds *creds;
	int err;
	char why[NOTICE_MAX];
};

static void read_certs(struct reading *r, const struct cfg_tunnel *cfg, int64_t wall_s)
{
	if (r->of && cfg_certs_same(r->of, cfg->certs))
		return;
	cert_creds_unref(r->creds);
	r->creds = NULL;
	r->of = cfg->certs;
	r->err = cert_creds_load(cfg->certs, wall_s, &r->creds, r->why, sizeof(r->why));
}

static int check(const struct cfg_tunnel *cfg, const struct reading *r, char *why, size_t cap)
{
	int err = 0;

	/* what is wrong for good is said rather than what time has brought */
	if (!r->err || r->err == -EKEYEXPIRED) {
		err = check_local(cfg, r->creds, why, cap);
		if (!err)
			err = check_remote(cfg, why, cap);
	}
	if (!err && r->err)
		snprintf(why, cap, "%s", r->why);
	return err ? err : r->err;
}

int ike_tunnel_check(const struct cfg_tunnel *cfg, int64_t wall_s, char *why, size_t cap)
{
	struct reading r = {.of = NULL};
	int err;

	if (!cfg->certs)
		return 0;
	read_certs(&r, cfg, wall_s);
	err = check(cfg, &r, why, cap);
	cert_creds_unref(r.creds);
	return err;
}

int ike_config_check(const struct config *c, int64_t wall_s, struct cfg_errors *errs)
{
	struct reading r = {.of = NULL};
	int worst = 0;

	for (unsigned i = 0; i < c->n_tunnels; i++) {
		const struct cfg_tunnel *t = &c->tunnel[i];
		unsigned line = t->certs && t->certs->n_cert ? t->certs->cert[0].line : 0;
		char why[NOTICE_MAX];
		int err;

		if (!t->certs)
			continue;
		read_certs(&r, t, wall_s);
		err = check(t, &r, why, sizeof(why));
		if (!err)
			continue;
		errors_add(errs, line ? line : t->line, "tunnels.%s.auth: %s", t->name, why);
		if (!worst || worst == -EKEYEXPIRED)
			worst = err;
	}
	cert_creds_unref(r.creds);
	return worst;
}
