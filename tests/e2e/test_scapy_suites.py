#!/usr/bin/python3
"""Every ESP suite against scapy, both directions; extended sequence numbers with the combined ciphers, which scapy has."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from esp_bench import HOST, IN, OUT, EspBench, Suite  # noqa: E402
from wire import Ip4, hop, ip4, udp  # noqa: E402

SIZES = [0, 1, 2, 3, 13, 14, 15, 16, 64, 500, 1300]
AUTHS = [("HMAC-SHA1-96", 1, 20), ("SHA2-256-128", 2, 32), ("SHA2-384-192", 3, 48), ("SHA2-512-256", 4, 64)]
CIPHERS = [("AES-CBC", 8, 16), ("AES-CBC", 9, 24), ("AES-CBC", 10, 32), ("3DES", 11, 24), ("NULL", 12, 0)]
COMBINED = [
    Suite("aes128gcm", 1, 20, "AES-GCM"), Suite("aes192gcm", 3, 28, "AES-GCM"), Suite("aes256gcm", 2, 36, "AES-GCM"),
    Suite("chacha20poly1305", 4, 36, "CHACHA20-POLY1305"),
]  # fmt: skip
GMACS = [Suite(f"aes{8 * n}gmac", encr, n + 4, "AES-GMAC") for encr, n in ((5, 16), (6, 24), (7, 32))]
CIPHER_AND_HMAC = [
    Suite(f"{crypt} {8 * n} with {auth}", encr, n, crypt, integ, auth_len, auth)
    for crypt, encr, n in CIPHERS
    for auth, integ, auth_len in AUTHS
]
IV_LEN = {8: 16, 9: 16, 10: 16, 11: 8, 12: 0}


def both_ways(b, suite):
    pair = b.pair(suite.encr, encap=False, how=suite)
    inners = [pair.inner(bytes([n % 256]) * n, ident=n) for n in SIZES]
    got = b.passes(pair, [pair.encrypt(i) for i in inners], inners)
    assert got == [hop(i) for i in inners], f"{suite.name}: {len(got)} of {len(inners)} came out right"
    inners = [ip4(HOST, pair.host, 17, udp(5, 6, bytes([n % 256]) * n), ident=n) for n in SIZES]
    b.forget()
    b.send("lan", *inners)
    outers = b.receive("wan", len(inners))
    assert len(outers) == len(inners), f"{suite.name}: {len(outers)} of {len(inners)}"
    for outer, inner in zip(outers, inners):
        assert Ip4(pair.decrypt(outer)).raw == hop(inner), f"{suite.name}: scapy finds something else"
    n = IV_LEN.get(suite.encr, 8)
    ivs = {Ip4(o).body[8 : 8 + n] for o in outers}
    assert n == 0 or len(ivs) == len(outers), f"{suite.name}: an IV was used twice"
    return pair, inners


def refuses_a_wrong_icv(b, pair):
    good = pair.encrypt(pair.inner())
    bad = bytearray(good)
    bad[-1] ^= 1
    b.expect(bytes(bad), {"bad-icv": 1}, pair, {"integrity failure": 1})
    assert len(b.passes(pair, [good], [1])) == 1


def sweep(b, suites):
    for suite in suites:
        pair, inners = both_ways(b, suite)
        refuses_a_wrong_icv(b, pair)
        b.expect_sa(pair, OUT, packets=len(inners), octets=sum(map(len, inners)), seq=len(inners), drop={})


def test_combined_ciphers_pass_both_ways(b):
    sweep(b, COMBINED)


def test_ciphers_with_hmac_pass_both_ways(b):
    sweep(b, CIPHER_AND_HMAC)


def test_gmac_passes_both_ways(b):
    sweep(b, GMACS)


def test_extended_numbers_pass_both_ways(b):
    sweep(b, [s._replace(esn=True) for s in COMBINED])


def test_extended_numbers_cross_2_to_the_32(b):
    """RFC 4303 A2: the high half is not on the wire; what comes late from before the edge is still taken, once."""
    for suite in COMBINED:
        pair = b.pair(suite.encr, encap=False, how=suite._replace(esn=True))
        numbers = [(0, 0x7FFFFFFF), (0, 0xFFFFFFF0), (1, 0), (1, 5), (0, 0xFFFFFFFF), (0, 0xFFFFFFF1), (1, 4)]
        packets = [pair.encrypt(pair.inner(ident=k), seq=low, high=high) for k, (high, low) in enumerate(numbers)]
        for packet in packets[:2]:  # jumps that no burst has
            assert len(b.passes(pair, [packet], [1])) == 1, suite.name
        assert len(b.passes(pair, packets[2:], numbers[2:])) == 5, suite.name
        b.expect(packets[1:], {"replay": 6}, pair, {"replay detected": 6})
        b.expect_sa(pair, IN, seq=(1 << 32) + 5)
        # 5 and more with the old high half: another number is inferred, and the ICV says no
        b.expect(pair.encrypt(pair.inner(), seq=9, high=0), {"bad-icv": 1}, pair, {"integrity failure": 1})


if __name__ == "__main__":
    tap.main(__name__, EspBench)
