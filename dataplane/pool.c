#include "dataplane/pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>

/* Such a pool gives no IOVAs; here they are known. */
static void address_set(struct rte_mempool *mp, void *arg, void *obj, unsigned i)
{
	struct rte_mbuf *m = obj;

	(void)mp, (void)arg, (void)i;
	m->buf_iova = (rte_iova_t)(uintptr_t)m->buf_addr;
}

/* Where the IOVA is the virtual address, a buffer may reach from one page into the next: it is contiguous all the same. */
struct rte_mempool *pool_new(const char *name, uint32_t n, uint32_t cache, uint16_t data_room, int numa_node)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = data_room};
	unsigned size = (unsigned)sizeof(struct rte_mbuf) + data_room;
	struct rte_mempool *mp;

	if (rte_eal_has_hugepages() || rte_eal_iova_mode() != RTE_IOVA_VA)
		return rte_pktmbuf_pool_create(name, n, cache, 0, data_room, numa_node);
	mp = rte_mempool_create_empty(name, n, size, cache, sizeof(priv), numa_node, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (mp == NULL)
		return NULL;
	rte_pktmbuf_pool_init(mp, &priv);
	if (rte_mempool_populate_default(mp) < 0) {
		rte_mempool_free(mp);
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	rte_mempool_obj_iter(mp, address_set, NULL);
	return mp;
}
