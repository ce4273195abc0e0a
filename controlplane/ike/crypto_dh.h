/* Diffie-Hellman's own door to crypto.c; everybody else uses crypto.h. */
#pragma once

#include "controlplane/ike/crypto.h"

/* Two sides of each group agree. 0 or -EIO. */
int crypto_dh_selftest(void) MUST_USE;
