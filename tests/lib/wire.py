"""Packets by hand, right or wrong in any field. Standard library only."""

import socket
import struct


def cksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ip4(src, dst, proto, payload, ttl=64, tos=0, ident=1, frag=0, df=False, mf=False, options=b"", **wrong):
    """An IPv4 packet; wrong: version, ihl, total, cksum."""
    ihl = wrong.get("ihl", 5 + len(options) // 4)
    head = struct.pack(
        "!BBHHHBBH4s4s", wrong.get("version", 4) << 4 | ihl, tos, wrong.get("total", 20 + len(options) + len(payload)),
        ident, df << 14 | mf << 13 | frag, ttl, proto, 0, socket.inet_aton(src), socket.inet_aton(dst),
    )  # fmt: skip
    head += options
    total = wrong.get("cksum", cksum(head))
    return head[:10] + struct.pack("!H", total) + head[12:] + payload


def udp(sport, dport, payload, length=None):
    """A UDP datagram without checksum."""
    return struct.pack("!HHHH", sport, dport, 8 + len(payload) if length is None else length, 0) + payload


def echo(ident, seq, payload=b"", kind=8):
    head = struct.pack("!BBHHH", kind, 0, 0, ident, seq)
    return head[:2] + struct.pack("!H", cksum(head + payload)) + head[4:] + payload


def eth(dst, src, payload, kind=0x0800):
    """MACs as text."""
    frame = bytes.fromhex(dst.replace(":", "") + src.replace(":", "")) + struct.pack("!H", kind) + payload
    return frame.ljust(60, b"\0")


class Ip4:
    """A packet taken apart; body is what its total length covers."""

    def __init__(self, packet):
        (v, self.tos, self.total, self.ident, fragment, self.ttl, self.proto, self.cksum) = struct.unpack(
            "!BBHHHBBH", packet[:12]
        )
        self.version, self.ihl = v >> 4, (v & 15) * 4
        self.df, self.mf, self.frag = bool(fragment & 0x4000), bool(fragment & 0x2000), fragment & 0x1FFF
        self.src, self.dst = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        self.raw = packet[: self.total]
        self.body = packet[self.ihl : self.total]
        self.sum_ok = cksum(packet[: self.ihl]) == 0


def hop(packet, hops=1):
    """The packet as it is behind so many routers."""
    p = Ip4(packet)
    head = packet[:8] + bytes([p.ttl - hops]) + packet[9:10] + b"\0\0" + packet[12 : p.ihl]
    return head[:10] + struct.pack("!H", cksum(head)) + head[12:] + packet[p.ihl :]


def ip6(src, dst, proto, payload, hlim=64, tclass=0, flow=0, length=None):
    """An IPv6 packet; payload begins with a header of type proto."""
    head = struct.pack(
        "!LHBB16s16s", 6 << 28 | tclass << 20 | flow, len(payload) if length is None else length, proto, hlim,
        socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst),
    )  # fmt: skip
    return head + payload


def hop6(packet, hops=1):
    return packet[:7] + bytes([packet[7] - hops]) + packet[8:]


class Ip6:
    """A packet taken apart; body is what its length covers."""

    def __init__(self, packet):
        word, self.length, self.proto, self.hlim = struct.unpack("!LHBB", packet[:8])
        self.version, self.tclass, self.flow = word >> 28, word >> 20 & 255, word & 0xFFFFF
        self.src, self.dst = (socket.inet_ntop(socket.AF_INET6, packet[i : i + 16]) for i in (8, 24))
        self.raw = packet[: 40 + self.length]
        self.body = packet[40 : 40 + self.length]

    def sum_of(self, body):
        """Checksum over the pseudo header and this: 0 when the one in it is right."""
        return cksum(self.raw[8:40] + struct.pack("!LL", len(body), self.proto) + body)
