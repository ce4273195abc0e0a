/* Patterns over AS paths, as nodes of an automaton. Private to the room: path_regex.h is the door. */
#pragma once

#include <stdint.h>

#include "config/path_regex.h"

/* What a path's text is made of, each a bit: 0-9, then " ,{}()", then all that it never has. */
enum { PATH_PARSE_SYMBOLS = 17 };

enum path_op {
	PATH_NOTHING, /* to x */
	PATH_SYMBOL,  /* one of symbols, then x */
	PATH_FORK,    /* to x and to y */
	PATH_START,   /* at the start of the text to x */
	PATH_END,     /* at its end to x */
	PATH_MATCH,
};

struct path_node {
	uint8_t op;
	uint16_t x, y;
	uint32_t symbols;
};

struct path_nodes {
	struct path_node *node;
	unsigned n, start;
};

/* 0; -EINVAL with words in err. path_parse_fini() in either case. */
int path_parse(const char *pattern, struct path_nodes *out, char err[PATH_REGEX_ERR]) MUST_USE;
void path_parse_fini(struct path_nodes *p);
unsigned path_parse_symbol(char c);
