/* Shared-memory packet interfaces (net_memif): another gateway, VPP or testpmd at the other end of a Unix socket.
 *
 * The driver's server end waits for a client by itself. Its client end connects once, when it is started, and neither end starts
 * anew by itself: port_memif_turn() does that. Both ends must say the same number of queues; the driver does not check.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>

#include "base/err.h"
#include "base/log.h"
#include "dataplane/port_kind.h"

enum { GREETING_MS = 2000 };

/* The value behind "key=" in the device, as the config has checked it; "" if it is not there. */
static void value(const char *spec, const char *key, char *out, size_t cap)
{
	size_t n_key = strlen(key);

	out[0] = '\0';
	for (const char *s = spec; s; s = strchr(s, ','), s += s != NULL)
		if (!strncmp(s, key, n_key) && s[n_key] == '=')
			snprintf(out, cap, "%.*s", (int)strcspn(s + n_key + 1, ","), s + n_key + 1);
}

static int no_twin(const struct port_set *s, const struct port *p, char *why, unsigned cap)
{
	for (uint16_t i = 0; i < p->index; i++) {
		const struct port *q = &s->p[i];

		if (q->kind != PORT_MEMIF || strcmp(q->socket, p->socket) != 0)
			continue;
		if (q->server != p->server)
			return port_fail(
				why, cap, -EINVAL,
				"port %s: port %s is the other end of memif socket %s: a gateway cannot be both",
				p->cfg->name, q->cfg->name, p->socket);
		if (q->id == p->id)
			return port_fail(why, cap, -EBUSY,
					 "port %s: memif id %u of socket %s is port %s already: give each its own id=N",
					 p->cfg->name, p->id, p->socket, q->cfg->name);
	}
	return 0;
}

/* No wire, no MAC: a locally administered one that stays the same, so that the peer's neighbour table stays right. */
static void make_mac(struct port *p)
{
	char text[PORT_PATH + 32];
	uint32_t h;

	snprintf(text, sizeof(text), "%s %u %s", p->socket, p->id, p->server ? "server" : "client");
	h = port_hash(text);
	memcpy(p->mac,
	       (const uint8_t[6]){0x02, 0x6d, (uint8_t)(h >> 24), (uint8_t)(h >> 16), (uint8_t)(h >> 8), (uint8_t)h},
	       6);
}

int port_memif_plan(const struct port_set *s, struct port *p, const char *spec, unsigned n_workers, char *why,
		    unsigned cap)
{
	char role[16], id[8], queues[8];
	uint32_t room = p->cfg->mtu + 18u;

	value(spec, "role", role, sizeof(role));
	value(spec, "socket", p->socket, sizeof(p->socket));
	value(spec, "id", id, sizeof(id));
	value(spec, "queues", queues, sizeof(queues));
	p->server = !strcmp(role, "server");
	p->id = id[0] ? (unsigned)strtoul(id, NULL, 10) : 0;
	p->n_rx = p->n_tx = queues[0] ? (uint16_t)strtoul(queues, NULL, 10) : 1;
	if (p->n_rx > n_workers)
		return port_fail(why, cap, -EINVAL,
				 "port %s: %u queues for %u workers: write queues=%u at both ends, or more workers",
				 p->cfg->name, p->n_rx, n_workers, n_workers);
	if (no_twin(s, p, why, cap))
		return -EBUSY;
	make_mac(p);
	snprintf(p->dev_name, sizeof(p->dev_name), "net_memif%u", p->index);
	snprintf(p->arg, sizeof(p->arg),
		 "%s,role=%s,id=%u,socket=%s,socket-abstract=no,rsize=10,bsize=%u,mac=%02x:%02x:%02x:%02x:%02x:%02x",
		 p->dev_name, role, p->id, p->socket, room <= PORT_FRAME_MIN ? (unsigned)PORT_FRAME_MIN : room,
		 p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5]);
	return 0;
}

/* A killed predecessor's socket is in the way of the server's, and goes; a living one does not. */
int port_memif_prepare(const struct port *p, char *why, unsigned cap)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char dir[PORT_PATH];
	struct stat st;
	int fd, ret;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(p->socket, '/') - p->socket) + 1, p->socket);
	if (access(dir, W_OK | X_OK))
		return port_fail(why, cap, -errno, "port %s: directory %s of the memif socket: %s; mkdir -p %s",
				 p->cfg->name, dir, err_str(errno), dir);
	if (!p->server || lstat(p->socket, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return port_fail(why, cap, -EEXIST, "port %s: %s is no socket: remove it, or name another path",
				 p->cfg->name, p->socket);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return port_fail(why, cap, -errno, "port %s: no socket: %s", p->cfg->name, err_str(errno));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", p->socket);
	ret = connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
	if (!ret) /* DPDK's server may not live on when a client goes before it was greeted (whole.c) */
		(void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, GREETING_MS);
	close(fd);
	if (ret != -ECONNREFUSED)
		return port_fail(why, cap, -EADDRINUSE,
				 "port %s: another program serves memif socket %s; stop it, or name another path",
				 p->cfg->name, p->socket);
	if (unlink(p->socket))
		return port_fail(why, cap, -errno, "port %s: cannot remove the old memif socket %s: %s", p->cfg->name,
				 p->socket, err_str(errno));
	log_info(LOG_PORT, "port=%s event=leftover-removed socket=%s", p->cfg->name, p->socket);
	return 0;
}

/* A client without its server: the device is stopped and started, which connects, when no worker looks at it any more. The
 * link is down meanwhile, and workers take nothing from it. */
void port_memif_turn(struct port *p, struct rte_rcu_qsbr *qsbr)
{
	if (p->server || p->up) {
		p->waiting = false;
		return;
	}
	if (!p->waiting) {
		p->waiting = true;
		p->token = rte_rcu_qsbr_start(qsbr);
		return;
	}
	if (access(p->socket, F_OK) || rte_rcu_qsbr_check(qsbr, p->token, false) != 1)
		return;
	(void)rte_eth_dev_stop(p->dev);
	(void)rte_eth_dev_start(p->dev);
	p->waiting = false;
}
