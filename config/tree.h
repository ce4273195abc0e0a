/* YAML text as a tree of nodes, each with its line. Private to the room.
 *
 * The tree is built from libyaml's events, one at a time, so that what a file may cost is settled here: no aliases and
 * no anchors (a bomb needs them), TREE_DEPTH_MAX levels, TREE_NODES_MAX nodes, one document, no key twice in a block.
 * Text may hold a PSK: everything is wiped when the tree is freed.
 */
#pragma once

#include "config/errors.h"

enum { TREE_DEPTH_MAX = 16, TREE_NODES_MAX = 4 * 1024 * 1024 };

enum tree_kind {
	TREE_VALUE, /* a scalar: s */
	TREE_LIST,
	TREE_BLOCK,  /* a mapping: every child has a key */
	TREE_BROKEN, /* an error has been reported: treat as absent */
};

struct tree_node {
	enum tree_kind kind;
	bool quoted;   /* s was quoted: "" is then an empty text, not "no value" */
	unsigned line; /* where the value begins, from 1 */
	unsigned key_line;
	const char *key; /* of a child of a block */
	const char *s;   /* NUL-terminated, no NUL inside */
	struct tree_node *first, *last, *next;
	unsigned n; /* children */
};

struct tree;

/* NULL (and an error) when the text is no YAML; else a tree, perhaps with errors reported. A file without any node: the
 * root is NULL. Free with tree_free(). */
struct tree *tree_new(const char *text, size_t len, struct cfg_errors *errs);
const struct tree_node *tree_root(const struct tree *t);
void tree_free(struct tree *t);
