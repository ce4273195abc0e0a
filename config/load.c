#include "config/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "config/check.h"
#include "config/schema.h"

static const char *where(const struct load *l, char path[256])
{
	char esc[64];
	size_t o = 0;

	path[0] = '\0';
	for (unsigned i = 0; i < l->depth && o < 256 - sizeof(esc) - 3; i++)
		o += (size_t)snprintf(path + o, 256 - o, "%s%s%s", i ? "." : "",
				      log_esc(l->path[i], strlen(l->path[i]), esc, sizeof(esc)),
				      i == l->depth - 1 ? ": " : "");
	return path;
}

void load_error(struct load *l, unsigned line, const char *fmt, ...)
{
	char path[256];
	va_list ap;

	va_start(ap, fmt);
	errors_add_at(l->errs, line, where(l, path), fmt, ap);
	va_end(ap);
}

void load_note(struct load *l, unsigned line, const char *fmt, ...)
{
	char path[256];
	va_list ap;

	va_start(ap, fmt);
	errors_add_at(&l->c->notes, line, where(l, path), fmt, ap);
	va_end(ap);
}

void load_inline(struct load *l, const char *what, const char *key, unsigned line)
{
	if (l->in_file.line)
		return;
	l->in_file.line = line;
	l->in_file.what = what;
	l->in_file.key = key;
}

void load_mark(struct load *l, const void *field, unsigned line)
{
	if (l->n_marks == l->cap_marks) {
		l->cap_marks = l->cap_marks ? l->cap_marks * 2 : 64;
		l->mark = xrealloc(l->mark, l->cap_marks, sizeof(*l->mark));
	}
	l->mark[l->n_marks++] = (struct load_mark){.field = field, .line = line};
	l->sorted = false;
}

static int by_field(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct load_mark *)a)->field;
	uintptr_t y = (uintptr_t)((const struct load_mark *)b)->field;

	return x < y ? -1 : x > y;
}

unsigned load_line(struct load *l, const void *field)
{
	struct load_mark key = {.field = field}, *m;

	if (!l->n_marks)
		return 0;
	if (!l->sorted)
		qsort(l->mark, l->n_marks, sizeof(*l->mark), by_field);
	l->sorted = true;
	m = bsearch(&key, l->mark, l->n_marks, sizeof(*l->mark), by_field);
	return m ? m->line : 0;
}

const char *load_show(const struct tree_node *n, char buf[80])
{
	if (n->kind == TREE_VALUE)
		return log_esc(n->s, strlen(n->s), buf, 80);
	snprintf(buf, 80, "%s", n->kind == TREE_LIST ? "[a list]" : "{a block}");
	return buf;
}

const char *load_value(struct load *l, const struct tree_node *n, const char *what)
{
	if (n->kind == TREE_BROKEN) /* reported where it was seen */
		return NULL;
	if (n->kind != TREE_VALUE)
		load_error(l, n->line, "%s stands here: write %s", n->kind == TREE_LIST ? "a list" : "a block", what);
	else if (!n->s[0])
		load_error(l, n->line, "there is no value: write %s", what);
	else
		return n->s;
	return NULL;
}

static struct config *config_new(void)
{
	struct config *c = xcalloc(1, sizeof(*c));

	snprintf(c->gateway_name, sizeof(c->gateway_name), "gateway");
	c->dataplane.n_workers = 1;
	c->dataplane.sa_max = 4096;
	c->dataplane.routes_max = 65536;
	c->dataplane.routes6_max = 16384;
	snprintf(c->dataplane.tun, sizeof(c->dataplane.tun), "%s", CFG_TUN_DEFAULT);
	c->bgp.multipath = 8;
	c->bgp.port = 179;
	return c;
}

static void read_root(struct load *l, const struct tree_node *root, unsigned mode)
{
	if (!root || (root->kind == TREE_VALUE && !root->s[0])) {
		errors_add(l->errs, 0, "the file is empty: a gateway needs `ports:` at least");
		return;
	}
	schema_read(l, &schema_root, root, l->c);
	if (l->secrets && l->in_file.line && (mode & 077))
		errors_add(l->errs, l->in_file.line,
			   "a %s stands in a file that is open to others (mode %04o): chmod 600 it, or use %s",
			   l->in_file.what, mode, l->in_file.key);
	check_all(l);
}

struct config *load_text(const char *text, size_t len, const char *dir, unsigned mode, bool secrets,
			 struct cfg_errors *errs)
{
	struct load l = {.errs = errs, .dir = dir, .secrets = secrets};
	unsigned before = errs->n;
	struct tree *t = tree_new(text, len, errs);

	if (t) {
		l.c = config_new();
		read_root(&l, tree_root(t), mode);
	}
	tree_free(t);
	free(l.mark);
	if (errs->n == before) {
		errors_sort(&l.c->notes);
		return l.c;
	}
	errors_sort(errs);
	config_free(l.c);
	return NULL;
}

static void free_bgp(struct cfg_bgp *b)
{
	for (unsigned i = 0; i < b->n_peers; i++) {
		if (b->peer[i].password)
			secret_fini(b->peer[i].password);
		free(b->peer[i].password);
		free(b->password_file[i]);
	}
	free(b->peer);
	free(b->password_file);
	free(b->originate);
}

static void free_lists(struct config *c)
{
	for (unsigned i = 0; i < c->n_prefix_lists; i++)
		free(c->prefix_list[i].rule);
	for (unsigned i = 0; i < c->n_as_path_lists; i++) {
		for (unsigned j = 0; j < c->as_path_list[i].n_rules; j++)
			free(c->as_path_list[i].rule[j].regex);
		free(c->as_path_list[i].rule);
	}
	for (unsigned i = 0; i < c->n_policies; i++)
		free(c->policy[i].entry);
	free(c->prefix_list);
	free(c->as_path_list);
	free(c->policy);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	free_bgp(&c->bgp);
	free_lists(c);
	cfg_errors_free(&c->notes);
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		if (c->tunnel[i].psk)
			secret_fini(c->tunnel[i].psk);
		free(c->tunnel[i].psk);
		cfg_certs_unref(c->tunnel[i].certs);
		free(c->psk_file[i]);
	}
	free(c->tunnel);
	free(c->psk_file);
	free(c->route);
	free(c);
}

const struct cfg_tunnel *config_tunnel(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (!strcmp(c->tunnel[i].name, name))
			return &c->tunnel[i];
	return NULL;
}

const struct cfg_port *config_port(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_ports; i++)
		if (!strcmp(c->port[i].name, name))
			return &c->port[i];
	return NULL;
}

const struct cfg_prefix_list *config_prefix_list(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_prefix_lists; i++)
		if (!strcmp(c->prefix_list[i].name, name))
			return &c->prefix_list[i];
	return NULL;
}

const struct cfg_as_path_list *config_as_path_list(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_as_path_lists; i++)
		if (!strcmp(c->as_path_list[i].name, name))
			return &c->as_path_list[i];
	return NULL;
}

const struct cfg_policy *config_policy(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_policies; i++)
		if (!strcmp(c->policy[i].name, name))
			return &c->policy[i];
	return NULL;
}
