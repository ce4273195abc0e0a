#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/xalloc.h"

/* A plain file; a secret one can only be read by its owner. */
static int check_file(const struct stat *st, const char *path, const struct file_want *want, char *err, size_t cap)
{
	if (S_ISDIR(st->st_mode)) {
		snprintf(err, cap, "%s is a directory: write the path of the file with the %s", path, want->what);
		return -EISDIR;
	}
	if (!S_ISREG(st->st_mode)) {
		snprintf(err, cap, "%s is not a plain file: write the path of the file with the %s", path, want->what);
		return -EINVAL;
	}
	if (want->secret && (st->st_mode & 077)) {
		snprintf(err, cap, "%s is open to others (mode %04o): chmod 600 %s", path, st->st_mode & 07777u, path);
		return -EPERM;
	}
	return 0;
}

int file_open(const char *dir, const char *path, const struct file_want *want, char *err, size_t cap)
{
	char full[4096];
	int n = dir && path[0] != '/' ? snprintf(full, sizeof(full), "%s/%s", dir, path)
				      : snprintf(full, sizeof(full), "%s", path);
	struct stat st;
	int fd, r;

	if (n < 0 || (size_t)n >= sizeof(full)) {
		snprintf(err, cap, "the path of the %s file is too long", want->what);
		return -ENAMETOOLONG;
	}
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not stop us */
	if (fd < 0) {
		r = -errno;
		snprintf(err, cap, "cannot open the %s file %s: %s", want->what, path, err_str(r));
		return r;
	}
	if (fstat(fd, &st) < 0) {
		r = -errno;
		snprintf(err, cap, "cannot look at %s: %s", path, err_str(r));
	} else {
		r = check_file(&st, path, want, err, cap);
	}
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

ssize_t file_fill(int fd, uint8_t *b, size_t cap)
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

static int read_fd(int fd, const char *path, const struct file_want *want, uint8_t **p, size_t *len, char *err,
		   size_t cap)
{
	struct stat st = {0};
	size_t room;
	ssize_t n;

	if (fstat(fd, &st) == 0 && (size_t)st.st_size > want->max) {
		snprintf(err, cap, "%s is larger than %zu octets: is it the file with the %s?", path, want->max,
			 want->what);
		return -EFBIG;
	}
	room = (size_t)st.st_size + 1; /* one more: a file that grows meanwhile is noticed */
	*p = xcalloc(room, 1);
	n = file_fill(fd, *p, room);
	if (n > 0 && n == st.st_size) {
		*len = (size_t)n;
		return 0;
	}
	if (n < 0)
		snprintf(err, cap, "cannot read %s: %s", path, err_str((int)n));
	else if (n == 0)
		snprintf(err, cap, "%s is empty: write the path of the file with the %s", path, want->what);
	else
		snprintf(err, cap, "%s changed while it was read: try again", path);
	secret_wipe(*p, room);
	free(*p);
	*p = NULL;
	return n < 0 ? (int)n : -EINVAL;
}

int file_read(const char *dir, const char *path, const struct file_want *want, uint8_t **p, size_t *len, char *err,
	      size_t cap)
{
	int fd = file_open(dir, path, want, err, cap), r;

	if (fd < 0)
		return fd;
	r = read_fd(fd, path, want, p, len, err, cap);
	close(fd);
	return r;
}
