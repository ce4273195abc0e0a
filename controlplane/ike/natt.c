#include "controlplane/ike/natt.h"

#include <string.h>

#include "controlplane/ike/payload.h"

int natt_hash(uint64_t spi_i, uint64_t spi_r, const struct ip_addr *addr, uint16_t port, uint8_t out[CRYPTO_SHA1_LEN])
{
	uint8_t buf[2 * IKE_SPI_LEN + 16 + 2];
	struct wr w = wr_of(buf, sizeof(buf));
	struct crypto_part part;

	wr_u64(&w, spi_i);
	wr_u64(&w, spi_r);
	wr_copy(&w, addr->b, ip_size(addr->family));
	wr_u16(&w, port);
	part = (struct crypto_part){.p = buf, .len = w.len};
	return crypto_sha1(&part, 1, out);
}

int natt_add(struct wire_out *o, uint64_t spi_i, uint64_t spi_r, const struct ike_path *path, bool force)
{
	uint8_t source[CRYPTO_SHA1_LEN], destination[CRYPTO_SHA1_LEN];
	int err = natt_hash(spi_i, spi_r, &path->local, path->local_port, source);

	if (!err)
		err = natt_hash(spi_i, spi_r, &path->remote, path->remote_port, destination);
	if (err)
		return err;
	if (force)
		source[0] ^= 0xff;
	payload_notify_add(o, N_NAT_DETECTION_SOURCE_IP, source, sizeof(source));
	payload_notify_add(o, N_NAT_DETECTION_DESTINATION_IP, destination, sizeof(destination));
	return 0;
}

int natt_look(const struct ike_chain *c, uint64_t spi_i, uint64_t spi_r, const struct ike_path *path,
	      struct natt_seen *out)
{
	uint8_t source[CRYPTO_SHA1_LEN], destination[CRYPTO_SHA1_LEN];
	bool any_source = false, any_destination = false, source_fits = false, destination_fits = false;
	int err = natt_hash(spi_i, spi_r, &path->remote, path->remote_port, source);

	*out = (struct natt_seen){0};
	if (!err)
		err = natt_hash(spi_i, spi_r, &path->local, path->local_port, destination);
	if (err)
		return err;
	for (const struct ike_payload *p = wire_find(c, IKE_PL_NOTIFY); p; p = wire_find_next(c, p)) {
		struct payload_notify n;

		if (payload_notify_decode(p->body, &n) != IKE_V_OK || n.len != CRYPTO_SHA1_LEN)
			continue;
		if (n.type == N_NAT_DETECTION_SOURCE_IP) {
			any_source = true;
			source_fits |= memcmp(n.data, source, n.len) == 0;
		} else if (n.type == N_NAT_DETECTION_DESTINATION_IP) {
			any_destination = true;
			destination_fits |= memcmp(n.data, destination, n.len) == 0;
		}
	}
	/* RFC 7296 2.23: both kinds, or the peer does not do NAT traversal */
	out->supported = any_source && any_destination;
	out->nat_remote = out->supported && !source_fits;
	out->nat_local = out->supported && !destination_fits;
	return 0;
}
