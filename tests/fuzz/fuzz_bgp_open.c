/* The body of an OPEN. */
#include "tests/fuzz/bgp_bodies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	bgp_body_open(rd_of(data, len));
	return 0;
}
