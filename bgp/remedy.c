/* What to do about a NOTIFICATION: words for the operator, by code and subcode. */
#include <errno.h>
#include <stdio.h>

#include "bgp/peer.h"

struct remedy {
	uint8_t code, sub;
	const char *sent, *received; /* NULL: the error's own words say enough */
};

static const struct remedy remedies[] = {
	{BGP_ERR_HEADER, BGP_HDR_NOT_SYNC, "what came is not BGP: does another program answer on that port?",
	 "our octets did not reach it whole: look for a middle box that changes TCP"},
	{BGP_ERR_OPEN, BGP_OPEN_BAD_VERSION, "it does not speak BGP-4", "it does not speak BGP-4"},
	{BGP_ERR_OPEN, BGP_OPEN_BAD_AS, "correct `as` of the peer here, or its own there",
	 "it expects another AS than our `as`: correct it here or there"},
	{BGP_ERR_OPEN, BGP_OPEN_BAD_ID, "give it a router id that is not 0.0.0.0",
	 "it does not take our `router-id`: both ends must differ, and neither be 0.0.0.0"},
	{BGP_ERR_OPEN, BGP_OPEN_BAD_HOLD, "set a hold time of 0, or 3 s and more there",
	 "it does not take our `hold-time`: set a larger one here"},
	{BGP_ERR_OPEN, BGP_OPEN_BAD_CAP, "switch on a common address family here (`families`) or there",
	 "it asks for a capability that we did not offer: compare `families` here with its address families"},
	{BGP_ERR_HOLD, 0, "is the way to it up, both ways, and does a large packet pass (MTU)?",
	 "it heard nothing from us: is the way up, both ways, and does a large packet pass (MTU)?"},
	{BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIX,
	 "raise `max-prefix-in`, or let the peer announce less; then `gwctl bgp clear` ends the pause",
	 "we told it more prefixes than it takes: let the export policy pass fewer, or set `max-prefix-out`"},
	{BGP_ERR_CEASE, BGP_CEASE_SHUTDOWN, NULL, "it was shut down there"},
	{BGP_ERR_CEASE, BGP_CEASE_DECONFIGURED, NULL, "it does not know us any more: configure this gateway there"},
	{BGP_ERR_CEASE, BGP_CEASE_REJECTED, NULL,
	 "it does not want our connections: is this gateway configured there?"},
	{BGP_ERR_CEASE, BGP_CEASE_RESOURCES, NULL, "it has run out of memory or the like"},
	{BGP_ERR_SEND_HOLD, 0, "its TCP window stayed shut: it hangs, or the way to it is down",
	 "we did not read for too long"},
};

const char *session_remedy(const struct peer *p, uint8_t code, uint8_t sub, bool sent, char *buf, size_t cap)
{
	const char *text = NULL;

	for (size_t i = 0; i < N_ELEMS(remedies) && !text; i++)
		if (remedies[i].code == code && remedies[i].sub == sub)
			text = sent ? remedies[i].sent : remedies[i].received;
	if (code == BGP_ERR_OPEN && sub == BGP_OPEN_BAD_AS && !sent)
		snprintf(buf, cap, "it expects another AS than %u: correct `as` here or there", p->b->as);
	else
		snprintf(buf, cap, "%s", text ? text : "");
	return buf;
}

const char *session_tcp_remedy(const struct peer *p, int err)
{
	switch (-err) {
	case ECONNREFUSED:
		return ": does BGP run there, with this gateway as a neighbor?";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return ": is there a route to it?";
	case ETIMEDOUT: /* a segment of another key, or without one, is dropped unanswered: RFC 2385 */
		return p->cfg.has_password
			       ? ": is there a way to it, does BGP listen there, and is `password` the same at both "
				 "ends?"
			       : ": is there a way to it, does BGP listen there, and without a password (TCP-MD5)?";
	}
	return "";
}
