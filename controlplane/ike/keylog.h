/* The keys of IKE and ESP in lines, so that an independent decoder can open what we sent. Only in a build made with -Dkeylog=true,
 * which nobody ships: the program says so when it starts, and `make` builds without. controlplane/main.c writes them to the file that
 * the environment variable ESPLANADE_KEYLOG names (mode 0600, appended to):
 *
 *   ike SPIi SPIr ENCR-ID KEY-BITS SK_ei SK_er INTEG-ID SK_ai SK_ar
 *   esp SOURCE DESTINATION SPI ENCR-ID KEY-BITS INTEG-ID KEYMAT
 * numbers are IANA's transform ids in decimal, all else hexadecimal ("-": none). Core's thread or a job's.
 */
#pragma once

#ifdef ESPLANADE_KEYLOG

#include "controlplane/ike/ike.h"
#include "controlplane/ike/keymat.h"

void keylog_ike(const struct keymat_input *in, const struct keymat_ike *keys);

#endif
