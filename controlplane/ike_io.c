#include "controlplane/ike_io.h"

#include <string.h>

#include "base/log.h"

static void path_of(const struct msg_ike *h, struct ike_path *p)
{
	*p = (struct ike_path){.local = ip_from_bytes(h->family, h->local),
			       .remote = ip_from_bytes(h->family, h->remote),
			       .local_port = h->local_port,
			       .remote_port = h->remote_port,
			       .dp_port = h->port,
			       .worker = h->worker,
			       .encap = h->flags & MSG_IKE_ENCAP};
}

/* true: the budget is used up. */
static bool drain(struct ike_io *io, struct spsc *q, unsigned worker, unsigned budget, uint64_t *count)
{
	for (unsigned i = 0; i < budget; i++) {
		struct msg_ike h;
		struct ike_path path;
		int n = shm_ike_pop(q, dp_limits(io->dp), &h, io->buf, sizeof(io->buf));

		if (n == -EAGAIN)
			return false;
		if (n == -EPROTO) {
			dp_broken(io->dp, "impossible index in an IKE ring");
			return false;
		}
		if (n < 0) {
			io->c.bad++;
			continue;
		}
		(*count)++;
		path_of(&h, &path);
		path.worker = (uint8_t)worker; /* what we know, not what is claimed */
		io->input(io->ctx, &path, io->buf, (size_t)n);
	}
	return true;
}

bool ike_io_turn(struct ike_io *io)
{
	struct shm *shm = dp_shm(io->dp);
	unsigned n = dp_limits(io->dp)->workers;
	bool more = false;

	for (unsigned w = 0; w < n; w++)
		more |= drain(io, &shm->w[w].ike_in, w, IKE_IO_BUDGET_IN, &io->c.in);
	for (unsigned w = 0; w < n; w++)
		more |= drain(io, &shm->w[w].ike_init, w, IKE_IO_BUDGET_INIT, &io->c.in_init);
	return more;
}

static void push(struct ike_io *io, const struct ike_path *path, bool encap, const uint8_t *data, size_t len)
{
	struct shm *shm = dp_shm(io->dp);
	struct msg_ike m = {0};
	unsigned w = path->worker;
	int rc;

	if (!shm || !dp_attached(io->dp) || len > MSG_IKE_MAX) {
		io->c.out_away++;
		return;
	}
	if (w >= dp_limits(io->dp)->workers)
		w = 0; /* the data plane has fewer now */
	m.attach = dp_limits(io->dp)->attach;
	m.flags = encap ? MSG_IKE_ENCAP : 0;
	m.family = path->remote.family;
	memcpy(m.local, path->local.b, sizeof(m.local));
	memcpy(m.remote, path->remote.b, sizeof(m.remote));
	m.local_port = path->local_port;
	m.remote_port = path->remote_port;
	m.port = path->dp_port;
	m.worker = (uint8_t)w;
	rc = shm_ike_push(&shm->w[w].ike_out, &m, data, (uint32_t)len);
	if (rc == -EPROTO)
		dp_broken(io->dp, "impossible index in an IKE ring");
	if (rc) {
		io->c.out_full++;
		log_warn(LOG_IKE, "worker=%u cause=\"IKE message dropped: the ring to the worker is full\"", w);
		return;
	}
	io->c.out++;
	dp_bell(io->dp, w);
}

void ike_io_send(struct ike_io *io, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	push(io, path, path->encap, msg, len);
}

void ike_io_keepalive(struct ike_io *io, const struct ike_path *path)
{
	static const uint8_t octet = 0xff;

	push(io, path, false, &octet, 1);
}
