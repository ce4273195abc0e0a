/* The segment: one memfd, made and owned by the data plane, handed to one control plane at a time.
 *
 *   shm_hdr | stats_worker[w] | stats_port[p] | stats_sa[2 * sas] | rings
 *
 * Rings: per worker  cmd (control -> worker, 512), evt (worker -> control, 512), ike_init (worker -> control: IKE_SA_INIT
 * only, 2048), ike_in (worker -> control: all other IKE), ike_out (control -> worker); for the ctl thread its own cmd and
 * evt, and route (control -> ctl, 64).
 *
 * Life: the data plane creates the segment with a fresh epoch (random, never 0) and listens on RUN_DIR/dataplane.sock.
 * A control plane connects (SOCK_SEQPACKET); its credentials are checked (root or the configured uid); it gets one message:
 * shm_hello, and as SCM_RIGHTS the memfd (sealed against shrink and grow) and the doorbells. It compares layout and sizes,
 * maps, and answers shm_attach. While the connection is open it is attached; when it closes, the data plane keeps forwarding, and
 * builds a NEW segment with attach + 1 for the next one (a hostile or broken peer costs a new segment: SAs stay). Three
 * resets a minute because of -EPROTO stop further attaches for a minute and say so.
 * A control plane that loses the connection connects again (with back-off); a changed epoch tells it that every SA is gone.
 * Doorbells are pairs of Unix stream sockets, one octet a ring: [0] control's, [1] the ctl thread's, [2 + w] worker w's. Not
 * eventfds: with those, O_NONBLOCK is shared with the peer, who could clear it and have a worker block in read or write;
 * MSG_DONTWAIT is said per call.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "ring/msg.h"
#include "ring/spsc.h"
#include "ring/stats.h"

enum { SHM_WORKERS_MAX = 32, SHM_MAGIC = 0x45535031 /* "ESP1" */ };
enum { SHM_CMD_CAP = 1024, SHM_EVT_CAP = 1024, SHM_IKE_INIT_CAP = 128, SHM_IKE_CAP = 512, SHM_ROUTE_CAP = 8192 };

/* What both sides must agree on before a byte is used. */
struct shm_hello {
	uint32_t magic, layout; /* SHM_MAGIC, MSG_LAYOUT */
	uint64_t size;          /* octets of the segment */
	uint64_t epoch;         /* new at each data-plane start */
	uint32_t attach;        /* generation of this hand-over */
	uint32_t workers, ports, sas, tunnels, nexthops;
	uint32_t struct_sum; /* shm_struct_sum(): sizes of all shared structs */
	uint32_t pid;
	char build[32]; /* version, for the log */
};

/* The control plane's answer: it has mapped this very segment. */
struct shm_attach {
	uint32_t magic, layout;
	uint64_t epoch;
	uint32_t attach, pid;
	char build[32];
};

/* At offset 0. The hello is there for people with a debugger: both sides use the one that came over the socket. */
struct shm_hdr {
	struct shm_hello hello;
	_Alignas(64) _Atomic uint64_t applied; /* route records done, ctl thread */
	_Alignas(64) _Atomic uint32_t tsc_khz;
};

/* A side's private view of a mapped segment. The same struct serves both: a ring's end is who pushes and who pops. */
struct shm {
	struct shm_hello hello; /* private copy, checked */
	struct shm_hdr *hdr;
	uint8_t *base;
	int memfd;                                                /* owned; 0: none */
	int bell_control, bell_ctl, bell_worker[SHM_WORKERS_MAX]; /* our ends, owned; 0: none */
	int bell_far[2 + SHM_WORKERS_MAX]; /* data plane: the ends that go to the control plane */
	struct stats_worker *worker_stats; /* [workers] */
	struct stats_port *port_stats;     /* [ports] */
	struct stats_sa *sa_stats;         /* [sas * 2] */
	struct shm_worker_rings {
		struct spsc cmd, evt, ike_init, ike_in, ike_out;
	} w[SHM_WORKERS_MAX];
	struct spsc ctl_cmd, ctl_evt, route;
};

struct shm_params {
	uint32_t workers, ports, sas, tunnels, nexthops;
	uint64_t epoch;
	uint32_t attach;
};

/* Sum over the sizes of every shared struct: differs whenever one side was built from another layout. */
uint32_t shm_struct_sum(void);

/* Data plane: make the memfd, seal it, map it (touched, so that no worker meets a page fault), make the doorbells. -EINVAL:
 * a number of p is out of range; other -errno. s is fit for shm_fini() either way. */
int shm_create(struct shm *s, const struct shm_params *p) MUST_USE;
/* Data plane: send hello, memfd and doorbells over a connected Unix socket. -errno. */
int shm_send(const struct shm *s, int sock) MUST_USE;
/* Data plane: take the control plane's answer. 0: attached; -EAGAIN nothing yet; -ECONNRESET closed; -EPROTO not the answer to
 * this segment's hello. */
int shm_take_answer(const struct shm *s, int sock) MUST_USE;
/* Control plane: receive, check, map, answer. -EPROTO with a cause in why (lent, static) when layouts differ or the peer lies;
 * -EAGAIN a non-blocking sock has nothing yet; -ECONNRESET closed. s is fit for shm_fini() either way. */
int shm_recv(struct shm *s, int sock, const char **why) MUST_USE;
/* Unmap, close. Safe on a zeroed struct and twice. */
void shm_fini(struct shm *s);

/* Listening socket (non-blocking) at path, mode 0600, an old one removed. fd or -errno; -EADDRINUSE: something that is no
 * socket, or a living process, is there. */
int shm_listen(const char *path) MUST_USE;
/* Connected fd (non-blocking) or -errno. */
int shm_connect(const char *path) MUST_USE;
/* The peer's uid is 0, ours, or allowed_uid? */
bool shm_peer_ok(int sock, uint32_t allowed_uid);

/* Wake who polls the other end for POLLIN; make ours quiet again. Neither blocks, whatever the peer does. clear is false when
 * the bell has been shut and would ring for ever. */
void shm_ring_bell(int bell);
bool shm_clear_bell(int bell);

/* IKE datagrams over 2 KiB slots. Push: 0; -ENOBUFS when not all slots fit (nothing written); -EMSGSIZE total is 0 or > MSG_IKE_MAX; -EPROTO. m's head fields but len and
 * MORE are the caller's; data of total octets follows in the slots. Pop: total octets (<= cap) and the first slot's head in
 * h (its data is not filled); -EAGAIN empty or not yet whole; -EBADMSG (skipped, to its end); -EPROTO. */
int shm_ike_push(struct spsc *q, struct msg_ike *m, const uint8_t *data, uint32_t total) MUST_USE;
int shm_ike_pop(struct spsc *q, const struct msg_limits *l, struct msg_ike *h, uint8_t *data, uint32_t cap) MUST_USE;
