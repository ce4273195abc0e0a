#include "config/kind.h"

#include <stddef.h>

#include "config/config.h"

/* Microsoft, "About BGP with VPN Gateway", "Azure Route Server FAQ": keepalive 60 s, hold 180 s, less is not reliable;
 * 4000 prefixes to a VPN gateway and 1000 to a route server, above which it closes the session; no 4-octet AS numbers
 * with a route server. */
static const struct kind kinds[] = {
	[CFG_BGP_PLAIN] = {.word = "plain", .name = "a plain peer", .hold_s = 90, .as_max = UINT32_MAX},
	[CFG_BGP_AZURE_VPN_GATEWAY] = {.word = "azure-vpn-gateway",
				       .name = "an Azure VPN gateway",
				       .hold_s = 180,
				       .keepalive_s = 60,
				       .max_prefix_out = 4000,
				       .as_max = UINT32_MAX,
				       .azure = true},
	[CFG_BGP_AZURE_ROUTE_SERVER] = {.word = "azure-route-server",
					.name = "an Azure Route Server",
					.hold_s = 180,
					.keepalive_s = 60,
					.max_prefix_out = 1000,
					.as_max = UINT16_MAX,
					.azure = true,
					.pair = true},
};

const char *const kind_words[] = {"plain", "azure-vpn-gateway", "azure-route-server", NULL};

const struct kind *kind_of(unsigned kind)
{
	return &kinds[kind];
}
