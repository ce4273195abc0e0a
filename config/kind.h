/* What is known of the peers of a kind: data, so that another cloud is another row. Private to the room. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct kind {
	const char *word;
	const char *name; /* in texts */
	uint16_t hold_s, keepalive_s;
	uint32_t max_prefix_out; /* 0: no limit */
	uint32_t as_max;         /* largest local AS that it talks to */
	bool azure;              /* the AS numbers, addresses and families that Azure takes (check_azure.c) */
	bool pair;               /* two instances, which must be told the same */
};

/* By enum cfg_bgp_kind. */
const struct kind *kind_of(unsigned kind);
extern const char *const kind_words[]; /* NULL-terminated */
