/* What the passes of one load share: the config being filled, the errors, where in the file a field stands. Private.
 *
 * read.c brings the text, tree.c makes it nodes, load.c walks them by schema.c's rows and field.c's and select.c's
 * parsers, check.c and check_net.c compare fields with each other. No pass stops at an error; a field that could not be
 * read has a mark all the same, so that later passes do not complain of its absence.
 */
#pragma once

#include "config/errors.h"
#include "config/tree.h"

enum { LOAD_PATH_MAX = 8, LOAD_FILES = 16 };

struct load_mark {
	const void *field;
	unsigned line;
};

struct load {
	struct config *c;
	struct cfg_errors *errs;
	const char *dir;                 /* of relative secret files; NULL: the working directory */
	bool secrets;                    /* read and keep PSKs */
	const char *path[LOAD_PATH_MAX]; /* keys from the root to here */
	unsigned depth;
	struct {
		unsigned line;          /* the first with a secret in the file itself; 0: none */
		const char *what, *key; /* "PSK"; where it is better kept */
	} in_file;
	struct {
		const struct cfg_file *f; /* of the config; NULL: none */
		bool secret;
	} file[LOAD_FILES]; /* that were read last */
	unsigned next_file;
	struct load_mark *mark;
	unsigned n_marks, cap_marks;
	bool sorted; /* marks: by address, ready for load_line() */
};

/* The whole way; `mode` are the permission bits of the file that the text came from (0: from memory). */
struct config *load_text(const char *text, size_t len, const char *dir, unsigned mode, bool secrets,
			 struct cfg_errors *errs);

/* "path.to.key: text". */
void load_error(struct load *l, unsigned line, const char *fmt, ...) PRINTF(3, 4);
/* Remember where *field was written. */
void load_mark(struct load *l, const void *field, unsigned line);
/* The line of *field; 0 when it is not in the file. All marks have been made. */
unsigned load_line(struct load *l, const void *field);
/* A secret stands in the file itself. */
void load_inline(struct load *l, const char *what, const char *key, unsigned line);
/* What is legal, but hardly meant: "path.to.key: text" into the config's notes. */
void load_note(struct load *l, unsigned line, const char *fmt, ...) PRINTF(3, 4);
/* Value for an error text: escaped, cut; buf is lent. */
const char *load_show(const struct tree_node *n, char buf[80]);
/* The text of a value that is not empty; NULL after an error ("write `what`"). */
const char *load_value(struct load *l, const struct tree_node *n, const char *what);
