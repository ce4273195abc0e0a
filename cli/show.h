/* What `gwctl show NOUN` prints of the rows that the control plane gives. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Is there such a noun? */
bool show_knows(const char *noun);
/* The nouns, for the usage: "tunnels|ike-sas|...". */
const char *show_nouns(void);
/* Rows for people. false: data is not a list of rows. */
bool show_print(FILE *f, const char *noun, const json_t *data);
