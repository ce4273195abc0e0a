#!/usr/bin/python3
"""Known answers for the ESP suites that are not AES-GCM, computed with python3-cryptography (OpenSSL) and hmac.

Written from RFC 4303 2.2.1 and 3.3.2, 3602, 2451, 2404, 4868, 7634, 4543. Run it to print the rows of dataplane/crypto_kat_esp.h:
they must not differ from the committed file.

Key octet i is i * 3 + 1 (cipher key, salt, integrity key); header 11223344 55667788, high half 99aabbcc where the row has ESN; octet i
of the IV, or of the block that CBC turns into it, is a0 + i; octet i of the text i * 7 + 3 + i / 256. First 12 octets of the ICV.
"""
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

ROWS = ((16, False), (528, True), (1440, False))
SLOW = ((8, False), (40, True), (88, False))  # 3DES, where the library has no lanes for it
HDR, HIGH = bytes.fromhex("1122334455667788"), bytes.fromhex("99aabbcc")
HASHES = (("SHA1_96", hashlib.sha1, 20), ("SHA256_128", hashlib.sha256, 32), ("SHA384_192", hashlib.sha384, 48),
          ("SHA512_256", hashlib.sha512, 64))  # fmt: skip
CIPHERS = (("AES128_CBC", algorithms.AES, 16, 16), ("AES192_CBC", algorithms.AES, 24, 16),
           ("AES256_CBC", algorithms.AES, 32, 16), ("3DES_CBC", algorithms.TripleDES, 24, 8), ("NULL", None, 0, 0))  # fmt: skip


def key(n):
    return bytes((i * 3 + 1) & 255 for i in range(n))


def text(n):
    return bytes((i * 7 + 3 + (i >> 8)) & 255 for i in range(n))


def iv(n):
    return bytes(0xA0 + i for i in range(n))


def aad(esn):
    return HDR[:4] + HIGH + HDR[4:] if esn else HDR


def chacha(n, esn):
    return aead.ChaCha20Poly1305(key(32)).encrypt(key(36)[32:] + iv(8), text(n), aad(esn))[-16:]


def gmac(bits):
    k = bits // 8
    return lambda n, esn: aead.AESGCM(key(k)).encrypt(key(k + 4)[k:] + iv(8), b"", aad(esn) + iv(8) + text(n))


def cipher_hmac(cipher, key_len, iv_len, digest, hash_len):
    def icv(n, esn):
        data = text(n)
        if cipher:
            e = Cipher(cipher(key(key_len)), modes.CBC(bytes(iv_len))).encryptor()
            data = e.update(iv(iv_len) + data) + e.finalize()
        return hmac.new(key(key_len + hash_len)[key_len:], HDR + data + (HIGH if esn else b""), digest).digest()

    return icv


def row(suite, icv, rows=ROWS):
    for n, esn in rows:
        octets = ", ".join(f"0x{o:02x}" for o in icv(n, esn)[:12])
        print(f"\t{{{suite}, {int(esn)}, {n}, {{{octets}}}}},")


row("CRYPTO_CHACHA20_POLY1305", chacha)
for bits in (128, 192, 256):
    row(f"CRYPTO_AES{bits}_GMAC", gmac(bits))
for c, (_, cipher, key_len, iv_len) in enumerate(CIPHERS):
    for h, (_, digest, hash_len) in enumerate(HASHES):
        rows = SLOW if cipher is algorithms.TripleDES else ROWS
        row(f"CRYPTO_HMAC + {c * len(HASHES) + h}", cipher_hmac(cipher, key_len, iv_len, digest, hash_len), rows)
