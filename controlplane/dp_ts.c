#include "controlplane/dp_ts.h"

#include <string.h>

static void put_ts(struct msg_ts *to, const struct ip_prefix *p, uint16_t port_lo, uint16_t port_hi)
{
	struct ip_prefix any = {.addr = {.family = IP_V4}};
	struct ip_addr lo, hi;

	ip_prefix_range(p->addr.family == IP_NONE ? &any : p, &lo, &hi);
	memcpy(to->lo, lo.b, sizeof(to->lo));
	memcpy(to->hi, hi.b, sizeof(to->hi));
	to->port_lo = port_lo;
	to->port_hi = port_hi;
}

void dp_ts_put(struct msg_ts_pair *to, const struct cfg_ts *ts)
{
	uint8_t family = ts->local.addr.family != IP_NONE ? ts->local.addr.family : ts->remote.addr.family;

	to->family = family == IP_NONE ? IP_V4 : family;
	to->proto = ts->protocol;
	put_ts(&to->local, &ts->local, ts->local_port_lo, ts->local_port_hi);
	put_ts(&to->remote, &ts->remote, ts->remote_port_lo, ts->remote_port_hi);
}
