#include "config/psk.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"
#include "config/file.h"

static int take(int fd, const char *path, const char *what, size_t max, struct secret *out, char *err, size_t cap)
{
	uint8_t b[CFG_PSK_MAX + 3]; /* "\r\n", and one octet that tells "too long" */
	ssize_t n = file_fill(fd, b, sizeof(b));
	int r = -EINVAL;

	if (n < 0) {
		snprintf(err, cap, "cannot read %s: %s", path, err_str((int)n));
		return (int)n;
	}
	if (n && b[n - 1] == '\n') {
		n--;
		if (n && b[n - 1] == '\r')
			n--;
	}
	if (!n)
		snprintf(err, cap, "%s is empty: write the %s into it", path, what);
	else if ((size_t)n > max)
		snprintf(err, cap, "the %s in %s is longer than %zu octets", what, path, max);
	else
		r = secret_set(out, b, (size_t)n);
	secret_wipe(b, sizeof(b));
	return r;
}

int psk_read(const char *dir, const char *path, const char *what, size_t max, struct secret *out, char *err, size_t cap)
{
	const struct file_want want = {.what = what, .max = max, .secret = true};
	int fd = file_open(dir, path, &want, err, cap), r;

	if (fd < 0)
		return fd;
	r = take(fd, path, what, max, out, err, cap);
	close(fd);
	return r;
}
