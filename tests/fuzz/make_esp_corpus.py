#!/usr/bin/python3
"""Write the seeds of fuzz_esp_input: usage: make_esp_corpus.py DIR (needs python3-cryptography; the seeds are committed)."""

import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LAN, FAR, WAN, PEER = "10.1.0.9", "10.2.0.5", "192.0.2.1", "198.51.100.7"
US = {0: bytes.fromhex("020000000001"), 1: bytes.fromhex("020000000002")}
THEM = {0: bytes.fromhex("0200000000a1"), 1: bytes.fromhex("0200000000a2")}


def addr(s):
    return bytes(int(x) for x in s.split("."))


def cksum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip(src, dst, proto, body, tos=0, ttl=64, frag=0x4000, ihl=5, total=None, options=b""):
    ihl += len(options) // 4
    h = struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, tos, len(body) + 20 + len(options) if total is None else total, 1,
                    frag, ttl, proto, 0, addr(src), addr(dst)) + options
    return h[:10] + struct.pack("!H", cksum(h)) + h[12:] + body


def udp(sport, dport, body):
    return struct.pack("!HHHH", sport, dport, 8 + len(body), 0) + body


def frame(port, packet, kind=0x0800):
    return US[port] + THEM[port] + struct.pack("!H", kind) + packet


def spi(slot):
    return ((0x12345678 >> 20) << 20) | slot


def seal(text, seq, slot=0):
    key = bytes((i * 7 + slot * 13 + 1) & 0xFF for i in range(36))
    head = struct.pack("!II", spi(slot), seq)
    iv = b"\xee" * 4 + struct.pack("<I", seq)
    return head + iv + AESGCM(key[:32]).encrypt(key[32:] + iv, text, head)


def text(inner, pad=None, next_header=4, tfc=0, pad_len=None):
    inner += b"w" * tfc
    n = -(len(inner) + 2) % 4 if pad is None else pad
    return inner + bytes(range(1, n + 1)) + bytes([n if pad_len is None else pad_len, next_header])


def seeds():
    inner = ip(FAR, LAN, 17, udp(1000, 2000, b"x" * 40))
    for seq in (1, 5, 900):
        yield 0, frame(0, ip(PEER, WAN, 50, seal(text(inner), seq)))
        yield 0, frame(0, ip(PEER, WAN, 17, udp(4500, 4500, seal(text(inner), seq))))
        yield 2, ip(PEER, WAN, 50, seal(text(inner), seq), tos=3)
    for n in (0, 4, 8, 16, 35, 36):
        yield 2, ip(PEER, WAN, 50, seal(text(inner), 7)[:n])
        yield 2, ip(PEER, WAN, 17, udp(4500, 4500, seal(text(inner), 7)[:n]))
    yield 2, ip(PEER, WAN, 50, struct.pack("!II", 300, 1) + b"z" * 60)
    yield 2, ip(PEER, WAN, 50, seal(text(inner), 7), frag=0x2000)
    yield 2, ip(PEER, WAN, 17, udp(4500, 4500, b"\xff"))
    yield 2, ip(PEER, WAN, 17, udp(4500, 4500, b"\0\0\0\0" + b"i" * 40))
    yield 2, ip(PEER, WAN, 17, udp(500, 500, b"i" * 28))
    for kind in (4, 5, 6, 7):
        yield kind, text(inner)
        yield kind, text(ip(FAR, LAN, 6, b"\x27\x10\0\x50" + b"t" * 20))
        yield kind, text(inner, next_header=59)
        yield kind, text(inner, next_header=41)
        yield kind, text(inner, tfc=33)
        yield kind, text(inner, pad=255 - (len(inner) + 1) % 4)
        yield kind, text(inner, pad_len=255)
        yield kind, text(inner[:19])
    yield 4, text(b"")
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, ihl=15))
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, total=4000))
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, total=19))
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, options=b"\x07\x07\x04\0\0\0\0\0"))
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, options=b"\x07\0\x04\0"))
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, ttl=1))
    yield 4, text(ip(FAR, LAN, 17, b"x" * 8, frag=0x2000 | 5))
    yield 4, text(ip(FAR, "10.1.0.1", 1, b"\x08\0" + struct.pack("!H", cksum(b"\x08\0\0\0abcd")) + b"abcd"))
    yield 4, text(ip(FAR, WAN, 50, seal(text(inner), 9)))
    yield 4, text(ip("127.0.0.1", LAN, 17, b"x" * 8))
    yield 4, text(ip(FAR, FAR, 17, b"x" * 8, tos=2))
    yield 1, frame(1, ip(LAN, FAR, 17, udp(1, 2, b"y" * 100)))
    yield 1, frame(1, ip(LAN, FAR, 17, udp(1, 2, b"y" * 100)), kind=0x8100)
    yield 1, frame(1, ip(LAN, "198.51.100.1", 17, udp(1, 2, b"y" * 100), ttl=1))
    yield 1, frame(1, bytes.fromhex("0001080006040001020000" "0000a20a010009" "0000000000000a010001"), kind=0x0806)
    yield 3, ip(LAN, FAR, 17, udp(1, 2, b"y" * 1500), frag=0)
    yield 3, ip(LAN, FAR, 17, udp(1, 2, b"y" * 1500))
    yield 3, ip(LAN, FAR, 17, udp(1, 2, b"y" * 1500), frag=0, options=b"\x94\x04\0\0\x07\x07\x04\0\0\0\0\0")
    yield 3, ip(LAN, "10.1.0.1", 1, b"\x08\0" + struct.pack("!H", cksum(b"\x08\0\0\0abcd")) + b"abcd")
    yield 3, ip(LAN, "8.8.8.8", 17, udp(1, 2, b""))
    yield 3, ip(LAN, "255.255.255.255", 17, udp(68, 67, b"d" * 240))


for n, (kind, data) in enumerate(seeds()):
    with open(f"{sys.argv[1]}/{n:03d}", "wb") as f:
        f.write(bytes([kind]) + data)
