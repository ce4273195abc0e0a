/* Rows of JSON as a table for people: columns as wide as they must be, the whole within TABLE_WIDTH characters. */
#pragma once

#include <jansson.h>
#include <stdio.h>

enum { TABLE_WIDTH = 100, TABLE_CELL = 128, TABLE_COLS_MAX = 16 };

enum table_kind {
	TABLE_TEXT,
	TABLE_ADDR,   /* text; what is cut of it stands on a line of its own below the row */
	TABLE_COUNT,  /* exact up to 8 digits, then 12.3M, 4.5G (thousands) */
	TABLE_OCTETS, /* 1.5K, 20.1M (1024) */
	TABLE_TIME,   /* seconds: 12s, 4m05s, 3h12m, 2d07h */
	TABLE_PERCENT,
	TABLE_YES,  /* true, false: yes, no */
	TABLE_LIST, /* elements with blanks between */
};

struct table_col {
	const char *key, *title;
	enum table_kind kind;
	unsigned max; /* characters at most; 0: as many as it takes */
};

/* A cell's text, escaped; "-" where there is nothing. buf of TABLE_CELL octets is lent. */
const char *table_cell(const json_t *row, const struct table_col *c, char buf[TABLE_CELL]);
/* Seconds in words. */
const char *table_time(json_int_t s, char buf[TABLE_CELL]);
/* The same for rows that come in parts: widths are those that the first part asks for. */
struct table_fit {
	unsigned w[TABLE_COLS_MAX];
};
void table_head(FILE *f, const struct table_col *cols, unsigned n, const json_t *rows, struct table_fit *fit);
void table_rows(FILE *f, const struct table_col *cols, unsigned n, const json_t *rows, const struct table_fit *fit,
		void (*detail)(FILE *f, const json_t *row));
/* rows: an array of objects; what is no object is left out. detail (may be NULL) adds lines below a row. */
void table_print(FILE *f, const struct table_col *cols, unsigned n, const json_t *rows,
		 void (*detail)(FILE *f, const json_t *row));
