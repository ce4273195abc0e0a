/* A recorded table (MRT, RFC 6396: BGP4MP and BGP4MP_ET messages of a 4-octet session, gzipped), given as BGP messages.
 *
 * For benchmarks and tests; tests may include it (tests/lint/check-layers). tests/data/bgp-full-table-2015.mrt.gz is the public test
 * data of RIPE NCC's bgpdump: a whole Internet table as a collector heard it over iBGP.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct mrt;

/* NULL: not readable, or no MRT; the cause is in err. */
struct mrt *mrt_open(const char *path, char *err, size_t cap);
void mrt_close(struct mrt *m);
void mrt_rewind(struct mrt *m);
/* The next UPDATE that announces, header included, into buf (4096 octets). as: make it what an eBGP peer of this AS would send: the
 * AS in front of the path, LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST left out; 0: as it was recorded. Its octets; 0: the end. */
size_t mrt_next(struct mrt *m, uint32_t as, uint8_t *buf);
