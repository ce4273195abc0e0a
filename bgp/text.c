#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/rd.h"
#include "bgp/aspath.h"
#include "bgp/attr.h"
#include "bgp/bgp.h"

/* IANA's registry of well-known communities, in the words that routers print. RFC 1997, 3765, 8326, 7999, 9494 */
static const struct {
	uint32_t value;
	const char *name;
} well_known[] = {
	{0xffff0000, "graceful-shutdown"}, {0xffff0001, "accept-own"}, {0xffff0006, "llgr-stale"},
	{0xffff0007, "no-llgr"},           {0xffff029a, "blackhole"},  {0xffffff01, "no-export"},
	{0xffffff02, "no-advertise"},      {0xffffff03, "local-AS"},   {0xffffff04, "no-peer"},
};

static void cut(char *buf, size_t cap)
{
	memcpy(buf + cap - 4, "...", 4);
}

/* Append words; false: there was no room, and the text ends with "...". */
static bool add(char *buf, size_t cap, size_t *len, const char *fmt, ...) PRINTF(4, 5);
static bool add(char *buf, size_t cap, size_t *len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf + *len, cap - *len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= cap - *len) {
		cut(buf, cap);
		return false;
	}
	*len += (size_t)n;
	return true;
}

static const char *name_of(uint32_t community)
{
	for (size_t i = 0; i < N_ELEMS(well_known); i++) {
		if (well_known[i].value == community)
			return well_known[i].name;
	}
	return NULL;
}

static void communities(struct rd r, char *buf, size_t cap)
{
	size_t len = 0;
	bool room = true;

	buf[0] = '\0';
	while (room && rd_left(&r)) {
		uint32_t v = rd_u32(&r);
		const char *name = name_of(v), *space = len ? " " : "";

		room = name ? add(buf, cap, &len, "%s%s", space, name)
			    : add(buf, cap, &len, "%s%u:%u", space, v >> 16, v & 0xffff);
	}
}

/* RFC 8092 5 */
static void large(struct rd r, char *buf, size_t cap)
{
	size_t len = 0;
	bool room = true;

	buf[0] = '\0';
	while (room && rd_left(&r)) {
		uint32_t global = rd_u32(&r), one = rd_u32(&r), two = rd_u32(&r);

		room = add(buf, cap, &len, "%s%u:%u:%u", len ? " " : "", global, one, two);
	}
}

void bgp_attrs_text(const struct bgp_attrs *a, struct bgp_attrs_text *out)
{
	out->nexthop = a->nexthop;
	out->has_med = a->has & BGP_HAS_MED;
	out->has_local_pref = a->has & BGP_HAS_LOCAL_PREF;
	out->med = a->med;
	out->local_pref = a->local_pref;
	out->origin = a->origin <= BGP_ORIGIN_INCOMPLETE ? "ie?"[a->origin] : '?';
	if (aspath_text(attr_path(a), a->path_len, out->path, sizeof(out->path)) >= sizeof(out->path))
		cut(out->path, sizeof(out->path));
	communities(rd_of(attr_comm(a), a->comm_len), out->community, sizeof(out->community));
	large(rd_of(attr_large(a), a->large_len), out->large, sizeof(out->large));
}
