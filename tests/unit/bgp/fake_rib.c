/* A RIB that only counts. */
#include "tests/unit/bgp/peer_rig.h"

struct fake_rib fake;

struct rib *rib_new(const struct rib_ops *ops, struct intern *in)
{
	(void)in;
	memset(&fake, 0, sizeof(fake));
	fake.ops = *ops;
	return (struct rib *)(void *)&fake;
}

void rib_free(struct rib *r)
{
	(void)r;
}

void rib_peer_policy(struct rib *r, uint32_t peer, const struct policy *import, const struct policy *export,
		     uint32_t local_as)
{
	(void)r, (void)peer, (void)import, (void)export, (void)local_as;
	fake.policies++;
}

void rib_multipath(struct rib *r, unsigned max)
{
	(void)r, (void)max;
}

void rib_peer_up(struct rib *r, uint32_t peer, const struct rib_session *s)
{
	(void)r, (void)peer;
	fake.ups++;
	fake.session = *s;
}

void rib_peer_export(struct rib *r, uint32_t peer, bool default_originate, uint32_t max_prefix_out)
{
	(void)r, (void)peer;
	fake.session.default_originate = default_originate;
	fake.session.max_prefix_out = max_prefix_out;
}

void rib_peer_down(struct rib *r, uint32_t peer)
{
	(void)r, (void)peer;
	fake.downs++;
	fake.received = 0;
}

void rib_peer_forget(struct rib *r, uint32_t peer)
{
	(void)r, (void)peer;
	fake.forgets++;
}

void rib_prefetch(const struct rib *r, uint8_t family, const struct ip_prefix *p, unsigned n)
{
	(void)r, (void)family, (void)p, (void)n;
}

void rib_update(struct rib *r, uint32_t peer, const struct ip_prefix *p, const struct bgp_attrs *a)
{
	(void)r, (void)peer;
	fake.updates++;
	fake.received++;
	fake.last = *p;
	fake.nexthop = a->nexthop;
}

void rib_withdraw(struct rib *r, uint32_t peer, const struct ip_prefix *p)
{
	(void)r, (void)peer;
	fake.withdraws++;
	fake.last = *p;
}

uint32_t rib_received(const struct rib *r, uint32_t peer)
{
	(void)r, (void)peer;
	return fake.received;
}

uint32_t rib_accepted(const struct rib *r, uint32_t peer)
{
	return rib_received(r, peer);
}

void rib_originate(struct rib *r, const struct ip_prefix *p, bool present)
{
	(void)r, (void)p;
	fake.originated += present ? 1 : -1u;
}

void rib_nexthop(struct rib *r, const struct ip_addr *nh, bool reachable, uint32_t metric)
{
	(void)r, (void)nh, (void)reachable, (void)metric;
}

bool rib_work(struct rib *r)
{
	(void)r;
	fake.busy = false;
	return false;
}

bool rib_busy(const struct rib *r)
{
	(void)r;
	return fake.busy;
}

unsigned rib_walk(struct rib *r, enum bgp_view v, uint32_t peer, struct ip_prefix *after, unsigned max,
		  bool (*fn)(void *arg, const struct bgp_row *row), void *arg)
{
	(void)r, (void)v, (void)peer, (void)after, (void)max, (void)fn, (void)arg;
	return 0;
}

void rib_totals(const struct rib *r, struct bgp_totals *out)
{
	(void)r;
	memset(out, 0, sizeof(*out));
}

/* A message of the asked length; its body is of no matter here. */
size_t out_pull(struct rib *r, uint32_t peer, uint8_t *buf)
{
	size_t len = fake.pull_len ? fake.pull_len : BGP_UPDATE_MIN;

	(void)r, (void)peer;
	if (!fake.pulls_left)
		return 0;
	fake.pulls_left--;
	memset(buf, 0xff, 16);
	memset(buf + 16, 0, len - 16);
	buf[16] = (uint8_t)(len >> 8);
	buf[17] = (uint8_t)len;
	buf[18] = BGP_UPDATE;
	return len;
}

bool out_pending(const struct rib *r, uint32_t peer)
{
	(void)r, (void)peer;
	return fake.pulls_left > 0;
}

void out_refresh(struct rib *r, uint32_t peer, uint8_t family)
{
	(void)r, (void)peer;
	fake.refreshes++;
	fake.refreshed = family;
}

bool out_limited(const struct rib *r, uint32_t peer)
{
	(void)r, (void)peer;
	return false;
}

uint32_t out_count(const struct rib *r, uint32_t peer)
{
	(void)r, (void)peer;
	return 0;
}
