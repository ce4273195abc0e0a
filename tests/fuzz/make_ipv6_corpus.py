#!/usr/bin/python3
"""Writes tests/fuzz/corpus/ipv6: what fuzz_ipv6.c reads, sound and nearly so."""

import os
import struct
import sys
from socket import AF_INET6, inet_pton

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "ipv6")
GW, HOST, WAN, LINK = "2001:db8:1::1", "2001:db8:1::9", "2001:db8:2::9", "fe80::ff:fe00:2"
MAC = bytes([2, 0, 0, 0, 0, 0xA2])
ETHER = bytes([2, 0, 0, 0, 0, 2]) + MAC + b"\x86\xdd"


def ip6(dst, proto, body, src=HOST, hops=64, length=None, first=0x60):
    size = len(body) if length is None else length
    return bytes([first, 0, 0, 0]) + struct.pack("!HBB", size, proto, hops) + inet_pton(AF_INET6, src) + inet_pton(AF_INET6, dst) + body


def ext(proto, body=b"\x01\x04\x00\x00\x00\x00", size=None):
    return bytes([proto, (len(body) + 2) // 8 - 1 if size is None else size]) + body


def frag(proto, offset, more, ident=7):
    return struct.pack("!BBHI", proto, 0, offset << 3 | more, ident)


def nd(kind, target, options=b"", flags=0, code=0):
    return bytes([kind, code, 0, 0, flags, 0, 0, 0]) + inet_pton(AF_INET6, target) + options


def lla(kind, mac=MAC, size=1):
    return bytes([kind, size]) + mac


UDP = struct.pack("!HHHH", 4000, 53, 16, 0) + bytes(8)
TCP = struct.pack("!HHIIBBHHH", 4000, 179, 1, 0, 0x50, 2, 8192, 0, 0)
ECHO = bytes([128, 0, 0, 0, 0, 1, 0, 1]) + bytes(24)
IKE = struct.pack("!HHHH", 500, 500, 36, 1) + bytes(16) + bytes([0, 0x20, 34, 8]) + bytes(8)

files = {}


def put(name, kind, body):
    files[name] = bytes([kind]) + body


for name, proto, body in (("udp", 17, UDP), ("tcp", 6, TCP), ("esp", 50, bytes(range(40))), ("none", 59, b""), ("ah", 51, bytes(24)),
                          ("ike", 17, IKE), ("unknown", 253, bytes(9)), ("espudp", 17, struct.pack("!HHHH", 4500, 4500, 40, 1) + bytes(range(1, 33)))):
    put(f"{name}-on", 1, ip6(WAN, proto, body))
    put(f"{name}-us", 1, ip6(GW, proto, body))
for i, body in enumerate((ext(17), ext(60) + ext(17), ext(17, b"\x05\x02\x00\x00\x01\x00"), ext(17, b"\xc2\x04\x00\x01\x00\x00"), ext(17, size=9))):
    put(f"hop-{i}", 1, ip6(WAN, 0, body + UDP))
    put(f"hop-us-{i}", 1, ip6(GW, 0, body + UDP))
for t in (0x1E, 0x5E, 0x9E, 0xDE):
    put(f"dest-{t:x}", 1, ip6(GW, 60, ext(17, bytes([t, 4, 0, 0, 0, 0])) + UDP))
put("dest-long", 1, ip6(GW, 60, ext(17, b"\x01\x09\x00\x00\x00\x00") + UDP))
for t, left in ((0, 0), (0, 1), (2, 1), (4, 3), (255, 255)):
    put(f"route-{t}-{left}", 1, ip6(GW, 43, ext(17, bytes([t, left, 0, 0, 0, 0])) + UDP))
for off, more in ((0, 1), (0, 0), (9, 1), (9, 0), (8191, 1)):
    put(f"frag-{off}-{more}", 1, ip6(GW, 44, frag(17, off, more) + UDP))
put("frag-twice", 1, ip6(GW, 44, frag(44, 0, 1) + frag(17, 0, 1) + UDP))
put("chain", 1, ip6(GW, 0, ext(60) + ext(60) + ext(43) + ext(44, bytes(6)) + frag(60, 0, 0) + ext(58) + ECHO))
put("chain-long", 1, ip6(GW, 60, ext(60) * 12 + UDP))
for src in ("::", "::1", "::ffff:1.2.3.4", "ff02::1", "fe80::9"):
    put(f"from-{src.replace(':', '_')}", 1, ip6(WAN, 17, UDP, src=src))
for dst in ("::", "::1", "ff02::1", "fe80::77", LINK, "2001:db8:1::"):
    put(f"to-{dst.replace(':', '_')}", 2, ip6(dst, 58, ECHO))
put("echo", 2, ip6(GW, 58, ECHO))
put("echo-code", 2, ip6(GW, 58, b"\x80\x01" + ECHO[2:]))
put("echo-short", 2, ip6(GW, 58, ECHO[:5]))
for t in (1, 2, 3, 4, 129, 130, 133, 134, 135, 136, 137, 143):
    put(f"icmp-{t}", 2, ip6(GW, 58, bytes([t]) + ECHO[1:] + ip6(WAN, 17, UDP, src=GW)))
    put(f"icmp-all-{t}", 2, ip6("ff02::1", 58, bytes([t]) + ECHO[1:], hops=255))
put("hops-1", 1, ip6(WAN, 17, UDP, hops=1))
for i, body in enumerate((
    nd(135, GW, lla(1)), nd(135, GW), nd(135, HOST, lla(1)), nd(135, GW, lla(2)), nd(135, GW, lla(1, size=0)), nd(135, GW, lla(1, size=2)),
    nd(135, "ff02::1", lla(1)), nd(135, GW, lla(1, b"\x01" + MAC[1:])), nd(135, GW, lla(14) + lla(1)), nd(135, LINK, lla(1)),
    nd(136, HOST, lla(2), 0x60), nd(136, HOST, b"", 0x20), nd(136, GW, lla(2), 0x20), nd(136, HOST, lla(2), 0xE0), nd(135, GW)[:20],
    nd(137, HOST, lla(2)), nd(134, HOST), nd(135, GW, lla(1), code=1), nd(135, GW, b"\x01"), nd(135, "2001:db8:1::", lla(1)),
)):
    put(f"nd-{i}", 3, body)
put("dad", 2, ip6("ff02::1:ff00:1", 58, nd(135, GW), src="::", hops=255))
put("dad-lla", 2, ip6("ff02::1:ff00:1", 58, nd(135, GW, lla(1)), src="::", hops=255))
for n in (0, 13, 14, 20, 53, 54, 60):
    put(f"cut-{n}", 0, (ETHER + ip6(WAN, 17, UDP))[:n])
put("length-more", 0, ETHER + ip6(WAN, 17, UDP, length=200))
put("length-none", 0, ETHER + ip6(WAN, 17, UDP, length=0))
put("version", 0, ETHER + ip6(WAN, 17, UDP, first=0x50))
put("padding", 0, ETHER + ip6(WAN, 17, UDP) + bytes(6))
put("group-mac", 0, bytes([0x33, 0x33, 0, 0, 0, 1]) + ETHER[6:] + ip6("ff02::1", 17, UDP))

if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(OUT, name), "wb") as f:
            f.write(data)
    print(len(files), "files", file=sys.stderr)
