/* IKE datagrams of up to 64 KiB over 2 KiB slots. */
#include <errno.h>
#include <string.h>

#include "ring/shm.h"

enum { SLOTS_MAX = (MSG_IKE_MAX + MSG_IKE_DATA - 1) / MSG_IKE_DATA };

_Static_assert((int)SLOTS_MAX < (int)SHM_IKE_INIT_CAP, "the longest datagram fits the smallest ring");

int shm_ike_push(struct spsc *q, struct msg_ike *m, const uint8_t *data, uint32_t total)
{
	uint32_t n_slots = (total + MSG_IKE_DATA - 1) / MSG_IKE_DATA, done = 0;
	uint8_t flags = m->flags & (uint8_t)~MSG_IKE_MORE;
	int64_t room;

	if (total == 0 || total > MSG_IKE_MAX)
		return -EMSGSIZE;
	room = spsc_free(q);
	if (room < n_slots)
		return room < 0 ? -EPROTO : -ENOBUFS;
	for (uint32_t i = 0; i < n_slots; i++) {
		uint8_t *slot = spsc_slot(q, q->own + i);
		uint32_t n = total - done < MSG_IKE_DATA ? total - done : MSG_IKE_DATA;

		m->len = (uint16_t)n;
		m->flags = i + 1 < n_slots ? flags | MSG_IKE_MORE : flags;
		memcpy(slot, m, MSG_IKE_HDR);
		memcpy(slot + MSG_IKE_HDR, data + done, n);
		done += n;
	}
	spsc_publish(q, n_slots); /* all at once: the reader never sees half a datagram of ours */
	return 0;
}

/* The slots from the i-th on that still belong to a datagram which is thrown away: up to one without MORE. */
static uint32_t rest_of(const struct spsc *q, uint32_t i, uint32_t used)
{
	while (i < used) {
		uint8_t flags = spsc_slot(q, q->own + i)[offsetof(struct msg_ike, flags)];

		i++;
		if (!(flags & MSG_IKE_MORE))
			break;
	}
	return i;
}

/* Each octet is read from the segment once: what was checked is what is used. A datagram that is not whole yet is read
 * again from its start the next time. */
int shm_ike_pop(struct spsc *q, const struct msg_limits *l, struct msg_ike *h, uint8_t *data, uint32_t cap)
{
	int64_t used = spsc_used(q);
	uint32_t total = 0;
	struct msg_ike next;

	if (used <= 0)
		return used < 0 ? -EPROTO : -EAGAIN;
	if (cap > MSG_IKE_MAX)
		cap = MSG_IKE_MAX;
	for (uint32_t i = 0; i < used && i < SLOTS_MAX; i++) {
		struct msg_ike *head = i == 0 ? h : &next;
		const uint8_t *slot = spsc_slot(q, q->own + i);

		memcpy(head, slot, MSG_IKE_HDR);
		if (msg_check_ike(head, l) || head->len > cap - total) {
			spsc_release(q, head->flags & MSG_IKE_MORE ? rest_of(q, i + 1, (uint32_t)used) : i + 1);
			return -EBADMSG;
		}
		memcpy(data + total, slot + MSG_IKE_HDR, head->len);
		total += head->len;
		if (!(head->flags & MSG_IKE_MORE)) {
			spsc_release(q, i + 1);
			return (int)total;
		}
	}
	if (used < SLOTS_MAX)
		return -EAGAIN;
	spsc_release(q, rest_of(q, SLOTS_MAX, (uint32_t)used));
	return -EBADMSG;
}
