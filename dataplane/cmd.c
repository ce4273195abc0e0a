#include "dataplane/cmd.h"

#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "base/secret.h"
#include "dataplane/punt.h"
#include "dataplane/sad.h"
#include "dataplane/worker.h"

enum { EVT_ROOM = 2 }; /* events that one command can cause at once */

struct cmd *cmd_new(int bell_ctl)
{
	struct cmd *c = rte_zmalloc("cmd", sizeof(*c), CACHE_LINE);

	if (c)
		c->bell_ctl = bell_ctl;
	return c;
}

void cmd_free(struct cmd *c)
{
	if (c)
		secret_wipe(&c->held, sizeof(c->held));
	rte_free(c);
}

static void rings_off(struct worker *w)
{
	w->evt = NULL;
	w->punt->rings = NULL;
}

void cmd_broken(struct worker *w)
{
	struct cmd *c = w->cmd;
	uint64_t one = 1;

	if (!c || c->dead || !c->cur)
		return;
	c->dead = true;
	rings_off(w);
	atomic_store_explicit(&c->broken, c->cur->limits.attach, memory_order_release);
	if (write(c->bell_ctl, &one, sizeof(one)) < 0)
		return; /* full: the bell rings already */
}

/* Use the newest segment. What was begun for the last control plane ends here. */
static void segment_take(struct worker *w, struct cmd *c, struct cmd_segment *seg)
{
	c->cur = seg;
	c->dead = c->listing = c->deleting = false;
	secret_wipe(&c->held, sizeof(c->held));
	rings_off(w);
	w->stats = &seg->shm->worker_stats[w->id];
	w->sa_stats = seg->shm->sa_stats;
	w->sa_publish_next = 0;
	w->unpublished = true;
	w->attach = seg->limits.attach;
	w->bell = seg->shm->bell_worker[w->id];
	w->bell_control = seg->shm->bell_control;
	w->punt->limits = seg->limits;
	/* from here on nothing of ours points into the old one */
	atomic_store_explicit(&c->seen, seg, memory_order_release);
}

/* True when there is a control plane to talk to. */
static bool segment_ready(struct worker *w, struct cmd *c)
{
	struct cmd_segment *next = atomic_load_explicit(&c->next, memory_order_acquire);

	if (next != c->cur)
		segment_take(w, c, next);
	if (!c->cur || c->dead || !atomic_load_explicit(&c->cur->attached, memory_order_acquire)) {
		rings_off(w);
		return false;
	}
	w->evt = &c->cur->shm->w[w->id].evt;
	w->punt->rings = &c->cur->shm->w[w->id];
	return true;
}

static bool push(struct worker *w, struct msg_hdr *h, enum msg_type type, uint32_t seq, uint16_t len)
{
	int ret;

	*h = (struct msg_hdr){.type = (uint16_t)type, .len = len, .seq = seq, .attach = w->attach};
	ret = spsc_push(w->evt, h, len);
	if (ret == 0)
		w->bell_pending = true;
	else if (ret == -EPROTO)
		cmd_broken(w);
	return ret == 0;
}

static void answer(struct worker *w, uint16_t type, uint32_t seq, int status)
{
	struct msg_ack ack = {.type = type, .status = status};

	(void)push(w, &ack.hdr, status ? MSG_NACK : MSG_ACK, seq, sizeof(ack)); /* room was seen before */
}

/* SA_DEL. False: a batch of it is in flight, ask again. */
static bool delete (struct worker *w, const struct msg_sa_del *m)
{
	struct msg_sa_event gone = {0};
	uint32_t seq = m->hdr.seq;
	int ret = sad_del(w, m->sa, m->dir, &gone);

	if (ret == -EBUSY)
		return false;
	answer(w, MSG_SA_DEL, seq, ret);
	if (ret == 0 && w->evt)
		(void)push(w, &gone.hdr, MSG_SA_GONE, seq, sizeof(gone));
	return true;
}

/* SA_LIST: some more of the SAs that live here; the end and the ACK behind the last. */
static void list_on(struct worker *w, struct cmd *c)
{
	struct msg_sa_event info;

	for (unsigned i = 0; i < CMD_INFO_PER_POLL && w->evt; i++) {
		int64_t room = spsc_free(w->evt);

		if (room < EVT_ROOM) {
			if (room < 0)
				cmd_broken(w);
			return;
		}
		memset(&info, 0, sizeof(info));
		c->list_from = sad_next(w, c->list_from, c->list_dir, &info);
		if (c->list_from != SAD_NO_SLOT) {
			(void)push(w, &info.hdr, MSG_SA_INFO, c->list_seq, sizeof(info));
			c->list_from++;
		} else if (c->list_dir == MSG_DIR_IN) {
			c->list_dir = MSG_DIR_OUT;
			c->list_from = 0;
		} else {
			struct msg_hdr end;

			(void)push(w, &end, MSG_SA_INFO_END, c->list_seq, sizeof(end));
			if (w->evt)
				answer(w, MSG_SA_LIST, c->list_seq, 0);
			c->listing = false;
			return;
		}
	}
}

static void obey(struct worker *w, struct cmd *c, union msg *m)
{
	uint16_t type = m->hdr.type;
	uint32_t seq = m->hdr.seq;
	int ret = -ENOTSUP;

	switch (type) {
	case MSG_SA_IN_ADD:
		ret = sad_add_in(w, (struct msg_sa_add *)m);
		break;
	case MSG_SA_OUT_ADD:
		ret = sad_add_out(w, (struct msg_sa_add *)m);
		break;
	case MSG_SA_MOVE:
		ret = sad_move(w, (const struct msg_sa_move *)m);
		break;
	case MSG_SA_ADOPT:
		ret = sad_adopt(w, ((const struct msg_sa_adopt *)m)->sa, ((const struct msg_sa_adopt *)m)->dir);
		break;
	case MSG_SA_DEL:
		if (!delete (w, (const struct msg_sa_del *)m)) {
			c->held = *m;
			c->deleting = true;
		}
		return;
	case MSG_SA_LIST:
		c->listing = true;
		c->list_dir = MSG_DIR_IN;
		c->list_from = 0;
		c->list_seq = seq;
		return;
	default: /* the ctl thread's, and what is reserved */
		break;
	}
	answer(w, type, seq, ret);
}

/* What an earlier command left undone. True: commands behind it have to wait. */
static bool unfinished(struct worker *w, struct cmd *c)
{
	if (c->deleting)
		c->deleting = !delete (w, (const struct msg_sa_del *)&c->held);
	if (c->listing)
		list_on(w, c);
	return c->deleting || c->listing;
}

bool cmd_poll(struct worker *w)
{
	struct cmd *c = w->cmd;
	union msg m;
	unsigned n = 0;

	if (!c || !segment_ready(w, c))
		return false;
	for (; n < CMD_PER_POLL; n++) {
		int64_t room = spsc_free(w->evt);
		int ret = room < 0 ? (int)room : -EAGAIN;

		/* without room for its answer a command stays where it is */
		if (room >= EVT_ROOM && !unfinished(w, c) && w->evt)
			ret = spsc_pop(&c->cur->shm->w[w->id].cmd, &m);
		if (ret == -EPROTO)
			cmd_broken(w);
		if (ret)
			break;
		if (msg_check_cmd(&m, &c->cur->limits))
			w->count.bad_msgs++;
		else
			obey(w, c, &m);
		secret_wipe(&m, sizeof(m));
		if (!w->evt)
			break;
	}
	return n > 0;
}
