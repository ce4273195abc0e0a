#include "config/schema.h"

#include <stddef.h>

#include "base/xalloc.h"
#include "config/field.h"
#include "config/lists.h"

enum {
	MTU_MIN = 576, /* RFC 791 3.2: what every host must take */
	MTU_MAX = 9216,
};

static const char *const idle_words[] = {"adaptive", "spin", NULL};
static void *room_ports(struct load *l, void *base, unsigned n, unsigned line, size_t *stride)
{
	struct config *c = base;

	if (n > CFG_PORTS_MAX) {
		load_error(l, line, "%u ports: at most %d are taken", n, CFG_PORTS_MAX);
		return NULL;
	}
	c->n_ports = n;
	for (unsigned i = 0; i < n; i++)
		c->port[i].mtu = 1500;
	*stride = sizeof(c->port[0]);
	return c->port;
}

static void *room_routes(struct load *l, void *base, unsigned n, unsigned line, size_t *stride)
{
	struct config *c = base;

	(void)l;
	(void)line;
	c->n_routes = n; /* check_net.c compares it with max-routes, which may stand further down */
	c->route = xcalloc(n, sizeof(c->route[0]));
	for (unsigned i = 0; i < n; i++)
		c->route[i].distance = 1;
	*stride = sizeof(c->route[0]);
	return c->route;
}

static const struct schema_key gateway_keys[] = {
	{.key = "name", .type = SCHEMA_CUSTOM, .read = field_gateway_name, .help = "the gateway's name"},
	{.key = "addresses",
	 .type = SCHEMA_PREFIXES,
	 AT(config, gateway_addr),
	 COUNT(config, n_gateway_addr),
	 .cap = CFG_ADDRS_MAX,
	 .help = "addresses such as [10.2.2.2/32]"},
};

static const struct schema_key dataplane_keys[] = {
	{.key = "workers", .type = SCHEMA_CUSTOM, .read = field_workers, .help = "a number, or CPUs such as [2, 3]"},
	{.key = "idle", .type = SCHEMA_WORD, AT(cfg_dataplane, idle), .words = idle_words, .help = "adaptive or spin"},
	{.key = "hugepages", .type = SCHEMA_CUSTOM, .read = field_hugepages, .help = "auto, yes or no"},
	{.key = "memory",
	 .type = SCHEMA_SIZE,
	 AT(cfg_dataplane, memory_mb),
	 .min = 64ULL << 20,
	 .max = 1ULL << 40,
	 .unit = 1 << 20,
	 .help = "a size such as 512MB"},
	{.key = "max-sas",
	 .type = SCHEMA_UINT,
	 AT(cfg_dataplane, sa_max),
	 .min = 16,
	 .max = 1 << 20,
	 .help = "a power of two such as 4096"},
	{.key = "max-routes",
	 .type = SCHEMA_UINT,
	 AT(cfg_dataplane, routes_max),
	 .min = 16,
	 .max = 4000000,
	 .help = "a number such as 65536"},
	{.key = "max-routes6",
	 .type = SCHEMA_UINT,
	 AT(cfg_dataplane, routes6_max),
	 .min = 16,
	 .max = 1000000,
	 .help = "a number such as 16384"},
	{.key = "tun", .type = SCHEMA_CUSTOM, .read = field_tun, .help = "a name such as esplanade0"},
};

static const struct schema_key port_keys[] = {
	{.key = "device",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_device,
	 .help = "af_packet:IFACE, af_xdp:IFACE, pci:0000:00:05.0, memif:... or pcap:..."},
	{.key = "addresses",
	 .type = SCHEMA_PREFIXES,
	 AT(cfg_port, addr),
	 COUNT(cfg_port, n_addr),
	 .cap = CFG_ADDRS_MAX,
	 .help = "addresses such as [192.0.2.10/24]"},
	{.key = "mtu",
	 .type = SCHEMA_UINT,
	 AT(cfg_port, mtu),
	 .min = MTU_MIN,
	 .max = MTU_MAX,
	 .help = "a number of octets such as 1500"},
	LATER("management"),
};

static const struct schema_key route_keys[] = {
	{.key = "to",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_to,
	 .help = "a network such as 10.0.1.0/24"},
	{.key = "via", .type = SCHEMA_CUSTOM, .read = field_via, .help = "the next router's address"},
	{.key = "tunnel", .type = SCHEMA_CUSTOM, .read = field_route_tunnel, .help = "the name of a tunnel"},
	{.key = "blackhole", .type = SCHEMA_CUSTOM, .read = field_blackhole, .help = "true"},
	{.key = "distance",
	 .type = SCHEMA_UINT,
	 AT(cfg_route, distance),
	 .min = 1,
	 .max = 255,
	 .help = "a number of 1 to 255"},
};

static const struct schema gateway = SCHEMA(gateway_keys), dataplane = SCHEMA(dataplane_keys), port = SCHEMA(port_keys);
static const struct schema route = SCHEMA(route_keys);

static const struct schema_key root_keys[] = {
	{.key = "gateway", .type = SCHEMA_BLOCK, .sub = &gateway, .help = "{name: NAME, addresses: [...]}"},
	{.key = "dataplane",
	 .type = SCHEMA_BLOCK,
	 AT(config, dataplane),
	 .sub = &dataplane,
	 .help = "{workers: 1, idle: adaptive}"},
	{.key = "ports",
	 .type = SCHEMA_NAMED,
	 .required = true,
	 .sub = &port,
	 .rows = room_ports,
	 .help = "NAME: {device: \"af_packet:IFACE\", addresses: [...]}"},
	{.key = "routes",
	 .type = SCHEMA_LIST,
	 AT(cfg_route, line),
	 .sub = &route,
	 .rows = room_routes,
	 .help = "- {to: NETWORK, via: ADDRESS}"},
	{.key = "tunnels",
	 .type = SCHEMA_NAMED,
	 AT(cfg_tunnel, line),
	 .sub = &schema_tunnel,
	 .rows = schema_tunnel_rows,
	 .help = "NAME: {local: ..., remote: ..., auth: ...}"},
	{.key = "bgp", .type = SCHEMA_BLOCK, AT(config, bgp), .sub = &schema_bgp, .help = "{as: NUMBER, peers: ...}"},
	{.key = "prefix-lists", .type = SCHEMA_CUSTOM, .read = lists_prefix, .help = "NAME: [{permit: NETWORK}]"},
	{.key = "as-path-lists", .type = SCHEMA_CUSTOM, .read = lists_as_path, .help = "NAME: [{permit: \"REGEX\"}]"},
	{.key = "policies", .type = SCHEMA_CUSTOM, .read = lists_policy, .help = "NAME: [{permit: {}}]"},
	LATER("rules"),
	LATER("nat"),
	LATER("management"),
	LATER("include"),
	LATER("remote-access"),
};

const struct schema schema_root = SCHEMA(root_keys);
