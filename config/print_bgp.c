#include <string.h>

#include "config/community.h"
#include "config/kind.h"
#include "config/print.h"
#include "config/value.h"

static const char *const connect_words[] = {"both", "active", "passive"};

static void put_duration(FILE *f, const char *key, unsigned s)
{
	char text[VALUE_STR];

	fprintf(f, "      %s: %s\n", key, s ? value_duration_str(s, text) : "off");
}

static void put_password(FILE *f, const struct cfg_bgp_peer *p, const char *file)
{
	if (file) {
		fputs("      password-file: ", f);
		print_quoted(f, file);
		fputc('\n', f);
	} else if (p->has_password) {
		fputs("      password: \"<hidden>\"  # not shown: write the password here, or better password-file\n",
		      f);
	}
}

static void put_peer(FILE *f, const struct cfg_bgp_peer *p, const char *password_file)
{
	fprintf(f, "    %s:\n      kind: %s\n      address: ", p->name, kind_words[p->kind]);
	print_addr(f, &p->addr);
	fprintf(f, "\n      as: %u\n      source: ", p->as);
	print_addr(f, &p->source);
	fputc('\n', f);
	if (p->import[0])
		fprintf(f, "      import: %s\n", p->import);
	if (p->export[0])
		fprintf(f, "      export: %s\n", p->export);
	fprintf(f, "      families: [%s]\n      connect: %s\n",
		p->families == CFG_BGP_V4   ? "ipv4"
		: p->families == CFG_BGP_V6 ? "ipv6"
					    : "ipv4, ipv6",
		connect_words[p->connect]);
	if (p->gtsm_hops)
		fprintf(f, "      ttl-security: %u\n", p->gtsm_hops);
	if (p->multihop)
		fprintf(f, "      multihop: %u\n", p->multihop);
	put_duration(f, "hold-time", p->hold_s);
	if (p->keepalive_s)
		put_duration(f, "keepalive", p->keepalive_s);
	put_duration(f, "connect-retry", p->connect_retry_s);
	fprintf(f, "      default-originate: %s\n      shutdown: %s\n", p->default_originate ? "true" : "false",
		p->shutdown ? "true" : "false");
	put_password(f, p, password_file);
	fprintf(f, "      max-prefix-in: %u\n      max-prefix-out: %u\n", p->max_prefix_in, p->max_prefix_out);
	if (!p->description[0])
		return;
	fputs("      description: ", f);
	print_quoted(f, p->description);
	fputc('\n', f);
}

static void put_bgp(FILE *f, const struct cfg_bgp *b)
{
	struct ip_addr id = ip_v4(b->router_id);
	char text[IP_STR];

	fprintf(f, "bgp:\n  as: %u\n  router-id: %s\n", b->as, ip_str(&id, text));
	if (b->n_originate)
		fputs("  originate: [", f);
	for (unsigned i = 0; i < b->n_originate; i++) {
		fputs(i ? ", " : "", f);
		print_prefix(f, &b->originate[i]);
		fputs(i + 1 == b->n_originate ? "]\n" : "", f);
	}
	fprintf(f, "  multipath: %u\n  port: %u\n", b->multipath, b->port);
	if (b->n_peers)
		fputs("  peers:\n", f);
	for (unsigned i = 0; i < b->n_peers; i++)
		put_peer(f, &b->peer[i], b->password_file[i]);
}

static void put_prefix_list(FILE *f, const struct cfg_prefix_list *list)
{
	char text[IP_STR];

	fprintf(f, "  %s:%s\n", list->name, list->n_rules ? "" : " []");
	for (unsigned i = 0; i < list->n_rules; i++) {
		const struct cfg_prefix_rule *r = &list->rule[i];

		fprintf(f, "    - {%s: \"%s\"", r->permit ? "permit" : "deny", ip_prefix_str(&r->prefix, text));
		if (r->ge != r->prefix.len)
			fprintf(f, ", ge: %u", r->ge);
		if (r->ge != r->prefix.len || r->le != r->prefix.len)
			fprintf(f, ", le: %u", r->le);
		fputs("}\n", f);
	}
}

static void put_as_path_list(FILE *f, const struct cfg_as_path_list *list)
{
	fprintf(f, "  %s:%s\n", list->name, list->n_rules ? "" : " []");
	for (unsigned i = 0; i < list->n_rules; i++) {
		fprintf(f, "    - {%s: ", list->rule[i].permit ? "permit" : "deny");
		print_quoted(f, list->rule[i].regex);
		fputs("}\n", f);
	}
}

static void put_communities(FILE *f, const char *key, const uint32_t *c, unsigned n)
{
	char text[COMMUNITY_STR];

	fprintf(f, "%s: [", key);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s\"%s\"", i ? ", " : "", community_str(c[i], text));
	fputc(']', f);
}

/* What stands in braces, a comma between two. */
struct braces {
	FILE *f;
	bool any;
};

static FILE *next(struct braces *b)
{
	if (b->any)
		fputs(", ", b->f);
	b->any = true;
	return b->f;
}

static void put_set(FILE *f, const struct cfg_policy_entry *e)
{
	struct braces b = {f, false};
	char text[IP_STR];

	if (e->set.med_set)
		fprintf(next(&b), "med: %u", e->set.med);
	if (e->set.local_pref_set)
		fprintf(next(&b), "local-pref: %u", e->set.local_pref);
	if (e->set.next_hop.family)
		fprintf(next(&b), "next-hop: \"%s\"", ip_str(&e->set.next_hop, text));
	if (e->set.prepend && e->set.prepend_as)
		fprintf(next(&b), "prepend: {as: %u, times: %u}", e->set.prepend_as, e->set.prepend);
	else if (e->set.prepend)
		fprintf(next(&b), "prepend: %u", e->set.prepend);
	if (e->set.n_community)
		put_communities(next(&b), "community", e->set.community, e->set.n_community);
	if (e->set.remove_communities)
		fputs("remove-communities: true", next(&b));
	if (e->set.remove_as)
		fprintf(next(&b), "remove-as: %u", e->set.remove_as);
	if (e->set.as_override)
		fputs("as-override: true", next(&b));
}

static bool sets_any(const struct cfg_policy_entry *e)
{
	return e->set.med_set || e->set.local_pref_set || e->set.next_hop.family || e->set.prepend ||
	       e->set.n_community || e->set.remove_communities || e->set.remove_as || e->set.as_override;
}

static void put_policy(FILE *f, const struct cfg_policy *p)
{
	fprintf(f, "  %s:%s\n", p->name, p->n_entries ? "" : " []");
	for (unsigned i = 0; i < p->n_entries; i++) {
		const struct cfg_policy_entry *e = &p->entry[i];
		struct braces b = {f, false};

		fprintf(f, "    - {%s: {", e->permit ? "permit" : "deny");
		if (e->prefix[0])
			fprintf(next(&b), "prefix: %s", e->prefix);
		if (e->as_path[0])
			fprintf(next(&b), "as-path: %s", e->as_path);
		if (e->n_community)
			put_communities(next(&b), "community", e->community, e->n_community);
		if (sets_any(e)) {
			fputs("set: {", next(&b));
			put_set(f, e);
			fputc('}', f);
		}
		fputs("}}\n", f);
	}
}

void print_bgp(FILE *f, const struct config *c)
{
	if (c->bgp.as)
		put_bgp(f, &c->bgp);
	if (c->n_prefix_lists)
		fputs("prefix-lists:\n", f);
	for (unsigned i = 0; i < c->n_prefix_lists; i++)
		put_prefix_list(f, &c->prefix_list[i]);
	if (c->n_as_path_lists)
		fputs("as-path-lists:\n", f);
	for (unsigned i = 0; i < c->n_as_path_lists; i++)
		put_as_path_list(f, &c->as_path_list[i]);
	if (c->n_policies)
		fputs("policies:\n", f);
	for (unsigned i = 0; i < c->n_policies; i++)
		put_policy(f, &c->policy[i]);
}
