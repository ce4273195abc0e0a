#include "cli/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "controlplane/ike/ike.h"

static void print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(o);
}

static json_t *errors_json(const struct cfg_errors *errs)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < errs->n; i++)
		json_array_append_new(a,
				      json_pack("{s:i, s:s}", "line", (int)errs->e[i].line, "text", errs->e[i].text));
	return a;
}

/* NULL after the errors have been printed. */
static struct config *load(const char *path, bool secrets, bool certs, bool json)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load(path, secrets, &errs);

	if (c && certs && ike_config_check(c, time(NULL), &errs)) {
		config_free(c);
		c = NULL;
	}

	if (!c && json)
		print_json(json_pack("{s:b, s:s, s:o}", "ok", 0, "file", path, "errors", errors_json(&errs)));
	else if (!c)
		cfg_errors_print(&errs, path, STDERR_FILENO);
	cfg_errors_free(&errs);
	return c;
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

/* What is legal, but hardly meant. */
static void print_notes(const struct config *c, const char *path)
{
	for (unsigned i = 0; i < c->notes.n; i++)
		fprintf(stderr, "%s:%u: note: %s\n", path, c->notes.e[i].line, c->notes.e[i].text);
}

int file_check(const char *path, bool secrets, bool json)
{
	struct config *c = load(path, secrets, true, json);

	if (!c)
		return 1;
	if (json) {
		print_json(json_pack("{s:b, s:s, s:i, s:i, s:i, s:i, s:o}", "ok", 1, "file", path, "ports",
				     (int)c->n_ports, "tunnels", (int)c->n_tunnels, "routes", (int)c->n_routes,
				     "bgp_peers", (int)c->bgp.n_peers, "notes", errors_json(&c->notes)));
	} else {
		print_notes(c, path);
		printf("%s: ok (%u port%s, %u tunnel%s, %u route%s", path, c->n_ports, plural(c->n_ports), c->n_tunnels,
		       plural(c->n_tunnels), c->n_routes, plural(c->n_routes));
		if (c->bgp.as)
			printf(", %u BGP peer%s", c->bgp.n_peers, plural(c->bgp.n_peers));
		puts(")");
	}
	config_free(c);
	return 0;
}

int file_show(const char *path, bool json)
{
	/* secrets are not shown: so they need not be readable */
	struct config *c = load(path, false, false, json);
	char *text;

	if (!c)
		return 1;
	text = config_print(c);
	if (json)
		print_json(json_pack("{s:b, s:s, s:s}", "ok", 1, "file", path, "text", text));
	else
		fputs(text, stdout);
	free(text);
	config_free(c);
	return 0;
}
