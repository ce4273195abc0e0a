/* Every tests/golden/config/NAME.in is loaded as a file of mode 0600; NAME.ok holds what is printed back, NAME.err the
 * errors, one `LINE: text` each. What is printed must load again to the same config. UPDATE=1 rewrites the answers.
 *
 *   test_golden DIR
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "config/config.h"

enum { GOLDENS_MIN = 60 };

static const char *golden_dir;
static char tmp[] = "/tmp/esplanade-golden-XXXXXX";

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = xcalloc(1 << 20, 1);
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static size_t file_size(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void put(const char *path, mode_t mode, const void *b, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void put_psk(const char *name, mode_t mode, const char *text, size_t n)
{
	char *path = xasprintf("%s/%s", tmp, name);

	put(path, mode, text, n);
	free(path);
}

/* The secret files that goldens may name. */
static int make_secrets(void **state)
{
	char *dir, *big, many[4096];

	(void)state;
	memset(many, 'k', sizeof(many));
	if (!mkdtemp(tmp))
		return -1;
	put_psk("good.psk", 0600, "open sesame\n", 12);
	put_psk("strict.psk", 0400, "open sesame\n", 12);
	put_psk("one.psk", 0600, "x", 1);
	put_psk("max.psk", 0600, many, CFG_PSK_MAX);
	put_psk("empty.psk", 0600, "", 0);
	put_psk("newline.psk", 0600, "\r\n", 2);
	put_psk("long.psk", 0600, many, CFG_PSK_MAX + 1);
	put_psk("huge.psk", 0600, many, sizeof(many));
	put_psk("open.psk", 0644, "open sesame\n", 12);
	put_psk("group.psk", 0640, "open sesame\n", 12);
	put_psk("others.psk", 0604, "open sesame\n", 12);
	put_psk("gw.pem", 0644, "a certificate", 13);
	put_psk("sub.pem", 0644, "an intermediate", 15);
	put_psk("ca.pem", 0644, "a CA", 4);
	put_psk("gw.key", 0600, "a key: open sesame", 18);
	put_psk("open.key", 0644, "a key: open sesame", 18);
	put_psk("a.crl", 0644, "none", 4);
	big = xcalloc(CFG_CERT_FILE_SIZE + 1, 1);
	put_psk("max.pem", 0644, big, CFG_CERT_FILE_SIZE);
	put_psk("big.pem", 0644, big, CFG_CERT_FILE_SIZE + 1);
	put_psk("big.key", 0600, big, CFG_CERT_FILE_SIZE + 1);
	free(big);
	dir = xasprintf("%s/dir.psk", tmp);
	assert_int_equal(mkdir(dir, 0700), 0);
	free(dir);
	return 0;
}

static int remove_all(void **state)
{
	DIR *d = opendir(tmp);

	(void)state;
	for (struct dirent *e; d && (e = readdir(d));) {
		int flags = !strcmp(e->d_name, "dir.psk") ? AT_REMOVEDIR : 0;

		if (e->d_name[0] != '.' && unlinkat(dirfd(d), e->d_name, flags) < 0)
			return -1;
	}
	if (d)
		closedir(d);
	return rmdir(tmp);
}

static char *errors_text(const struct cfg_errors *errs)
{
	char *text = xstrdup("");

	for (unsigned i = 0; i < errs->n; i++) {
		char *more = xasprintf("%s%u: %s\n", text, errs->e[i].line, errs->e[i].text);

		free(text);
		text = more;
	}
	return text;
}

/* Compare with the file NAME.ext, and see that the other answer is absent. */
static void compare(const char *name, const char *ext, const char *other, const char *text)
{
	char *path = xasprintf("%s/%s.%s", golden_dir, name, ext),
	     *wrong = xasprintf("%s/%s.%s", golden_dir, name, other);
	char *want;

	if (getenv("UPDATE")) {
		put(path, 0644, text, strlen(text));
		unlink(wrong);
	}
	want = slurp(path);
	if (!want)
		print_error("%s: no such answer; the text is:\n%s", path, text);
	assert_non_null(want);
	if (strcmp(text, want))
		print_error("%s: this came out:\n%s", path, text);
	assert_string_equal(text, want);
	assert_int_equal(access(wrong, F_OK), -1);
	free(want);
	free(wrong);
	free(path);
}

static void same_tunnel(const struct cfg_tunnel *a, const struct cfg_tunnel *b)
{
	struct cfg_tunnel x = *a, y = *b;

	x.line = y.line = 0;
	x.psk = y.psk = NULL;
	assert_true(cfg_certs_same(x.certs, y.certs));
	x.certs = y.certs = NULL;
	assert_memory_equal(&x, &y, sizeof(x));
}

static void same_bgp(const struct cfg_bgp *a, const struct cfg_bgp *b)
{
	assert_int_equal(a->as, b->as);
	assert_int_equal(a->router_id, b->router_id);
	assert_int_equal(a->multipath, b->multipath);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->n_originate, b->n_originate);
	for (unsigned i = 0; i < a->n_originate; i++)
		assert_memory_equal(&a->originate[i], &b->originate[i], sizeof(a->originate[i]));
	assert_int_equal(a->n_peers, b->n_peers);
	for (unsigned i = 0; i < a->n_peers; i++) {
		struct cfg_bgp_peer x = a->peer[i], y = b->peer[i];

		x.line = y.line = 0;
		assert_true(!x.password == !y.password);
		x.password = y.password = NULL;
		assert_memory_equal(&x, &y, sizeof(x));
	}
}

static void same_lists(const struct config *a, const struct config *b)
{
	assert_int_equal(a->n_prefix_lists, b->n_prefix_lists);
	for (unsigned i = 0; i < a->n_prefix_lists; i++) {
		assert_string_equal(a->prefix_list[i].name, b->prefix_list[i].name);
		assert_int_equal(a->prefix_list[i].n_rules, b->prefix_list[i].n_rules);
		for (unsigned j = 0; j < a->prefix_list[i].n_rules; j++) {
			struct cfg_prefix_rule x = a->prefix_list[i].rule[j], y = b->prefix_list[i].rule[j];

			x.line = y.line = 0;
			assert_memory_equal(&x, &y, sizeof(x));
		}
	}
	assert_int_equal(a->n_as_path_lists, b->n_as_path_lists);
	for (unsigned i = 0; i < a->n_as_path_lists; i++) {
		assert_string_equal(a->as_path_list[i].name, b->as_path_list[i].name);
		assert_int_equal(a->as_path_list[i].n_rules, b->as_path_list[i].n_rules);
		for (unsigned j = 0; j < a->as_path_list[i].n_rules; j++) {
			const struct cfg_as_path_rule *x = &a->as_path_list[i].rule[j],
						      *y = &b->as_path_list[i].rule[j];

			assert_int_equal(x->permit, y->permit);
			assert_string_equal(x->regex, y->regex);
		}
	}
	assert_int_equal(a->n_policies, b->n_policies);
	for (unsigned i = 0; i < a->n_policies; i++) {
		assert_string_equal(a->policy[i].name, b->policy[i].name);
		assert_int_equal(a->policy[i].n_entries, b->policy[i].n_entries);
		for (unsigned j = 0; j < a->policy[i].n_entries; j++) {
			struct cfg_policy_entry x = a->policy[i].entry[j], y = b->policy[i].entry[j];

			x.line = y.line = 0;
			assert_memory_equal(&x, &y, sizeof(x));
		}
	}
}

static void same_config(const struct config *a, const struct config *b)
{
	assert_string_equal(a->gateway_name, b->gateway_name);
	assert_memory_equal(a->gateway_addr, b->gateway_addr, sizeof(a->gateway_addr));
	assert_memory_equal(&a->dataplane, &b->dataplane, sizeof(a->dataplane));
	assert_memory_equal(a->port, b->port, sizeof(a->port));
	assert_int_equal(a->n_ports, b->n_ports);
	assert_int_equal(a->n_routes, b->n_routes);
	for (unsigned i = 0; i < a->n_routes; i++) {
		struct cfg_route x = a->route[i], y = b->route[i];

		x.line = y.line = 0;
		assert_memory_equal(&x, &y, sizeof(x));
	}
	assert_int_equal(a->n_tunnels, b->n_tunnels);
	for (unsigned i = 0; i < a->n_tunnels; i++)
		same_tunnel(&a->tunnel[i], &b->tunnel[i]);
	same_bgp(&a->bgp, &b->bgp);
	same_lists(a, b);
}

/* print must parse back. */
static void check_back(const struct config *c, const char *text)
{
	struct cfg_errors errs = {0};
	struct config *again = config_load_text(text, strlen(text), tmp, true, &errs);
	char *second;

	if (!again)
		cfg_errors_print(&errs, "printed", 2);
	assert_non_null(again);
	second = config_print(again);
	assert_string_equal(second, text);
	same_config(c, again);
	free(second);
	config_free(again);
	cfg_errors_free(&errs);
}

static void run_golden(void **state)
{
	const char *name = *state;
	char *in = xasprintf("%s/%s.in", golden_dir, name), *file = xasprintf("%s/%s.yaml", tmp, name);
	char *text = slurp(in);
	struct cfg_errors errs = {0};
	struct config *c;
	char *got;

	assert_non_null(text);
	put(file, 0600, text, file_size(in));
	c = config_load(file, true, &errs);
	if (c) {
		assert_int_equal(errs.n, 0);
		got = config_print(c);
		compare(name, "ok", "err", got);
		check_back(c, got);
	} else {
		assert_true(errs.n > 0);
		got = errors_text(&errs);
		compare(name, "err", "ok", got);
		assert_null(strstr(got, "sesame")); /* no secret in an error */
	}
	free(got);
	config_free(c);
	cfg_errors_free(&errs);
	free(text);
	free(file);
	free(in);
}

static void there_are_enough_goldens(void **state)
{
	assert_true(*(unsigned *)*state >= GOLDENS_MIN);
}

static int is_golden(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 3 && !strcmp(e->d_name + n - 3, ".in");
}

int main(int argc, char **argv)
{
	struct CMUnitTest *t;
	struct dirent **e;
	unsigned n;
	int k, r;

	if (argc != 2 || (k = scandir(argv[1], &e, is_golden, alphasort)) < 0) {
		fprintf(stderr, "usage: test_golden DIR\n");
		return 2;
	}
	golden_dir = argv[1];
	n = (unsigned)k;
	t = xcalloc(n + 1, sizeof(*t));
	for (unsigned i = 0; i < n; i++) {
		char *name = xasprintf("%.*s", (int)strlen(e[i]->d_name) - 3, e[i]->d_name);

		t[i] = (struct CMUnitTest){.name = name, .test_func = run_golden, .initial_state = name};
		free(e[i]);
	}
	t[n] = (struct CMUnitTest){"there_are_enough_goldens", there_are_enough_goldens, NULL, NULL, &n};
	r = _cmocka_run_group_tests("config-golden", t, n + 1, make_secrets, remove_all);
	for (unsigned i = 0; i < n; i++)
		free(t[i].initial_state);
	free(t);
	free(e);
	return r;
}
