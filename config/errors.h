/* Collecting the errors of a file: this room's, and what the IKE core finds in certificates; config.h has the reading side. */
#pragma once

#include <stdarg.h>

#include "config/config.h"

enum { ERRORS_MAX = 1000 }; /* kept; one line more says that there were others */

void errors_add(struct cfg_errors *errs, unsigned line, const char *fmt, ...) PRINTF(3, 4);
/* The same with `where` in front (may be ""). */
void errors_add_at(struct cfg_errors *errs, unsigned line, const char *where, const char *fmt, va_list ap) PRINTF(4, 0);
/* Bring them into line order; errors of one line keep the order in which they were found. */
void errors_sort(struct cfg_errors *errs);
