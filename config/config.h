/* What the file says, as plain structs: parsed, checked, never changed afterwards.
 *
 * config_load() reads a YAML file, walks it by the schema (schema.c), collects every error with its line and the cure,
 * runs the cross-field rules (check.c) and gives either a whole config or none. Both processes use it; the data plane
 * reads `dataplane` and `ports`, the control plane the rest. PSKs are read from their files at load time (mode 0600 or
 * stricter asked for) and live in struct secret; config_print() never writes them.
 * Units are in the names. Pointers are owned by struct config. Thread: any, one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/secret.h"
#include "config/alg.h"

enum {
	CFG_NAME_MAX = 32, /* octets of a name, with its NUL: [A-Za-z0-9][A-Za-z0-9_.-]* */
	CFG_PORTS_MAX = 16,
	CFG_WORKERS_MAX = 32,
	CFG_ADDRS_MAX = 16,     /* addresses per port, tunnel or gateway */
	CFG_PROPOSALS_MAX = 8,  /* proposals per tunnel and protocol */
	CFG_TRANSFORMS_MAX = 8, /* per type in a proposal */
	CFG_TS_MAX = 8,         /* selectors per tunnel */
	CFG_TUNNELS_MAX = 100000,
	CFG_ID_MAX = 256,  /* octets of an identity */
	CFG_PSK_MAX = 256, /* octets of a PSK */
	CFG_BGP_PEERS_MAX = 1024,
	CFG_BGP_PASSWORD_MAX = 80, /* octets of a TCP-MD5 key: the kernel's limit */
	CFG_COMMUNITIES_MAX = 16,  /* in one condition or action */
	CFG_CERT_FILES_MAX = 8,    /* per kind of file in a tunnel */
	CFG_CERT_FILE_SIZE = 1 << 20,
};

#define CFG_TUN_DEFAULT "esplanade%d"

enum cfg_idle { CFG_IDLE_ADAPTIVE, CFG_IDLE_SPIN };
enum cfg_start { CFG_START_ALWAYS, CFG_START_ON_TRAFFIC, CFG_START_RESPOND_ONLY };
enum cfg_encap { CFG_ENCAP_AUTO, CFG_ENCAP_FORCE, CFG_ENCAP_NEVER };
enum cfg_mode { CFG_MODE_TUNNEL, CFG_MODE_TRANSPORT };
enum cfg_df { CFG_DF_COPY, CFG_DF_SET, CFG_DF_CLEAR };
enum cfg_fragment { CFG_FRAGMENT_BEFORE, CFG_FRAGMENT_AFTER };
enum cfg_esn { CFG_ESN_PREFER, CFG_ESN_REQUIRE, CFG_ESN_NO };
/* one: all selectors in one child SA; per-selector: one child SA for each pair, for peers that take one pair per SA */
enum cfg_children { CFG_CHILDREN_ONE, CFG_CHILDREN_PER_SELECTOR };
enum { CFG_MSS_AUTO = 0, CFG_MSS_OFF = UINT16_MAX, CFG_DSCP_COPY = 0xff };
/* Presets of a tunnel: data (preset.c), not code; what the file says overrides them. */
enum cfg_tunnel_kind { CFG_TUNNEL_PLAIN, CFG_TUNNEL_AZURE_VPN_GATEWAY, CFG_TUNNEL_WINDOWS_RRAS, CFG_TUNNEL_AWS_VPN };

/* RFC 7296 3.5: identification types, with their wire numbers. */
enum cfg_id_type {
	CFG_ID_NONE = 0,
	CFG_ID_IPV4 = 1,
	CFG_ID_FQDN = 2,
	CFG_ID_EMAIL = 3,
	CFG_ID_IPV6 = 5,
	CFG_ID_DN = 9,
	CFG_ID_KEY = 11,
};

struct cfg_id {
	uint8_t type; /* enum cfg_id_type; NONE after loading: any ID (only of a remote whose address is `any`) */
	uint16_t len; /* octets in b */
	uint8_t b[CFG_ID_MAX]; /* as on the wire: address bytes, or text without NUL */
};

struct cfg_port {
	char name[CFG_NAME_MAX];
	char device[128];                     /* "af_packet:eth1"; all forms in field_device.c */
	struct ip_prefix addr[CFG_ADDRS_MAX]; /* host bits kept */
	unsigned n_addr;
	uint16_t mtu; /* octets of IP, 576..9216; default 1500 */
};

struct cfg_dataplane {
	unsigned n_workers; /* default 1 */
	bool cpus_set;      /* cpu[] holds one CPU per worker */
	uint16_t cpu[CFG_WORKERS_MAX];
	uint8_t idle;                  /* enum cfg_idle */
	bool hugepages_set, hugepages; /* unset: used when there are some */
	uint32_t memory_mb;            /* 0: computed */
	uint32_t sa_max;               /* SA slots; power of two, default 4096 */
	uint32_t routes_max;           /* FIB entries, IPv4, default 65536 */
	uint32_t routes6_max;          /* IPv6, default 16384 */
	char tun[16];                  /* name of the TUN device; default "esplanade%d": the kernel numbers it */
};

struct cfg_route {
	struct ip_prefix to;
	struct ip_addr via;          /* family IP_NONE: none */
	char via_port[CFG_NAME_MAX]; /* of a link-local via; else "" */
	char tunnel[CFG_NAME_MAX];   /* "" : none. Exactly one of via, tunnel, blackhole */
	bool blackhole;
	uint8_t distance; /* 1..255, default 1 (eBGP: 20): of several routes to a prefix the usable one with the least counts */
	unsigned line;
};

/* One proposal: for every type the transforms in order of preference. A type with n 0 is not proposed. */
struct cfg_proposal {
	struct cfg_alg_list {
		const struct alg *alg[CFG_TRANSFORMS_MAX];
		unsigned n;
	} encr, prf, integ, dh; /* dh of an ESP proposal: PFS groups */
};

/* RFC 7296 2.9: one pair of selectors. "Any" is 0.0.0.0/0; who builds rows by hand may leave the family IP_NONE for it.
 */
struct cfg_ts {
	struct ip_prefix local, remote;
	uint8_t protocol;                      /* 0: any */
	uint16_t local_port_lo, local_port_hi; /* 0..65535: any */
	uint16_t remote_port_lo, remote_port_hi;
};

/* A file that the config names, read at load time. */
struct cfg_file {
	char *path; /* as written */
	uint8_t *p; /* NULL where secrets are not read */
	size_t len;
	unsigned line;
	unsigned *refs; /* of p, where several rows name one file; NULL: p is this row's own */
};

/* Authentication by certificates (RFC 7296 2.15, RFC 7427). Files are PEM (any number of objects) or DER; this room reads their
 * octets, the IKE core what is in them (ike_tunnel_check()). Never changed, shared by reference. */
struct cfg_certs {
	unsigned refs;
	struct cfg_file cert[CFG_CERT_FILES_MAX]; /* ours first, then intermediates */
	struct cfg_file key;                      /* mode 0600 or stricter, as a PSK's */
	struct cfg_file ca[CFG_CERT_FILES_MAX];   /* whom the peer's chain must end at */
	struct cfg_file crl[CFG_CERT_FILES_MAX];
	unsigned n_cert, n_ca, n_crl;
	bool crl_strict; /* no valid CRL of an issuer in the chain: refused */
};

struct cfg_tunnel {
	char name[CFG_NAME_MAX];
	unsigned line;
	uint8_t kind; /* enum cfg_tunnel_kind */
	struct {
		char port[CFG_NAME_MAX];
		struct ip_addr
			addr; /* given, or the port's first address of the remote's family, IPv4 first (check.c fills it) */
		struct cfg_id id;
	} local;
	struct {
		struct ip_addr addr; /* family IP_NONE: any (known by its ID only) */
		struct cfg_id id;    /* not said: the address's (filled in); with address `any` NONE, which is any ID */
		char name[256];      /* FQDN to resolve; "" when an address or `any` was given */
	} remote;
	struct secret *psk;
	struct cfg_certs *certs; /* NULL: PSK. Exactly one of both */
	struct {
		struct cfg_proposal proposal[CFG_PROPOSALS_MAX];
		unsigned n_proposals;  /* defaults are filled in by load.c */
		uint32_t lifetime_s;   /* rekey at 85..95 % of it, jittered; default 86400 */
		bool legacy;           /* algorithms that are only kept for old peers (alg.h) may be named */
		bool no_fragmentation; /* RFC 7383 is not offered */
		uint16_t
			fragment_size; /* octets of an IKE datagram's IP packet above which it is sent in fragments; default 1280 */
	} ike;
	struct {
		struct cfg_proposal proposal[CFG_PROPOSALS_MAX];
		unsigned n_proposals;
		uint32_t lifetime_s;       /* default 3600 */
		uint64_t lifetime_bytes;   /* 0: none */
		uint64_t lifetime_packets; /* 0: none (the 2^32 stop is always there) */
		uint8_t esn;               /* enum cfg_esn; default PREFER */
		uint16_t replay_window;    /* a power of two in 64..1024, default 1024; 0 switches it off */
	} esp;
	struct cfg_ts ts[CFG_TS_MAX];
	unsigned n_ts;                        /* `any`: 0.0.0.0/0 <-> 0.0.0.0/0 and ::/0 <-> ::/0, one child */
	uint8_t children;                     /* enum cfg_children */
	uint8_t mode;                         /* enum cfg_mode */
	uint8_t fragment;                     /* enum cfg_fragment */
	uint8_t dscp;                         /* of the outer header: CFG_DSCP_COPY or 0..63 */
	uint16_t mss;                         /* CFG_MSS_AUTO, CFG_MSS_OFF, or octets of TCP payload */
	uint8_t encap;                        /* enum cfg_encap */
	uint8_t start;                        /* enum cfg_start */
	uint8_t df;                           /* enum cfg_df */
	uint32_t dpd_s;                       /* silence until a liveness check; default 30; 0: off */
	struct ip_prefix addr[CFG_ADDRS_MAX]; /* the tunnel's own inner addresses */
	unsigned n_addr;
	uint16_t mtu; /* 0: the port's MTU minus the real overhead */
};

/* ---- BGP (RFC 4271) ---- */

/* Presets of a peer: data (kind.c), not code. */
enum cfg_bgp_kind { CFG_BGP_PLAIN, CFG_BGP_AZURE_VPN_GATEWAY, CFG_BGP_AZURE_ROUTE_SERVER };
enum { CFG_BGP_V4 = 1 << 0, CFG_BGP_V6 = 1 << 1 };
enum cfg_bgp_connect { CFG_BGP_BOTH, CFG_BGP_ACTIVE, CFG_BGP_PASSIVE };

struct cfg_bgp_peer {
	char name[CFG_NAME_MAX];
	unsigned line;
	uint8_t kind; /* enum cfg_bgp_kind */
	struct ip_addr addr;
	/* not said: ours on the network (of a port, else of a tunnel) that the peer is on, else the first gateway address of its family */
	struct ip_addr source;
	uint32_t as;               /* never 0, never our own (eBGP only) */
	char import[CFG_NAME_MAX]; /* policy names; "": none, nothing passes (RFC 8212) */
	char export[CFG_NAME_MAX];
	uint8_t families;     /* CFG_BGP_V4 | CFG_BGP_V6; default: the address's */
	uint8_t connect;      /* enum cfg_bgp_connect */
	uint8_t multihop;     /* TTL of what we send, 1..255; 0: not said: 1 to a peer on a port's network, else 255 */
	uint8_t gtsm_hops;    /* RFC 5082: TTL >= 256 - hops is asked for; 0: off. Not together with multihop */
	uint16_t hold_s;      /* proposed; 0 or >= 3; default 90, Azure kinds 180 */
	uint16_t keepalive_s; /* 0: a third of the negotiated hold time */
	uint16_t connect_retry_s; /* default 10 */
	bool default_originate;
	bool shutdown;           /* configured, but not to be spoken to */
	bool has_password;       /* also where secrets are not read */
	struct secret *password; /* TCP-MD5 (RFC 2385); NULL: none */
	uint32_t max_prefix_in;  /* Cease 6/1 above; 0: no limit */
	uint32_t max_prefix_out; /* never exceeded; 0: no limit; Azure kinds 4000 and 1000 */
	char description[64];
};

struct cfg_prefix_rule {
	bool permit;
	struct ip_prefix prefix;
	uint8_t ge, le; /* lengths that match; neither given: both are prefix.len; `ge` alone: le is 32 or 128 */
	unsigned line;
};
struct cfg_prefix_list {
	char name[CFG_NAME_MAX];
	struct cfg_prefix_rule *rule;
	unsigned n_rules;
};

struct cfg_as_path_rule {
	bool permit;
	char *regex; /* FRR's dialect (POSIX extended, `_` = start, end, space, comma, brace, parenthesis); it compiles */
	unsigned line;
};
struct cfg_as_path_list {
	char name[CFG_NAME_MAX];
	struct cfg_as_path_rule *rule;
	unsigned n_rules;
};

/* One entry of a policy: all conditions that it has must hold. */
struct cfg_policy_entry {
	bool permit;
	unsigned line;
	char prefix[CFG_NAME_MAX];               /* prefix list; "": no condition */
	char as_path[CFG_NAME_MAX];              /* as-path list; "": no condition */
	uint32_t community[CFG_COMMUNITIES_MAX]; /* all of them must be there */
	unsigned n_community;
	struct {
		bool med_set, local_pref_set, remove_communities;
		uint32_t med, local_pref;
		struct ip_addr next_hop;                 /* IP_NONE: not set; only of routes of its family */
		uint32_t prepend_as;                     /* 0: our own */
		uint8_t prepend;                         /* times */
		uint32_t remove_as;                      /* every occurrence leaves the path; 0: none */
		bool as_override;                        /* the peer's AS becomes ours in the path */
		uint32_t community[CFG_COMMUNITIES_MAX]; /* added */
		unsigned n_community;
	} set;
};
struct cfg_policy {
	char name[CFG_NAME_MAX];
	struct cfg_policy_entry *entry;
	unsigned n_entries;
};

struct cfg_bgp {
	uint32_t as; /* 0: no BGP in this config */
	uint32_t
		router_id; /* host order; given, or the highest gateway address, or the highest port address; never 0 */
	uint8_t multipath; /* 1..8 paths that share load; default 8 */
	uint16_t port;     /* TCP; default 179 */
	struct ip_prefix *originate;
	unsigned n_originate;
	struct cfg_bgp_peer *peer;
	char **password_file; /* [n_peers], as written; NULL: it stands in the file itself, or there is none */
	unsigned n_peers;
};

/* Every error of a file, in line order. */
struct cfg_errors {
	struct cfg_error {
		unsigned line; /* 0: the file as a whole */
		char *text;    /* what is wrong, and what to write */
	} * e;
	unsigned n;
};

struct config {
	char gateway_name[CFG_NAME_MAX];
	struct ip_prefix gateway_addr[CFG_ADDRS_MAX];
	unsigned n_gateway_addr;
	struct cfg_dataplane dataplane;
	struct cfg_port port[CFG_PORTS_MAX];
	unsigned n_ports;
	struct cfg_route *route;
	unsigned n_routes;
	struct cfg_tunnel *tunnel; /* rows are zeroed before they are filled: equal ones are equal octet by octet */
	char **psk_file;           /* [n_tunnels], as written; NULL: the PSK stands in the file itself */
	unsigned n_tunnels;
	struct cfg_bgp bgp;
	struct cfg_prefix_list *prefix_list;
	unsigned n_prefix_lists;
	struct cfg_as_path_list *as_path_list;
	unsigned n_as_path_lists;
	struct cfg_policy *policy;
	unsigned n_policies;
	struct cfg_errors notes; /* what is legal but hardly meant, in line order: `gwctl config check` shows them */
};

/* Read and check path. NULL on any error: errs then has at least one, and nothing else has happened.
 * secrets: read PSK files too, and refuse a PSK in a file that others can read (the data plane says false: it needs
 * none and gets none). Free with config_free(). */
struct config *config_load(const char *path, bool secrets, struct cfg_errors *errs);
void config_free(struct config *c); /* wipes the secrets; NULL is fine */
/* "file:line: text" per error. */
void cfg_errors_print(const struct cfg_errors *errs, const char *path, int fd);
void cfg_errors_free(struct cfg_errors *errs);

const struct cfg_tunnel *config_tunnel(const struct config *c, const char *name);
/* One more holder of c, and one less (the last one wipes and frees); one thread at a time. NULL is fine. Same content? */
struct cfg_certs *cfg_certs_ref(struct cfg_certs *c);
void cfg_certs_unref(struct cfg_certs *c);
bool cfg_certs_same(const struct cfg_certs *a, const struct cfg_certs *b);

const struct cfg_port *config_port(const struct config *c, const char *name);
const struct cfg_prefix_list *config_prefix_list(const struct config *c, const char *name);
const struct cfg_as_path_list *config_as_path_list(const struct config *c, const char *name);
const struct cfg_policy *config_policy(const struct config *c, const char *name);

/* The same from memory: len octets of YAML. Relative secret files are looked up from the directory dir (NULL: the
 * working directory). text is not kept. */
struct config *config_load_text(const char *text, size_t len, const char *dir, bool secrets, struct cfg_errors *errs);

/* "192.0.2.1", "gw.example.net", "user@host", "C=DE, O=x, CN=y" (cfg_dn.h), "key:hex", "dn:hex" -> identity. 0 or -EINVAL. */
int cfg_id_parse(const char *s, struct cfg_id *out) MUST_USE;
/* Text form, escaped; buf of cap octets is lent. */
const char *cfg_id_str(const struct cfg_id *id, char *buf, unsigned cap);

/* What a tunnel's kind stands for, by enum cfg_tunnel_kind; *n gets their count. */
struct cfg_preset {
	const char *kind, *what;            /* the word, and whom it means */
	const char *ike[CFG_PROPOSALS_MAX]; /* proposals in words, up to NULL; none: the gateway's own */
	const char *esp[CFG_PROPOSALS_MAX];
	uint32_t ike_lifetime_s, esp_lifetime_s;
	uint64_t esp_lifetime_bytes; /* 0: none */
	uint32_t dpd_s;
	uint16_t mss; /* CFG_MSS_AUTO or octets */
	uint8_t df;   /* enum cfg_df */
};
const struct cfg_preset *cfg_presets(unsigned *n);
/* Needs `legacy: true` as it stands? */
bool cfg_preset_legacy(const struct cfg_preset *p);

/* A canonical file that parses back to the same config; secrets as the file's path, or a remark. malloc'd. */
char *config_print(const struct config *c);
