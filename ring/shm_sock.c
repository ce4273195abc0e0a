/* The hand-over: hello, memfd and doorbells one way, the answer the other. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring/shm.h"
#include "ring/shm_map.h"

enum { FDS_FIXED = 3 /* memfd, control's bell, ctl's bell */, FDS_MAX = FDS_FIXED + SHM_WORKERS_MAX, BACKLOG = 4 };

/* As much ancillary data as a peer can send at once (the kernel's SCM_MAX_FD): more would leak descriptors to us. */
enum { FDS_ROOM = 253 };

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(FDS_ROOM * sizeof(int))];
};

static int address(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, path, strlen(path));
	return 0;
}

int shm_connect(const char *path)
{
	struct sockaddr_un a;
	int rc = address(&a, path), fd;

	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* Remove the socket that a dead process left; refuse to touch anything else. */
static int remove_old(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = shm_connect(path);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return -EADDRINUSE;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

int shm_listen(const char *path)
{
	struct sockaddr_un a;
	int rc = address(&a, path), fd;

	if (!rc)
		rc = remove_old(path);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* nobody can connect before listen(), so the mode is in force in time */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(path, 0600) || listen(fd, BACKLOG)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

bool shm_peer_ok(int sock, uint32_t allowed_uid)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &c, &len) || len != sizeof(c))
		return false;
	return c.uid == 0 || c.uid == geteuid() || c.uid == allowed_uid;
}

int shm_send(const struct shm *s, int sock)
{
	struct shm_hello hello = s->hello;
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	union control control = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf};
	int fds[FDS_MAX] = {s->memfd};
	size_t n_fds = FDS_FIXED + s->hello.workers;
	struct cmsghdr *c;
	ssize_t n;

	memcpy(fds + 1, s->bell_far, (n_fds - 1) * sizeof(int));
	m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	do {
		n = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(hello) ? 0 : -EIO;
}

/* What came with a hello. */
struct parcel {
	struct shm_hello hello;
	int fd[FDS_ROOM];
	unsigned n_fds;
	ssize_t len;    /* octets of data; 0: closed */
	bool truncated; /* data or descriptors did not fit */
};

static void parcel_close(struct parcel *p)
{
	for (unsigned i = 0; i < p->n_fds; i++)
		if (p->fd[i] >= 0)
			close(p->fd[i]);
	p->n_fds = 0;
}

static int parcel_recv(struct parcel *p, int sock)
{
	struct iovec iov = {.iov_base = &p->hello, .iov_len = sizeof(p->hello)};
	union control control;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};

	p->n_fds = 0;
	do {
		p->len = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (p->len < 0 && errno == EINTR);
	if (p->len < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		unsigned n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		if (n > FDS_ROOM - p->n_fds)
			n = FDS_ROOM - p->n_fds; /* cannot be: one recvmsg gives FDS_ROOM at most */
		memcpy(p->fd + p->n_fds, CMSG_DATA(c), n * sizeof(int));
		p->n_fds += n;
	}
	p->truncated = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	return p->len == 0 && p->n_fds == 0 ? -ECONNRESET : 0;
}

/* NULL: whole and ours. s gets the checked copy of the hello. */
static const char *hello_fault(const struct parcel *p, struct shm *s)
{
	const struct shm_hello *h = &p->hello;

	if (p->len != (ssize_t)sizeof(*h))
		return "hello is truncated";
	if (h->magic != SHM_MAGIC)
		return "hello does not come from a data plane (magic)";
	if (h->layout != MSG_LAYOUT)
		return "data plane was built with another message layout: install the same version of both";
	if (h->struct_sum != shm_struct_sum())
		return "data plane was built with other message structs: install the same version of both";
	if (p->truncated)
		return "hello is too long, or brings too many descriptors";
	if (!shm_numbers_ok(h))
		return "hello names impossible numbers";
	if (memchr(h->build, 0, sizeof(h->build)) == NULL)
		return "hello's version has no end";
	if (p->n_fds != FDS_FIXED + h->workers)
		return "hello brings the wrong number of descriptors";
	s->hello = *h;
	if (h->size != shm_place(s, NULL))
		return "hello's size is not that of its numbers";
	return NULL;
}

/* The file must have its full size and can never lose it: else a read of ours could end in SIGBUS. */
static const char *memfd_fault(int fd, uint64_t size)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0)
		return "segment is not a memfd";
	if ((seals & want) != want)
		return "segment is not sealed";
	if (fstat(fd, &st) || (uint64_t)st.st_size != size)
		return "segment has the wrong size";
	return NULL;
}

/* A bell is used with MSG_DONTWAIT only, so a stream socket cannot make us wait; anything else could. */
static const char *bell_fault(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int), len2 = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len2) ||
	    domain != AF_UNIX || type != SOCK_STREAM)
		return "doorbell is not a Unix stream socket";
	return NULL;
}

/* Take the descriptors over into s: from here on shm_fini() closes them. */
static const char *adopt_fds(struct parcel *p, struct shm *s)
{
	const char *fault = memfd_fault(p->fd[0], s->hello.size);

	for (unsigned i = 1; !fault && i < p->n_fds; i++)
		fault = bell_fault(p->fd[i]);
	for (unsigned i = 0; !fault && i < p->n_fds; i++) {
		p->fd[i] = shm_fd_keep(p->fd[i]);
		if (p->fd[i] < 0)
			fault = "no descriptor left";
	}
	if (fault)
		return fault;
	s->memfd = p->fd[0];
	s->bell_control = p->fd[1];
	s->bell_ctl = p->fd[2];
	memcpy(s->bell_worker, p->fd + FDS_FIXED, s->hello.workers * sizeof(int));
	p->n_fds = 0;
	return NULL;
}

static int map_and_answer(struct shm *s, int sock)
{
	struct shm_attach a = {.magic = SHM_MAGIC,
			       .layout = MSG_LAYOUT,
			       .epoch = s->hello.epoch,
			       .attach = s->hello.attach,
			       .pid = (uint32_t)getpid()};
	void *base = mmap(NULL, s->hello.size, PROT_READ | PROT_WRITE, MAP_SHARED, s->memfd, 0);

	if (base == MAP_FAILED)
		return -errno;
	shm_place(s, base);
	snprintf(a.build, sizeof(a.build), "%s", ESPLANADE_VERSION);
	return send(sock, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(a) ? 0 : -errno;
}

int shm_recv(struct shm *s, int sock, const char **why)
{
	struct parcel p;
	int rc = parcel_recv(&p, sock);

	*s = (struct shm){0};
	*why = "connection lost";
	if (rc)
		return rc;
	*why = hello_fault(&p, s);
	if (!*why)
		*why = adopt_fds(&p, s);
	parcel_close(&p);
	if (*why) {
		*s = (struct shm){0};
		return -EPROTO;
	}
	rc = map_and_answer(s, sock);
	if (rc) {
		*why = "segment cannot be mapped, or the answer cannot be sent";
		shm_fini(s);
	}
	return rc;
}

int shm_take_answer(const struct shm *s, int sock)
{
	struct shm_attach a;
	struct iovec iov = {.iov_base = &a, .iov_len = sizeof(a)};
	/* no room for descriptors: the kernel drops those that a peer sends */
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	do {
		n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (n != (ssize_t)sizeof(a) || m.msg_flags & MSG_TRUNC || a.magic != SHM_MAGIC || a.layout != MSG_LAYOUT ||
	    a.epoch != s->hello.epoch || a.attach != s->hello.attach)
		return -EPROTO;
	return 0;
}
