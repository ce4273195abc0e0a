/* What differs between the libraries of Debian 12 (DPDK 22.11, ipsec-mb 1.3) and of Debian 13 (DPDK 24.11, ipsec-mb 2.0):
 * nothing else asks for a version. It stands here because no other room sees these libraries. Of DPDK's only names are used
 * that both have.
 */
#pragma once

#ifndef LINUX
#define LINUX /* else the header packs struct gcm_key_data, and a misaligned one crashes */
#endif
#include <intel-ipsec-mb.h>

/* The library's instruction sets, worst first: X(name as we show it, of its functions, of its constants). A CPU that has AVX
 * and not AVX2 goes by SSE since 2.0.
 *
 * MB_KEY_LINES: cache lines of struct gcm_key_data. MB_KEY_LOW: those of the lowest powers of the hash key with avx512, which
 * are all that a small packet needs; each table of powers is in falling order, and 2.0 has a second one of products.
 *
 * MB_DES_ALONE: 2.0.0 with avx512 writes the texts of DES jobs that wait together into one another's buffers
 * (github.com/intel/intel-ipsec-mb/issues/169): one job at a time. */
#if IMB_VERSION_NUM < IMB_VERSION(2, 0, 0)
#define MB_SETS(X)   X("sse", sse, SSE) X("avx", avx, AVX) X("avx2", avx2, AVX2) X("avx512", avx512, AVX512)
#define MB_KEY_LINES 16
#define MB_KEY_LOW   14, 15
#define MB_DES_ALONE 0
#else
#define MB_SETS(X)   X("sse", sse, SSE) X("avx2", avx2, AVX2) X("avx512", avx512, AVX512)
#define MB_KEY_LINES 20
#define MB_KEY_LOW   10, 11, 18, 19
#define MB_DES_ALONE 1
#endif
