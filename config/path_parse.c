#include "config/path_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"

enum { DEPTH_MAX = 32, REPEAT_MAX = 255, OTHER = PATH_PARSE_SYMBOLS - 1 };

static const char symbols[] = "0123456789 ,{}()";
static const char allowed[] = "0123456789_^|[,{}() ]$*+.?-\\";

struct parse {
	const char *s;
	unsigned at, len, depth;
	struct path_nodes *to;
	char *err; /* NULL: none yet */
	bool bad;
};

/* A part of the automaton: enter at `in`; the x of node `out` is where it goes on. */
struct part {
	unsigned in, out;
};

unsigned path_parse_symbol(char c)
{
	const char *p;

	if (c >= '0' && c <= '9') /* most of them */
		return (unsigned)(c - '0');
	p = c ? strchr(symbols, c) : NULL;
	return p ? (unsigned)(p - symbols) : OTHER;
}

PRINTF(3, 4) static void fail(struct parse *p, unsigned at, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (p->bad)
		return;
	p->bad = true;
	n = snprintf(p->err, PATH_REGEX_ERR, "character %u: ", at + 1);
	va_start(ap, fmt);
	vsnprintf(p->err + n, PATH_REGEX_ERR - (size_t)n, fmt, ap);
	va_end(ap);
}

static unsigned node(struct parse *p, enum path_op op, unsigned x, unsigned y)
{
	if (p->to->n == PATH_REGEX_NODES)
		fail(p, p->at, "the repetitions up to here are too many: write smaller numbers in {}");
	if (p->bad)
		return 0;
	p->to->node[p->to->n] = (struct path_node){.op = (uint8_t)op, .x = (uint16_t)x, .y = (uint16_t)y};
	return p->to->n++;
}

static void join(struct parse *p, unsigned out, unsigned in)
{
	p->to->node[out].x = (uint16_t)in;
}

static struct part single(struct parse *p, enum path_op op)
{
	unsigned n = node(p, op, 0, 0);

	return (struct part){n, n};
}

static struct part one_of(struct parse *p, uint32_t set)
{
	struct part a = single(p, PATH_SYMBOL);

	p->to->node[a.in].symbols = set;
	return a;
}

static struct part either(struct parse *p, struct part a, struct part b)
{
	unsigned fork = node(p, PATH_FORK, a.in, b.in), end = node(p, PATH_NOTHING, 0, 0);

	join(p, a.out, end);
	join(p, b.out, end);
	return (struct part){fork, end};
}

static struct part behind(struct parse *p, struct part a, struct part b)
{
	join(p, a.out, b.in);
	return (struct part){a.in, b.out};
}

static struct part star(struct parse *p, struct part a)
{
	unsigned fork = node(p, PATH_FORK, 0, a.in);

	join(p, a.out, fork);
	return (struct part){fork, fork};
}

static struct part plus(struct parse *p, struct part a)
{
	unsigned fork = node(p, PATH_FORK, 0, a.in);

	join(p, a.out, fork);
	return (struct part){a.in, fork};
}

static struct part maybe(struct parse *p, struct part a)
{
	return either(p, single(p, PATH_NOTHING), a);
}

static char peek(const struct parse *p)
{
	return p->at < p->len ? p->s[p->at] : '\0';
}

/* `[...]`, at the first character inside. POSIX 1003.1 9.3.5 */
static struct part brackets(struct parse *p)
{
	unsigned start = p->at - 1, first;
	bool not = peek(p) == '^';
	uint32_t set = 0;

	p->at += not ;
	for (first = p->at; p->at < p->len && (p->at == first || peek(p) != ']'); p->at++) {
		char lo = peek(p), hi = lo, next = p->at + 1 < p->len ? p->s[p->at + 1] : '\0';

		if (lo == '_')
			fail(p, p->at, "`_` has no meaning inside [ ]: write (_|[...])");
		if (lo == '-' && p->at != first && next != ']')
			fail(p, p->at, "`-` is neither a range nor last inside [ ]: write it last");
		if (lo == '[' && next == '.')
			fail(p, p->at, "`[.` inside [ ] is not understood: write `.[`");
		if (next == '-' && p->at + 2 < p->len && p->s[p->at + 2] != ']') {
			hi = p->s[p->at + 2];
			if (hi == '_' || hi == '[')
				fail(p, p->at + 2, "a range cannot end with `%c`: write one such as 0-9", hi);
			if (hi < lo)
				fail(p, p->at, "the range %c-%c is empty: write the smaller first", lo, hi);
			p->at += 2;
		}
		for (unsigned i = 0; symbols[i]; i++)
			if (symbols[i] >= lo && symbols[i] <= hi)
				set |= 1u << i;
	}
	if (p->at >= p->len)
		fail(p, start, "`[` is not closed: write the `]`");
	p->at++;
	return one_of(p, not ? ~set & ((1u << PATH_PARSE_SYMBOLS) - 1) : set);
}

static struct part any_of(struct parse *p);

static struct part group(struct parse *p)
{
	unsigned start = p->at - 1;
	struct part a;

	if (++p->depth > DEPTH_MAX)
		fail(p, start, "more than %d parentheses stand inside each other", DEPTH_MAX);
	if (p->bad)
		return (struct part){0, 0};
	a = any_of(p);
	p->depth--;
	if (peek(p) != ')')
		fail(p, start, "`(` is not closed: write the `)`");
	p->at++;
	return behind(p, a, single(p, PATH_NOTHING)); /* so that an empty group costs something as well */
}

static struct part escape(struct parse *p)
{
	char c = peek(p);

	if (!c)
		fail(p, p->at - 1, "nothing follows the `\\`: write \\\\ for the character itself");
	else if (c >= '0' && c <= '9')
		fail(p, p->at - 1, "a reference back (`\\%c`) is not understood: write the number itself", c);
	else if (c == '_')
		fail(p, p->at - 1, "`\\_` is not understood: no path has a `_` in it");
	p->at++;
	return one_of(p, 1u << path_parse_symbol(c) & ((1u << OTHER) - 1));
}

/* FRR: (^|[,{}() ]|$) */
static struct part separator(struct parse *p)
{
	struct part sep = one_of(p, ((1u << OTHER) - 1) & ~0x3ffu);

	return either(p, single(p, PATH_START), either(p, sep, single(p, PATH_END)));
}

static bool repeats(char c)
{
	return c == '*' || c == '+' || c == '?' || c == '{';
}

/* An anchor cannot be repeated; *anchor tells. */
static struct part atom(struct parse *p, bool *anchor)
{
	char c = peek(p);

	*anchor = c == '^' || c == '$';
	p->at++;
	switch (c) {
	case '^':
		return single(p, PATH_START);
	case '$':
		return single(p, PATH_END);
	case '_':
		return separator(p);
	case '.':
		return one_of(p, (1u << PATH_PARSE_SYMBOLS) - 1);
	case '[':
		return brackets(p);
	case '(':
		return group(p);
	case '\\':
		return escape(p);
	default:
		if (repeats(c))
			fail(p, p->at - 1, "`%c` has nothing before it to repeat: write \\%c for the character itself",
			     c, c);
		return one_of(p, 1u << path_parse_symbol(c) & ((1u << OTHER) - 1));
	}
}

/* Digits at p->at; -1: none. */
static int number(struct parse *p)
{
	int v = -1;

	for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
		v = v > REPEAT_MAX ? v : (v < 0 ? 0 : v * 10) + (peek(p) - '0');
	return v;
}

/* {n}, {n,}, {,m} or {n,m}, behind the brace. max -1: no end. */
static void bounds(struct parse *p, int *min, int *max)
{
	unsigned start = p->at - 1;

	*min = number(p);
	*max = *min;
	if (peek(p) == ',') {
		p->at++;
		*max = number(p);
		*min = *min < 0 ? 0 : *min;
	}
	if (peek(p) != '}' || *min < 0)
		fail(p, start, "`{` begins no repetition: write {2}, {2,} or {2,4}, or \\{ for the character itself");
	else if (*min > REPEAT_MAX || *max > REPEAT_MAX)
		fail(p, start, "more than %d repetitions: write a smaller number", REPEAT_MAX);
	else if (*max >= 0 && *max < *min)
		fail(p, start, "{%d,%d} is no range: write the smaller first", *min, *max);
	p->at++;
}

static struct part piece(struct parse *p, unsigned limit);

/* a is what stands from `start` to `end`; copies of it are made by reading that again. */
static struct part repeat(struct parse *p, struct part a, unsigned start, unsigned end, int min, int max)
{
	int n = max < 0 ? min + 1 : max;
	struct part all = single(p, PATH_NOTHING);
	unsigned at = p->at;

	for (int i = 0; i < n && !p->bad; i++) {
		struct part one = a;

		if (i) {
			p->at = start;
			one = piece(p, end);
		}
		if (i >= min)
			one = max < 0 ? star(p, one) : maybe(p, one);
		all = behind(p, all, one);
	}
	p->at = at;
	return all;
}

/* An atom and what repeats it, as far as limit. */
static struct part piece(struct parse *p, unsigned limit)
{
	unsigned start = p->at;
	bool anchor;
	struct part a = atom(p, &anchor);

	while (!p->bad && p->at < limit && repeats(peek(p))) {
		unsigned end = p->at;
		char c = peek(p);
		int min, max;

		if (anchor)
			fail(p, p->at, "`%c` repeats an anchor: leave it out", c);
		p->at++;
		if (c == '*')
			a = star(p, a);
		else if (c == '+')
			a = plus(p, a);
		else if (c == '?')
			a = maybe(p, a);
		else {
			bounds(p, &min, &max);
			if (!p->bad)
				a = repeat(p, a, start, end, min, max);
		}
	}
	return a;
}

static struct part sequence(struct parse *p)
{
	struct part all = single(p, PATH_NOTHING);

	while (!p->bad && p->at < p->len && peek(p) != '|' && peek(p) != ')')
		all = behind(p, all, piece(p, p->len));
	return all;
}

static struct part any_of(struct parse *p)
{
	struct part a = sequence(p);

	while (!p->bad && peek(p) == '|') {
		p->at++;
		a = either(p, a, sequence(p));
	}
	return a;
}

static bool only_allowed(struct parse *p)
{
	char esc[16];

	if (p->len > PATH_REGEX_MAX) {
		fail(p, PATH_REGEX_MAX, "the pattern is longer than %d octets: split it into several rows",
		     PATH_REGEX_MAX);
		return false;
	}
	for (unsigned i = 0; i < p->len; i++)
		if (!strchr(allowed, p->s[i])) {
			fail(p, i, "`%s` stands in no AS path: write digits, _ and the signs %s",
			     log_esc(p->s + i, 1, esc, sizeof(esc)), "^ $ . | ( ) [ ] * + ? { } \\");
			return false;
		}
	return true;
}

int path_parse(const char *pattern, struct path_nodes *out, char err[PATH_REGEX_ERR])
{
	struct parse p = {.s = pattern, .len = (unsigned)strnlen(pattern, PATH_REGEX_MAX + 1), .to = out, .err = err};
	struct part all;
	unsigned end;

	*out = (struct path_nodes){.node = xcalloc(PATH_REGEX_NODES, sizeof(out->node[0]))};
	err[0] = '\0';
	if (!only_allowed(&p))
		return -EINVAL;
	all = any_of(&p);
	if (!p.bad && p.at < p.len)
		fail(&p, p.at, "`)` closes nothing: write the `(`, or \\) for the character itself");
	end = node(&p, PATH_MATCH, 0, 0);
	if (p.bad)
		return -EINVAL;
	join(&p, all.out, end);
	out->start = all.in;
	out->node = xrealloc(out->node, out->n, sizeof(out->node[0]));
	return 0;
}

void path_parse_fini(struct path_nodes *p)
{
	free(p->node);
	*p = (struct path_nodes){0};
}
