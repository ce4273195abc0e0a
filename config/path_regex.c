#include "config/path_regex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/path_parse.h"

/* A state of the automaton: a set of nodes. What follows a state is found out when it is first needed, and kept; when there
 * is no more room, all is forgotten and begun anew. */
enum { SYMBOLS = PATH_PARSE_SYMBOLS, STATES_MAX = 256, INITIAL = 0, ACCEPT = 1, FIRST = 2, UNKNOWN = 0xffff };

struct state {
	uint64_t hash;
	uint16_t next[SYMBOLS];
	bool end_ok; /* the text may end here */
	uint64_t set[];
};

struct path_regex {
	struct path_nodes p;
	unsigned words; /* of a set */
	size_t size;    /* of a state */
	char *states;   /* room for cap */
	unsigned n, cap;
	bool always;     /* nothing has to be read for a match */
	uint64_t *made;  /* a set being made */
	uint16_t *stack; /* nodes yet to be looked at */
};

static struct state *state_at(const struct path_regex *x, unsigned i)
{
	return (struct state *)(void *)(x->states + i * x->size);
}

/* Where the closure of a set stands: at the start of the text, at its end. */
struct place {
	bool start, end;
};

/* Put node and all that is reached from it without a symbol into the set being made. true: the pattern has matched. */
static bool add(struct path_regex *x, unsigned node, struct place at)
{
	unsigned depth = 0;

	x->stack[depth++] = (uint16_t)node;
	while (depth) {
		unsigned i = x->stack[--depth];
		const struct path_node *n = &x->p.node[i];

		if (x->made[i / 64] >> (i % 64) & 1)
			continue;
		x->made[i / 64] |= UINT64_C(1) << (i % 64);
		if (n->op == PATH_MATCH)
			return true;
		if (n->op == PATH_FORK)
			x->stack[depth++] = n->y;
		if (n->op == PATH_FORK || n->op == PATH_NOTHING || (n->op == PATH_START && at.start) ||
		    (n->op == PATH_END && at.end))
			x->stack[depth++] = n->x;
	}
	return false;
}

/* Does the pattern match when the text ends in the set being made? It is changed. */
static bool match_at_end(struct path_regex *x, bool at_start)
{
	for (unsigned i = 0; i < x->p.n; i++)
		if (x->p.node[i].op == PATH_END && (x->made[i / 64] >> (i % 64) & 1) &&
		    add(x, x->p.node[i].x, (struct place){at_start, true}))
			return true;
	return false;
}

static uint64_t hash_made(const struct path_regex *x)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < x->words; i++)
		h = (h ^ x->made[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ h >> 29;
	return h;
}

static unsigned new_state(struct path_regex *x, bool at_start)
{
	struct state *s;

	if (x->n == x->cap) {
		x->cap *= 2;
		x->states = xrealloc(x->states, x->cap, x->size);
	}
	s = state_at(x, x->n);
	s->hash = hash_made(x);
	memset(s->next, 0xff, sizeof(s->next));
	memcpy(s->set, x->made, x->words * sizeof(x->made[0]));
	s->end_ok = match_at_end(x, at_start);
	return x->n++;
}

/* The state of the set being made. */
static unsigned find_state(struct path_regex *x)
{
	uint64_t hash = hash_made(x);

	for (unsigned i = FIRST; i < x->n; i++)
		if (state_at(x, i)->hash == hash &&
		    !memcmp(state_at(x, i)->set, x->made, x->words * sizeof(x->made[0])))
			return i;
	return new_state(x, false);
}

static unsigned step(struct path_regex *x, unsigned from, unsigned symbol)
{
	const uint64_t *set = state_at(x, from)->set;
	const struct place inside = {false, false};
	bool full = x->n == STATES_MAX;
	unsigned to;

	memset(x->made, 0, x->words * sizeof(x->made[0]));
	for (unsigned i = 0; i < x->p.n; i++)
		if ((set[i / 64] >> (i % 64) & 1) && x->p.node[i].op == PATH_SYMBOL &&
		    (x->p.node[i].symbols >> symbol & 1) && add(x, x->p.node[i].x, inside))
			return state_at(x, from)->next[symbol] = ACCEPT;
	if (add(x, x->p.start, inside)) /* a match may begin anywhere */
		return state_at(x, from)->next[symbol] = ACCEPT;
	if (full) {
		memset(state_at(x, INITIAL)->next, 0xff, sizeof(state_at(x, INITIAL)->next));
		x->n = FIRST;
	}
	to = find_state(x);
	if (!full)
		state_at(x, from)->next[symbol] = (uint16_t)to;
	return to;
}

bool path_regex_match(struct path_regex *x, const char *text, size_t len)
{
	unsigned s = x->always ? ACCEPT : INITIAL;

	for (size_t i = 0; i < len && s != ACCEPT; i++) {
		unsigned symbol = path_parse_symbol(text[i]), to = state_at(x, s)->next[symbol];

		s = to == UNKNOWN ? step(x, s, symbol) : to;
	}
	return s == ACCEPT || state_at(x, s)->end_ok;
}

struct path_regex *path_regex_new(const char *pattern, char err[PATH_REGEX_ERR])
{
	struct path_regex *x = xcalloc(1, sizeof(*x));

	if (path_parse(pattern, &x->p, err) < 0) {
		path_regex_free(x);
		return NULL;
	}
	x->words = (x->p.n + 63) / 64;
	x->size = (sizeof(struct state) + x->words * sizeof(uint64_t) + 7) & ~(size_t)7;
	x->cap = 4;
	x->states = xcalloc(x->cap, x->size);
	x->made = xcalloc(x->words, sizeof(x->made[0]));
	x->stack = xcalloc(2 * x->p.n, sizeof(x->stack[0])); /* a node puts at most two */
	x->always = add(x, x->p.start, (struct place){true, false});
	new_state(x, true);
	x->n = FIRST; /* ACCEPT has no set: nothing is asked of it */
	return x;
}

void path_regex_free(struct path_regex *x)
{
	if (!x)
		return;
	path_parse_fini(&x->p);
	free(x->states);
	free(x->made);
	free(x->stack);
	free(x);
}

int path_regex_check(const char *pattern, char err[PATH_REGEX_ERR])
{
	struct path_nodes p;
	int r = path_parse(pattern, &p, err);

	path_parse_fini(&p);
	return r;
}
