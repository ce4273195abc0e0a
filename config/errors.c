#include "config/errors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

void errors_add_at(struct cfg_errors *errs, unsigned line, const char *where, const char *fmt, va_list ap)
{
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "%.255s", where);

	if (errs->n > ERRORS_MAX)
		return;
	if (!(errs->n & (errs->n - 1))) /* grows by doubling */
		errs->e = xrealloc(errs->e, errs->n ? errs->n * 2u : 1, sizeof(*errs->e));
	if (errs->n == ERRORS_MAX) {
		errs->e[errs->n++] = (struct cfg_error){.line = UINT_MAX,
							.text = xstrdup("more errors are not shown: mend these first")};
		return;
	}
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	errs->e[errs->n++] = (struct cfg_error){.line = line, .text = xstrdup(text)};
}

void errors_add(struct cfg_errors *errs, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	errors_add_at(errs, line, "", fmt, ap);
	va_end(ap);
}

/* Bottom-up merge: qsort() promises no order between equals. */
static void merge(const struct cfg_error *from, struct cfg_error *to, unsigned lo, unsigned mid, unsigned hi)
{
	unsigned a = lo, b = mid;

	for (unsigned i = lo; i < hi; i++)
		to[i] = a < mid && (b >= hi || from[a].line <= from[b].line) ? from[a++] : from[b++];
}

void errors_sort(struct cfg_errors *errs)
{
	struct cfg_error *other = xcalloc(errs->n, sizeof(*other)), *t;
	unsigned n = errs->n;

	for (unsigned w = 1; w < n; w *= 2) {
		for (unsigned lo = 0; lo < n; lo += 2 * w) {
			unsigned mid = lo + w < n ? lo + w : n, hi = lo + 2 * w < n ? lo + 2 * w : n;

			merge(errs->e, other, lo, mid, hi);
		}
		t = errs->e;
		errs->e = other;
		other = t;
	}
	free(other);
	if (n > 1 && errs->e[n - 1].line == UINT_MAX)
		errs->e[n - 1].line = errs->e[n - 2].line;
}

void cfg_errors_print(const struct cfg_errors *errs, const char *path, int fd)
{
	for (unsigned i = 0; i < errs->n; i++) {
		const struct cfg_error *e = &errs->e[i];

		if (e->line)
			dprintf(fd, "%s:%u: %s\n", path, e->line, e->text);
		else
			dprintf(fd, "%s: %s\n", path, e->text);
	}
}

void cfg_errors_free(struct cfg_errors *errs)
{
	for (unsigned i = 0; i < errs->n; i++)
		free(errs->e[i].text);
	free(errs->e);
	*errs = (struct cfg_errors){0};
}
