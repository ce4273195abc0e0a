/* Operations return 0 or -errno; these helpers keep that to one line. */
#pragma once

#include <errno.h>

/* What -errno (or errno) e says in words; never NULL. Not thread-safe beyond what strerror is. */
const char *err_str(int e);
