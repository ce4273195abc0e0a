/* Parts of the canonical file. Private to the room; config.h has config_print(). */
#pragma once

#include <stdio.h>

#include "config/config.h"

void print_quoted(FILE *f, const char *s);
/* `bgp`, `prefix-lists`, `as-path-lists`, `policies` (print_bgp.c). */
void print_bgp(FILE *f, const struct config *c);
