/* The files of certificate authentication, as octets. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "config/config.h"

struct cfg_certs *cfg_certs_ref(struct cfg_certs *c)
{
	if (c)
		c->refs++;
	return c;
}

static void file_fini(struct cfg_file *f)
{
	free(f->path);
	if (f->refs && --*f->refs)
		return;
	if (f->p)
		secret_wipe(f->p, f->len);
	free(f->p);
	free(f->refs);
}

static void files_fini(struct cfg_file *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		file_fini(&f[i]);
}

void cfg_certs_unref(struct cfg_certs *c)
{
	if (!c || --c->refs)
		return;
	files_fini(c->cert, c->n_cert);
	files_fini(c->ca, c->n_ca);
	files_fini(c->crl, c->n_crl);
	file_fini(&c->key);
	free(c);
}

/* By what is in them; by name where they have not been read. */
static bool file_same(const struct cfg_file *a, const struct cfg_file *b)
{
	if (!a->p != !b->p || a->len != b->len)
		return false;
	if (a->p && a->p == b->p)
		return true;
	if (a->p)
		return secret_equal(a->p, b->p, a->len);
	return (!a->path && !b->path) || (a->path && b->path && !strcmp(a->path, b->path));
}

static bool files_same(const struct cfg_file *a, unsigned n_a, const struct cfg_file *b, unsigned n_b)
{
	if (n_a != n_b)
		return false;
	for (unsigned i = 0; i < n_a; i++)
		if (!file_same(&a[i], &b[i]))
			return false;
	return true;
}

bool cfg_certs_same(const struct cfg_certs *a, const struct cfg_certs *b)
{
	if (a == b)
		return true;
	return a && b && a->crl_strict == b->crl_strict && file_same(&a->key, &b->key) &&
	       files_same(a->cert, a->n_cert, b->cert, b->n_cert) && files_same(a->ca, a->n_ca, b->ca, b->n_ca) &&
	       files_same(a->crl, a->n_crl, b->crl, b->n_crl);
}
