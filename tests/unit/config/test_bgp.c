/* What the BGP blocks of a file become: defaults, secrets, notes. The texts of errors are in tests/golden/config. */
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
#include <unistd.h>

#include "base/xalloc.h"
#include "config/community.h"
#include "config/config.h"

#define GATEWAY "gateway: {addresses: [10.2.2.2/32, 10.2.2.1/32]}\n"
#define PORTS                                                                          \
	"ports:\n  wan0: {device: \"af_packet:eth1\", addresses: [203.0.113.10/24]}\n" \
	"  lan0: {device: \"af_packet:eth2\", addresses: [192.168.2.1/24]}\n"
#define TUNNEL                                                                                             \
	"tunnels: {t: {local: {port: wan0}, remote: {address: 198.51.100.7}, auth: {psk: x}, addresses: [" \
	"169.254.21.1/30]}}\n"

static struct config *load(const char *text)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load_text(text, strlen(text), NULL, true, &errs);

	cfg_errors_print(&errs, "test", 2);
	assert_non_null(c);
	cfg_errors_free(&errs);
	return c;
}

static void is_addr(const struct ip_addr *a, const char *want)
{
	char text[IP_STR];

	assert_string_equal(ip_str(a, text), want);
}

static void defaults_of_a_plain_peer(void **state)
{
	struct config *c = load(GATEWAY PORTS "bgp: {as: 65050, peers: {a: {address: 172.16.0.6, as: 65010}}}");
	const struct cfg_bgp_peer *p = &c->bgp.peer[0];

	(void)state;
	assert_int_equal(c->bgp.router_id, 0x0a020202);
	assert_int_equal(c->bgp.multipath, 8);
	assert_int_equal(c->bgp.port, 179);
	assert_int_equal(p->kind, CFG_BGP_PLAIN);
	is_addr(&p->source, "10.2.2.2");
	assert_int_equal(p->families, CFG_BGP_V4);
	assert_int_equal(p->connect, CFG_BGP_BOTH);
	assert_int_equal(p->multihop, 0);
	assert_int_equal(p->gtsm_hops, 0);
	assert_int_equal(p->hold_s, 90);
	assert_int_equal(p->keepalive_s, 0);
	assert_int_equal(p->connect_retry_s, 10);
	assert_int_equal(p->max_prefix_in, 0);
	assert_int_equal(p->max_prefix_out, 0);
	assert_false(p->default_originate || p->shutdown || p->has_password);
	assert_null(p->password);
	config_free(c);
}

static void defaults_of_the_azure_kinds(void **state)
{
	struct config *c =
		load(GATEWAY PORTS TUNNEL
		     "bgp:\n  as: 65050\n  peers:\n"
		     "    vgw: {kind: azure-vpn-gateway, address: 172.16.0.6, as: 65515}\n"
		     "    apipa: {kind: azure-vpn-gateway, address: 169.254.21.2, as: 65515}\n"
		     "    ars0: {kind: azure-route-server, address: 10.100.210.4, as: 65515}\n"
		     "    ars1: {kind: azure-route-server, address: 10.100.210.5, as: 65515, hold-time: 90s}\n");
	const struct cfg_bgp_peer *p = c->bgp.peer;

	(void)state;
	assert_int_equal(p[0].hold_s, 180);
	assert_int_equal(p[0].keepalive_s, 60);
	assert_int_equal(p[0].max_prefix_out, 4000);
	assert_int_equal(p[0].connect, CFG_BGP_BOTH);
	assert_int_equal(p[1].connect, CFG_BGP_ACTIVE); /* Azure does not call an APIPA address */
	is_addr(&p[1].source, "169.254.21.1");
	assert_int_equal(p[2].hold_s, 180);
	assert_int_equal(p[2].keepalive_s, 60);
	assert_int_equal(p[2].max_prefix_out, 1000);
	assert_int_equal(p[3].hold_s, 90);
	assert_int_equal(p[3].keepalive_s, 0); /* 60 s would leave no room for a lost one */
	config_free(c);
}

static void source_is_our_address_on_the_peers_network(void **state)
{
	struct config *c = load(GATEWAY PORTS "bgp: {as: 65050, peers: {a: {address: 192.168.2.7, as: 65010}}}");

	(void)state;
	is_addr(&c->bgp.peer[0].source, "192.168.2.1");
	config_free(c);
}

static void router_id_without_a_loopback_is_the_highest_port_address(void **state)
{
	struct config *c = load(PORTS "bgp: {as: 65050}");

	(void)state;
	assert_int_equal(c->bgp.router_id, 0xcb00710a);
	config_free(c);
	c = load(GATEWAY PORTS "bgp: {as: 65050, router-id: 255.255.255.255}");
	assert_int_equal(c->bgp.router_id, 0xffffffff);
	config_free(c);
}

static void without_bgp_there_is_none(void **state)
{
	struct config *c = load(PORTS);

	(void)state;
	assert_int_equal(c->bgp.as, 0);
	assert_int_equal(c->notes.n, 0);
	assert_string_equal(c->dataplane.tun, "esplanade%d");
	config_free(c);
}

static void lengths_of_prefix_rules(void **state)
{
	static const uint8_t want[][2] = {{8, 8}, {16, 32}, {8, 24}, {9, 24}, {32, 128}, {0, 0}, {0, 32}};
	struct config *c =
		load(PORTS "prefix-lists: {p: [{permit: 10.0.0.0/8}, {permit: 10.0.0.0/8, ge: 16},\n"
			   "  {permit: 10.0.0.0/8, le: 24}, {deny: 10.0.0.0/8, ge: 9, le: 24},\n"
			   "  {permit: \"2001:db8::/32\", ge: 32}, {permit: 0.0.0.0/0}, {permit: 0.0.0.0/0, le: 32}]}");
	const struct cfg_prefix_list *p = config_prefix_list(c, "p");

	(void)state;
	assert_int_equal(p->n_rules, N_ELEMS(want));
	for (unsigned i = 0; i < p->n_rules; i++) {
		assert_int_equal(p->rule[i].ge, want[i][0]);
		assert_int_equal(p->rule[i].le, want[i][1]);
		assert_int_equal(p->rule[i].permit, i != 3);
	}
	config_free(c);
}

static void entries_of_policies(void **state)
{
	struct config *c =
		load(PORTS "prefix-lists: {p: []}\nas-path-lists: {x: [{deny: \"_1_\"}, {permit: \".*\"}]}\npolicies:\n"
			   "  a: [{deny: {as-path: x, prefix: p, community: [\"1:2\", no-export]}}, {permit: {}},\n"
			   "    {permit: {set: {med: 0, local-pref: 4294967295, next-hop: 10.0.0.9, prepend: 3, "
			   "community: blackhole,\n"
			   "      remove-communities: yes, remove-as: 23456, as-override: on}}}]\n  none: []\n");
	const struct cfg_policy *p = config_policy(c, "a");
	const struct cfg_policy_entry *e = p->entry;

	(void)state;
	assert_int_equal(p->n_entries, 3);
	assert_false(e[0].permit);
	assert_string_equal(e[0].as_path, "x");
	assert_string_equal(e[0].prefix, "p");
	assert_int_equal(e[0].n_community, 2);
	assert_int_equal(e[0].community[0], 0x10002);
	assert_int_equal(e[0].community[1], 0xffffff01);
	assert_true(e[1].permit);
	assert_int_equal(e[1].n_community, 0);
	assert_true(e[2].set.med_set && e[2].set.local_pref_set && e[2].set.remove_communities && e[2].set.as_override);
	assert_int_equal(e[2].set.med, 0);
	assert_int_equal(e[2].set.local_pref, UINT32_MAX);
	is_addr(&e[2].set.next_hop, "10.0.0.9");
	assert_int_equal(e[2].set.prepend, 3);
	assert_int_equal(e[2].set.prepend_as, 0);
	assert_int_equal(e[2].set.remove_as, 23456);
	assert_int_equal(e[2].set.community[0], 0xffff029a);
	assert_int_equal(config_policy(c, "none")->n_entries, 0);
	assert_null(config_policy(c, "b"));
	assert_string_equal(config_as_path_list(c, "x")->rule[0].regex, "_1_");
	assert_false(config_as_path_list(c, "x")->rule[0].permit);
	config_free(c);
}

/* What is legal, but hardly meant. */
static void notes_name_the_line(void **state)
{
	struct config *c =
		load(GATEWAY PORTS "policies: {all: [{permit: {}}]}\nbgp:\n  as: 65050\n  peers:\n"
				   "    a: {address: 172.16.0.6, as: 65010}\n"
				   "    b: {address: 172.16.0.7, as: 65010, import: all, export: all}\n"
				   "    c: {kind: azure-vpn-gateway, address: 172.16.0.8, as: 65011, import: all,\n"
				   "      export: all, hold-time: 30s, max-prefix-out: 0}\n"
				   "routes: [{to: 172.16.0.0/16, tunnel: t}]\n" TUNNEL);

	(void)state;
	assert_int_equal(c->notes.n, 4);
	assert_int_equal(c->notes.e[0].line, 9);
	assert_string_equal(c->notes.e[0].text,
			    "bgp.peers.a.import: no policy, so nothing is accepted (RFC 8212): write "
			    "import: POLICY");
	assert_string_equal(c->notes.e[1].text, "bgp.peers.a.export: no policy, so nothing is advertised (RFC 8212): "
						"write export: POLICY");
	assert_int_equal(c->notes.e[2].line, 12);
	assert_non_null(strstr(c->notes.e[2].text, "less than 180 s is not reliable with an Azure VPN gateway"));
	assert_non_null(strstr(c->notes.e[3].text, "closes the session above its limit, 4000 prefixes"));
	config_free(c);
}

static void has_note(const char *routes, const char *words)
{
	char *text = xasprintf(GATEWAY PORTS TUNNEL "policies: {all: [{permit: {}}]}\nbgp: {as: 65050, peers: {\n"
						    "  vgw: {kind: azure-vpn-gateway, address: 172.16.0.6, as: 65010,"
						    " import: all, export: all}}}\nroutes: [%s]\n",
			       routes);
	struct config *c = load(text);

	assert_int_equal(c->notes.n, words ? 1 : 0);
	if (words && strcmp(c->notes.e[0].text, words))
		print_error("%s\n", c->notes.e[0].text);
	if (words)
		assert_string_equal(c->notes.e[0].text, words);
	config_free(c);
	free(text);
}

/* The way to the peer that the routes give. */
static void peers_without_a_way_are_noted(void **state)
{
	(void)state;
	has_note("", "bgp.peers.vgw.address: no route leads to 172.16.0.6: add {to: 172.16.0.6/32, tunnel: NAME} to "
		     "routes");
	has_note("{to: 172.16.0.6/32, tunnel: t}", NULL);
	has_note("{to: 172.16.0.0/16, tunnel: t}, {to: 0.0.0.0/0, via: 203.0.113.1}", NULL);
	has_note("{to: 172.16.0.0/16, blackhole: true}",
		 "bgp.peers.vgw.address: no route leads to 172.16.0.6: add {to: "
		 "172.16.0.6/32, tunnel: NAME} to routes");
	has_note(
		"{to: 172.16.0.0/16, tunnel: t, distance: 9}, {to: 172.16.0.0/16, via: 203.0.113.1}",
		"bgp.peers.vgw.address: the way to 172.16.0.6 leads past the tunnels (route to 172.16.0.0/16, line 9): "
		"add {to: 172.16.0.6/32, tunnel: NAME} to routes");
}

static void count_notes(const char *peers, unsigned n)
{
	char *text =
		xasprintf(GATEWAY PORTS "policies: {all: [{permit: {}}]}\nroutes: [{to: 0.0.0.0/0, via: 203.0.113.1}]\n"
					"bgp: {as: 65050, peers: {%s}}\n",
			  peers);
	struct config *c = load(text);

	if (c->notes.n != n)
		cfg_errors_print(&c->notes, peers, 2);
	assert_int_equal(c->notes.n, n);
	config_free(c);
	free(text);
}

#define ALL "import: all, export: all"
#define ARS "{kind: azure-route-server, as: 65515, " ALL

/* What is well is not spoken of. */
static void notes_are_few(void **state)
{
	(void)state;
	count_notes("a: {address: 192.168.2.7, as: 65010, " ALL "}", 0);
	count_notes("a: {address: 172.16.0.6, as: 65010, " ALL "}", 0); /* by the default route */
	count_notes("a: {kind: azure-vpn-gateway, address: 192.168.2.7, as: 65010, " ALL "}", 0);
	count_notes("a: " ARS ", address: 10.0.0.4}, b: " ARS ", address: 10.0.0.5, hold-time: 180s}", 0);
	count_notes("a: " ARS ", address: 10.0.0.4}, b: " ARS ", address: 10.0.0.5, hold-time: 0}", 0);
	count_notes("a: " ARS ", address: 10.0.0.4}, b: " ARS ", address: 10.0.0.5, hold-time: 179s}", 1);
	count_notes("a: " ARS ", address: 10.0.0.4}, b: " ARS ", address: 10.0.0.5, max-prefix-out: 1000}", 0);
	count_notes("a: " ARS ", address: 10.0.0.4}, b: " ARS ", address: 10.0.0.5, max-prefix-out: 1001}", 1);
}

static void originated_networks_should_be_in_the_table(void **state)
{
	struct config *c =
		load(GATEWAY PORTS "routes: [{to: 10.0.0.0/8, blackhole: true}]\nbgp:\n  as: 65050\n"
				   "  originate: [192.168.2.0/24, 10.0.0.0/8, 10.2.2.1/32, 10.1.0.0/16, 192.168.2.0/25,"
				   " \"2001:db8::/32\"]\n");

	(void)state;
	assert_int_equal(c->notes.n, 3);
	assert_string_equal(c->notes.e[0].text, "bgp.originate: no port and no route of the file has the network "
						"10.1.0.0/16: it is advertised only while one that is learned has");
	assert_int_equal(c->notes.e[0].line, 8);
	assert_non_null(strstr(c->notes.e[1].text, "192.168.2.0/25"));
	assert_non_null(strstr(c->notes.e[2].text, "2001:db8::/32"));
	config_free(c);
}

static void notes_come_in_line_order(void **state)
{
	struct config *c = load(GATEWAY PORTS "bgp:\n  as: 65050\n  peers:\n    a: {address: 172.16.0.6, as: 65010}\n"
					      "    b: {address: 172.16.0.7, as: 65010}\n");

	(void)state;
	assert_int_equal(c->notes.n, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(c->notes.e[i].line, i < 3 ? 8 : 9);
	config_free(c);
}

/* Microsoft, "VPN Gateway FAQ": what Azure and IANA keep to themselves. */
static void azure_takes_no_reserved_as_number(void **state)
{
	static const uint32_t bad[] = {8074,  8075,  12076, 64496, 64500, 64511, 65515,
				       65517, 65518, 65519, 65520, 65536, 65540, 65551};
	static const uint32_t good[] = {1,     8073,  8076,  12075, 64495, 64512,
					65514, 65516, 65521, 65534, 65552, 4294967294};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bad) + N_ELEMS(good); i++) {
		bool ok = i >= N_ELEMS(bad);
		struct cfg_errors errs = {0};
		char *text = xasprintf(GATEWAY PORTS "bgp: {as: %u, peers: {a: {kind: azure-vpn-gateway, address: "
						     "172.16.0.6, as: 65010}}}",
				       ok ? good[i - N_ELEMS(bad)] : bad[i]);
		struct config *c = config_load_text(text, strlen(text), NULL, true, &errs);

		if (!c != !ok)
			print_error("%s\n", text);
		assert_int_equal(!c, !ok);
		assert_int_equal(errs.n, ok ? 0 : 1);
		config_free(c);
		cfg_errors_free(&errs);
		free(text);
	}
}

/* ---- passwords ---- */

static char dir[] = "/tmp/esplanade-bgp-XXXXXX";

static void write_file(const char *name, mode_t mode, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	free(path);
}

static void remove_file(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

#define MD5(key) GATEWAY PORTS "bgp: {as: 65050, peers: {a: {address: 172.16.0.6, as: 65010, " key "}}}"

static struct config *load_secret(const char *text, bool secrets, const char *words)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load_text(text, strlen(text), dir, secrets, &errs);

	assert_true(!words == !errs.n);
	if (words && !strstr(errs.e[0].text, words))
		print_error("this was said: %s\n", errs.e[0].text);
	if (words)
		assert_non_null(strstr(errs.e[0].text, words));
	if (words)
		assert_null(strstr(errs.e[0].text, "sesame"));
	cfg_errors_free(&errs);
	return c;
}

static void passwords_are_read_and_not_shown(void **state)
{
	struct config *c = load_secret(MD5("password: \"open sesame\""), true, NULL);
	char *text = config_print(c);

	(void)state;
	assert_int_equal(c->bgp.peer[0].password->len, 11);
	assert_memory_equal(c->bgp.peer[0].password->b, "open sesame", 11);
	assert_null(strstr(text, "sesame"));
	config_free(c);
	c = load_secret(MD5("password: \"open sesame\""), false, NULL);
	free(text);
	text = config_print(c);
	assert_non_null(strstr(text, "password: \"<hidden>\""));
	config_free(c);
	write_file("good", 0600, "open sesame\n");
	free(text);
	c = load_secret(MD5("password-file: good"), true, NULL);
	assert_int_equal(c->bgp.peer[0].password->len, 11);
	assert_string_equal(c->bgp.password_file[0], "good");
	config_free(c);
	c = load_secret(MD5("password-file: good"), false, NULL); /* the data plane needs none and gets none */
	assert_null(c->bgp.peer[0].password);
	assert_true(c->bgp.peer[0].has_password);
	config_free(c);
	remove_file("good");
}

static void bad_password_files_are_refused(void **state)
{
	char many[96];

	(void)state;
	memset(many, 'k', sizeof(many));
	many[CFG_BGP_PASSWORD_MAX] = '\0';
	write_file("max", 0600, many);
	config_free(load_secret(MD5("password-file: max"), true, NULL));
	many[CFG_BGP_PASSWORD_MAX] = 'k';
	many[CFG_BGP_PASSWORD_MAX + 1] = '\0';
	write_file("max", 0600, many);
	load_secret(MD5("password-file: max"), true, "the password in max is longer than 80 octets");
	write_file("max", 0644, "open sesame");
	load_secret(MD5("password-file: max"), true, "max is open to others (mode 0644): chmod 600 max");
	write_file("max", 0600, "");
	load_secret(MD5("password-file: max"), true, "max is empty: write the password into it");
	remove_file("max");
	load_secret(MD5("password-file: max"), true, "cannot open the password file max");
	load_secret(MD5("password: sesame, password-file: max"), false, "both password and password-file are given");
}

static void inline_password_in_an_open_file_is_refused(void **state)
{
	char *path = xasprintf("%s/open.yaml", dir);
	struct cfg_errors errs = {0};

	(void)state;
	write_file("open.yaml", 0644, MD5("password: \"open sesame\""));
	assert_null(config_load(path, true, &errs));
	assert_int_equal(errs.n, 1);
	assert_string_equal(errs.e[0].text,
			    "a password stands in a file that is open to others (mode 0644): chmod 600 it, "
			    "or use password-file");
	cfg_errors_free(&errs);
	remove_file("open.yaml");
	free(path);
}

static void communities_have_words(void **state)
{
	static const char *const same[] = {"0:0",
					   "65010:1",
					   "65535:65535",
					   "no-export",
					   "blackhole",
					   "no-advertise",
					   "no-export-subconfed",
					   "no-peer",
					   "graceful-shutdown"};
	static const char *const bad[] = {"",        ":",     "1",    "1:",        ":1",         "65536:1",
					  "1:65536", "1:2:3", "-1:2", "no_export", "000000001:1"};
	char text[COMMUNITY_STR];
	uint32_t c;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(same); i++) {
		assert_int_equal(community_parse(same[i], &c), 0);
		assert_string_equal(community_str(c, text), same[i]);
	}
	for (unsigned i = 0; i < N_ELEMS(bad); i++)
		assert_int_equal(community_parse(bad[i], &c), -22);
	assert_int_equal(community_parse("65535:666", &c), 0); /* RFC 7999 */
	assert_string_equal(community_str(c, text), "blackhole");
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_of_a_plain_peer),
		cmocka_unit_test(defaults_of_the_azure_kinds),
		cmocka_unit_test(source_is_our_address_on_the_peers_network),
		cmocka_unit_test(router_id_without_a_loopback_is_the_highest_port_address),
		cmocka_unit_test(without_bgp_there_is_none),
		cmocka_unit_test(lengths_of_prefix_rules),
		cmocka_unit_test(entries_of_policies),
		cmocka_unit_test(notes_name_the_line),
		cmocka_unit_test(peers_without_a_way_are_noted),
		cmocka_unit_test(notes_are_few),
		cmocka_unit_test(originated_networks_should_be_in_the_table),
		cmocka_unit_test(notes_come_in_line_order),
		cmocka_unit_test(azure_takes_no_reserved_as_number),
		cmocka_unit_test(passwords_are_read_and_not_shown),
		cmocka_unit_test(bad_password_files_are_refused),
		cmocka_unit_test(inline_password_in_an_open_file_is_refused),
		cmocka_unit_test(communities_have_words),
	};

	return cmocka_run_group_tests_name("config-bgp", tests, make_dir, remove_dir);
}
