"""The recorded table of tests/data in Python: what a gateway shall forward by when perf/bgp_feed tells it."""

import gzip
import os
import socket
import struct

from netlab import TOP

TABLE = os.path.join(TOP, "tests", "data", "bgp-full-table-2015.mrt.gz")
BGP4MP_ET, BGP4MP, MESSAGE_AS4, UPDATE, AS_PATH, AS_SEQUENCE = 17, 16, 4, 2, 2, 2


def messages(data):
    """The UPDATEs behind their headers (RFC 6396 4)."""
    at = 0
    while at < len(data):
        kind, sub, size = struct.unpack_from("!HHI", data, at + 4)
        body, at = at + 12, at + 12 + size
        if kind not in (BGP4MP, BGP4MP_ET) or sub != MESSAGE_AS4:
            continue
        body += 4 if kind == BGP4MP_ET else 0
        afi = struct.unpack_from("!H", data, body + 10)[0]
        body += 12 + (8 if afi == 1 else 32)
        if data[body + 18] == UPDATE:
            yield data[body + 19 : at]


def path_is_fine(attrs):
    """Sequences without AS 0: other UPDATEs are left out by bgp_feed (RFC 7607, RFC 9774)."""
    at = 0
    while at < len(attrs):
        flags, code, size = attrs[at], attrs[at + 1], attrs[at + 2]
        at += 3
        if flags & 0x10:
            size = size << 8 | attrs[at]
            at += 1
        if code == AS_PATH:
            p, end = at, at + size
            while p < end:
                if attrs[p] != AS_SEQUENCE or 0 in struct.unpack_from(f"!{attrs[p + 1]}I", attrs, p + 2):
                    return False
                p += 2 + 4 * attrs[p + 1]
        at += size
    return True


class Table:
    """All prefixes: lens[n] is a set of addresses (numbers) with n bits."""

    def __init__(self):
        self.lens = [set() for _ in range(33)]
        with gzip.open(TABLE) as f:
            data = f.read()
        for m in messages(data):
            gone = struct.unpack_from("!H", m)[0]
            size = struct.unpack_from("!H", m, 2 + gone)[0]
            nlri = 4 + gone + size
            if nlri < len(m) and path_is_fine(m[nlri - size : nlri]):
                self.take(m, nlri)
        self.count = sum(map(len, self.lens))

    def take(self, m, at):
        while at < len(m):
            n = m[at]
            octets = (n + 7) // 8
            self.lens[n].add(int.from_bytes(m[at + 1 : at + 1 + octets], "big") << (32 - 8 * octets))
            at += 1 + octets

    def match(self, addr):
        """The longest prefix around an address (a number) as text, or None."""
        for n in range(32, -1, -1):
            net = addr >> (32 - n) << (32 - n)
            if net in self.lens[n]:
                return f"{text(net)}/{n}"
        return None

    def sample(self, rng, count):
        """Addresses (numbers): half in prefixes, at their ends or beside them, half anywhere."""
        nets = [(net, n) for n in range(33) for net in rng.sample(sorted(self.lens[n]), min(len(self.lens[n]), count // 20))]
        rng.shuffle(nets)
        inside = [net + rng.choice((-1, 0, rng.randrange(1 << (32 - n)), (1 << (32 - n)) - 1, 1 << (32 - n)))
                  for net, n in nets[: count // 2]]  # fmt: skip
        return [a & 0xFFFFFFFF for a in inside] + [rng.randrange(1 << 32) for _ in range(count - len(inside))]


def text(addr):
    return socket.inet_ntoa(addr.to_bytes(4, "big"))
