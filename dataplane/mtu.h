/* What is left of an MTU for the packet inside ESP. RFC 4303 2.4, RFC 4301 8.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/crypto.h"

enum { MTU_IP4 = 20, MTU_IP6 = 40, MTU_UDP = 8, MTU_ESP = 8, MTU_TRAILER = 2, MTU_INNER_MIN = 68 /* RFC 791 3.2 */ };

/* The largest inner packet in an outer one of `outer` octets: what the headers and the ICV leave, down to what the padded text is a
 * multiple of, less pad length and next header. In transport mode the IP header is the packet's own, and may be longer than we
 * know: a block is kept for that. 0: too small for any. */
static inline uint16_t mtu_inner(uint32_t outer, bool v6, bool udp, bool transport, const struct crypto_form *f)
{
	uint32_t ip = v6 ? MTU_IP6 : MTU_IP4;
	uint32_t over = ip + (udp ? MTU_UDP : 0) + MTU_ESP + f->iv_len + f->icv_len, inner;

	if (outer < over + MTU_INNER_MIN + MTU_TRAILER)
		return 0;
	inner = ((outer - over) / f->align) * f->align - MTU_TRAILER;
	if (transport)
		inner += ip - (f->align - 4u);
	return (uint16_t)inner;
}
