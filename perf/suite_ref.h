/* What ipsec-mb's own job and burst calls cost on the same buffers, keys and lengths: no packet, no SA, no headers. */
#pragma once

#include <stdint.h>

#include "dataplane/crypto.h"

/* TSC cycles per buffer, the better of submitting jobs and submitting bursts, both with the library's checks; medians over passes
 * of 256 hot buffers in bursts of 32. len: octets of padded text. 0: the suite goes by other calls (AES-GCM, AES-GMAC). */
double suite_ref(IMB_MGR *mgr, enum crypto_suite suite, enum crypto_dir dir, uint16_t len, unsigned passes);
