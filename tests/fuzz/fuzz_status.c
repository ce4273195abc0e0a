/* What a client can write into the management socket: octet 0 says in which pieces it arrives, the rest is the stream.
 * Whatever the pieces, the same frames come out, and what a request says is within its bounds. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/status_req.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void promise(bool kept)
{
	if (!kept)
		abort();
}

static void use(const struct status_frame *f)
{
	struct status_req r;
	char why[512];

	memset(why, 0x7f, sizeof(why));
	if (status_req_parse(f->body, f->len, &r, why, sizeof(why))) {
		promise(memchr(why, '\0', sizeof(why)) && why[0]);
		return;
	}
	promise(r.op == STATUS_SHOW || r.op == STATUS_TUNNEL || r.op == STATUS_BGP);
	promise(r.show < STATUS_SHOW_N && r.action < STATUS_ACTION_N && r.wait_s <= STATUS_WAIT_MAX_S);
	promise(memchr(r.name, '\0', sizeof(r.name)) && (r.op == STATUS_SHOW || r.name[0]));
	promise(r.op != STATUS_TUNNEL || strlen(r.name) < CFG_NAME_MAX);
	promise(r.op != STATUS_SHOW || (r.max >= 1 && r.max <= STATUS_ROWS_MAX));
	promise(r.after.len <= 8 * ip_size(r.after.addr.family) && r.prefix.len <= 8 * ip_size(r.prefix.addr.family));
}

/* The stream in pieces of at most `piece` octets. The number of whole frames. */
static unsigned feed(const uint8_t *p, size_t len, size_t piece, bool act)
{
	struct status_frame f = {0};
	unsigned n = 0;
	size_t used;

	while (len) {
		size_t k = len < piece ? len : piece;
		int rc = status_req_frame(&f, p, k, &used);

		promise(used <= k && (rc == 1 || rc == -EMSGSIZE || used == k));
		if (rc < 0)
			break;
		p += used;
		len -= used;
		if (rc == 0)
			continue;
		promise(f.got == f.len && f.len >= 1 && f.len <= STATUS_FRAME_MAX);
		if (act)
			use(&f);
		status_req_reset(&f);
		n++;
	}
	status_req_reset(&f);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	promise(feed(data + 1, len - 1, SIZE_MAX, true) == feed(data + 1, len - 1, 1 + data[0] % 16, false));
	return 0;
}
