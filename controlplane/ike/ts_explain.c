/* Words for people about traffic selectors. Nothing is decided here, and no octets of a peer are printed but numbers.
 */
#include "controlplane/ike/ts.h"

#include "controlplane/ike/text.h"

static void say_protocol(struct text *t, uint8_t protocol)
{
	switch (protocol) {
	case 0:
		break;
	case 1:
		text_say(t, " icmp");
		break;
	case 6:
		text_say(t, " tcp");
		break;
	case 17:
		text_say(t, " udp");
		break;
	case 58:
		text_say(t, " icmpv6");
		break;
	default:
		text_say(t, " protocol %u", protocol);
	}
}

static void say_ports(struct text *t, uint16_t lo, uint16_t hi)
{
	if (lo == 0 && hi == 65535)
		return;
	if (lo == hi)
		text_say(t, " port %u", lo);
	else
		text_say(t, " ports %u-%u", lo, hi);
}

static void say_ts(struct text *t, const struct ike_ts *ts)
{
	char a[IP_STR], b[IP_STR];
	struct ip_prefix p;

	if (ip_range_prefix(&ts->lo, &ts->hi, &p))
		text_say(t, "%s", ip_prefix_str(&p, a));
	else
		text_say(t, "%s-%s", ip_str(&ts->lo, a), ip_str(&ts->hi, b));
	say_protocol(t, ts->protocol);
	say_ports(t, ts->port_lo, ts->port_hi);
}

static void say_list(struct text *t, const struct payload_ts *list)
{
	if (list->n == 0)
		text_say(t, "nothing that we know");
	for (unsigned i = 0; i < list->n; i++) {
		text_say(t, "%s", i ? ", " : "");
		say_ts(t, &list->ts[i]);
	}
}

static const char *prefix_str(const struct ip_prefix *p, char buf[IP_STR])
{
	return p->addr.family == IP_NONE ? "0.0.0.0/0" : ip_prefix_str(p, buf);
}

static void say_pair(struct text *t, const struct cfg_ts *c)
{
	char a[IP_STR];

	text_say(t, "%s", prefix_str(&c->local, a));
	say_ports(t, c->local_port_lo, c->local_port_hi);
	text_say(t, " <-> %s", prefix_str(&c->remote, a));
	say_ports(t, c->remote_port_lo, c->remote_port_hi);
	say_protocol(t, c->protocol);
}

static void say_pairs(struct text *t, const struct cfg_ts *pair, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		text_say(t, "%s", i ? ", " : "");
		say_pair(t, &pair[i]);
	}
}

const char *ts_list_str(const struct payload_ts *ts, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	say_list(&t, ts);
	return text_end(&t);
}

const char *ts_pairs_str(const struct cfg_ts *pair, unsigned n, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	say_pairs(&t, pair, n);
	return text_end(&t);
}

const char *ts_explain(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *peer_local,
		       const struct payload_ts *peer_remote, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	text_say(&t, "the peer asks for ");
	say_list(&t, peer_local);
	text_say(&t, " here and ");
	say_list(&t, peer_remote);
	text_say(&t, " there, selectors allow ");
	say_pairs(&t, policy, n_policy);
	if (peer_local->n > 0 && peer_remote->n > 0) {
		text_say(&t, "; add {local: ");
		say_ts(&t, &peer_local->ts[0]);
		text_say(&t, ", remote: ");
		say_ts(&t, &peer_remote->ts[0]);
		text_say(&t, "} to this tunnel's selectors, or make the peer's match");
	}
	return text_end(&t);
}
