/* The files that people copy must load.
 *
 *   test_examples DIR
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/config.h"

static const char *dir;

static int is_yaml(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && !strcmp(e->d_name + n - 5, ".yaml");
}

static void every_example_loads(void **state)
{
	struct dirent **e;
	int n = scandir(dir, &e, is_yaml, alphasort);

	(void)state;
	assert_true(n >= 10);
	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, e[i]->d_name);
		struct cfg_errors errs = {0};
		struct config *c = config_load(path, false, &errs); /* their secrets are not here */

		cfg_errors_print(&errs, path, 2);
		assert_non_null(c);
		assert_true(c->n_tunnels >= 1);
		config_free(c);
		cfg_errors_free(&errs);
		free(path);
		free(e[i]);
	}
	free(e);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_example_loads)};

	if (argc != 2) {
		fprintf(stderr, "usage: test_examples DIR\n");
		return 2;
	}
	dir = argv[1];
	return cmocka_run_group_tests_name("config-examples", tests, NULL, NULL);
}
