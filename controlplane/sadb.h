/* What is installed where: every child SA pair of the IKE core, the data-plane slot that holds it, and its counters.
 *
 * A pair is named by its inbound SPI. It takes one slot for both halves (stats: sa[slot * 2 + dir]) and one generation,
 * new for every pair. A slot is used again only after both halves are known to be gone, oldest first. Each half:
 *
 *   NONE -> ADDING (key sent) -> READY -> DELETING (stop sent) -> NONE, at SA_GONE or when the data plane knows it no
 * more
 *
 * A lost connection: halves that were on their way in are DOOMED (they may or may not be there) and are stopped after
 * the next attach if the data plane still lives its old life. In a new life every half is gone at once; keys are never
 * sent twice. A fresh control plane that finds SAs of its predecessor lets them carry traffic until the tunnel has a
 * pair of its own. One writer: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "controlplane/dp.h"
#include "controlplane/ike/ike.h"
#include "controlplane/tunnels.h"

struct sadb;

struct sadb_ops {
	void *ctx;
	/* For the IKE core; never called from within sadb_install() and the like. */
	void (*event)(void *ctx, const struct ike_event *ev);
	/* SA slots are known: pairs can be made from now on. */
	void (*ready)(void *ctx);
	/* The last pair of t has ended. */
	void (*tunnel_idle)(void *ctx, struct tunnel *t);
	void (*random)(void *ctx, void *buf, size_t len);
};

struct sadb *sadb_new(struct dp *dp, struct tunnels *ts, const struct sadb_ops *ops);
void sadb_free(struct sadb *s);

/* The hands of the core (ike.h: spi_alloc, spi_free, install_in/out, child_remove, child_move, child_rx_packets, child_tx_packets). */
int sadb_spi_alloc(struct sadb *s, uint32_t tunnel, uint32_t *spi) MUST_USE;
void sadb_spi_free(struct sadb *s, uint32_t tunnel, uint32_t spi);
int sadb_install(struct sadb *s, const struct ike_child_half *h, unsigned dir) MUST_USE;
void sadb_remove(struct sadb *s, uint32_t tunnel, uint32_t spi_in, unsigned dir);
void sadb_move(struct sadb *s, uint32_t tunnel, uint32_t spi_in, const struct ike_path *path);
uint64_t sadb_rx_packets(struct sadb *s, uint32_t tunnel, uint32_t spi_in);
uint64_t sadb_tx_packets(struct sadb *s, uint32_t tunnel, uint32_t spi_in);

/* From dp: the connection's life, and events of SAs and tunnels. */
void sadb_attached(struct sadb *s, bool new_life);
void sadb_lost(struct sadb *s);
void sadb_event(struct sadb *s, unsigned worker, const union msg *m);
/* Now and then: stops that could not be sent are tried again. */
void sadb_sweep(struct sadb *s);
bool sadb_ready(const struct sadb *s);

/* Stop what the tunnel has from a former control plane. */
void sadb_drop_orphans(struct sadb *s, struct tunnel *t);

/* Largest packet that goes into it now; 0: not known. */
uint32_t sadb_mtu(struct sadb *s, uint32_t spi_in);
/* Counters of one half as last seen; false: no such pair. */
bool sadb_counters(struct sadb *s, uint32_t spi_in, unsigned dir, struct msg_sa_counters *out);
/* Ended SAs and living ones together, which a rekey does not reset. [MSG_DIR_*] */
void sadb_totals(struct sadb *s, const struct tunnel *t, struct msg_sa_counters out[2]);
/* Slots in use, of how many. */
uint32_t sadb_used(const struct sadb *s, uint32_t *of);
/* All halves that are in the data plane or on their way in are told to stop; true: none was left. */
bool sadb_stop_all(struct sadb *s);
