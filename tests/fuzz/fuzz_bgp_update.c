/* How the session codes things (FUZZ_*), and the body of an UPDATE. */
#include "tests/fuzz/bgp_bodies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len && len <= 1 + BGP_MSG_MAX - BGP_HDR)
		bgp_body_update(rd_of(data + 1, len - 1), data[0]);
	return 0;
}
