#include "controlplane/ike/msgid.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static uint8_t *copy_of(const uint8_t *p, size_t len)
{
	uint8_t *c = xcalloc(1, len ? len : 1);

	memcpy(c, p, len);
	return c;
}

/* FNV-1a. Not a security measure: whoever makes a collision gets the cached response, as by repeating the request. */
uint64_t msgid_print(const uint8_t *msg, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ msg[i]) * 0x100000001b3u;
	return h ^ len;
}

enum msgid_verdict msgid_in_judge(const struct msgid *m, uint32_t mid, uint64_t print)
{
	const struct msgid_in *in = &m->in;

	if (mid == in->next && !in->busy)
		return MSGID_NEW;
	if (mid == in->next)
		return print == in->print ? MSGID_BUSY : MSGID_STALE;
	/* RFC 7296 2.1: the responder remembers each response until the next request. */
	if (mid == in->next - 1 && in->response && !in->busy && print == in->print)
		return MSGID_REPEAT;
	return MSGID_STALE;
}

void msgid_in_take(struct msgid *m, uint64_t print)
{
	m->in.busy = true;
	m->in.print = print;
}

void msgid_in_answer(struct msgid *m, const uint8_t *msg, size_t len)
{
	free(m->in.response);
	m->in.response = copy_of(msg, len);
	m->in.response_len = len;
	m->in.busy = false;
	m->in.next++;
}

void msgid_in_untake(struct msgid *m)
{
	m->in.busy = false;
}

void msgid_out_sent(struct msgid *m, const uint8_t *msg, size_t len, uint64_t first_ms, uint64_t now_ms)
{
	struct msgid_out *out = &m->out;

	free(out->msg);
	out->msg = copy_of(msg, len);
	out->len = len;
	out->sends = 1;
	out->wait_ms = first_ms;
	out->resend_at_ms = now_ms + first_ms;
}

bool msgid_out_expects(const struct msgid *m, uint32_t mid)
{
	return m->out.msg && mid == m->out.next;
}

void msgid_out_done(struct msgid *m)
{
	msgid_out_cancel(m);
	m->out.next++;
}

void msgid_out_cancel(struct msgid *m)
{
	free(m->out.msg);
	m->out.msg = NULL;
	m->out.len = 0;
}

enum msgid_due msgid_out_due(struct msgid *m, unsigned tries, uint64_t now_ms)
{
	struct msgid_out *out = &m->out;

	if (!out->msg || now_ms < out->resend_at_ms)
		return MSGID_WAIT;
	if (out->sends >= tries)
		return MSGID_GIVE_UP;
	out->sends++;
	out->wait_ms = out->wait_ms * 9 / 5; /* RFC 7296 2.4: exponentially longer */
	out->resend_at_ms = now_ms + out->wait_ms;
	return MSGID_RESEND;
}

uint64_t msgid_deadline(const struct msgid *m)
{
	return m->out.msg ? m->out.resend_at_ms : UINT64_MAX;
}

void msgid_fini(struct msgid *m)
{
	free(m->out.msg);
	free(m->in.response);
	*m = (struct msgid){0};
}
