/* NAT detection (RFC 7296 2.23). Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "controlplane/ike/crypto.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike/wire.h"

/* What a peer's NAT_DETECTION notifies say. */
struct natt_seen {
	bool supported;  /* at least one of each kind was there and well formed: the peer does NAT traversal */
	bool nat_local;  /* we are behind a NAT: no destination hash fits our address and port */
	bool nat_remote; /* the peer is: no source hash fits the datagram's source */
};

/* SHA-1 of SPIs (as in the message's header), address and port. */
int natt_hash(uint64_t spi_i, uint64_t spi_r, const struct ip_addr *addr, uint16_t port,
	      uint8_t out[CRYPTO_SHA1_LEN]) MUST_USE;
/* Add both notifies to a message that goes from path->local to path->remote. force: send a source hash that cannot fit,
 * so that the peer sees a NAT (encapsulation: force). Needs only SHA-1; -errno if that failed. */
int natt_add(struct wire_out *o, uint64_t spi_i, uint64_t spi_r, const struct ike_path *path, bool force) MUST_USE;
/* Look at a received message's notifies. Several source hashes are allowed, one that fits is enough. Data that is not
 * 20 octets long fits nothing and is ignored. path: where the datagram came from and to which of our addresses. */
int natt_look(const struct ike_chain *c, uint64_t spi_i, uint64_t spi_r, const struct ike_path *path,
	      struct natt_seen *out) MUST_USE;
