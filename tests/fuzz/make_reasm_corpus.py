#!/usr/bin/python3
"""Writes tests/fuzz/corpus/reasm: what fuzz_reasm.c reads, packets in fragments that fit together and that do not."""

import itertools
import os
import struct

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "reasm")
V6, MORE, DECAPPED, LATER, CE, RAW = 1, 2, 4, 8, 16, 32

files = {}


def piece(start, end, more, what=0, ident=1):
    return struct.pack("!BBHB", what | (MORE if more else 0), ident, start | (end - start) % 8, (end - start) // 8)


def raw(packet, what=0):
    size = (len(packet) + 7) // 8
    return struct.pack("!BBHB", what | RAW, 0, 0, size) + packet + bytes(size * 8 - len(packet))


def ip4(offset, body, proto=17, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, 4 * words + len(body), 7, offset, 64, proto, 0,
                       bytes([198, 51, 100, 7]), bytes([192, 0, 2, 1])) + options
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack("!H", total) + head[12:] + body


def ip6(body, proto=44):
    src = bytes.fromhex("20010db8000700000000000000000007")
    dst = bytes.fromhex("20010db8000000000000000000000001")
    return struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + src + dst + body


def frag(proto, offset, more, ident=9):
    return struct.pack("!BBHI", proto, 0, offset | more, ident)


FOUR = [(0, 64, 1), (64, 128, 1), (128, 192, 1), (192, 250, 0)]
for family in (0, V6):
    f = "6" if family else "4"
    for i, order in enumerate(itertools.permutations(FOUR)):
        if i % 3 == 0:
            files[f"order-{f}-{i}"] = b"".join(piece(*p, family) for p in order)
    for name, pieces in {
        "copy": [FOUR[0], FOUR[0], FOUR[1]], "overlap": [FOUR[0], (56, 128, 1)], "inside": [(0, 192, 1), FOUR[1]],
        "around": [FOUR[1], (0, 192, 1)], "ends": [FOUR[3], (128, 192, 0)], "behind": [(64, 128, 0), FOUR[2]],
        "empty": [(64, 64, 1)], "odd": [(0, 63, 1)], "beyond": [(65528, 65528 + 64, 0)], "edge": [(65408, 65472, 0)],
        "tiny": [(8 * i, 8 * i + 8, i < 15) for i in range(16)], "many": [(8 * i, 8 * i + 8, 1) for i in range(70)],
        "huge": [(1448 * i, min(1448 * (i + 1), 65400), i < 45) for i in range(46)],
    }.items():
        files[f"{name}-{f}"] = b"".join(piece(*p, family) for p in pieces)
    files[f"late-{f}"] = b"".join(piece(*p, family | LATER) for p in FOUR * 4)
    files[f"mixed-{f}"] = piece(*FOUR[0], family) + b"".join(piece(*p, family | DECAPPED) for p in FOUR[1:])
    files[f"decapped-{f}"] = b"".join(piece(*p, family | DECAPPED) for p in FOUR)
    files[f"ce-{f}"] = b"".join(piece(*p, family | (CE if p[0] else 0)) for p in FOUR)
    files[f"flood-{f}"] = b"".join(piece(*FOUR[0], family, i) for i in range(120))
files["families"] = b"".join(piece(*p, V6) + piece(*p) for p in FOUR)
files["raw-4"] = raw(ip4(0x2000, bytes(64))) + raw(ip4(8, bytes(30)))
files["raw-esp-4"] = raw(ip4(0x2000, bytes(range(1, 65)), 50)) + raw(ip4(8, bytes(30), 50))
files["raw-options-4"] = raw(ip4(0x2000, bytes(64), 17, b"\x01" * 40)) + raw(ip4(8, bytes(30)))
files["raw-udp-esp-4"] = raw(ip4(0x2000, struct.pack("!HHHH", 4500, 4500, 94, 0) + bytes(range(1, 57)))) + raw(ip4(8, bytes(30)))
files["raw-6"] = raw(ip6(frag(17, 0, 1) + bytes(64))) + raw(ip6(frag(17, 64, 0) + bytes(9)))
files["raw-esp-6"] = raw(ip6(frag(50, 0, 1) + bytes(range(1, 65)))) + raw(ip6(frag(50, 64, 0) + bytes(9)))
files["raw-dest-6"] = raw(ip6(b"\x2c\x00\x01\x04\0\0\0\0" + frag(17, 0, 1) + bytes(64), 60)) + raw(ip6(frag(17, 64, 0) + bytes(9)))
files["raw-inner-dest-6"] = raw(ip6(frag(60, 0, 1) + b"\x11\x00\x01\x04\0\0\0\0" + bytes(64))) + raw(ip6(frag(60, 72, 0) + bytes(9)))
files["raw-twice-6"] = raw(ip6(frag(44, 0, 1) + frag(17, 0, 1) + bytes(64)))
files["raw-chain-6"] = raw(ip6(frag(60, 0, 1) + b"\x3c\x00\x01\x04\0\0\0\0" * 8))
files["raw-cut-chain-6"] = raw(ip6(frag(60, 0, 1) + b"\x11\x20\x01\x04\0\0\0\0"))

os.makedirs(OUT, exist_ok=True)
for name, data in files.items():
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)
print(len(files))
