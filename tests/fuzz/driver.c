/* Runs a libFuzzer target as a plain test: every file of its corpus, then deterministic mutations of them.
 *
 *   fuzz_NAME NAME CORPUS_DIR
 *
 * Two TAP points: the corpus (at least 50 inputs) and the mutations, bounded by FUZZ_SECONDS (default 3) and FUZZ_RUNS
 * (default 200000); FUZZ_SEED (default 1) chooses the sequence. Every input is handed over in a heap block of exactly
 * its length, so that the address sanitizer sees the first octet read behind it. An input that crashes or hangs the
 * target is written to fuzz-crash-NAME in the working directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/build.h"

enum { CORPUS_MIN = 50, CORPUS_MAX = 4096, INPUT_MAX = 65536, HANG_S = 30, ALARM_EVERY = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

struct input {
	uint8_t *b;
	size_t len;
};

static struct input corpus[CORPUS_MAX];
static unsigned n_corpus;
static uint8_t scratch[INPUT_MAX];
static const uint8_t *current; /* what the target is reading now */
static size_t current_len;
static char crash_path[PATH_MAX];

/* Called while dying: async-signal-safe calls only. */
static void save_current(void)
{
	static const char note[] = "# the input was saved as ";
	int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	if (current && write(fd, current, current_len) >= 0 && write(2, note, sizeof(note) - 1) > 0 &&
	    write(2, crash_path, strlen(crash_path)) > 0 && write(2, "\n", 1) > 0)
		fsync(fd);
	close(fd);
}

static void on_signal(int sig)
{
	static const char hang[] = "# the target hangs\n";

	if (sig == SIGALRM && write(2, hang, sizeof(hang) - 1) < 0)
		_exit(3);
	save_current();
	_exit(3);
}

static void watch_for_death(const char *name)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};

	snprintf(crash_path, sizeof(crash_path), "fuzz-crash-%s", name);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(save_current);
	for (size_t i = 0; i < N_ELEMS(signals); i++) {
		if (__sanitizer_set_death_callback && signals[i] != SIGABRT && signals[i] != SIGALRM)
			continue; /* the sanitizer's own report says more */
		signal(signals[i], on_signal);
	}
}

static void run(const uint8_t *b, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	if (!exact)
		abort();
	memcpy(exact, b, len);
	current = exact;
	current_len = len;
	(void)LLVMFuzzerTestOneInput(exact, len);
	current = NULL;
	free(exact);
}

static bool load_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || n_corpus == CORPUS_MAX) {
		close(fd);
		return true; /* not an input */
	}
	n = read(fd, scratch, sizeof(scratch));
	close(fd);
	if (n < 0)
		return false;
	corpus[n_corpus].b = malloc(n ? (size_t)n : 1);
	if (!corpus[n_corpus].b)
		abort();
	memcpy(corpus[n_corpus].b, scratch, (size_t)n);
	corpus[n_corpus++].len = (size_t)n;
	return true;
}

/* In the order of their names, so that every run is the same. */
static bool load_corpus(const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = n >= 0 && fd >= 0;

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.' && fd >= 0)
			ok &= load_file(fd, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	if (fd >= 0)
		close(fd);
	return ok;
}

static uint64_t random_state;

static uint32_t rnd(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return below ? (uint32_t)(random_state >> 32) % below : 0;
}

/* Replace cut octets at `at` by n octets of b; what does not fit is left out. The new length. */
static size_t replace(size_t len, size_t at, size_t cut, const uint8_t *b, size_t n)
{
	if (len - cut + n > INPUT_MAX)
		n = INPUT_MAX - (len - cut);
	memmove(scratch + at + n, scratch + at + cut, len - at - cut);
	for (size_t i = 0; i < n; i++)
		scratch[at + i] = b ? b[i] : (uint8_t)rnd(256);
	return len - cut + n;
}

/* Overwrite a big-endian field of 1, 2 or 4 octets with a value that likes to break parsers. */
static void put_interesting(size_t len)
{
	static const uint32_t values[] = {0,  1,    2,    3,    4,      7,      8,      16,
					  20, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, UINT32_MAX};
	uint32_t v = values[rnd(N_ELEMS(values))];
	size_t width = (size_t)1 << rnd(3), at;

	if (len < width)
		return;
	at = rnd((uint32_t)(len - width + 1));
	for (size_t i = 0; i < width; i++)
		scratch[at + i] = (uint8_t)(v >> 8 * (width - 1 - i));
}

static size_t join_tail(size_t len)
{
	const struct input *other = &corpus[rnd(n_corpus)];
	size_t at = rnd((uint32_t)len + 1), from = rnd((uint32_t)other->len + 1);

	return replace(len, at, len - at, other->b + from, other->len - from);
}

static size_t mutate_once(size_t len)
{
	size_t at = len ? rnd((uint32_t)len) : 0, n;

	switch (rnd(8)) {
	case 0:
		if (len)
			scratch[at] ^= (uint8_t)(1u << rnd(8));
		return len;
	case 1:
		if (len)
			scratch[at] = (uint8_t)rnd(256);
		return len;
	case 2:
		put_interesting(len);
		return len;
	case 3: /* the length field that is off by a few */
		if (len)
			scratch[at] = (uint8_t)(scratch[at] + rnd(9) - 4);
		return len;
	case 4:
		return at;
	case 5:
		return replace(len, at, 0, NULL, 1 + rnd(32));
	case 6:
		n = len - at;
		return replace(len, at, n ? 1 + rnd((uint32_t)(n < 32 ? n : 32)) : 0, NULL, 0);
	default:
		return join_tail(len);
	}
}

static uint64_t env_u64(const char *name, uint64_t def)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 10) : def;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t run_mutations(void)
{
	uint64_t runs = env_u64("FUZZ_RUNS", 200000), end_ms = now_ms() + env_u64("FUZZ_SECONDS", 3) * 1000, i;

	random_state = env_u64("FUZZ_SEED", 1) * 0x9e3779b97f4a7c15u | 1;
	for (i = 0; i < runs; i++) {
		const struct input *in = &corpus[rnd(n_corpus)];
		size_t len = in->len;

		if (i % 64 == 0 && now_ms() >= end_ms)
			break;
		if (i % ALARM_EVERY == 0)
			alarm(HANG_S);
		memcpy(scratch, in->b, len);
		for (uint32_t k = 1 + rnd(4); k > 0; k--)
			len = mutate_once(len);
		run(scratch, len);
	}
	alarm(0);
	return i;
}

int main(int argc, char **argv)
{
	bool enough;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3) {
		fprintf(stderr, "usage: %s NAME CORPUS_DIR\n", argv[0]);
		return 2;
	}
	puts("1..2");
	watch_for_death(argv[1]);
	if (!load_corpus(argv[2]) || n_corpus == 0) {
		printf("Bail out! %s cannot be read, or is empty\n", argv[2]);
		return 1;
	}
	for (unsigned i = 0; i < n_corpus; i++) {
		alarm(HANG_S);
		run(corpus[i].b, corpus[i].len);
	}
	enough = n_corpus >= CORPUS_MIN;
	printf("%sok 1 - %s: corpus of %u inputs, at least %u asked for\n", enough ? "" : "not ", argv[1], n_corpus,
	       CORPUS_MIN);
	printf("ok 2 - %s: %llu mutations survived\n", argv[1], (unsigned long long)run_mutations());
	for (unsigned i = 0; i < n_corpus; i++)
		free(corpus[i].b);
	return enough ? 0 : 1;
}
