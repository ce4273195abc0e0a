#!/usr/bin/python3
"""Scapy is the ESP peer over IPv4 and IPv6, with both families inside one SA: four mixes, raw and in UDP, fields and faults."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
import esp_bench  # noqa: E402
from esp_bench import AES256, GW, HOST, IN, NATT, OUT, PEER, EspBench, Pair  # noqa: E402
from wire import Ip4, Ip6, hop, hop6, ip4, ip6, udp  # noqa: E402

GW6, PEER6, HOST6 = "2001:db8:203::1", "2001:db8:203::2", "fd01::10"
SIZES = [0, 1, 2, 3, 4, 13, 64, 500, 1000, 1300]
IPIP, IPV6, UDP, FRAG, ESP, ICMP6, NONE, DEST = 4, 41, 17, 44, 50, 58, 59, 60


class Pair6(Pair):
    """outer: 4 or 6. Selectors: any IPv4 and any IPv6 of the two sites."""

    def __init__(self, *a, outer=6, **kw):
        super().__init__(*a, **kw)
        self.outer = outer
        self.us, self.peer = (GW6, PEER6) if outer == 6 else (GW, PEER)
        self.host6 = f"fd02:{self.index:x}::7"

    def install(self):
        b, i, rings = self.bench, self.index, self.bench.rings
        rings.do("tunnel-set", slot=i, local=self.us, remote=self.peer, port=0, name=f"t{i}", worker=0)
        rings.do("nexthop-set", id=b.first_nexthop + i, kind=esp_bench.NH_TUNNEL, tunnel=i)
        b.route(f"10.2.{i}.0", 24, b.first_nexthop + i)
        b.route(f"fd02:{i:x}::", 32, b.first_nexthop + i)
        six = {"local": ["fd01::", "fd01::ffff"], "remote": [f"fd02:{i:x}::", f"fd02:{i:x}::ffff"]}
        for cmd in ("sa-in-add", "sa-out-add"):
            self.add(cmd, local=self.us, remote=self.peer, ts=[self.selectors(), six])
        ports = {"sport": NATT, "dport": NATT} if self.encap else {}
        b.scapy.ask("sa", name=f"to{i}", spi=self.spi_in, src=self.peer, dst=self.us, key=self.key_in, **ports)
        b.scapy.ask("sa", name=f"from{i}", spi=self.spi_out, src=self.us, dst=self.peer, key=self.key_out, **ports)
        return self

    def inner6(self, payload=b"x" * 64, src=None, dst=HOST6, **how):
        return ip6(src or self.host6, dst, UDP, udp(1111, 2222, payload), **how)

    def wrap(self, esp, **fields):
        if self.outer == 4:
            return super().wrap(esp, **fields)
        return ip6(self.peer, self.us, UDP if self.encap else ESP, udp(NATT, NATT, esp) if self.encap else esp, **fields)

    def packet6(self, inner, **how):
        return self.wrap(self.seal(inner, nh=IPV6, **how))


class Bench6(EspBench):
    config = esp_bench.CONFIG.replace(f"[{GW}/24]", f'[{GW}/24, "{GW6}/64"]').replace(
        f"[{esp_bench.GW_LAN}/24]", f'[{esp_bench.GW_LAN}/24, "fd01::1/64"]'
    )

    def prepare(self):
        self.gw.sysctl("net.ipv6.conf.default.disable_ipv6", 0)  # for the TUN

    opened = False

    def _ready(self):
        """Both ends answer over both families, so that nobody is looked for any more."""
        if not super()._ready():
            return False
        if not self.opened:
            self.scapy.ask("open", name="wan", ifname="wanp", mac=self.mac["wan"][1], addresses=[PEER, PEER6])
            self.scapy.ask("open", name="lan", ifname="lanp", mac=self.mac["lan"][1], addresses=[HOST, HOST6])
            self.opened = True
        return self._answers("wan", PEER6, GW6) and self._answers("lan", HOST6, "fd01::1")

    def _answers(self, name, src, dst):
        self.send(name, echo6(src, dst))
        frames = [bytes.fromhex(f) for f in self.scapy.ask("rx", name=name, n=2, ms=300)]
        return any(f[12:14] == b"\x86\xdd" and f[20] == ICMP6 and f[54] == 129 for f in frames)

    def send(self, name, *packets):
        ours, theirs = self.mac[name]
        frames = [esp_bench.eth(ours, theirs, p, 0x86DD if p[0] >> 4 == 6 else 0x0800).hex() for p in packets]
        self.scapy.ask("tx", name=name, frames=frames)

    def receive(self, name, n, ms=3000):
        """IP packets of both families but ICMPv6, in order."""
        got = []
        for _ in range(60):
            for f in self.scapy.ask("rx", name=name, n=1, ms=ms // 60):
                f = bytes.fromhex(f)
                if f[12:14] == b"\x08\x00":
                    got.append(Ip4(f[14:]).raw)
                elif f[12:14] == b"\x86\xdd" and f[20] != ICMP6:
                    got.append(Ip6(f[14:]).raw)
            if len(got) >= n:
                break
        return got

    def pair6(self, outer=6, encap=False, **kw):
        self.pairs += 1
        return Pair6(self, self.pairs, AES256, encap, 1024, 0, outer=outer, **kw).install()


def echo6(src, dst):
    body = b"\x80\0\0\0\0\1\0\1"
    sum_ = Ip6(ip6(src, dst, ICMP6, body)).sum_of(body)
    return ip6(src, dst, ICMP6, body[:2] + sum_.to_bytes(2, "big") + body[4:])


def older(packet):
    return hop6(packet) if packet[0] >> 4 == 6 else hop(packet)


def both_ways(b, outer, encap):
    pair = b.pair6(outer, encap)
    # towards us, both families alternating; whole packets by scapy
    inners = []
    for n in SIZES:
        inners += [pair.inner(bytes([n % 256]) * n, ident=n), pair.inner6(bytes([n % 256]) * n)]
    got = b.passes(pair, [pair.encrypt(i) for i in inners], inners)
    assert got == [older(i) for i in inners], f"{len(got)} of {len(inners)} came out right"
    # and from us
    inners = []
    for n in SIZES:
        inners += [
            ip6(HOST6, pair.host6, UDP, udp(5, 6, bytes([n % 256]) * n), tclass=n % 256, flow=0x12345),
            ip4(HOST, pair.host, UDP, udp(5, 6, bytes([n % 256]) * n), ident=n, df=n % 2, tos=n % 256),
        ]
    b.forget()
    b.send("lan", *inners)
    outers = b.receive("wan", len(inners))
    assert len(outers) == len(inners), f"{len(outers)} of {len(inners)}"
    labels = set()
    for packet, inner in zip(outers, inners):
        v6 = inner[0] >> 4 == 6
        tos = Ip6(inner).tclass if v6 else Ip4(inner).tos
        if outer == 6:
            o = Ip6(packet)
            assert (o.src, o.dst, o.proto, o.hlim, o.tclass) == (GW6, PEER6, UDP if encap else ESP, 64, tos)
            labels.add(o.flow)
            if encap:
                assert o.body[6:8] != b"\0\0" and o.sum_of(o.body) == 0, "RFC 8200 8.1: UDP over IPv6 has a checksum"
        else:
            o = Ip4(packet)
            assert (o.src, o.dst, o.proto, o.sum_ok, o.tos) == (GW, PEER, UDP if encap else ESP, True, tos)
            assert o.df == (v6 or Ip4(inner).df)
        esp = b.scapy.ask("look", sa=f"from{pair.index}", esp=o.body[8 if encap else 0 :].hex())
        assert esp["nh"] == (IPV6 if v6 else IPIP)
        assert bytes.fromhex(esp["text"])[: len(inner)] == older(inner)
        assert b.scapy.ask("decrypt", sa=f"from{pair.index}", packet=packet.hex()) == older(inner).hex()
    assert len(labels) <= 1, "an SA has one flow label"
    octets = sum(map(len, inners))
    b.expect_sa(pair, OUT, packets=len(inners), octets=octets, drop={})
    b.expect_sa(pair, IN, packets=len(inners), octets=octets, drop={})


def test_ipv6_raw_carries_both_families(b):
    both_ways(b, 6, False)


def test_ipv6_in_udp_carries_both_families(b):
    both_ways(b, 6, True)


def test_ipv4_raw_carries_both_families(b):
    both_ways(b, 4, False)


def test_ipv4_in_udp_carries_both_families(b):
    both_ways(b, 4, True)


def test_options_before_esp_are_passed_over_and_halves_wait(b):
    pair = b.pair6()
    inner = pair.inner6()
    esp = pair.seal(inner, nh=IPV6)
    got = b.passes(pair, [ip6(PEER6, GW6, DEST, bytes([ESP, 0, 1, 4, 0, 0, 0, 0]) + esp)], [inner])
    assert got == [hop6(inner)]
    before = b.state()[1][(pair.index, IN)]["packets"]
    # an atomic fragment is none (RFC 6946 4); the others cannot be, or wait for more
    for word in (b"\0\0", b"\0\1", b"\0\x08"):
        esp = pair.seal(inner, nh=IPV6)
        b.send("wan", ip6(PEER6, GW6, FRAG, bytes([ESP, 0]) + word + b"\0\0\0\7" + esp))
    b.send("wan", pair.packet6(inner))
    b.expect_sa(pair, IN, packets=before + 2)


def test_ecn_comes_out_as_rfc_6040_says(b):
    pair = b.pair6()
    table = {(0, 1): 0, (0, 2): 0, (2, 1): 1, (2, 3): 3, (1, 2): 1, (1, 3): 3, (3, 0): 3, (3, 1): 3, (2, 0): 2, (0, 0): 0}
    for (inner, outer), want in table.items():
        packet = pair.inner6(tclass=0xB8 | inner)
        wrapped = pair.wrap(pair.seal(packet, nh=IPV6), tclass=0x40 | outer)
        got = b.passes(pair, [wrapped], [1])
        assert [Ip6(p).tclass for p in got] == [0xB8 | want], (inner, outer)
    wrapped = pair.wrap(pair.seal(pair.inner6(tclass=0xB8), nh=IPV6), tclass=3)
    b.expect(wrapped, {"ecn-illegal": 1}, pair, {"misc error": 1})


def test_what_is_wrong_inside_moves_one_counter(b):
    pair = b.pair6()
    good = pair.inner6()
    rows = [
        (ip6(pair.host6, HOST6, UDP, b"x" * 8, length=4000), "inner-malformed", "misc error"),
        (pair.inner(), "inner-malformed", "misc error"),  # IPv4, said to be IPv6
        (ip6("ff02::1", HOST6, UDP, b"x" * 8), "inner-malformed", "misc error"),
        (ip6(pair.host6, HOST6, DEST, bytes([UDP, 200, 1, 4, 0, 0, 0, 0])), "inner-malformed", "misc error"),
        (pair.inner6(src="fd02:ffff::1"), "ts-unacceptable", "ts unacceptable"),
        (pair.inner6(dst="fd03::1"), "ts-unacceptable", "ts unacceptable"),
    ]
    for inner, drop, sa_drop in rows:
        b.expect(pair.packet6(inner), {drop: 1}, pair, {sa_drop: 1})
    b.expect(pair.wrap(pair.seal(b"", nh=NONE)), {"dummy": 1}, pair)
    b.expect(pair.wrap(pair.seal(good, nh=89)), {"bad-next-header": 1}, pair, {"unknown protocol": 1})
    assert b.passes(pair, [pair.packet6(good)], [good]) == [hop6(good)]


def test_a_peer_that_moves_is_told_of(b):
    pair = b.pair6(encap=True)
    esp = pair.seal(pair.inner6(), nh=IPV6)
    b.send("wan", ip6("2001:db8:203::9", GW6, UDP, udp(777, NATT, esp)))
    event = b.rings.event(event="peer-moved")
    assert event["remote"] == "2001:db8:203::9" and event["remote_port"] == 777, event


if __name__ == "__main__":
    tap.main(__name__, Bench6)
