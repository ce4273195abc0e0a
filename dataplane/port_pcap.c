#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "dataplane/port_kind.h"

/* A device of net_pcap has one RX queue, and a TX file of its own for each worker after the first: FILE.1, FILE.2 .. */
static int add(struct port *p, unsigned *at, const char *key, const char *value, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char suffix[16] = "";
		int len;

		if (i && !strcmp(key, "tx_pcap"))
			snprintf(suffix, sizeof(suffix), ".%u", i);
		len = snprintf(p->arg + *at, sizeof(p->arg) - *at, ",%s=%s%s", key, value, suffix);
		if (len < 0 || (unsigned)len >= sizeof(p->arg) - *at)
			return -ENAMETOOLONG;
		*at += (unsigned)len;
	}
	return 0;
}

int port_pcap_plan(struct port *p, const char *spec, unsigned n_workers, char *why, unsigned cap)
{
	char buf[sizeof(p->cfg->device)], *save = NULL;
	unsigned at;
	int ret = 0;

	snprintf(p->dev_name, sizeof(p->dev_name), "net_pcap%u", p->index);
	at = (unsigned)snprintf(p->arg, sizeof(p->arg), "net_pcap%u", p->index);
	snprintf(buf, sizeof(buf), "%s", spec);
	for (char *t = strtok_r(buf, ",", &save); t && !ret; t = strtok_r(NULL, ",", &save)) {
		if (!strncmp(t, "rx=", 3)) {
			if (access(t + 3, R_OK))
				return port_fail(why, cap, -errno, "port %s: cannot read %s: %s", p->cfg->name, t + 3,
						 err_str(errno));
			ret = add(p, &at, "rx_pcap", t + 3, 1);
		} else if (!strncmp(t, "tx=", 3)) {
			ret = add(p, &at, "tx_pcap", t + 3, n_workers);
		} else if (!strncmp(t, "iface=", 6)) {
			if (!port_iface_name_ok(t + 6) || !if_nametoindex(t + 6))
				return port_fail(why, cap, -ENODEV, "port %s: there is no interface %s", p->cfg->name,
						 t + 6);
			ret = add(p, &at, "rx_iface_in", t + 6, 1);
			if (!ret)
				ret = add(p, &at, "tx_iface", t + 6, n_workers);
		} else {
			return port_fail(why, cap, -EINVAL,
					 "port %s: \"%s\" in device; write pcap:rx=FILE,tx=FILE or pcap:iface=NAME",
					 p->cfg->name, t);
		}
	}
	if (ret || at == strlen(p->dev_name))
		return port_fail(why, cap, -EINVAL,
				 "port %s: device names no file, or too long ones; write pcap:rx=FILE,tx=FILE",
				 p->cfg->name);
	p->n_rx = 1;
	p->n_tx = (uint16_t)n_workers;
	/* no wire, no MAC: a locally administered one that tells the ports apart */
	memcpy(p->mac, (const uint8_t[6]){0x02, 0x70, 0x63, 0x61, 0x70, (uint8_t)p->index}, 6);
	return 0;
}
