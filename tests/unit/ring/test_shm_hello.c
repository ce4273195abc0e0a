#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "handover.h"

/* What a data plane that lies can send. */
struct parcel {
	struct shm_hello hello;
	size_t len;
	int fd[260];
	unsigned n_fds;
};

static void send_parcel(int sock, const struct parcel *p)
{
	struct iovec iov = {.iov_base = (void *)&p->hello, .iov_len = p->len};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(p->fd))];
	} control = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (p->n_fds) {
		struct cmsghdr *c;

		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(p->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(p->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), p->fd, p->n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &m, 0), p->len);
}

static struct parcel honest(const struct shm *s)
{
	struct parcel p = {.hello = s->hello, .len = sizeof(p.hello), .n_fds = 5};

	memcpy(p.fd, (int[]){s->memfd, s->bell_far[0], s->bell_far[1], s->bell_far[2], s->bell_far[3]},
	       5 * sizeof(int));
	return p;
}

/* The parcel is refused with a cause that holds this word, and no descriptor stays behind. */
static void expect_refused(const struct parcel *p, const char *word)
{
	unsigned before = open_fds();
	const char *why = NULL;
	struct shm s;
	int sock[2], rc;

	socket_pair(sock);
	send_parcel(sock[0], p);
	rc = shm_recv(&s, sock[1], &why);
	if (rc != -EPROTO || !why || !strstr(why, word))
		fail_msg("rc %d, cause \"%s\", not \"%s\"", rc, why ? why : "", word);
	shm_fini(&s);
	close(sock[0]);
	close(sock[1]);
	assert_int_equal(open_fds(), before);
}

static void a_lying_hello_is_refused_with_its_cause(void **state UNUSED)
{
	struct parcel p;
	struct shm s;

	assert_int_equal(shm_create(&s, &params), 0);
#define LIE(word, ...)                    \
	do {                              \
		p = honest(&s);           \
		__VA_ARGS__;              \
		expect_refused(&p, word); \
	} while (0)
	LIE("truncated", p.len--);
	LIE("truncated", p.len = 1);
	LIE("truncated", p.len = sizeof(p.hello) / 2; p.n_fds = 0);
	LIE("magic", p.hello.magic++);
	LIE("layout", p.hello.layout++);
	LIE("structs", p.hello.struct_sum ^= 1);
	LIE("size", p.hello.size--);
	LIE("size", p.hello.size = 0);
	LIE("size", p.hello.size = UINT64_MAX);
	LIE("numbers", p.hello.epoch = 0);
	LIE("numbers", p.hello.workers = 0);
	LIE("numbers", p.hello.workers = UINT32_MAX);
	LIE("numbers", p.hello.sas = UINT32_MAX);
	LIE("numbers", p.hello.ports = 17);
	LIE("size", p.hello.sas++);
	LIE("version", memset(p.hello.build, 'a', sizeof(p.hello.build)));
	LIE("descriptors", p.n_fds = 0);
	LIE("descriptors", p.n_fds--);
	LIE("descriptors", p.fd[p.n_fds++] = s.memfd);
	LIE("descriptors", while (p.n_fds < 253) p.fd[p.n_fds++] = s.memfd);
	LIE("descriptors", p.hello.workers = 1);
	LIE("doorbell", p.fd[1] = s.memfd);
	LIE("not a memfd", p.fd[0] = s.bell_far[0]);
#undef LIE
	shm_fini(&s);
}

static void a_hello_that_is_too_long_is_refused(void **state UNUSED)
{
	struct {
		struct shm_hello hello;
		char more[100];
	} big = {0};
	const char *why = "";
	struct shm s, cp;
	int sock[2];

	assert_int_equal(shm_create(&s, &params), 0);
	big.hello = s.hello;
	socket_pair(sock);
	assert_int_equal(send(sock[0], &big, sizeof(big), 0), sizeof(big));
	assert_int_equal(shm_recv(&cp, sock[1], &why), -EPROTO);
	assert_non_null(strstr(why, "too long"));
	close(sock[0]);
	assert_int_equal(shm_recv(&cp, sock[1], &why), -ECONNRESET);
	close(sock[1]);
	shm_fini(&s);
}

static void a_segment_that_could_vanish_is_refused(void **state UNUSED)
{
	static const int too_few[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
	struct parcel p;
	struct shm s;
	int eventfd_bell = eventfd(0, EFD_NONBLOCK);

	assert_int_equal(shm_create(&s, &params), 0);
	for (size_t i = 0; i < N_ELEMS(too_few); i++) {
		p = honest(&s);
		p.fd[0] = memfd_create("unsealed", MFD_ALLOW_SEALING);
		assert_int_equal(ftruncate(p.fd[0], (off_t)s.hello.size), 0);
		assert_int_equal(fcntl(p.fd[0], F_ADD_SEALS, too_few[i]), 0);
		expect_refused(&p, "sealed");
		close(p.fd[0]);
	}
	for (int more = -1; more <= 1; more += 2) {
		p = honest(&s);
		p.fd[0] = memfd_create("wrong size", MFD_ALLOW_SEALING);
		assert_int_equal(ftruncate(p.fd[0], (off_t)s.hello.size + more), 0);
		assert_int_equal(fcntl(p.fd[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
		expect_refused(&p, "wrong size");
		close(p.fd[0]);
	}
	p = honest(&s);
	p.fd[2] = eventfd_bell; /* its O_NONBLOCK is the sender's to clear */
	expect_refused(&p, "doorbell");
	close(eventfd_bell);
	/* ours can do neither */
	assert_int_equal(ftruncate(s.memfd, 4096), -1);
	assert_int_equal(ftruncate(s.memfd, (off_t)s.hello.size + 4096), -1);
	assert_int_equal(fcntl(s.memfd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	shm_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lying_hello_is_refused_with_its_cause),
		cmocka_unit_test(a_hello_that_is_too_long_is_refused),
		cmocka_unit_test(a_segment_that_could_vanish_is_refused),
	};

	return cmocka_run_group_tests_name("shm-hello", tests, NULL, NULL);
}
