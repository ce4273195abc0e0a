/* Child SAs as blocks of lines, with the counters of the classic `show ikev2 child-sa`. */
#pragma once

#include <jansson.h>
#include <stdio.h>

void child_print(FILE *f, const json_t *rows);
