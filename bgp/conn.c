#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "bgp/peer.h"

/* The number finds its connection without a search: serial, peer, which of the two. */
void conn_open(struct conn *c, bool ours)
{
	struct peer *p = c->peer;

	assert(!c->id);
	p->b->serial = p->b->serial % 0x7ffff + 1;
	c->id = p->b->serial << 13 | p->index << 1 | (c == &p->conn[1]);
	c->ours = ours;
	c->up = c->blocked = c->fresh = c->keepalive_waits = c->hold_grace = c->open_rcvd = false;
	memset(&c->local, 0, sizeof(c->local));
	if (!c->io)
		c->io = xcalloc(1, sizeof(*c->io));
	c->io->in_len = c->io->out_at = c->io->out_len = 0;
}

static void count_out(struct conn *c, const uint8_t *msg)
{
	uint8_t type = msg[BGP_HDR - 1];

	c->peer->msg_out[0]++;
	if (type < N_ELEMS(c->peer->msg_out))
		c->peer->msg_out[type]++;
	/* 8.2.2: "each time the local system sends a KEEPALIVE or UPDATE message, it restarts its KeepaliveTimer" */
	if ((type == BGP_KEEPALIVE || type == BGP_UPDATE) && c->state >= BGP_OPENCONFIRM)
		session_keepalive_restart(c, type == BGP_KEEPALIVE);
}

static uint64_t send_hold_ms(const struct conn *c)
{
	return c->hold_s ? 2000ull * c->hold_s : PEER_SEND_HOLD_0_MS;
}

/* Give the socket what waits. False: it does not take all of it. */
static bool flush(struct conn *c)
{
	struct conn_io *io = c->io;
	const struct bgp_env *env = &c->peer->b->env;
	size_t left = io->out_len - io->out_at, n;

	if (!left || c->blocked || c->fresh)
		return !left;
	n = env->send(env->ctx, c->id, io->out + io->out_at, left);
	assert(n <= left);
	io->out_at += n;
	if (n == left) {
		io->out_at = io->out_len = 0;
		c->keepalive_waits = false;
		session_timer_stop(c, T_SEND_HOLD);
		return true;
	}
	c->blocked = true;
	/* RFC 9687: from the last octet that went */
	if (n || c->at[T_SEND_HOLD] == NEVER)
		session_timer(c, T_SEND_HOLD, send_hold_ms(c));
	return false;
}

static void pack(struct conn_io *io)
{
	memmove(io->out, io->out + io->out_at, io->out_len - io->out_at);
	io->out_len -= io->out_at;
	io->out_at = 0;
}

bool conn_send(struct conn *c, const uint8_t *msg, size_t len)
{
	struct conn_io *io = c->io;
	uint8_t type = msg[BGP_HDR - 1];

	/* One that waits says as much as two. */
	if (type == BGP_KEEPALIVE && c->keepalive_waits) {
		session_keepalive_restart(c, true);
		return true;
	}
	pack(io);
	if (len == 0 || sizeof(io->out) - io->out_len < len)
		return false;
	memcpy(io->out + io->out_len, msg, len);
	io->out_len += len;
	c->keepalive_waits |= type == BGP_KEEPALIVE;
	count_out(c, msg);
	flush(c);
	return true;
}

/* Our own ROUTE-REFRESHes wait for room as UPDATEs do: there is always one at most of each family. */
static size_t pull(struct conn *c, uint8_t *buf)
{
	struct peer *p = c->peer;

	if (p->refresh_v4) {
		p->refresh_v4 = false;
		return wire_refresh_build(buf, BGP_MSG_MAX, BGP_AFI_V4, BGP_SAFI_UNICAST);
	}
	if (p->refresh_v6) {
		p->refresh_v6 = false;
		return wire_refresh_build(buf, BGP_MSG_MAX, BGP_AFI_V6, BGP_SAFI_UNICAST);
	}
	return out_pull(p->b->rib, p->index, buf);
}

void conn_pump(struct conn *c)
{
	struct conn_io *io = c->io;
	struct peer *p = c->peer;
	unsigned pulls = CONN_PULLS;

	while (c->id && flush(c) && c->state == BGP_ESTABLISHED) {
		size_t n = 1;

		while (pulls && io->out_len + BGP_MSG_MAX <= CONN_OUT_MAX && (n = pull(c, io->out + io->out_len))) {
			count_out(c, io->out + io->out_len);
			io->out_len += n;
			pulls--;
		}
		if (!io->out_len)
			break;
	}
	if (c->id && c->state == BGP_ESTABLISHED && !c->blocked && out_pending(p->b->rib, p->index))
		peer_ready(p);
}

/* The message at p is len octets long when its header is whole; 0: not yet known. False: the header is bad. */
static bool frame(struct conn *c, const uint8_t *p, size_t have, size_t *len)
{
	struct wire_hdr h;

	*len = 0;
	if (have < BGP_HDR)
		return true;
	if (!wire_hdr_parse(p, &h, &c->err)) {
		fsm_run(c, FSM_HEADER_ERROR);
		return false;
	}
	*len = h.len;
	return true;
}

/* Fill the kept part of a message up to want octets. */
static void keep(struct conn_io *io, size_t want, const uint8_t **p, size_t *len)
{
	size_t n = want - io->in_len;

	if (n > *len)
		n = *len;
	memcpy(io->in + io->in_len, *p, n);
	io->in_len += n;
	*p += n;
	*len -= n;
}

bool conn_input(struct conn *c, const uint8_t *p, size_t len)
{
	struct conn_io *io = c->io;
	uint32_t id = c->id;

	while (len) {
		size_t msg_len;
		const uint8_t *msg = p;

		if (io->in_len) {
			if (io->in_len < BGP_HDR)
				keep(io, BGP_HDR, &p, &len);
			msg = io->in;
		}
		if (!frame(c, msg, io->in_len ? io->in_len : len, &msg_len))
			return false;
		if (io->in_len || msg_len == 0 || msg_len > len) {
			keep(io, msg_len ? msg_len : BGP_HDR, &p, &len);
			if (msg_len == 0 || io->in_len < msg_len)
				continue;
			msg = io->in;
			io->in_len = 0;
		} else {
			p += msg_len;
			len -= msg_len;
		}
		input_message(c, msg[BGP_HDR - 1], rd_of(msg, msg_len));
		if (c->id != id)
			return false;
	}
	return true;
}
