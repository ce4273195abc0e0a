/* Known answers that the cipher has to give before a packet is trusted to it. */
#pragma once

#include <stdbool.h>

#include "dataplane/crypto.h"

/* The part of crypto_kat_pass() that is not AES-GCM: whole batches of the suites' packets (crypto_kat_esp.h). */
bool crypto_kat_esp_pass(IMB_MGR *mgr) MUST_USE;
/* All known answers, both directions, with this manager. Any thread that owns it. */
bool crypto_kat_pass(IMB_MGR *mgr) MUST_USE;
