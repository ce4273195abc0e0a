/* What `gwctl show NOUN` prints of the rows that the control plane gives. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/page.h"

/* Routes of all owners, in pages; ctx: a struct table_fit. */
extern const struct page_view show_routes;
/* What the data plane does with packets to addr. */
void show_fib(FILE *f, const char *addr, const json_t *data);

/* Is there such a noun (but for those above)? */
bool show_knows(const char *noun);
/* The nouns, for the usage: "tunnels|ike-sas|...". */
const char *show_nouns(void);
/* Rows for people. false: data is not a list of rows. */
bool show_print(FILE *f, const char *noun, const json_t *data);
