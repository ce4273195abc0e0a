#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "config/config.h"

#define PORT "ports: {wan0: {device: \"af_packet:eth1\", addresses: [203.0.113.10/24]}}\n"
#define PEER "local: {port: wan0}, remote: {address: 198.51.100.7}"
#define BOTH PORT "tunnels: {a: {" PEER ", auth: {psk: \"open sesame\"}}}\n"

static char dir[] = "/tmp/esplanade-load-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static char *at(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void write_file(const char *path, mode_t mode, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* The load must fail with exactly one error, whose text has `words` in it. */
static void refuse(const char *path, const char *words)
{
	struct cfg_errors errs = {0};

	assert_null(config_load(path, true, &errs));
	assert_int_equal(errs.n, 1);
	if (!strstr(errs.e[0].text, words))
		print_error("this was said: %s\n", errs.e[0].text);
	assert_non_null(strstr(errs.e[0].text, words));
	cfg_errors_free(&errs);
}

static void missing_file_is_one_error(void **state)
{
	(void)state;
	refuse("/nonexistent/gateway.yaml", "cannot open the file: No such file or directory");
	refuse("", "cannot open the file");
}

static void directory_and_device_are_refused(void **state)
{
	char *fifo = at("fifo");

	(void)state;
	refuse(dir, "directory");
	refuse("/dev/zero", "not a plain file");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refuse(fifo, "not a plain file"); /* and does not wait for a writer */
	unlink(fifo);
	free(fifo);
}

static void file_of_100_MB_is_refused_unread(void **state)
{
	char *path = at("huge.yaml");
	struct timespec a, b;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &a);
	refuse(path, "larger than 64 MB");
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec <= 1);
	unlink(path);
	free(path);
}

static void sparse_file_of_zeros_is_no_text(void **state)
{
	char *path = at("zeros.yaml");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	refuse(path, "NUL octet");
	unlink(path);
	free(path);
}

static void inline_psk_in_an_open_file_is_refused(void **state)
{
	char *path = at("open.yaml");
	struct cfg_errors errs = {0};
	struct config *c;

	(void)state;
	write_file(path, 0644, BOTH, strlen(BOTH));
	refuse(path, "open to others (mode 0644)");
	assert_int_equal(chmod(path, 0600), 0);
	c = config_load(path, true, &errs);
	assert_non_null(c);
	assert_int_equal(c->tunnel[0].psk->len, 11);
	assert_memory_equal(c->tunnel[0].psk->b, "open sesame", 11);
	config_free(c);
	unlink(path);
	free(path);
}

static void data_plane_gets_no_secrets(void **state)
{
	char *path = at("open.yaml");
	struct cfg_errors errs = {0};
	struct config *c;

	(void)state;
	write_file(path, 0644, BOTH, strlen(BOTH));
	c = config_load(path, false, &errs);
	assert_non_null(c);
	assert_null(c->tunnel[0].psk);
	config_free(c);
	unlink(path);
	free(path);
}

static struct config *load(const char *text)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load_text(text, strlen(text), dir, true, &errs);

	if (!c)
		cfg_errors_print(&errs, "text", 2);
	assert_non_null(c);
	cfg_errors_free(&errs);
	return c;
}

static void psk_file_is_looked_up_beside_the_config(void **state)
{
	char *psk = at("a.psk"), *path = at("gw.yaml");
	const char *text = PORT "tunnels: {a: {" PEER ", auth: {psk-file: a.psk}}}\n";
	struct cfg_errors errs = {0};
	struct config *c;

	(void)state;
	write_file(psk, 0600, "two words \r\n", 12);
	write_file(path, 0644, text, strlen(text));
	c = config_load(path, true, &errs);
	assert_non_null(c);
	assert_int_equal(c->tunnel[0].psk->len, 10); /* only the line's end goes */
	assert_memory_equal(c->tunnel[0].psk->b, "two words ", 10);
	assert_string_equal(c->psk_file[0], "a.psk");
	config_free(c);
	unlink(psk);
	unlink(path);
	free(psk);
	free(path);
}

#define CERTS(key) PORT "tunnels: {a: {" PEER ", auth: {cert: gw.pem, key: " key ", ca: gw.pem}}}\n"

static void certificates_are_held_and_compared_by_content(void **state)
{
	static const char *const names[] = {"gw.pem", "a.key", "b.key", "c.key"};
	static const char *const text[] = {"a certificate", "a key", "a key", "A key"};
	struct config *a, *b, *c;
	struct cfg_certs *held;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(names); i++) {
		char *path = at(names[i]);

		write_file(path, 0600, text[i], strlen(text[i]));
		free(path);
	}
	a = load(CERTS("a.key"));
	b = load(CERTS("b.key"));
	c = load(CERTS("c.key"));
	assert_null(a->tunnel[0].psk);
	assert_memory_equal(a->tunnel[0].certs->key.p, "a key", 5);
	assert_int_equal(a->tunnel[0].certs->key.line, 2);
	assert_true(cfg_certs_same(a->tunnel[0].certs, b->tunnel[0].certs)); /* what is in it counts */
	assert_false(cfg_certs_same(a->tunnel[0].certs, c->tunnel[0].certs));
	assert_false(cfg_certs_same(a->tunnel[0].certs, NULL));
	assert_true(cfg_certs_same(NULL, NULL));
	b->tunnel[0].certs->crl_strict = true;
	assert_false(cfg_certs_same(a->tunnel[0].certs, b->tunnel[0].certs));
	held = cfg_certs_ref(a->tunnel[0].certs);
	config_free(a);
	assert_string_equal(held->cert[0].path, "gw.pem"); /* still there */
	cfg_certs_unref(held);
	assert_null(cfg_certs_ref(NULL));
	cfg_certs_unref(NULL);
	config_free(b);
	config_free(c);
	for (unsigned i = 0; i < N_ELEMS(names); i++) {
		char *path = at(names[i]);

		unlink(path);
		free(path);
	}
}

/* However many tunnels name a file, its octets are there once. */
static void files_of_many_tunnels_are_held_once(void **state)
{
	static const char *const names[] = {"gw.pem", "a.key", "b.crl"};
	enum { N = 100 };
	static char text[N * 200];
	size_t n = (size_t)snprintf(text, sizeof(text), PORT "tunnels:\n");
	struct cfg_certs *first, *last, *held;
	struct config *c;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(names); i++) {
		char *path = at(names[i]);

		write_file(path, 0600, names[i], strlen(names[i]));
		free(path);
	}
	for (unsigned i = 0; i < N; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n,
			"  t%u: {local: {port: wan0}, remote: {address: any, id: p%u}, selectors: "
			"[{local: 10.0.0.0/8, remote: 10.0.0.%u/32}], auth: {cert: gw.pem, key: a.key, ca: "
			"gw.pem, crl: b.crl}}\n",
			i, i, i);
	c = load(text);
	first = c->tunnel[0].certs;
	last = c->tunnel[N - 1].certs;
	assert_true(first != last && first->crl[0].p == last->crl[0].p && first->key.p == last->key.p);
	assert_true(first->cert[0].p == last->ca[0].p && first->cert[0].p != first->crl[0].p);
	assert_memory_equal(last->key.p, "a.key", 5);
	assert_true(cfg_certs_same(first, last));
	assert_int_equal(c->tunnel[0].local.id.type, CFG_ID_NONE); /* the subject */
	held = cfg_certs_ref(last);
	config_free(c);
	assert_memory_equal(held->crl[0].p, "b.crl", 5);
	cfg_certs_unref(held);
	for (unsigned i = 0; i < N_ELEMS(names); i++) {
		char *path = at(names[i]);

		unlink(path);
		free(path);
	}
}

static void without_secrets_no_certificate_is_read(void **state)
{
	struct cfg_errors errs = {0};
	struct config *a = config_load_text(CERTS("a.key"), strlen(CERTS("a.key")), dir, false, &errs),
		      *b = config_load_text(CERTS("b.key"), strlen(CERTS("b.key")), dir, false, &errs);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_null(a->tunnel[0].certs->key.p);
	assert_string_equal(a->tunnel[0].certs->key.path, "a.key");
	assert_false(cfg_certs_same(a->tunnel[0].certs, b->tunnel[0].certs)); /* only their names are known */
	config_free(a);
	config_free(b);
}

static void printed_config_has_no_secret_in_it(void **state)
{
	struct config *c = load(BOTH);
	char *text = config_print(c);

	(void)state;
	assert_null(strstr(text, "sesame"));
	assert_non_null(strstr(text, "<hidden>"));
	free(text);
	config_free(c);
}

static void equal_rows_are_equal_octet_by_octet(void **state)
{
	struct config *a = load(BOTH), *b = load("# moved down\n" BOTH);
	struct cfg_tunnel x = a->tunnel[0], y = b->tunnel[0];

	(void)state;
	assert_int_equal(x.line, 2);
	assert_int_equal(y.line, 3);
	x.psk = y.psk = NULL;
	x.line = y.line = 0;
	assert_memory_equal(&x, &y, sizeof(x));
	config_free(a);
	config_free(b);
}

static void defaults_are_those_of_the_contract(void **state)
{
	struct config *c = load(BOTH);
	const struct cfg_tunnel *t = config_tunnel(c, "a");

	(void)state;
	assert_int_equal(c->dataplane.n_workers, 1);
	assert_int_equal(c->dataplane.sa_max, 4096);
	assert_int_equal(c->dataplane.routes_max, 65536);
	assert_int_equal(config_port(c, "wan0")->mtu, 1500);
	assert_int_equal(t->ike.lifetime_s, 86400);
	assert_int_equal(t->esp.lifetime_s, 3600);
	assert_int_equal(t->esp.replay_window, 1024);
	assert_int_equal(t->dpd_s, 30);
	assert_int_equal(t->n_ts, 2);
	for (unsigned i = 0; i < t->n_ts; i++) {
		assert_int_equal(t->ts[i].local.addr.family, i ? IP_V6 : IP_V4);
		assert_int_equal(t->ts[i].remote.addr.family, i ? IP_V6 : IP_V4);
		assert_int_equal(t->ts[i].remote_port_hi, 65535);
	}
	assert_int_equal(ip_v4_u32(&t->local.addr), 0xcb00710a);
	assert_int_equal(t->local.id.type, CFG_ID_IPV4);
	assert_memory_equal(t->remote.id.b, "\xc6\x33\x64\x07", 4);
	assert_null(config_tunnel(c, "b"));
	assert_null(config_port(c, "lan0"));
	config_free(c);
}

/* RFC 3629 4, 10: neither overlong forms nor surrogates, nothing beyond U+10FFFF, nothing cut short. */
static void only_well_formed_utf8_is_text(void **state)
{
	static const char *const bad[] = {"\x80",
					  "\xbf",
					  "\xc0\xaf",
					  "\xc1\x81",
					  "\xc3",
					  "\xc3(",
					  "\xe0\x80\xaf",
					  "\xe0\x9f\xbf",
					  "\xe2\x82",
					  "\xed\xa0\x80",
					  "\xed\xbf\xbf",
					  "\xf0\x80\x80\xaf",
					  "\xf0\x8f\xbf\xbf",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xfe",
					  "\xff"};
	static const char *const good[] = {"\xc2\xa9",     "\xe0\xa0\x80",     "\xed\x9f\xbf",
					   "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		char *text = xasprintf("%s# %s", PORT, bad[i]);
		struct cfg_errors errs = {0};

		assert_null(config_load_text(text, strlen(text), NULL, true, &errs));
		assert_int_equal(errs.n, 1);
		assert_int_equal(errs.e[0].line, 2);
		assert_non_null(strstr(errs.e[0].text, "is not UTF-8"));
		cfg_errors_free(&errs);
		free(text);
	}
	for (unsigned i = 0; i < N_ELEMS(good); i++) {
		char *text = xasprintf("%s# %s\n", PORT, good[i]);

		config_free(load(text));
		free(text);
	}
}

static void every_error_comes_with_its_line_and_in_order(void **state)
{
	const char *text = "tunnels:\n  a: {}\nports:\n  x: {mtu: 1}\nwhat: 1\n";
	struct cfg_errors errs = {0};

	(void)state;
	assert_null(config_load_text(text, strlen(text), NULL, true, &errs));
	assert_true(errs.n >= 4);
	for (unsigned i = 1; i < errs.n; i++)
		assert_true(errs.e[i - 1].line <= errs.e[i].line);
	assert_int_equal(errs.e[0].line, 2);
	assert_int_equal(errs.e[errs.n - 1].line, 5);
	cfg_errors_free(&errs);
}

static void a_thousand_errors_are_enough(void **state)
{
	char *text = xcalloc(1, 200000), *p = text;
	struct cfg_errors errs = {0};

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		p += sprintf(p, "key-%u: 1\n", i);
	assert_null(config_load_text(text, (size_t)(p - text), NULL, true, &errs));
	assert_int_equal(errs.n, 1001);
	assert_non_null(strstr(errs.e[1000].text, "more errors"));
	cfg_errors_free(&errs);
	free(text);
}

/* Each of these would need minutes, or the whole stack, of a reader without bounds. */
static void bombs_cost_no_time(void **state)
{
	static const char *const unit[] = {"[", "{a: ", "- ", "? ", "a: [", "\"", "&a [*a, ", "!!x ", "|\n "};
	enum { TIMES = 100000 };
	struct timespec a, b;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned i = 0; i < N_ELEMS(unit); i++) {
		size_t n = strlen(unit[i]);
		char *text = xcalloc(TIMES, n);
		struct cfg_errors errs = {0};

		for (unsigned k = 0; k < TIMES; k++)
			memcpy(text + k * n, unit[i], n);
		assert_null(config_load_text(text, TIMES * n, NULL, true, &errs));
		assert_true(errs.n > 0);
		cfg_errors_free(&errs);
		free(text);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec < 10);
}

static void ten_thousand_tunnels_load_in_seconds(void **state)
{
	enum { TUNNELS = 10000 };
	char *text = xcalloc(TUNNELS, 200), *p = text;
	struct timespec a, b;
	struct config *c;

	(void)state;
	p += sprintf(p, PORT "tunnels:\n");
	for (unsigned i = 0; i < TUNNELS; i++)
		p += sprintf(p, "  t%u: {local: {port: wan0}, remote: {address: 10.0.%u.%u}, auth: {psk: \"p%u\"}}\n",
			     i, i / 200, 1 + i % 200, i);
	clock_gettime(CLOCK_MONOTONIC, &a);
	c = load(text);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(c->n_tunnels, TUNNELS);
	assert_true(b.tv_sec - a.tv_sec < 10);
	config_free(c);
	free(text);
}

/* RFC 2410, RFC 4543: legal, and said. */
static void suites_without_a_cipher_get_a_note(void **state)
{
	static const struct {
		const char *esp;
		unsigned notes;
	} rows[] = {
		{"null-sha256", 1}, {"aes128gmac", 1}, {"aes256gcm16, null-sha512, aes256gmac", 1}, {"aes256gcm16", 0}};
	char *path = at("note.yaml");

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text =
			xasprintf(PORT "tunnels:\n  a:\n    local: {port: wan0}\n    remote: {address: 198.51.100.7}\n"
				       "    auth: {psk: \"open sesame\"}\n    esp: {proposals: [%s]}\n",
				  rows[i].esp);
		struct cfg_errors errs = {0};
		struct config *c;

		write_file(path, 0600, text, strlen(text));
		c = config_load(path, true, &errs);
		assert_non_null(c);
		assert_int_equal(c->notes.n, rows[i].notes);
		if (rows[i].notes) {
			assert_int_equal(c->notes.e[0].line, 7);
			assert_non_null(strstr(c->notes.e[0].text, "tunnels.a.esp.proposals: `"));
			assert_non_null(strstr(c->notes.e[0].text, "` enciphers nothing"));
		}
		config_free(c);
		free(text);
	}
	unlink(path);
	free(path);
}

static void peers_with_names_and_one_identity_get_a_note(void **state)
{
	static const char text[] =
		PORT "tunnels:\n"
		     "  a: {local: {port: wan0}, remote: {address: one.example, id: x}, auth: {psk: abc}}\n"
		     "  b: {local: {port: wan0}, remote: {address: two.example, id: x}, auth: {psk: abc}}\n"
		     "  c: {local: {port: wan0}, remote: {address: any, id: y}, auth: {psk: abc}}\n"
		     "  d: {local: {port: wan0}, remote: {address: two.example, id: y}, auth: {psk: abc}}\n"
		     "  e: {local: {port: wan0}, remote: {address: 192.0.2.1, id: y}, auth: {psk: abc}}\n";
	char *path = at("twins.yaml");
	struct cfg_errors errs = {0};
	struct config *c;

	(void)state;
	write_file(path, 0600, text, strlen(text));
	c = config_load(path, true, &errs);
	assert_non_null(c);
	assert_int_equal(c->notes.n, 2);
	assert_int_equal(c->notes.e[0].line, 4);
	assert_non_null(strstr(c->notes.e[0].text, "tunnels.b.remote: tunnel a (line 3) has the same peer identity"));
	assert_int_equal(c->notes.e[1].line, 6);
	assert_non_null(strstr(c->notes.e[1].text, "tunnels.d.remote: tunnel c (line 5) has the same peer identity"));
	config_free(c);
	unlink(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_file_is_one_error),
		cmocka_unit_test(directory_and_device_are_refused),
		cmocka_unit_test(file_of_100_MB_is_refused_unread),
		cmocka_unit_test(sparse_file_of_zeros_is_no_text),
		cmocka_unit_test(inline_psk_in_an_open_file_is_refused),
		cmocka_unit_test(data_plane_gets_no_secrets),
		cmocka_unit_test(psk_file_is_looked_up_beside_the_config),
		cmocka_unit_test(certificates_are_held_and_compared_by_content),
		cmocka_unit_test(files_of_many_tunnels_are_held_once),
		cmocka_unit_test(without_secrets_no_certificate_is_read),
		cmocka_unit_test(printed_config_has_no_secret_in_it),
		cmocka_unit_test(equal_rows_are_equal_octet_by_octet),
		cmocka_unit_test(defaults_are_those_of_the_contract),
		cmocka_unit_test(only_well_formed_utf8_is_text),
		cmocka_unit_test(every_error_comes_with_its_line_and_in_order),
		cmocka_unit_test(a_thousand_errors_are_enough),
		cmocka_unit_test(bombs_cost_no_time),
		cmocka_unit_test(ten_thousand_tunnels_load_in_seconds),
		cmocka_unit_test(suites_without_a_cipher_get_a_note),
		cmocka_unit_test(peers_with_names_and_one_identity_get_a_note),
	};

	return cmocka_run_group_tests_name("config-load", tests, make_dir, remove_dir);
}
