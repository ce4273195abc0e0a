#include "dataplane/whole.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* DPDK's af_packet driver joins its sockets to a fanout group with two flags, and has no argument against them.
 * PACKET_FANOUT_FLAG_DEFRAG: the kernel puts fragments together before we see them, and what has become longer than a frame of
 * the ring is lost without a trace. A gateway forwards fragments as they came, and refuses those of ESP to itself by name (RFC
 * 4303 3.4.1). PACKET_FANOUT_FLAG_ROLLOVER: a flow whose ring is full goes on in another worker's, out of order. The driver is
 * a plugin, so its call binds to this definition in the executable first; the flags are left out, and every other call goes on
 * to the kernel as it was. */
int setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	uint32_t fanout;

	if (level == SOL_PACKET && name == PACKET_FANOUT && len == sizeof(fanout)) {
		memcpy(&fanout, val, sizeof(fanout));
		fanout &= ~((uint32_t)(PACKET_FANOUT_FLAG_DEFRAG | PACKET_FANOUT_FLAG_ROLLOVER) << 16);
		val = &fanout;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, val, len);
}

static _Thread_local struct {
	void (*wait)(void *arg);
	void *arg;
} unmap;

void whole_unmap_waits(void (*wait)(void *arg), void *arg)
{
	unmap.wait = wait;
	unmap.arg = arg;
}

/* DPDK's memif server greets whoever connects. One who is gone by then makes the driver close the socket and leave it among those that
 * EAL's interrupt thread waits for: at the next change of these EAL ends the process. So in that thread what cannot be sent because
 * nobody is there any more counts as sent, and the driver goes on to find the end of the connection, which it can deal with. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n = syscall(SYS_sendmsg, fd, m, flags);

	if (n >= 0 || !unmap.wait || (errno != EPIPE && errno != ECONNRESET))
		return n;
	n = 0;
	for (size_t i = 0; i < m->msg_iovlen; i++)
		n += (ssize_t)m->msg_iov[i].iov_len;
	return n;
}

/* DPDK's memif driver notices in EAL's interrupt thread that its peer has died, and unmaps at once what a worker may be reading. It
 * has said before that the port is down, so whoever has passed a quiescent state since then will not look there again. */
int munmap(void *addr, size_t len)
{
	if (unmap.wait)
		unmap.wait(unmap.arg);
	return (int)syscall(SYS_munmap, addr, len);
}
