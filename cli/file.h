/* `gwctl config check|show FILE`: works on the file alone, no daemon needed. */
#pragma once

#include <stdbool.h>

/* Print every error (stderr; JSON: stdout), or that the file is fine. 0, or 1 when it is not. */
int file_check(const char *path, bool secrets, bool json);
/* Print the canonical file. 0, or 1 and the errors. */
int file_show(const char *path, bool json);
