#include "config/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "config/check.h"
#include "config/schema.h"

void load_error(struct load *l, unsigned line, const char *fmt, ...)
{
	char path[256] = "", esc[64];
	size_t o = 0;
	va_list ap;

	for (unsigned i = 0; i < l->depth && o < sizeof(path) - sizeof(esc) - 3; i++)
		o += (size_t)snprintf(path + o, sizeof(path) - o, "%s%s%s", i ? "." : "",
				      log_esc(l->path[i], strlen(l->path[i]), esc, sizeof(esc)),
				      i == l->depth - 1 ? ": " : "");
	va_start(ap, fmt);
	errors_add_at(l->errs, line, path, fmt, ap);
	va_end(ap);
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
	return c;
}

static void read_root(struct load *l, const struct tree_node *root, unsigned mode)
{
	if (!root || (root->kind == TREE_VALUE && !root->s[0])) {
		errors_add(l->errs, 0, "the file is empty: a gateway needs `ports:` at least");
		return;
	}
	schema_read(l, &schema_root, root, l->c);
	if (l->secrets && l->inline_line && (mode & 077))
		errors_add(l->errs, l->inline_line,
			   "a PSK stands in a file that is open to others (mode %04o): chmod 600 it, or use psk-file",
			   mode);
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
	if (errs->n == before)
		return l.c;
	errors_sort(errs);
	config_free(l.c);
	return NULL;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		if (c->tunnel[i].psk)
			secret_fini(c->tunnel[i].psk);
		free(c->tunnel[i].psk);
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
