/* From a path to text: what can be wrong with the file itself, before it is YAML. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/xalloc.h"
#include "config/load.h"

enum { FILE_MAX = 64 << 20 }; /* a hundred thousand tunnels fit */

/* Octets of the UTF-8 character at p, 0 when it is none. RFC 3629 4 */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;

	if (n == 1)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) /* overlong; a surrogate */
		return 0;
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* Is it text? Only the first thing that is not is reported: behind it may be anything. */
static bool is_text(const char *text, size_t len, struct cfg_errors *errs)
{
	const uint8_t *p = (const uint8_t *)text;
	unsigned line = 1;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(p + i, len - i);

		if (p[i] == '\n')
			line++;
		if (n == 1 && (p[i] < ' ' || p[i] == 0x7f) && !strchr("\n\r\t", p[i] ? p[i] : 1)) {
			errors_add(errs, line, "a %s (0x%02x) stands in the text: is this a text file?",
				   p[i] ? "control character" : "NUL octet", p[i]);
			return false;
		}
		if (!n) {
			errors_add(errs, line, "octet 0x%02x is not UTF-8: save the file as UTF-8", p[i]);
			return false;
		}
		i += n;
	}
	return true;
}

static struct config *load_bytes(const char *text, size_t len, const char *dir, unsigned mode, bool secrets,
				 struct cfg_errors *errs)
{
	if (len > FILE_MAX) {
		errors_add(errs, 0, "the file is larger than %d MB: split the gateway", FILE_MAX >> 20);
		return NULL;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* a byte order mark says nothing in UTF-8 */
		text += 3;
		len -= 3;
	}
	if (!is_text(text, len, errs))
		return NULL;
	return load_text(text, len, dir, mode, secrets, errs);
}

struct config *config_load_text(const char *text, size_t len, const char *dir, bool secrets, struct cfg_errors *errs)
{
	return load_bytes(text, len, dir, 0, secrets, errs);
}

/* The open file's text, malloc'd; NULL after an error. */
static char *read_fd(int fd, const struct stat *st, size_t *len, struct cfg_errors *errs)
{
	size_t cap = (size_t)st->st_size + 1, n = 0; /* one more: a file that grows meanwhile is noticed */
	unsigned before = errs->n;
	char *text = xcalloc(cap, 1);

	for (;;) {
		ssize_t k = read(fd, text + n, cap - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			errors_add(errs, 0, "cannot read the file: %s", err_str(errno));
			break;
		}
		n += (size_t)k;
		if (k == 0 || n == cap)
			break;
	}
	if (errs->n == before && n != (size_t)st->st_size)
		errors_add(errs, 0, "the file changed while it was read: try again");
	*len = n;
	if (errs->n == before)
		return text;
	explicit_bzero(text, cap);
	free(text);
	return NULL;
}

static char *open_and_read(const char *path, struct stat *st, size_t *len, struct cfg_errors *errs)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not stop us */
	char *text = NULL;

	if (fd < 0) {
		errors_add(errs, 0, "cannot open the file: %s", err_str(errno));
		return NULL;
	}
	if (fstat(fd, st) < 0)
		errors_add(errs, 0, "cannot look at the file: %s", err_str(errno));
	else if (S_ISDIR(st->st_mode))
		errors_add(errs, 0, "this is a directory: give the path of the file in it");
	else if (!S_ISREG(st->st_mode))
		errors_add(errs, 0, "this is not a plain file: give the path of one");
	else if (st->st_size > FILE_MAX)
		errors_add(errs, 0, "the file is larger than %d MB: split the gateway", FILE_MAX >> 20);
	else
		text = read_fd(fd, st, len, errs);
	close(fd);
	return text;
}

struct config *config_load(const char *path, bool secrets, struct cfg_errors *errs)
{
	char *copy, *text;
	struct config *c;
	struct stat st;
	size_t len = 0;

	text = open_and_read(path, &st, &len, errs);
	if (!text)
		return NULL;
	copy = xstrdup(path);
	c = load_bytes(text, len, dirname(copy), st.st_mode & 07777u, secrets, errs);
	explicit_bzero(text, len); /* a PSK may stand in it */
	free(text);
	free(copy);
	return c;
}
