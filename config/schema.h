/* The keys of the file, one row each. Private to the room.
 *
 * A row says where a value goes (offset in the struct of its block), what it may be and what to write instead. Keys of
 * later releases have rows too (SCHEMA_LATER): they are refused by name.
 */
#pragma once

#include "config/load.h"

enum schema_type {
	SCHEMA_BLOCK,    /* sub, at off */
	SCHEMA_NAMED,    /* NAME: block of sub, ...; rows() gives the structs; off and size: of their line number */
	SCHEMA_LIST,     /* list of blocks of sub; rows() gives the structs; off and size: of their line number */
	SCHEMA_UINT,     /* size octets at off, min..max */
	SCHEMA_DURATION, /* whole seconds, min..max; `off` is 0 where zero is set */
	SCHEMA_SIZE,     /* octets, min..max, stored in units of unit octets */
	SCHEMA_BOOL,     /* true or false, as written in YAML 1.1; one octet at off */
	SCHEMA_WORD,     /* one of words[]; its index goes into one octet at off */
	SCHEMA_PREFIXES, /* addresses with length into struct ip_prefix[cap] at off, count at off_n */
	SCHEMA_CUSTOM,   /* read() */
	SCHEMA_LATER,    /* refused */
};

struct schema;

struct schema_key {
	const char *key;
	enum schema_type type;
	bool required;
	bool zero;    /* 0 is taken although min is larger: it switches the thing off */
	bool inverse; /* BOOL: the field says the opposite */
	uint16_t off, size;
	uint16_t off_n, cap;
	uint64_t min, max, unit;
	const char *const *words; /* NULL-terminated */
	const struct schema *sub;
	void (*read)(struct load *l, const struct tree_node *n, void *base);
	/* Room for n rows, zeroed with defaults set; *stride octets each. NULL after an error. */
	void *(*rows)(struct load *l, void *base, unsigned n, unsigned line, size_t *stride);
	const char *help; /* what to write */
};

struct schema {
	const struct schema_key *key;
	unsigned n;
};

extern const struct schema schema_root;   /* base: struct config */
extern const struct schema schema_bgp;    /* base: struct cfg_bgp */
extern const struct schema schema_tunnel; /* base: struct cfg_tunnel */
void *schema_tunnel_rows(struct load *l, void *config, unsigned n, unsigned line, size_t *stride);

/* Of the rows: where a value goes, where its count goes, a key of a later release; a block of such rows. */
#define AT(type, member)    .off = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define COUNT(type, member) .off_n = offsetof(struct type, member)
#define LATER(word)                               \
	{                                         \
		.key = word, .type = SCHEMA_LATER \
	}
#define SCHEMA(keys)                \
	{                           \
		keys, N_ELEMS(keys) \
	}

/* Walk the block n by the rows of s into base; every error goes to l. (walk.c) */
void schema_read(struct load *l, const struct schema *s, const struct tree_node *n, void *base);
