#include "ring/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ring/shm_map.h"
#include "ring/spi.h"

/* shm_place() puts every part on a line of its own. */
enum { SHM_ALIGN = 64, SHM_NUMBER_MAX = 1 << 24 };

_Static_assert(_Alignof(struct shm_hdr) == SHM_ALIGN, "the head keeps applied off the hello's lines");
_Static_assert((int)SPI_SLOTS_MAX <= (int)SHM_NUMBER_MAX, "no product below can overflow");

uint32_t shm_struct_sum(void)
{
	static const uint32_t sizes[] = {
		sizeof(struct shm_hello),
		sizeof(struct shm_attach),
		sizeof(struct shm_hdr),
		sizeof(struct spsc_shm),
		sizeof(struct stats_worker),
		sizeof(struct stats_port),
		sizeof(struct stats_sa),
		sizeof(struct msg_hdr),
		sizeof(struct msg_tunnel_set),
		sizeof(struct msg_tunnel_del),
		sizeof(struct msg_sa_add),
		sizeof(struct msg_sa_del),
		sizeof(struct msg_sa_move),
		sizeof(struct msg_sa_list),
		sizeof(struct msg_sa_adopt),
		sizeof(struct msg_addr),
		sizeof(struct msg_nexthop),
		sizeof(struct msg_fib_get),
		sizeof(struct msg_fib_info),
		sizeof(struct msg_route),
		sizeof(struct msg_barrier),
		sizeof(struct msg_ack),
		sizeof(struct msg_sa_counters),
		sizeof(struct msg_sa_event),
		sizeof(struct msg_no_sa),
		sizeof(struct msg_peer_moved),
		sizeof(struct msg_bad_spi),
		sizeof(struct msg_link),
		sizeof(struct msg_ike),
		SHM_CMD_CAP,
		SHM_EVT_CAP,
		SHM_IKE_INIT_CAP,
		SHM_IKE_CAP,
		SHM_ROUTE_CAP,
		MSG_TYPE_N,
		MSG_SA_DROP_N,
		DROP_N,
		MSG_ENCR_N,
		MSG_INTEG_N,
		STATS_STAGE_N,
	};
	uint32_t sum = 2166136261u; /* FNV-1a over words */

	for (size_t i = 0; i < N_ELEMS(sizes); i++)
		sum = (sum ^ sizes[i]) * 16777619u;
	return sum;
}

bool shm_numbers_ok(const struct shm_hello *h)
{
	return h->workers >= 1 && h->workers <= SHM_WORKERS_MAX && h->ports <= STATS_PORTS_MAX && h->sas >= 1 &&
	       h->sas <= SPI_SLOTS_MAX && h->tunnels >= 1 && h->tunnels <= SHM_NUMBER_MAX && h->nexthops >= 1 &&
	       h->nexthops <= SHM_NUMBER_MAX && h->epoch != 0;
}

struct cursor {
	uint8_t *base;
	size_t at;
};

static void *take(struct cursor *c, size_t n)
{
	size_t at = c->at;

	c->at += (n + SHM_ALIGN - 1) & ~(size_t)(SHM_ALIGN - 1);
	return c->base ? c->base + at : NULL;
}

static void take_ring(struct cursor *c, struct spsc *q, uint32_t capacity, uint32_t slot_size)
{
	spsc_init(q, take(c, spsc_size(capacity, slot_size)), capacity, slot_size);
}

size_t shm_place(struct shm *s, uint8_t *base)
{
	struct cursor c = {.base = base};
	const struct shm_hello *h = &s->hello;

	s->base = base;
	s->hdr = take(&c, sizeof(*s->hdr));
	s->worker_stats = take(&c, h->workers * sizeof(*s->worker_stats));
	s->port_stats = take(&c, h->ports * sizeof(*s->port_stats));
	s->sa_stats = take(&c, (size_t)h->sas * 2 * sizeof(*s->sa_stats));
	for (uint32_t i = 0; i < h->workers; i++) {
		take_ring(&c, &s->w[i].cmd, SHM_CMD_CAP, MSG_SLOT);
		take_ring(&c, &s->w[i].evt, SHM_EVT_CAP, MSG_SLOT);
		take_ring(&c, &s->w[i].ike_init, SHM_IKE_INIT_CAP, MSG_IKE_SLOT);
		take_ring(&c, &s->w[i].ike_in, SHM_IKE_CAP, MSG_IKE_SLOT);
		take_ring(&c, &s->w[i].ike_out, SHM_IKE_CAP, MSG_IKE_SLOT);
	}
	take_ring(&c, &s->ctl_cmd, SHM_CMD_CAP, MSG_SLOT);
	take_ring(&c, &s->ctl_evt, SHM_EVT_CAP, MSG_SLOT);
	take_ring(&c, &s->route, SHM_ROUTE_CAP, MSG_ROUTE_SLOT);
	return c.at;
}

int shm_fd_keep(int fd)
{
	int kept;

	if (fd < 0)
		return -errno;
	if (fd > 2)
		return fd;
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (kept < 0)
		kept = -errno;
	close(fd);
	return kept;
}

static int make_memfd(struct shm *s)
{
	int fd = shm_fd_keep(memfd_create("esplanade", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	if (fd < 0)
		return fd;
	s->memfd = fd;
	/* without the seals, the peer could shrink it under our feet: SIGBUS */
	if (ftruncate(fd, (off_t)s->hello.size) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	return 0;
}

static int make_bell(int *bell, int *far)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd))
		return -errno;
	fd[0] = shm_fd_keep(fd[0]);
	fd[1] = shm_fd_keep(fd[1]);
	*bell = fd[0] > 0 ? fd[0] : 0;
	*far = fd[1] > 0 ? fd[1] : 0;
	if (fd[0] < 0)
		return fd[0];
	return fd[1] < 0 ? fd[1] : 0;
}

static int make_bells(struct shm *s)
{
	int rc = make_bell(&s->bell_control, &s->bell_far[0]);

	if (!rc)
		rc = make_bell(&s->bell_ctl, &s->bell_far[1]);
	for (uint32_t i = 0; !rc && i < s->hello.workers; i++)
		rc = make_bell(&s->bell_worker[i], &s->bell_far[2 + i]);
	return rc;
}

int shm_create(struct shm *s, const struct shm_params *p)
{
	void *base;
	int rc;

	*s = (struct shm){.hello = {.magic = SHM_MAGIC,
				    .layout = MSG_LAYOUT,
				    .epoch = p->epoch,
				    .attach = p->attach,
				    .workers = p->workers,
				    .ports = p->ports,
				    .sas = p->sas,
				    .tunnels = p->tunnels,
				    .nexthops = p->nexthops,
				    .struct_sum = shm_struct_sum(),
				    .pid = (uint32_t)getpid()}};
	snprintf(s->hello.build, sizeof(s->hello.build), "%s", ESPLANADE_VERSION);
	if (!shm_numbers_ok(&s->hello))
		return -EINVAL;
	s->hello.size = shm_place(s, NULL);
	rc = make_memfd(s);
	if (rc)
		goto fini;
	base = mmap(NULL, s->hello.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->memfd, 0);
	if (base == MAP_FAILED) {
		rc = -errno;
		goto fini;
	}
	shm_place(s, base);
	s->hdr->hello = s->hello;
	rc = make_bells(s);
	if (rc)
		goto fini;
	return 0;
fini:
	shm_fini(s);
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = 0;
}

void shm_fini(struct shm *s)
{
	if (s->base)
		munmap(s->base, s->hello.size);
	close_fd(&s->memfd);
	close_fd(&s->bell_control);
	close_fd(&s->bell_ctl);
	for (uint32_t i = 0; i < SHM_WORKERS_MAX; i++)
		close_fd(&s->bell_worker[i]);
	for (uint32_t i = 0; i < N_ELEMS(s->bell_far); i++)
		close_fd(&s->bell_far[i]);
	*s = (struct shm){0};
}

/* A full socket is a bell that rings already. */
void shm_ring_bell(int bell)
{
	ssize_t n = send(bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)n;
}

/* One call is enough: what is left keeps the bell ringing, and the caller comes again. The data plane holds the far end
 * too, so that a peer that dies closes nothing: only shutdown() does. */
bool shm_clear_bell(int bell)
{
	char rings[512];

	return recv(bell, rings, sizeof(rings), MSG_DONTWAIT) != 0;
}
