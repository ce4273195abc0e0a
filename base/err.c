#include "base/err.h"

#include <string.h>

const char *err_str(int e)
{
	return strerror(e < 0 ? -e : e);
}
