#!/usr/bin/python3
"""Truncated, oversized and lying frames, layer by layer: each moves one named counter by one, and traffic goes on."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from esp_bench import GW, HOST, PEER, EspBench  # noqa: E402
from wire import Ip4, echo, eth, hop, ip4, udp  # noqa: E402

BROADCAST, MULTICAST, STRANGER = "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05", "02:00:00:00:00:99"
PLAIN = dict(src=PEER, dst=HOST, proto=17, payload=udp(1, 2, b"x" * 40))


class Frames(EspBench):
    def frame(self, packet, dst=None, kind=0x0800, link="wan"):
        ours, theirs = self.mac[link]
        return eth(dst or ours, theirs, packet, kind)

    def each(self, frames, reason):
        """One by one: exactly this counter, by exactly one."""
        for f in frames:
            moved = self.moved(lambda f=f: self.scapy.ask("tx", name="wan", frames=[f.hex()]))
            assert moved == {reason: 1}, f"{f[:60].hex()}: {moved}, not {reason}"

    def packets(self, reason, *fields):
        self.each([self.frame(ip4(**{**PLAIN, **f})) for f in fields], reason)

    def total(self, key):
        return sum(w[key] for w in self.rings.counters()["workers"])

    def still_forwards(self):
        self.forget()
        packet = ip4(**PLAIN)
        self.send("wan", packet)
        assert self.receive("lan", 1) == [hop(packet)]


def test_every_cut_of_a_frame_is_counted(b):
    whole = b.frame(ip4(**PLAIN))
    for n in range(14, 34):
        b.each([whole[:n]], "runt")
    for n in range(34, len(whole), 7):
        b.each([whole[:n]], "bad-length")
    b.still_forwards()


def test_other_protocols_are_named(b):
    kinds = [0x0000, 0x0600, 0x0805, 0x88CC, 0x8847, 0x8863, 0xFFFF]
    b.each([b.frame(ip4(**PLAIN), kind=k) for k in kinds], "bad-ethertype")
    b.each([b.frame(ip4(**PLAIN), kind=0x86DD)], "bad-version")
    # a frame of another VLAN is not ours, whoever takes the tag off
    b.each([b.frame(b"\x00\x05\x08\x00" + ip4(**PLAIN), kind=0x8100)], "bad-ethertype")
    b.still_forwards()


def test_frames_for_others_are_left_alone(b):
    b.each([b.frame(ip4(**PLAIN), dst=STRANGER)], "not-for-us")
    to_us = ip4(PEER, GW, 1, echo(1, 1))
    b.forget()
    b.each([b.frame(p, dst=d) for p in (ip4(**PLAIN), to_us) for d in (BROADCAST, MULTICAST)], "not-for-us")
    assert b.receive("lan", 1, ms=100) == [] and b.receive("wan", 1, ms=100) == []
    b.still_forwards()


def test_lying_ip_headers_are_named(b):
    b.packets("bad-version", *({"version": v} for v in range(16) if v != 4))
    b.packets("bad-length", *({"ihl": n} for n in range(5)), {"ihl": 15, "total": 59}, {"total": 0}, {"total": 19},
              {"total": 1400}, {"total": 65535})  # fmt: skip
    b.packets("bad-checksum", {"cksum": 0}, {"cksum": 0xFFFF}, {"cksum": 0x1234})
    b.packets("bad-options", {"options": b"\x83\x07\x04\x0a\x00\x00\x01\x00"}, {"options": b"\x89\x03\x04\x00"},
              {"options": b"\x07\x00\x00\x00"}, {"options": b"\x07\x01\x00\x00"}, {"options": b"\x07\x05\x00\x00"},
              {"options": b"\x01\x01\x01\x44"})  # fmt: skip
    b.still_forwards()


def test_addresses_that_are_no_hosts_are_refused(b):
    wrong = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"]
    b.packets("bad-address", *({"src": a} for a in wrong), *({"dst": a} for a in wrong))
    b.still_forwards()


def test_options_that_are_sound_pass(b):
    packet = ip4(**PLAIN, options=b"\x94\x04\x00\x00")  # router alert, RFC 2113
    b.forget()
    b.send("wan", packet)
    assert b.receive("lan", 1) == [hop(packet)]


def test_where_no_route_leads_is_said_once(b):
    b.forget()
    b.packets("no-route", {"dst": "192.0.2.1"})
    error = Ip4(b.receive("wan", 1)[0])
    assert (error.src, error.dst, error.proto, error.body[:2]) == (GW, PEER, 1, b"\x03\x00"), error.raw.hex()
    # an error about an error is not sent
    b.forget()
    b.packets("no-route", {"dst": "192.0.2.1", "proto": 1, "payload": b"\x03\x01\xfc\xfe" + b"\0" * 28})
    assert b.receive("wan", 1, ms=100) == []


def test_a_ttl_that_ends_is_said(b):
    for ttl in (0, 1):
        b.forget()
        b.packets("ttl-exceeded", {"ttl": ttl})
        error = Ip4(b.receive("wan", 1)[0])
        assert (error.src, error.dst, error.body[:2]) == (GW, PEER, b"\x0b\x00")


def test_what_is_too_big_is_said_or_split(b):
    """1500 on both cables: only a larger frame can be too big, and our ends can send one."""
    for ns, name in ((b.gw, "wan"), (b.far, "wanp")):
        ns.run("ip", "link", "set", name, "mtu", 3000)
    b.forget()
    b.packets("too-big", {"payload": b"x" * 1600, "df": True})
    error = Ip4(b.receive("wan", 1)[0])
    assert error.body[:2] == b"\x03\x04" and int.from_bytes(error.body[6:8], "big") == 1500
    packet = ip4(**{**PLAIN, "payload": b"y" * 1600})
    b.send("wan", packet)
    parts = [Ip4(p) for p in b.receive("lan", 2)]
    assert [(p.mf, p.frag) for p in parts] == [(True, 0), (False, parts[0].total // 8 - 2)], [p.raw.hex() for p in parts]
    assert b"".join(p.body for p in parts) == b"y" * 1600 and all(p.sum_ok for p in parts)


def test_what_is_not_ours_is_the_kernels(b):
    to_us = [
        udp(5, 53, b"x"), udp(5, 0, b""), udp(5, 501, b"x" * 28), udp(4500, 4501, b"x" * 28),
    ]  # fmt: skip
    to_us = [*({"payload": p} for p in to_us), {"proto": 1, "payload": echo(1, 1, kind=0)},
             *({"proto": p, "payload": b"x" * 40} for p in (0, 2, 6, 41, 47, 51, 58, 89, 132, 255))]  # fmt: skip
    for f in to_us:
        before = b.total("to_tun")
        moved = b.moved(lambda f=f: b.send("wan", ip4(**{**PLAIN, "dst": GW, **f})))
        assert moved == {} and b.total("to_tun") == before + 1, (f, moved)
    b.forget()
    b.packets("runt", *({"dst": GW, "payload": b"x" * n} for n in range(8)))
    b.still_forwards()


def test_ike_that_cannot_be_answered_is_refused(b):
    ike = bytes(range(1, 9)) + b"\0" * 8 + b"\x21\x20\x22\x08" + b"\0\0\0\0" + b"\0\0\0\x1c"
    b.packets("bad-address", {"dst": GW, "payload": udp(0, 500, ike)}, {"dst": GW, "payload": udp(0, 4500, b"\0" * 4 + ike)})


def test_bad_icmp_is_named(b):
    good = echo(1, 1, b"data")
    b.packets("bad-icmp", *({"dst": GW, "proto": 1, "payload": good[:n]} for n in range(8)))
    b.packets("bad-checksum", {"dst": GW, "proto": 1, "payload": good[:2] + b"\x12\x34" + good[4:]})
    b.forget()
    b.send("wan", ip4(PEER, GW, 1, good))
    assert Ip4(b.receive("wan", 1)[0]).body[8:] == b"data"


def test_impossible_fragments_to_ourselves_are_refused(b):
    odd = udp(1, 2, b"x" * 39)  # not the last, and no multiple of 8 octets
    b.packets("fragment", *({"dst": GW, **f} for f in ({"mf": True, "payload": odd}, {"frag": 0x1FFF})))
    b.still_forwards()


if __name__ == "__main__":
    tap.main(__name__, Frames)
