#include "config/psk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "config/config.h"

/* A plain file that only its owner can read. */
static int check_file(int fd, const char *path, const char *what, char *err, size_t cap)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		snprintf(err, cap, "cannot look at %s: %s", path, err_str(errno));
		return -EIO;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(err, cap, "%s is a directory: write the path of the file with the %s", path, what);
		return -EISDIR;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, cap, "%s is not a plain file: write the path of the file with the %s", path, what);
		return -EINVAL;
	}
	if (st.st_mode & 077) {
		snprintf(err, cap, "%s is open to others (mode %04o): chmod 600 %s", path, st.st_mode & 07777u, path);
		return -EPERM;
	}
	return 0;
}

/* Fill b as far as the file goes; the count, or -errno. */
static ssize_t read_all(int fd, uint8_t *b, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t k = read(fd, b + n, cap - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		n += (size_t)k;
	}
	return (ssize_t)n;
}

static int take(int fd, const char *path, const char *what, size_t max, struct secret *out, char *err, size_t cap)
{
	uint8_t b[CFG_PSK_MAX + 3]; /* "\r\n", and one octet that tells "too long" */
	ssize_t n = read_all(fd, b, sizeof(b));
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
	char full[4096];
	int n = dir && path[0] != '/' ? snprintf(full, sizeof(full), "%s/%s", dir, path)
				      : snprintf(full, sizeof(full), "%s", path);
	int fd, r;

	if (n < 0 || (size_t)n >= sizeof(full)) {
		snprintf(err, cap, "the path of the %s file is too long", what);
		return -ENAMETOOLONG;
	}
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not stop us */
	if (fd < 0) {
		r = -errno;
		snprintf(err, cap, "cannot open the %s file %s: %s", what, path, err_str(r));
		return r;
	}
	r = check_file(fd, path, what, err, cap);
	if (r == 0)
		r = take(fd, path, what, max, out, err, cap);
	close(fd);
	return r;
}
