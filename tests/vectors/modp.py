#!/usr/bin/python3
"""Known answers for the MODP groups, out of nothing but RFC 3526's and RFC 2409's formulas: p = 2^n - 2^(n-64) - 1 + 2^64 *
([2^(n-130) pi] + k). Prints tests/vectors/modp.h: SHA-1 of each public value and of the shared secret."""
import hashlib

GROUPS = ((2, 1024, 129093, 40), (14, 2048, 124476, 40), (15, 3072, 1690314, 53), (16, 4096, 240904, 60),
          (17, 6144, 929484, 68), (18, 8192, 4743158, 80))


def pi(bits):
    """floor(pi * 2^bits) by Machin's formula."""
    one = 1 << (bits + 64)

    def arctan(x):
        power = one // x
        total, n, sign = power, 1, 1
        while power:
            power //= x * x
            n += 2
            sign = -sign
            total += sign * (power // n)
        return total
    return (4 * (4 * arctan(5) - arctan(239))) >> 64


def digest(value, size):
    return ", ".join("0x%02x" % b for b in hashlib.sha1(value.to_bytes(size, "big")).digest())


print("/* Written by modp.py; do not edit. */\n#pragma once\n\n#include <stdint.h>\n")
print("/* Private values: octets (i * 7 + 1) and (i * 11 + 2), the first with its highest bit set. */")
print("static const struct modp_vector {\n\tuint16_t group, len;\n\tuint8_t a[20], b[20], shared[20];\n} modp_vectors[] = {")
for group, bits, k, priv in GROUPS:
    p = (1 << bits) - (1 << (bits - 64)) - 1 + ((pi(bits - 130) + k) << 64)
    a = int.from_bytes(bytes([1 | 0x80] + [(i * 7 + 1) & 255 for i in range(1, priv)]), "big")
    b = int.from_bytes(bytes([2 | 0x80] + [(i * 11 + 2) & 255 for i in range(1, priv)]), "big")
    print("\t{%d,\n\t %d,\n\t {%s},\n\t {%s},\n\t {%s}}," % (
        group, bits // 8, digest(pow(2, a, p), bits // 8), digest(pow(2, b, p), bits // 8),
        digest(pow(2, a * b, p), bits // 8)))
print("};")
