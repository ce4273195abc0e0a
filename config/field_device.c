/* ports.NAME.device: what packets go through.
 *
 *   af_packet:IFACE                              a Linux interface, as it is
 *   af_xdp:IFACE                                 a Linux interface by AF_XDP sockets
 *   pci:0000:00:05.0                             a PCI device that is bound to vfio-pci or a UIO driver
 *   memif:role=server,socket=PATH[,id=N][,queues=N]   shared memory with another program; role=client for its other end
 *   pcap:rx=FILE,tx=FILE                         capture files; either half may be left out
 *   pcap:iface=IFACE                             libpcap on an interface
 *
 * Only the form is looked at here: what the host has is the data plane's business (dataplane/port.h).
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"

enum { SOCKET_MAX = 108 /* sun_path */, MEMIF_ID_MAX = 65535 };

/* Of a list "key=value,key=value": the next pair. NULL at the end. */
struct pair {
	const char *key, *value;
	size_t n_key, n_value;
};

static bool next_pair(const char **s, struct pair *p)
{
	size_t n = strcspn(*s, ",");
	const char *eq = memchr(*s, '=', n);

	if (!eq || eq + 1 == *s + n || ((*s)[n] == ',' && !(*s)[n + 1]))
		return false;
	*p = (struct pair){
		.key = *s, .value = eq + 1, .n_key = (size_t)(eq - *s), .n_value = (size_t)(*s + n - eq - 1)};
	*s += n + ((*s)[n] == ',');
	return true;
}

static bool is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

static bool is_number(const char *s, size_t n, unsigned min, unsigned max)
{
	unsigned v = 0;

	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	return v >= min && v <= max;
}

/* rx=FILE,tx=FILE in any order, one of them at least; or iface=IFACE. */
static bool is_pcap(const char *s)
{
	bool rx = false, tx = false;
	struct pair p;

	if (!strncmp(s, "iface=", 6))
		return field_is_iface(s + 6, strlen(s + 6));
	do {
		bool *seen;

		if (!next_pair(&s, &p))
			return false;
		seen = is(p.key, p.n_key, "rx") ? &rx : is(p.key, p.n_key, "tx") ? &tx : NULL;
		if (!seen || *seen)
			return false;
		*seen = true;
	} while (*s);
	return true;
}

/* A path that DPDK's own list of arguments can carry. */
static bool is_path(const char *s, size_t n)
{
	if (n < 2 || n >= SOCKET_MAX || s[0] != '/' || s[n - 1] == '/')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)s[i]) || strchr("[]\"'\\=", s[i]))
			return false;
	return true;
}

/* What is wrong, or NULL. */
static const char *memif_fault(const char *s)
{
	bool role = false, socket = false, id = false, queues = false;
	struct pair p;

	do {
		bool *seen, ok;

		if (!next_pair(&s, &p))
			return "is no list of key=value";
		if (is(p.key, p.n_key, "role")) {
			seen = &role;
			ok = is(p.value, p.n_value, "server") || is(p.value, p.n_value, "client");
		} else if (is(p.key, p.n_key, "socket")) {
			seen = &socket;
			ok = is_path(p.value, p.n_value);
		} else if (is(p.key, p.n_key, "id")) {
			seen = &id;
			ok = is_number(p.value, p.n_value, 0, MEMIF_ID_MAX);
		} else if (is(p.key, p.n_key, "queues")) {
			seen = &queues;
			ok = is_number(p.value, p.n_value, 1, CFG_WORKERS_MAX);
		} else {
			return "has a key that is none of role, socket, id and queues";
		}
		if (*seen)
			return "has a key twice";
		*seen = true;
		if (!ok)
			return seen == &role     ? "has a role that is neither server nor client"
			       : seen == &socket ? "has a socket that is no absolute path of at most 107 octets"
			       : seen == &id     ? "has an id that is no number from 0 to 65535"
						 : "has queues that are no number from 1 to the most workers";
	} while (*s);
	return role && socket ? NULL : "lacks its role or its socket";
}

/* 0000:00:05.0 */
static bool is_pci(const char *s)
{
	static const char form[] = "xxxx:xx:xx.0";

	if (strlen(s) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; s[i]; i++)
		if (form[i] == 'x'   ? !isxdigit((unsigned char)s[i])
		    : form[i] == '0' ? s[i] < '0' || s[i] > '7'
				     : s[i] != form[i])
			return false;
	return true;
}

/* What is wrong with the rest behind the kind, or NULL. */
static const char *fault(const char *s, bool *known)
{
	static const char *const iface[] = {"af_packet:", "af_xdp:"};

	*known = true;
	for (unsigned i = 0; i < N_ELEMS(iface); i++)
		if (!strncmp(s, iface[i], strlen(iface[i])))
			return field_is_iface(s + strlen(iface[i]), strlen(s + strlen(iface[i])))
				       ? NULL
				       : "has no name of an interface behind the colon, such as eth1";
	if (!strncmp(s, "pcap:", 5))
		return is_pcap(s + 5) ? NULL : "names no files: pcap:rx=FILE,tx=FILE or pcap:iface=IFACE";
	if (!strncmp(s, "memif:", 6))
		return memif_fault(s + 6);
	if (!strncmp(s, "pci:", 4))
		return is_pci(s + 4) ? NULL : "is no PCI address: write all of it, as lspci -D does (0000:00:05.0)";
	*known = false;
	return NULL;
}

void field_device(struct load *l, const struct tree_node *n, void *port)
{
	static const char *const later[] = {"vmbus:", "tap:", "net_null:", "net_ring:"};
	const char *s = load_value(l, n, "a device such as af_packet:eth1"), *wrong;
	struct cfg_port *p = port;
	char show[80];
	bool known;

	load_mark(l, p->device, n->line);
	if (!s)
		return;
	for (unsigned i = 0; i < N_ELEMS(later); i++)
		if (!strncmp(s, later[i], strlen(later[i]))) {
			load_error(l, n->line,
				   "`%s` devices are not in this release: write af_packet:IFACE, af_xdp:IFACE, memif: "
				   "or pci:",
				   later[i]);
			return;
		}
	if (strlen(s) >= sizeof(p->device)) {
		load_error(l, n->line, "the device has more than %zu octets", sizeof(p->device) - 1);
		return;
	}
	wrong = fault(s, &known);
	if (!known)
		load_error(l, n->line,
			   "\"%s\" is not a device: write af_packet:IFACE, af_xdp:IFACE, pci:0000:00:05.0, "
			   "memif:role=server,socket=/run/x.sock or pcap:rx=FILE,tx=FILE",
			   load_show(n, show));
	else if (wrong)
		load_error(l, n->line, "\"%s\" %s", load_show(n, show), wrong);
	else
		memcpy(p->device, s, strlen(s));
}
