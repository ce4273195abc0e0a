/* What is not AES-GCM: cipher and HMAC by the library's multi-buffer calls, ChaCha20-Poly1305 by its jobs, AES-GMAC.
 *
 * CBC's IV must be unpredictable (RFC 3602 3, RFC 2451 3). Prepare puts a block that never repeats where the IV will stand, and
 * the cipher takes it along as the first block with an IV of zero: what comes out, that block enciphered under the SA's own
 * key, is the IV (NIST SP 800-38A, appendix C), and the chain goes on from it. One block more in a lane, no call of its own.
 */
#pragma once

#include "dataplane/crypto.h"

/* All ops of the batch that are not AES-GCM: op.result and batch.failed say what became of each. Nothing stays in the library when
 * it returns. */
void crypto_jobs_run(struct crypto *c, struct crypto_batch *b);
