/* Identities in words, and DER names to be shown. First octet: its parity says which. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* What a person reads: printable, ended, within its room. */
static void shown(const struct cfg_id *id, char *buf, unsigned cap)
{
	memset(buf, 'x', cap);
	cfg_id_str(id, buf, cap);
	must(memchr(buf, '\0', cap) != NULL);
	for (const char *c = buf; *c; c++)
		must(*c >= 0x20 && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cfg_id id = {.type = CFG_ID_DN}, again;
	char text[1024], wide[4096], narrow[24];

	if (len < 1 || len > sizeof(text))
		return 0;
	if (data[0] & 1) {
		memcpy(text, data + 1, len - 1);
		text[len - 1] = '\0';
		if (cfg_id_parse(text, &id) < 0)
			return 0;
		must(id.type != CFG_ID_NONE && id.len > 0 && id.len <= sizeof(id.b));
		shown(&id, wide, sizeof(wide));
		must(cfg_id_parse(wide, &again) == 0); /* print must parse back */
		must(id.type == CFG_ID_DN ||
		     (again.type == id.type && again.len == id.len && !memcmp(again.b, id.b, id.len)));
		/* names may change their kind of string once, and no more */
		if (id.type == CFG_ID_DN)
			must(again.type == CFG_ID_DN);
	} else if (len - 1 <= sizeof(id.b)) {
		memcpy(id.b, data + 1, len - 1);
		id.len = (uint16_t)(len - 1);
		shown(&id, wide, sizeof(wide));
		if (cfg_id_parse(wide, &again) == 0)
			must(again.type == CFG_ID_DN);
	}
	shown(&id, narrow, sizeof(narrow));
	return 0;
}
