/* Calls of DPDK's drivers to the C library that go through us first. Part of the executable, not of the library (meson.build). */
#pragma once

/* From now on the calling thread's munmap() calls wait(arg) first, and its sendmsg() counts as sent what nobody is there to take. */
void whole_unmap_waits(void (*wait)(void *arg), void *arg);
