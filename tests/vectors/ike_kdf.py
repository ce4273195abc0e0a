#!/usr/bin/python3
"""Known answers for IKEv2's key derivation, computed with Python's hashlib, hmac and pow() alone.

Written from RFC 7296 2.13 (prf+), 2.14 (SKEYSEED and SK_*), 2.15 (AUTH), 2.17 (KEYMAT), 2.18 (rekey), 2.23 (NAT detection)
and RFC 3526 3 (group 14). Run it to print ike_kdf.h: it must not differ from the committed file.
"""
import hashlib
import hmac

NI = bytes(range(0x10, 0x30))
NR = bytes(range(0x80, 0xB0))
SPI_I, SPI_R = 0x1122334455667788, 0x99AABBCCDDEEFF01
SPIS = SPI_I.to_bytes(8, "big") + SPI_R.to_bytes(8, "big")
SHARED = hashlib.sha512(b"shared").digest()[:32]
SHARED2 = hashlib.sha512(b"another").digest() * 4
PSK = b"correct horse battery staple"
MESSAGE = bytes(i * 7 & 255 for i in range(300))
ID_BODY = bytes([2, 0, 0, 0]) + b"gw.example.net"
PRFS = (("sha256", 256), ("sha384", 384), ("sha512", 512))


def prf(name, key, data):
    return hmac.new(key, data, name).digest()


def prf_plus(name, key, seed, length):
    out, t, n = b"", b"", 1
    while len(out) < length:
        t = prf(name, key, t + seed + bytes([n]))
        out += t
        n += 1
    return out[:length]


def show(name, data):
    print("static const uint8_t %s[%d] = {" % (name, len(data)))
    for i in range(0, len(data), 16):
        print("\t" + " ".join("0x%02x," % b for b in data[i:i + 16]))
    print("};")


def group14():
    # RFC 3526 3: p = 2^2048 - 2^1984 - 1 + 2^64 * ([2^1918 pi] + 124476). pi by Machin's formula in integers.
    bits = 2048
    one = 1 << bits + 64

    def arctan(inverse):
        term = one // inverse
        total, n, sign = term, 3, -1
        while term:
            term //= inverse * inverse
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    pi = 4 * (4 * arctan(5) - arctan(239))
    return 2**2048 - 2**1984 - 1 + 2**64 * ((pi >> (bits + 64 - 1918)) + 124476)


def main():
    print("/* Made by ike_kdf.py (Python hashlib, hmac, pow); do not edit. */")
    print("#pragma once\n\n#include <stdint.h>\n\n/* clang-format off */")
    for name, data in (("kdf_ni", NI), ("kdf_nr", NR), ("kdf_shared", SHARED), ("kdf_shared2", SHARED2),
                       ("kdf_psk", PSK), ("kdf_message", MESSAGE), ("kdf_id_body", ID_BODY)):
        show(name, data)
    print("#define KDF_SPI_I 0x%016xull\n#define KDF_SPI_R 0x%016xull" % (SPI_I, SPI_R))
    for name, bits in PRFS:
        size = bits // 8
        key, seed = bytes(range(40)), b"a seed of some octets"
        show("kdf_prf_plus_%s" % name, prf_plus(name, key, seed, 200))
        skeyseed = prf(name, NI + NR, SHARED)
        # three keys of the PRF's size and two of AES-256-GCM with salt; with AES-128 the same stream is cut otherwise
        show("kdf_sk_%s" % name, prf_plus(name, skeyseed, NI + NR + SPIS, 3 * size + 2 * 36))
        d = prf_plus(name, skeyseed, NI + NR + SPIS, size)
        # 2.18 with the old PRF; the new SA has SHA2-256, new SPIs swapped, nonces swapped
        again = prf(name, d, SHARED2 + NR + NI)
        swapped = SPIS[8:] + SPIS[:8]
        show("kdf_rekey_%s" % name, prf_plus("sha256", again, NR + NI + swapped, 3 * 32 + 2 * 20))
        show("kdf_child_%s" % name, prf_plus(name, d, NI + NR, 72))
        show("kdf_child_pfs_%s" % name, prf_plus(name, d, SHARED2 + NI + NR, 40))
        p = prf_plus(name, skeyseed, NI + NR + SPIS, 3 * size + 72)[size + 72:2 * size + 72]
        octets = MESSAGE + NR + prf(name, p, ID_BODY)
        show("kdf_auth_%s" % name, prf(name, prf(name, PSK, b"Key Pad for IKEv2"), octets))
    show("kdf_natt_v4", hashlib.sha1(SPIS + bytes([203, 0, 113, 10]) + (500).to_bytes(2, "big")).digest())
    v6 = bytes.fromhex("20010db8000000000000000000000001")
    show("kdf_natt_v6", hashlib.sha1(SPIS[:8] + bytes(8) + v6 + (4500).to_bytes(2, "big")).digest())
    p = group14()
    a = int.from_bytes(bytes([0x80]) + hashlib.sha512(b"a").digest()[:39], "big")
    b = int.from_bytes(bytes([0x80]) + hashlib.sha512(b"b").digest()[:39], "big")
    show("modp_p", p.to_bytes(256, "big"))
    show("modp_a", a.to_bytes(40, "big"))
    show("modp_a_public", pow(2, a, p).to_bytes(256, "big"))
    show("modp_b", b.to_bytes(40, "big"))
    show("modp_b_public", pow(2, b, p).to_bytes(256, "big"))
    show("modp_shared", pow(pow(2, b, p), a, p).to_bytes(256, "big"))
    # a private value whose shared secret with b begins with zero octets: the padding must stay
    n = a
    while pow(pow(2, b, p), n, p) >> 2040:
        n += 1
    show("modp_c", n.to_bytes(40, "big"))
    show("modp_c_shared", pow(pow(2, b, p), n, p).to_bytes(256, "big"))


main()
