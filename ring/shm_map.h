/* Where everything lies in the segment: one computation for both sides. Private to ring/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ring/shm.h"

/* Do these numbers describe a segment at all? Thread: any. */
bool shm_numbers_ok(const struct shm_hello *h);
/* Point s into base by the numbers of s->hello, which are good; base NULL: only compute. Octets of the whole. */
size_t shm_place(struct shm *s, uint8_t *base);
/* fd, or a copy of it above 2, since 0 stands for none in struct shm. -errno: then fd is closed. */
int shm_fd_keep(int fd) MUST_USE;
