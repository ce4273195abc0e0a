/* How the session codes things (FUZZ_*), and a whole message of any type. */
#include "tests/fuzz/bgp_bodies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void notification(struct rd body)
{
	struct bgp_notification n;
	char text[2048];

	wire_notification_parse(body, &n);
	must(!n.has_text || (rd_left(&n.text) > 0 && rd_left(&n.text) <= BGP_SHUTDOWN_TEXT_MAX));
	wire_notification_text(&n, text, sizeof(text));
	for (const char *c = text; *c; c++)
		must(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bgp_refresh refresh;
	struct bgp_error err;
	struct wire_hdr h;

	if (len < 1 + BGP_HDR)
		return 0;
	if (!wire_hdr_parse(data + 1, &h, &err)) {
		bgp_error_ok(&err, BGP_ERR_HEADER);
		return 0;
	}
	must(h.len >= BGP_HDR && h.len <= BGP_MSG_MAX && h.type >= BGP_OPEN && h.type <= BGP_ROUTE_REFRESH);
	if (len < 1u + h.len)
		return 0;

	struct rd body = rd_of(data + 1 + BGP_HDR, h.len - BGP_HDR);

	if (h.type == BGP_OPEN)
		bgp_body_open(body);
	else if (h.type == BGP_UPDATE)
		bgp_body_update(body, data[0]);
	else if (h.type == BGP_NOTIFICATION)
		notification(body);
	else if (h.type == BGP_ROUTE_REFRESH && !wire_refresh_parse(rd_of(data + 1, h.len), &refresh, &err))
		bgp_error_ok(&err, BGP_ERR_REFRESH);
	return 0;
}
