/* Publishing a worker's counters into the segment. */
#pragma once

#include <stdbool.h>

struct worker;

enum { STATS_SAS_PER_TURN = 512 };

/* Store the worker's counters, and those of the next STATS_SAS_PER_TURN SA slots (all: of every slot), where others can
 * read them: relaxed stores of whole words. Events that found the evt ring full are tried again. Worker thread. */
void stats_publish(struct worker *w, bool all);
