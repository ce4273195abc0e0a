/* The packet buffers. */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

/* A pool of n mbufs (best 2^k - 1) with a cache of `cache` per thread and room for data_room octets (headroom included), on
 * this NUMA node. As rte_pktmbuf_pool_create(), but without hugepages too the buffers stand close together: that function
 * then begins each on a page of its own, so that all headers fall into the same few sets of the first-level cache, and 32 of
 * them throw each other out. NULL with rte_errno. EAL is up. */
struct rte_mempool *pool_new(const char *name, uint32_t n, uint32_t cache, uint16_t data_room, int numa_node);
