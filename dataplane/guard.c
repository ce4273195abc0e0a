#include "dataplane/guard.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "base/err.h"
#include "base/log.h"
#include "dataplane/port.h"

#define TABLE_PREFIX "esplanade_"

enum { CHAIN_NAME = 40, SCRIPT = 8192 };

/* A script for nft that is being written. */
struct script {
	char text[SCRIPT];
	unsigned len;
	bool full;
};

static void add(struct script *s, const char *fmt, ...) PRINTF(2, 3);
static void add(struct script *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (unsigned)n >= sizeof(s->text) - s->len)
		s->full = true;
	else
		s->len += (unsigned)n;
}

/* Unique per living interface, and still legible. */
static void chain_name(const struct port *p, char out[CHAIN_NAME])
{
	char name[PORT_IFNAME];

	snprintf(name, sizeof(name), "%s", p->ifname);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	snprintf(out, CHAIN_NAME, "in_%s_%d", name, p->ifindex);
}

/* AF_XDP: our program leaves the kernel nothing of it. */
static bool guarded(const struct port *p)
{
	return p->kind == PORT_AF_PACKET;
}

static bool locked(const struct port *p)
{
	return p->kind == PORT_AF_PACKET || p->kind == PORT_AF_XDP;
}

int guard_lock(struct guard *g, const struct port_set *ports, char *why, unsigned cap)
{
	for (uint16_t i = 0; i < ports->n; i++) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		const struct port *p = &ports->p[i];
		socklen_t len;
		int fd, n;

		if (!locked(p))
			continue;
		n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "esplanade/%s", p->ifname);
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&a, len)) {
			int ret = -errno;

			if (fd >= 0)
				close(fd);
			if (ret == -EADDRINUSE)
				snprintf(why, cap,
					 "port %s: another esplanade-dataplane uses interface %s; stop it, or name "
					 "another interface",
					 p->cfg->name, p->ifname);
			else
				snprintf(why, cap, "port %s: cannot lock interface %s: %s", p->cfg->name, p->ifname,
					 err_str(ret));
			return ret;
		}
		g->lock[g->n_locks++] = fd;
	}
	return 0;
}

/* --- nft --- */

/* Run a script as one transaction. Its output (lent by ctx) in *out where asked for. */
static int run(struct nft_ctx *ctx, const char *script, const char **out)
{
	if (nft_run_cmd_from_buffer(ctx, script))
		return -EIO;
	if (out)
		*out = nft_ctx_get_output_buffer(ctx);
	return 0;
}

static struct nft_ctx *ctx_new(void)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	if (ctx && (nft_ctx_buffer_output(ctx) || nft_ctx_buffer_error(ctx))) {
		nft_ctx_free(ctx);
		return NULL;
	}
	return ctx;
}

/* First line of what nft complained about. */
static void complaint(struct nft_ctx *ctx, char *buf, unsigned cap)
{
	const char *err = nft_ctx_get_error_buffer(ctx);

	snprintf(buf, cap, "%.*s", (int)strcspn(err, "\n"), err);
}

static bool is_one_of_ours(const struct port_set *ports, const char *chain)
{
	char name[CHAIN_NAME];

	for (uint16_t i = 0; i < ports->n; i++) {
		if (!guarded(&ports->p[i]))
			continue;
		chain_name(&ports->p[i], name);
		if (!strcmp(chain, name))
			return true;
	}
	return false;
}

/* The word behind a keyword in a line of nft's listing ("table netdev NAME {", "chain NAME {"), or false. */
static bool word_after(const char *line, const char *key, char *out, size_t cap)
{
	size_t n;

	line += strspn(line, " \t");
	if (strncmp(line, key, strlen(key)))
		return false;
	line += strlen(key);
	n = strcspn(line, " \t\n{");
	if (n == 0 || n >= cap)
		return false;
	memcpy(out, line, n);
	out[n] = '\0';
	return true;
}

/* Chains on our interfaces in tables of gateways with another run directory that did not end well. */
static void remove_leftovers(struct script *s, const char *listing, const struct port_set *ports, const char *own)
{
	char table[64] = "", chain[64];

	for (const char *line = listing; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (word_after(line, "table netdev ", table, sizeof(table)) ||
		    !word_after(line, "chain ", chain, sizeof(chain)))
			continue;
		if (strncmp(table, TABLE_PREFIX, strlen(TABLE_PREFIX)) || !strcmp(table, own) ||
		    !is_one_of_ours(ports, chain))
			continue;
		add(s, "delete chain netdev %s %s\n", table, chain);
		log_info(LOG_PORT, "event=leftover-removed table=%s chain=%s", table, chain);
	}
}

/* A number that stays the same for a run directory: a restart finds its own table. FNV-1a */
static uint32_t run_id(const char *run_dir)
{
	char path[PATH_MAX];
	uint32_t h = 2166136261u;

	if (!realpath(run_dir, path))
		snprintf(path, sizeof(path), "%s", run_dir);
	for (const char *c = path; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	return h;
}

static void install(struct script *s, const struct port_set *ports, const char *table)
{
	char chain[CHAIN_NAME];

	/* "add" first, so that "delete" has something to delete */
	add(s, "add table netdev %s\ndelete table netdev %s\nadd table netdev %s\n", table, table, table);
	for (uint16_t i = 0; i < ports->n; i++) {
		if (!guarded(&ports->p[i]))
			continue;
		chain_name(&ports->p[i], chain);
		add(s,
		    "add chain netdev %s %s { type filter hook ingress device \"%s\" priority -500; policy drop; }\n",
		    table, chain, ports->p[i].ifname);
	}
}

int guard_on(struct guard *g, const struct port_set *ports, const char *run_dir, char *why, unsigned cap)
{
	struct script s = {.len = 0};
	const char *listing = "";
	char table[sizeof(g->table)], cause[256] = "out of memory";
	struct nft_ctx *ctx;
	int ret;

	if (!port_any(ports, PORT_AF_PACKET))
		return 0;
	ctx = ctx_new();
	if (!ctx)
		goto refuse;
	snprintf(table, sizeof(table), TABLE_PREFIX "%08x", run_id(run_dir));
	ret = run(ctx, "list chains netdev", &listing);
	if (!ret) {
		remove_leftovers(&s, listing, ports, table);
		install(&s, ports, table);
		ret = s.full ? -E2BIG : run(ctx, s.text, NULL);
	}
	if (ret) {
		complaint(ctx, cause, sizeof(cause));
		goto refuse;
	}
	nft_ctx_free(ctx);
	memcpy(g->table, table, sizeof(table));
	return 0;
refuse:
	if (ctx)
		nft_ctx_free(ctx);
	snprintf(why, cap,
		 "nftables does not take the rule that keeps the kernel away from the ports (%s); run as root, with "
		 "nf_tables in "
		 "the kernel (modprobe nf_tables)",
		 cause);
	return -EIO;
}

void guard_off(struct guard *g)
{
	struct nft_ctx *ctx = g->table[0] ? ctx_new() : NULL;
	char cmd[96], cause[256] = "out of memory";

	if (g->table[0]) {
		snprintf(cmd, sizeof(cmd), "delete table netdev %s", g->table);
		if (!ctx || run(ctx, cmd, NULL)) {
			if (ctx)
				complaint(ctx, cause, sizeof(cause));
			log_err(LOG_PORT, "event=guard-stays table=%s cause=\"%s\" cure=\"nft %s\"", g->table, cause,
				cmd);
		}
	}
	if (ctx)
		nft_ctx_free(ctx);
	for (unsigned i = 0; i < g->n_locks; i++)
		close(g->lock[i]);
	*g = (struct guard){0};
}
