#include "config/community.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/value.h"

/* IANA, "BGP Well-known Communities": those that say something to every speaker. */
static const struct {
	const char *word;
	uint32_t value;
} known[] = {
	{"graceful-shutdown", 0xffff0000}, {"blackhole", 0xffff029a},           {"no-export", 0xffffff01},
	{"no-advertise", 0xffffff02},      {"no-export-subconfed", 0xffffff03}, {"no-peer", 0xffffff04},
};

int community_parse(const char *s, uint32_t *out)
{
	const char *colon = strchr(s, ':');
	uint64_t hi, lo;
	char first[8];

	for (unsigned i = 0; i < N_ELEMS(known); i++)
		if (!strcmp(s, known[i].word)) {
			*out = known[i].value;
			return 0;
		}
	if (!colon || (size_t)(colon - s) >= sizeof(first))
		return -EINVAL;
	memcpy(first, s, (size_t)(colon - s));
	first[colon - s] = '\0';
	if (value_uint(first, &hi) < 0 || hi > UINT16_MAX || value_uint(colon + 1, &lo) < 0 || lo > UINT16_MAX)
		return -EINVAL;
	*out = (uint32_t)(hi << 16 | lo);
	return 0;
}

const char *community_str(uint32_t c, char buf[COMMUNITY_STR])
{
	for (unsigned i = 0; i < N_ELEMS(known); i++)
		if (known[i].value == c)
			return known[i].word;
	snprintf(buf, COMMUNITY_STR, "%u:%u", c >> 16, c & 0xffff);
	return buf;
}
