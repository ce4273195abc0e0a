/* The config file: whatever the text, a config or errors; and what is printed must load again to the same text. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_back(const struct config *c)
{
	struct cfg_errors errs = {0};
	char *first = config_print(c), *second;
	struct config *again = config_load_text(first, strlen(first), NULL, false, &errs);

	if (!again)
		abort();
	second = config_print(again);
	if (strcmp(first, second))
		abort();
	free(first);
	free(second);
	config_free(again);
	cfg_errors_free(&errs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cfg_errors errs = {0};
	/* without secrets: a mutated path must not make us read files */
	struct config *c = config_load_text((const char *)data, len, NULL, false, &errs);

	if (!c == !errs.n)
		abort();
	if (c)
		check_back(c);
	config_free(c);
	cfg_errors_free(&errs);
	return 0;
}
