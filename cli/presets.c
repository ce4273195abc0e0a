#include "cli/presets.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "config/config.h"

static const char *const df_words[] = {"copy", "set", "clear"};

static json_t *words_json(const char *const *words)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < CFG_PROPOSALS_MAX && words[i]; i++)
		json_array_append_new(a, json_string(words[i]));
	return a;
}

static json_t *preset_json(const struct cfg_preset *p)
{
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:i, s:i, s:I, s:i, s:i, s:s}", "kind", p->kind, "what", p->what,
			 "needs_legacy", cfg_preset_legacy(p), "ike_proposals", words_json(p->ike), "esp_proposals",
			 words_json(p->esp), "ike_lifetime_s", (int)p->ike_lifetime_s, "esp_lifetime_s",
			 (int)p->esp_lifetime_s, "esp_lifetime_bytes", (json_int_t)p->esp_lifetime_bytes, "dpd_s",
			 (int)p->dpd_s, "mss", (int)p->mss, "df", df_words[p->df]);
}

static void print_words(const char *const *words)
{
	if (!words[0]) {
		puts("    proposals: # the gateway's own: see gwctl config show FILE");
		return;
	}
	puts("    proposals:");
	for (unsigned i = 0; i < CFG_PROPOSALS_MAX && words[i]; i++)
		printf("      - %s\n", words[i]);
}

static void print_preset(const struct cfg_preset *p)
{
	printf("# %s\n- kind: %s\n  ike:\n", p->what, p->kind);
	print_words(p->ike);
	printf("    lifetime: %us\n", p->ike_lifetime_s);
	if (cfg_preset_legacy(p))
		puts("    legacy: false # say true, or the weak ones among the proposals are refused");
	puts("  esp:");
	print_words(p->esp);
	printf("    lifetime: %us\n", p->esp_lifetime_s);
	if (p->esp_lifetime_bytes)
		printf("    lifetime-bytes: %" PRIu64 "KB\n", p->esp_lifetime_bytes >> 10);
	printf("  dpd: %us\n  df: %s\n", p->dpd_s, df_words[p->df]);
	if (p->mss)
		printf("  mss: %u\n", p->mss);
	else
		puts("  mss: auto");
}

int presets_show(bool json)
{
	json_t *all = json_array();
	unsigned n;
	const struct cfg_preset *p = cfg_presets(&n);

	for (unsigned i = 0; i < n; i++)
		if (json)
			json_array_append_new(all, preset_json(&p[i]));
		else
			print_preset(&p[i]);
	if (json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	}
	json_decref(all);
	return 0;
}
