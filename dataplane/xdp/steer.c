#include "dataplane/xdp/steer.h"

#include <errno.h>
#include <string.h>

#ifdef STEER_BUILT
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "dataplane/steer.skel.h"

int steer_file(const struct steer_conf *conf)
{
	size_t size, at;
	const uint8_t *elf = steer_bpf__elf_bytes(&size);
	const uint8_t *magic = memmem(elf, size, STEER_MAGIC, sizeof(STEER_MAGIC));
	struct steer_conf c = *conf;
	int fd;

	if (!magic || (size_t)(elf + size - magic) < sizeof(c))
		return -EINVAL;
	at = (size_t)(magic - elf);
	if (memmem(magic + 1, size - at - 1, STEER_MAGIC, sizeof(STEER_MAGIC)))
		return -EINVAL;
	memcpy(c.magic, STEER_MAGIC, sizeof(c.magic));
	fd = memfd_create(STEER_PROGRAM, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, elf, size) != (ssize_t)size || pwrite(fd, &c, sizeof(c), (off_t)at) != (ssize_t)sizeof(c)) {
		int ret = errno ? -errno : -EIO;

		close(fd);
		return ret;
	}
	return fd;
}

static int open_id(uint32_t id)
{
	int fd = bpf_prog_get_fd_by_id(id);

	return fd < 0 ? -errno : fd;
}

int steer_query(int ifindex, struct steer_attached *a)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int ret = bpf_xdp_query(ifindex, 0, &q), fd;

	if (ret)
		return ret;
	*a = (struct steer_attached){.id = q.drv_prog_id   ? q.drv_prog_id
					   : q.skb_prog_id ? q.skb_prog_id
							   : q.hw_prog_id};
	a->generic = !q.drv_prog_id && q.skb_prog_id;
	if (!a->id)
		return 0;
	fd = open_id(a->id);
	if (fd < 0)
		return fd;
	ret = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 1;
	close(fd);
	memcpy(a->name, info.name, sizeof(a->name));
	a->name[sizeof(a->name) - 1] = '\0';
	return ret;
}

int steer_detach(int ifindex, const struct steer_attached *a)
{
	int fd = open_id(a->id), ret;

	if (fd < 0)
		return fd;
	LIBBPF_OPTS(bpf_xdp_attach_opts, o, .old_prog_fd = fd);
	ret = bpf_xdp_detach(ifindex, a->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE, &o);
	close(fd);
	return ret;
}

#else

int steer_file(const struct steer_conf *conf)
{
	(void)conf;
	return -ENOTSUP;
}

int steer_query(int ifindex, struct steer_attached *a)
{
	(void)ifindex, (void)a;
	return -ENOTSUP;
}

int steer_detach(int ifindex, const struct steer_attached *a)
{
	(void)ifindex, (void)a;
	return -ENOTSUP;
}

#endif
