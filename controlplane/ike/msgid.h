/* Message ids, windows of size 1, retransmission and repeated requests (RFC 7296 2.1, 2.2, 2.3).
 *
 * One struct msgid per IKE SA. Requests of ours are kept as sent, so that a retransmission is bit-identical; the last
 * response is kept, so that a repeated request is answered without being processed again. No I/O: the caller sends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"

struct msgid {
	struct msgid_out {
		uint32_t next; /* id of the next request, or of the one on its way */
		uint8_t *msg;  /* the request on its way, ours to free; NULL: none */
		size_t len;
		unsigned sends; /* how often it was sent */
		uint64_t wait_ms, resend_at_ms;
	} out;
	struct msgid_in {
		uint32_t next;     /* id of the next new request */
		bool busy;         /* that request is here and being processed */
		uint64_t print;    /* fingerprint of the last request that was taken */
		uint8_t *response; /* to request next - 1, ours to free; NULL: none */
		size_t response_len;
	} in;
};

enum msgid_verdict {
	MSGID_NEW,    /* process it */
	MSGID_REPEAT, /* the last request again, octet for octet: send in.response again */
	MSGID_BUSY,   /* the request that is being processed, again: nothing to do */
	MSGID_STALE,  /* outside the window, or an old id with other contents: ignore */
};

/* What to do about the request on its way at this time. */
enum msgid_due { MSGID_WAIT, MSGID_RESEND, MSGID_GIVE_UP };

uint64_t msgid_print(const uint8_t *msg, size_t len);
enum msgid_verdict msgid_in_judge(const struct msgid *m, uint32_t mid, uint64_t print) MUST_USE;
/* The request passed all checks (it is authenticated): it is being processed from here on. */
void msgid_in_take(struct msgid *m, uint64_t print);
/* The response to the request that was taken: copied and kept, the window moves. */
void msgid_in_answer(struct msgid *m, const uint8_t *msg, size_t len);
/* The request that was taken came to nothing (never after IKE_SA_INIT: each request must be answered). */
void msgid_in_untake(struct msgid *m);

/* A request was sent: copy and keep it. first_ms: pause until its first retransmission. */
void msgid_out_sent(struct msgid *m, const uint8_t *msg, size_t len, uint64_t first_ms, uint64_t now_ms);
/* Is this the response that we wait for? */
bool msgid_out_expects(const struct msgid *m, uint32_t mid);
/* It was, and it is authenticated: forget the request, move the window. */
void msgid_out_done(struct msgid *m);
/* Forget the request without moving the window: IKE_SA_INIT starts again with id 0 (2.2). */
void msgid_out_cancel(struct msgid *m);
/* RESEND: out.msg is to be sent again now; the next pause is 1.8 times as long. tries: sends in all. */
enum msgid_due msgid_out_due(struct msgid *m, unsigned tries, uint64_t now_ms) MUST_USE;
/* UINT64_MAX: nothing on its way. */
uint64_t msgid_deadline(const struct msgid *m);
void msgid_fini(struct msgid *m);
