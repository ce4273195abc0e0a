#include "dataplane/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

enum { AGAIN_MS = 1 /* while workers move to another segment */ };

int attach_listen(struct attach *a, const char *run_dir, uint32_t allowed_uid)
{
	int fd, n;

	*a = (struct attach){.listener = -1, .conn = -1, .allowed_uid = allowed_uid};
	n = snprintf(a->path, sizeof(a->path), "%s/dataplane.sock", run_dir);
	if (n < 0 || (unsigned)n >= sizeof(a->path)) {
		a->path[0] = '\0';
		return -ENAMETOOLONG;
	}
	fd = shm_listen(a->path);
	if (fd < 0) {
		a->path[0] = '\0'; /* not ours: not to be removed */
		return fd;
	}
	a->listener = fd;
	if (allowed_uid && chown(a->path, allowed_uid, (gid_t)-1))
		return -errno;
	return 0;
}

/* Make the next segment in the free slot and let the workers have it. */
static int publish(struct attach *a)
{
	struct attach_slot *s = &a->slot[a->cur ^ 1];
	int ret;

	a->params.attach++;
	ret = shm_create(&s->shm, &a->params);
	if (ret)
		return ret;
	s->seg.shm = &s->shm;
	s->seg.limits = (struct msg_limits){.sas = a->params.sas,
					    .tunnels = a->params.tunnels,
					    .nexthops = a->params.nexthops,
					    .ports = (uint16_t)a->params.ports,
					    .workers = (uint8_t)a->params.workers,
					    .attach = a->params.attach};
	atomic_store(&s->seg.attached, false);
	atomic_store_explicit(&s->shm.hdr->tsc_khz, a->tsc_khz, memory_order_relaxed);
	s->used = true;
	a->leaving = a->slot[a->cur].used;
	a->cur ^= 1;
	a->renew = a->answered = false;
	for (uint32_t i = 0; i < a->params.workers; i++)
		atomic_store_explicit(&a->cmd[i]->next, &s->seg, memory_order_release);
	return 0;
}

int attach_start(struct attach *a, const struct shm_params *p, struct cmd *const *cmd, uint32_t tsc_khz)
{
	a->params = *p;
	a->params.attach = 0;
	a->cmd = cmd;
	a->tsc_khz = tsc_khz;
	do {
		if (getrandom(&a->params.epoch, sizeof(a->params.epoch), 0) != sizeof(a->params.epoch))
			return -EIO;
	} while (a->params.epoch == 0);
	return publish(a);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void attach_fini(struct attach *a)
{
	if (!a->path[0])
		return;
	close_fd(&a->conn);
	close_fd(&a->listener);
	(void)unlink(a->path);
	for (unsigned i = 0; i < N_ELEMS(a->slot); i++) {
		if (a->slot[i].used)
			shm_fini(&a->slot[i].shm);
		a->slot[i].used = false;
	}
	a->path[0] = '\0';
}

struct shm *attach_shm(struct attach *a)
{
	return a->answered ? &a->slot[a->cur].shm : NULL;
}

struct shm *attach_segment(struct attach *a)
{
	return &a->slot[a->cur].shm;
}

const struct msg_limits *attach_limits(const struct attach *a)
{
	return &a->slot[a->cur].seg.limits;
}

static void detach(struct attach *a, const char *cause)
{
	log_info(LOG_RING, "event=detached attach=%u cause=\"%s\"", a->params.attach, cause);
	atomic_store(&a->slot[a->cur].seg.attached, false);
	close_fd(&a->conn);
	a->answered = false;
	a->renew = true;
}

void attach_broken(struct attach *a, uint64_t now_ms, const char *who)
{
	uint64_t *slot = &a->reset_ms[a->next_reset], oldest;

	if (a->conn < 0)
		return;
	log_err(LOG_RING, "event=reset attach=%u ring-of=%s cause=\"the control plane broke a ring or a doorbell\"",
		a->params.attach, who);
	detach(a, "broken ring");
	*slot = now_ms ? now_ms : 1;
	a->next_reset = (a->next_reset + 1) % ATTACH_RESETS;
	oldest = a->reset_ms[a->next_reset];
	if (oldest && now_ms - oldest < ATTACH_RESET_SPAN_MS) {
		a->blocked_until_ms = now_ms + ATTACH_BLOCK_MS;
		memset(a->reset_ms, 0, sizeof(a->reset_ms));
		log_err(LOG_RING,
			"event=attach-stopped for=%us cause=\"%u resets within a minute\" cure=\"look at the control "
			"plane\"",
			(unsigned)(ATTACH_BLOCK_MS / 1000), (unsigned)ATTACH_RESETS);
	}
}

/* --- turns --- */

/* Has every worker left the old segment? Then it goes. */
static void leave(struct attach *a)
{
	struct attach_slot *old = &a->slot[a->cur ^ 1];

	for (uint32_t i = 0; i < a->params.workers; i++)
		if (atomic_load_explicit(&a->cmd[i]->seen, memory_order_acquire) != &a->slot[a->cur].seg)
			return;
	shm_fini(&old->shm);
	old->used = false;
	a->leaving = false;
}

static void check_workers(struct attach *a, uint64_t now_ms)
{
	char who[24];

	for (uint32_t i = 0; i < a->params.workers && a->conn >= 0; i++) {
		if (atomic_load_explicit(&a->cmd[i]->broken, memory_order_acquire) != a->params.attach)
			continue;
		snprintf(who, sizeof(who), "worker-%u", i);
		attach_broken(a, now_ms, who);
	}
}

/* The connection: an answer to our hello first, then nothing but its end. */
static void talk(struct attach *a, uint64_t now_ms)
{
	struct attach_slot *s = &a->slot[a->cur];
	char c;
	int ret;

	if (a->answered) {
		ssize_t n = recv(a->conn, &c, 1, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		detach(a, n > 0 ? "it sent what it must not" : "closed");
		return;
	}
	ret = shm_take_answer(&s->shm, a->conn);
	if (ret == -EAGAIN && now_ms < a->answer_by_ms)
		return;
	if (ret) {
		detach(a, ret == -EAGAIN ? "no answer" : err_str(ret));
		return;
	}
	a->answered = true;
	a->attached++;
	atomic_store_explicit(&s->seg.attached, true, memory_order_release);
	log_info(LOG_RING, "event=attached attach=%u epoch=%016llx", a->params.attach,
		 (unsigned long long)a->params.epoch);
}

static void accept_one(struct attach *a, uint64_t now_ms)
{
	int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), ret;

	if (fd < 0)
		return;
	if (a->conn >= 0) {
		log_warn(LOG_RING, "event=refused cause=\"a control plane is attached already\"");
		close(fd);
		return;
	}
	if (!shm_peer_ok(fd, a->allowed_uid)) {
		log_warn(LOG_RING, "event=refused cause=\"the peer's user is neither root nor the control plane's\"");
		close(fd);
		return;
	}
	a->conn = fd;
	a->answer_by_ms = now_ms + ATTACH_ANSWER_MS;
	ret = shm_send(&a->slot[a->cur].shm, fd);
	if (ret)
		detach(a, err_str(ret));
}

static bool accepting(const struct attach *a, uint64_t now_ms)
{
	return !a->renew && now_ms >= a->blocked_until_ms;
}

unsigned attach_fds(const struct attach *a, uint64_t now_ms, struct pollfd *fds)
{
	unsigned n = 0;

	if (accepting(a, now_ms))
		fds[n++] = (struct pollfd){.fd = a->listener, .events = POLLIN};
	if (a->conn >= 0)
		fds[n++] = (struct pollfd){.fd = a->conn, .events = POLLIN};
	if (a->answered)
		fds[n++] = (struct pollfd){.fd = a->slot[a->cur].shm.bell_ctl, .events = POLLIN};
	return n;
}

uint64_t attach_turn(struct attach *a, uint64_t now_ms)
{
	check_workers(a, now_ms);
	if (a->conn >= 0)
		talk(a, now_ms);
	if (a->leaving)
		leave(a);
	if (a->renew && !a->leaving) {
		int ret = publish(a);

		if (ret)
			log_warn(LOG_RING, "event=no-segment cause=\"%s\"", err_str(ret));
	}
	if (accepting(a, now_ms))
		accept_one(a, now_ms);
	if (a->leaving || a->renew)
		return now_ms + AGAIN_MS;
	if (a->conn >= 0 && !a->answered)
		return a->answer_by_ms;
	return a->blocked_until_ms > now_ms ? a->blocked_until_ms : UINT64_MAX;
}
