/* Collecting the errors of a file. Private to the room; config.h has the reading side. */
#pragma once

#include "config/config.h"

enum { ERRORS_MAX = 1000 }; /* kept; one line more says that there were others */

void errors_add(struct cfg_errors *errs, unsigned line, const char *fmt, ...) PRINTF(3, 4);
/* Bring them into line order; errors of one line keep the order in which they were found. */
void errors_sort(struct cfg_errors *errs);
