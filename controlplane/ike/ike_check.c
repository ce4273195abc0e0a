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

int ike_tunnel_check(const struct cfg_tunnel *cfg, int64_t wall_s, char *why, size_t cap)
{
	struct cert_creds *c = NULL;
	int err, err_id = 0;

	if (!cfg->certs)
		return 0;
	err = cert_creds_load(cfg->certs, wall_s, &c, why, cap);
	if (!err || err == -EKEYEXPIRED) { /* what is wrong for good is said rather than what time has brought */
		char text[NOTICE_MAX];

		err_id = check_local(cfg, c, text, sizeof(text));
		if (!err_id)
			err_id = check_remote(cfg, text, sizeof(text));
		if (err_id)
			snprintf(why, cap, "%s", text);
	}
	cert_creds_unref(c);
	return err_id ? err_id : err;
}

int ike_config_check(const struct config *c, int64_t wall_s, struct cfg_errors *errs)
{
	int worst = 0;

	for (unsigned i = 0; i < c->n_tunnels; i++) {
		const struct cfg_tunnel *t = &c->tunnel[i];
		unsigned line = t->certs && t->certs->n_cert ? t->certs->cert[0].line : 0;
		char why[NOTICE_MAX];
		int err = ike_tunnel_check(t, wall_s, why, sizeof(why));

		if (!err)
			continue;
		errors_add(errs, line ? line : t->line, "tunnels.%s.auth: %s", t->name, why);
		if (!worst || worst == -EKEYEXPIRED)
			worst = err;
	}
	return worst;
}
