/* auth: {cert, key, ca, crl, crl-strict}. What is in the files, the IKE core looks at. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/field_tunnel.h"
#include "config/file.h"
#include "config/value.h"

static struct cfg_certs *certs_of(struct cfg_tunnel *t)
{
	if (!t->certs) {
		t->certs = xcalloc(1, sizeof(*t->certs));
		t->certs->refs = 1;
	}
	return t->certs;
}

/* Thousands of tunnels name the same files: each is read once, and its octets are theirs together. Looked for among those that came
 * last, which is enough for files that are really shared. */
static bool read_before(struct load *l, const char *path, bool secret, struct cfg_file *to)
{
	for (unsigned i = 0; i < LOAD_FILES; i++) {
		const struct cfg_file *f = l->file[i].f;

		if (!f || l->file[i].secret != secret || strcmp(f->path, path))
			continue;
		to->p = f->p;
		to->len = f->len;
		to->refs = f->refs;
		++*to->refs;
		return true;
	}
	return false;
}

static void remember(struct load *l, struct cfg_file *f, bool secret)
{
	f->refs = xcalloc(1, sizeof(*f->refs));
	*f->refs = 1;
	l->file[l->next_file % LOAD_FILES].f = f;
	l->file[l->next_file++ % LOAD_FILES].secret = secret;
}

/* One path; its octets, where secrets are wanted at all. false after an error. */
static bool read_file(struct load *l, const struct tree_node *n, const struct file_want *want, struct cfg_file *to)
{
	const char *s = load_value(l, n, "the path of a file");
	char err[512];

	if (!s)
		return false;
	to->line = n->line;
	to->path = xstrdup(s);
	if (!l->secrets || read_before(l, s, want->secret, to))
		return true;
	if (file_read(l->dir, s, want, &to->p, &to->len, err, sizeof(err)) == 0) {
		remember(l, to, want->secret);
		return true;
	}
	load_error(l, n->line, "%s", err);
	return false;
}

/* A list, or a single one. */
static void read_files(struct load *l, const struct tree_node *n, const char *what, struct cfg_file *to, unsigned *n_to)
{
	const struct file_want want = {.what = what, .max = CFG_CERT_FILE_SIZE};

	load_mark(l, n_to, n->line);
	if (n->kind == TREE_LIST && !n->n)
		load_error(l, n->line, "the list is empty: write the path of a %s file, or a list of them", what);
	for (const struct tree_node *c = n->kind == TREE_LIST ? n->first : n; c;
	     c = n->kind == TREE_LIST ? c->next : NULL) {
		bool twice = false;

		for (unsigned i = 0; i < *n_to; i++)
			twice |= c->kind == TREE_VALUE && !strcmp(to[i].path, c->s);
		if (twice) {
			load_error(l, c->line, "%s stands in the list twice: leave one out", c->s);
			continue;
		}
		if (*n_to == CFG_CERT_FILES_MAX) {
			load_error(l, c->line, "more than %d files: put several certificates into one PEM file",
				   CFG_CERT_FILES_MAX);
			return;
		}
		if (read_file(l, c, &want, &to[*n_to]) || to[*n_to].path)
			(*n_to)++;
	}
}

void field_cert(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_certs *c = certs_of(tunnel);

	read_files(l, n, "certificate", c->cert, &c->n_cert);
}

void field_ca(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_certs *c = certs_of(tunnel);

	read_files(l, n, "CA certificate", c->ca, &c->n_ca);
}

void field_crl(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_certs *c = certs_of(tunnel);

	read_files(l, n, "CRL", c->crl, &c->n_crl);
}

void field_cert_key(struct load *l, const struct tree_node *n, void *tunnel)
{
	static const struct file_want want = {.what = "private key", .max = CFG_CERT_FILE_SIZE, .secret = true};
	struct cfg_certs *c = certs_of(tunnel);

	load_mark(l, &c->key, n->line);
	read_file(l, n, &want, &c->key);
}

void field_crl_strict(struct load *l, const struct tree_node *n, void *tunnel)
{
	const char *s = load_value(l, n, "true or false");
	struct cfg_certs *c = certs_of(tunnel);
	char show[80];

	load_mark(l, &c->crl_strict, n->line);
	if (s && value_bool(s, &c->crl_strict) < 0)
		load_error(l, n->line, "\"%s\" is neither true nor false: write one of them", load_show(n, show));
}
