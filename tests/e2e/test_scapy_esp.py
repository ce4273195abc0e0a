#!/usr/bin/python3
"""Scapy is the ESP peer: it encrypts for our data plane and decrypts what it sends; what is wrong moves one counter."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from esp_bench import AES128, AES256, GW, GW_LAN, HOST, IN, NATT, OUT, PEER, EspBench  # noqa: E402
from netlab import wait_for  # noqa: E402
from wire import Ip4, echo, hop, ip4, udp  # noqa: E402

SIZES = [0, 1, 2, 3, 4, 13, 64, 500, 1000, 1300]


def both_ways(b, suite, encap):
    pair = b.pair(suite, encap)
    # towards us, whole packets by scapy
    inners = [pair.inner(bytes([n % 256]) * n, ident=n) for n in SIZES]
    got = b.passes(pair, [pair.encrypt(i) for i in inners], inners)
    assert got == [hop(i) for i in inners], f"{len(got)} of {len(inners)} came out right"
    # and from us
    inners = [ip4(HOST, pair.host, 17, udp(5, 6, bytes([n % 256]) * n), ident=n, df=n % 2) for n in SIZES]
    b.forget()
    b.send("lan", *inners)
    outers = b.receive("wan", len(inners))
    assert len(outers) == len(inners), f"{len(outers)} of {len(inners)}"
    ivs = set()
    for number, (outer, inner) in enumerate(zip(outers, inners), 1):
        o, esp = Ip4(outer), pair.look(outer)
        assert (o.src, o.dst, o.proto, o.sum_ok) == (GW, PEER, 17 if encap else 50, True)
        assert o.df == Ip4(inner).df, "DF is copied"
        assert (esp["spi"], esp["seq"], esp["nh"]) == (pair.spi_out, number, 4)
        text = bytes.fromhex(esp["text"])
        pad = esp["padlen"]
        assert text[: len(text) - 2 - pad] == hop(inner)
        assert text[len(text) - 2 - pad : -2] == bytes(range(1, pad + 1)), "RFC 4303 2.4: padding is 1, 2, 3 .."
        assert len(text) % 4 == 0
        ivs.add(esp["iv"])
        assert Ip4(pair.decrypt(outer)).raw == hop(inner)
    assert len(ivs) == len(outers), "an IV was used twice"
    octets = sum(map(len, inners))
    b.expect_sa(pair, OUT, packets=len(inners), octets=octets, seq=len(inners), drop={})
    b.expect_sa(pair, IN, packets=len(SIZES), octets=octets, seq=len(SIZES), drop={})


def test_aes256_in_udp_passes_both_ways(b):
    both_ways(b, AES256, True)


def test_aes128_in_udp_passes_both_ways(b):
    both_ways(b, AES128, True)


def test_aes256_raw_passes_both_ways(b):
    both_ways(b, AES256, False)


def test_aes128_raw_passes_both_ways(b):
    both_ways(b, AES128, False)


def test_every_pad_length_is_taken(b):
    pair = b.pair()
    inners, packets = [], []
    for n in range(256):
        inner = pair.inner(b"p" * (40 + -(n + 2) % 4), ident=n)
        inners.append(inner)
        packets.append(pair.wrap(pair.seal(inner, pad=bytes(range(1, n + 1)))))
    for i in range(0, 256, 64):
        got = b.passes(pair, packets[i : i + 64], inners[i : i + 64])
        assert got == [hop(x) for x in inners[i : i + 64]], f"pads {i}..: {len(got)} came out"


def test_wrong_padding_is_counted_as_that(b):
    pair = b.pair()
    inner = pair.inner(b"p" * 40)  # 68 octets: 4n + 0
    bad = [
        {"pad": b"\0\0"}, {"pad": b"\1\3"}, {"pad": b"\2\1"}, {"pad": b"\1\2\3\4\5\7"},
        {"pad": b"\1\2", "padlen": 3}, {"pad": b"\1\2", "padlen": 255}, {"pad": b"\1\2", "padlen": 71},
    ]  # fmt: skip
    for how in bad:
        b.expect(pair.wrap(pair.seal(inner, **how)), {"bad-pad": 1}, pair, {"invalid padding": 1})


def test_a_flipped_bit_anywhere_fails_the_icv(b):
    pair = b.pair()
    esp = pair.seal(pair.inner(b"p" * 40))
    packets = []
    for at in range(4, len(esp)):
        if at < 7:  # the sequence number's upper octets would be another kind of wrong: it is so far ahead
            continue
        wrong = bytearray(esp)
        wrong[at] ^= 1 << at % 8
        packets.append(pair.wrap(bytes(wrong)))
    # the number 1 itself flipped may read 0: that is too old, whatever its ICV
    packets = packets[1:]
    for i in range(0, len(packets), 32):
        n = len(packets[i : i + 32])
        b.expect(packets[i : i + 32], {"bad-icv": n}, pair, {"integrity failure": n})
    # what failed left no trace: the true one is still taken
    assert len(b.passes(pair, [pair.wrap(esp)], [1])) == 1


def test_a_forged_far_sequence_number_does_not_move_the_window(b):
    pair = b.pair()
    good = pair.packet()
    far = bytearray(pair.seal(pair.inner(), seq=5))
    far[4:8] = b"\x7f\xff\xff\xff"
    b.expect(pair.wrap(bytes(far)), {"bad-icv": 1}, pair, {"integrity failure": 1})
    assert len(b.passes(pair, [good], [1])) == 1


def test_a_replayed_packet_is_dropped(b):
    pair = b.pair()
    packet = pair.packet()
    assert len(b.passes(pair, [packet], [1])) == 1
    b.expect(packet, {"replay": 1}, pair, {"replay detected": 1})
    b.expect([packet] * 20, {"replay": 20}, pair, {"replay detected": 20})
    # twice in one burst
    twice = pair.packet()
    b.expect([twice, twice], {"replay": 1}, pair, {"replay detected": 1})


def test_the_window_is_1024_wide(b):
    pair = b.pair()
    packets = {n: pair.packet(seq=n) for n in (2000, 2000 - 1023, 2000 - 1024, 2000 - 1025, 1)}
    assert len(b.passes(pair, [packets[2000]], [1])) == 1
    assert len(b.passes(pair, [packets[2000 - 1023]], [1])) == 1
    b.expect([packets[n] for n in (2000 - 1024, 2000 - 1025, 1)], {"replay-old": 3}, pair, {"replay detected": 3})


def test_late_packets_inside_the_window_pass_once(b):
    pair = b.pair()
    order = [5, 3, 4, 1, 2, 70, 64, 63, 65, 10]
    packets = [pair.packet(seq=n) for n in order]
    assert len(b.passes(pair, packets, order)) == len(order)
    b.expect(packets, {"replay": len(order)}, pair, {"replay detected": len(order)})


def test_sequence_number_0_is_never_taken(b):
    for window in (1024, 0):
        pair = b.pair(window=window)
        b.expect(pair.packet(seq=0), {"replay-old": 1}, pair, {"replay detected": 1})


def runts(b, encap):
    pair = b.pair(encap=encap)
    esp = pair.seal(pair.inner(b"p" * 40))
    for n in range(41):
        packet = pair.wrap(esp[:n])
        moved = b.moved(lambda packet=packet: b.send("wan", packet))
        if n >= 36 and n % 4 == 0:
            want = {"bad-icv"}
        elif n >= 4 or not encap:
            want = {"esp-runt"}
        else:
            want = {"runt"}  # no room for a marker: neither ESP nor IKE
        assert sum(moved.values()) == 1 and set(moved) == want, f"{n} octets moved {moved}, not {want}"
    # cut anywhere behind that, the length or the ICV is wrong
    for n in range(41, len(esp)):
        want = {"esp-runt": 1} if n % 4 else {"bad-icv": 1}
        b.expect(pair.wrap(esp[:n]), want)


def test_runts_in_udp_are_counted_once(b):
    runts(b, True)


def test_raw_runts_are_counted_once(b):
    runts(b, False)


def test_octets_behind_the_datagram_are_not_part_of_it(b):
    pair = b.pair()
    inner = pair.inner()
    esp = pair.seal(inner)
    tail = ip4(PEER, GW, 17, udp(NATT, NATT, esp) + b"tail")
    got = b.passes(pair, [tail], [inner])
    assert got == [hop(inner)]


def test_a_udp_length_that_lies_is_counted(b):
    pair = b.pair()
    for length in (0, 7, 8 + 2000, 65535):
        b.expect(ip4(PEER, GW, 17, udp(NATT, NATT, pair.seal(pair.inner()), length)), {"esp-runt": 1}, pair,
                 {"packet truncated": 1})  # fmt: skip


def test_any_other_next_header_is_refused(b):
    pair = b.pair()
    others = [n for n in range(256) if n not in (4, 41, 59)]
    packets = [pair.packet(nh=n) for n in others]
    for i in range(0, len(packets), 64):
        n = len(packets[i : i + 64])
        b.expect(packets[i : i + 64], {"bad-next-header": n}, pair, {"unknown protocol": n})


def test_dummy_packets_go_without_blame(b):
    pair = b.pair()
    b.expect([pair.packet(nh=59), pair.packet(b"\0" * 30, nh=59)], {"dummy": 2}, pair, {})


def test_inner_packets_outside_the_selectors_are_dropped(b):
    pair = b.pair()
    outside = [
        pair.inner(src="10.2.250.7"), pair.inner(src="192.0.2.1"), pair.inner(src="10.1.0.10"),
        pair.inner(dst="10.9.0.1"), pair.inner(dst=PEER), pair.inner(dst=GW),
        pair.inner(src=f"10.2.{pair.index - 1}.255"), pair.inner(src=f"10.2.{pair.index + 1}.0"),
    ]  # fmt: skip
    n = len(outside)
    b.expect([pair.packet(i) for i in outside], {"ts-unacceptable": n}, pair, {"ts unacceptable": n})


def test_selectors_with_protocol_and_ports_are_held(b):
    pair = b.pair()
    pair.add("sa-in-add", slot=200, spi=pair.spi_in & ~0xFFFFF | 200,
             ts=[dict(pair.selectors(), proto=17, local_ports=[2222, 2222], remote_ports=[1000, 1111])])  # fmt: skip
    b.scapy.ask("sa", name="to200", spi=pair.spi_in & ~0xFFFFF | 200, key=pair.key_in)
    narrow = lambda inner, seq: ip4(PEER, GW, 17, udp(NATT, NATT, bytes.fromhex(
        b.scapy.ask("seal", sa="to200", inner=inner.hex(), pad=bytes(range(1, 1 + -(len(inner) + 2) % 4)).hex(), seq=seq)
    )))  # fmt: skip
    good = pair.inner()
    assert b.passes(pair, [narrow(good, 1)], [1]) == [hop(good)]
    bad = [
        ip4(pair.host, HOST, 17, udp(1112, 2222, b"x")), ip4(pair.host, HOST, 17, udp(1111, 2223, b"x")),
        ip4(pair.host, HOST, 17, udp(999, 2222, b"x")), ip4(pair.host, HOST, 6, udp(1111, 2222, b"x" * 20)),
        ip4(pair.host, HOST, 1, echo(1, 1)), ip4(pair.host, HOST, 17, b"\4\x57"),
        ip4(pair.host, HOST, 17, udp(1111, 2222, b"x"), frag=8),
    ]  # fmt: skip
    b.expect([narrow(i, 2 + k) for k, i in enumerate(bad)], {"ts-unacceptable": len(bad)})


def test_malformed_inner_packets_are_dropped(b):
    pair = b.pair()
    bad = [
        pair.inner(version=5), pair.inner(version=6), pair.inner(version=0), pair.inner(ihl=4), pair.inner(ihl=15),
        pair.inner(total=19), pair.inner(total=0), pair.inner(total=2000), pair.inner(cksum=0x1234),
        b"", b"E", pair.inner()[:19], pair.inner(options=b"\x83\x04\x04\x00"), pair.inner(options=b"\x07\xff\x00\x00"),
        pair.inner(src="127.0.0.1"), pair.inner(src="224.0.0.1"), pair.inner(dst="255.255.255.255"),
    ]  # fmt: skip
    for inner in bad:
        b.expect(pair.packet(inner), {"inner-malformed": 1}, pair, {"misc error": 1})


def test_padding_for_traffic_flow_is_cut_off(b):
    """RFC 4303 2.7: what follows the inner packet's total length."""
    pair = b.pair()
    inner = pair.inner()
    assert b.passes(pair, [pair.packet(inner + b"\xaa" * 300)], [inner]) == [hop(inner)]


def test_unknown_spis_are_counted(b):
    pair = b.pair()
    esp = pair.seal(pair.inner())
    spis = [pair.spi_in ^ 1 << k for k in range(32)] + [256, 0xFFFFFFFF, 0x00100000 | 255]
    packets = [pair.wrap(s.to_bytes(4, "big") + esp[4:]) for s in spis if s != 0]
    b.expect(packets, {"bad-spi": len(packets)}, pair, {})
    e = b.rings.event(event="bad-spi")
    assert e["spi"] in spis
    b.rings.events.clear()


def test_reserved_spis_are_never_ours(b):
    """RFC 4303 2.1: 1..255; 0 is never on the wire, and in UDP marks IKE (RFC 3948 2.2)."""
    pair = b.pair(encap=False)
    esp = pair.seal(pair.inner())
    raw = [ip4(PEER, GW, 50, spi.to_bytes(4, "big") + esp[4:]) for spi in range(256)]
    in_udp = [ip4(PEER, GW, 17, udp(NATT, NATT, spi.to_bytes(4, "big") + esp[4:])) for spi in range(1, 256)]
    for packets in (raw, in_udp):
        for i in range(0, len(packets), 64):
            b.expect(packets[i : i + 64], {"bad-spi": len(packets[i : i + 64])})
    b.rings.events.clear()


def test_spi_0_in_udp_is_looked_at_as_ike(b):
    # too short for an IKE header behind the marker
    b.expect(ip4(PEER, GW, 17, udp(NATT, NATT, b"\0" * 4 + b"x" * 27)), {"runt": 1})
    ike = bytes(range(1, 9)) + b"\0" * 8 + b"\x21\x20\x22\x08" + b"\0\0\0\0" + b"\0\0\0\x1c"
    b.send("wan", ip4(PEER, GW, 17, udp(NATT, NATT, b"\0" * 4 + ike)))
    e = b.rings.event(event="ike")
    assert bytes.fromhex(e["data"]) == ike and e["encap"] and e["init"] and e["remote"] == PEER, e


def test_fragments_of_esp_are_put_together(b):
    """RFC 4303 3.4.1: before it is looked at as ESP, in any order."""
    for encap in (True, False):
        pair = b.pair(encap=encap)
        for ident, backwards in ((100 + encap, False), (200 + encap, True)):
            inner = pair.inner(b"f" * 600)
            whole = Ip4(pair.packet(inner))
            pieces = [
                ip4(PEER, GW, whole.proto, whole.body[:400], mf=True, ident=ident),
                ip4(PEER, GW, whole.proto, whole.body[400:], frag=50, ident=ident),
            ]
            assert b.passes(pair, pieces[::-1] if backwards else pieces, [1]) == [hop(inner)]


def test_fragments_of_esp_that_cannot_be_are_refused(b):
    for encap in (True, False):
        pair = b.pair(encap=encap)
        esp = pair.seal(pair.inner())
        # not the last, and no multiple of 8 octets; beyond the largest packet; empty
        b.expect(pair.wrap(esp[:-3], mf=True), {"fragment": 1}, pair, {})
        b.expect(pair.wrap(esp, frag=0x1FFF), {"fragment": 1}, pair, {})
        b.expect(ip4(PEER, GW, 50, b"", frag=8), {"fragment": 1}, pair, {})


def test_a_lone_fragment_is_given_up(b):
    before = b.state()[0]["reassembly-timeout"]
    b.send("wan", ip4(PEER, GW, 50, bytes(400), frag=8, ident=300))
    wait_for("it is given up", lambda: b.state()[0]["reassembly-timeout"] == before + 1, 5)


def test_fragments_pass_as_they_came(b):
    """Neither end of the tunnel puts them together; of what has no ports, a selector asks for none."""
    pair = b.pair()
    parts = [pair.inner(b"y" * 792, mf=True, ident=9), pair.inner(b"z" * 600, proto=99, frag=100, ident=9)]
    assert b.passes(pair, [pair.packet(p) for p in parts], parts) == [hop(p) for p in parts]
    b.forget()
    parts = [ip4(HOST, pair.host, 99, b"y" * 800, mf=True, ident=9), ip4(HOST, pair.host, 99, b"z" * 600, frag=100, ident=9)]
    b.send("lan", *parts)
    assert [Ip4(pair.decrypt(o)).raw for o in b.receive("wan", 2)] == [hop(p) for p in parts]


def test_inner_ttl_ends_here(b):
    pair = b.pair()
    for ttl in (0, 1):
        b.expect(pair.packet(pair.inner(ttl=ttl)), {"ttl-exceeded": 1}, pair, {})
    inner = pair.inner(ttl=2)
    assert b.passes(pair, [pair.packet(inner)], [1]) == [hop(inner)]


def test_outer_ttl_does_not_matter_at_the_tunnels_end(b):
    pair = b.pair()
    inner = pair.inner()
    packets = [pair.wrap(pair.seal(inner), ttl=ttl) for ttl in (1, 255)]
    assert b.passes(pair, packets, [1, 1]) == [hop(inner)] * 2


def test_congestion_marks_come_through(b):
    """RFC 6040 4.2: CE outside marks an inner packet that can bear it, and drops one that cannot."""
    pair = b.pair()
    for inner_ecn, outer_ecn, want in ((2, 3, 3), (1, 3, 3), (3, 0, 3), (0, 2, 0), (2, 0, 2)):
        inner = pair.inner(tos=inner_ecn)
        got = b.passes(pair, [pair.wrap(pair.seal(inner), tos=outer_ecn)], [1])
        assert len(got) == 1 and got[0][1] & 3 == want, (inner_ecn, outer_ecn, got)
    b.expect(pair.wrap(pair.seal(pair.inner(tos=0)), tos=3), {"ecn-illegal": 1}, pair, {"misc error": 1})


def test_an_sa_answers_at_its_own_address_only(b):
    pair = b.pair()
    esp = pair.seal(pair.inner())
    b.expect(ip4(PEER, GW_LAN, 17, udp(NATT, NATT, esp)), {"sa-mismatch": 1}, pair, {"invalid sa": 1})


def test_a_moved_peer_is_told_once(b):
    pair = b.pair()
    inner = pair.inner()
    b.rings.events.clear()
    for _ in range(3):
        assert len(b.passes(pair, [pair.wrap(pair.seal(inner), src="203.0.113.9", sport=61000)], [1])) == 1
    e = b.rings.event(event="peer-moved")
    assert (e["slot"], e["remote"], e["remote_port"]) == (pair.index, "203.0.113.9", 61000), e
    b.rings.counters()
    assert not [e for e in b.rings.events if e["event"] == "peer-moved"]
    # one that nobody authenticated tells nothing
    bad = bytearray(pair.seal(inner))
    bad[-1] ^= 1
    b.expect(pair.wrap(bytes(bad), src="203.0.113.8", sport=61001), {"bad-icv": 1}, pair, {"integrity failure": 1})
    assert not [e for e in b.rings.events if e["event"] == "peer-moved"]
    # and answers go where the control plane says
    b.rings.do("sa-move", slot=pair.index, dir=OUT, remote="203.0.113.9", remote_port=61000)
    b.forget()
    b.send("lan", ip4(HOST, pair.host, 17, udp(5, 6, b"after")))
    outer = Ip4(b.receive("wan", 1)[0])
    assert outer.dst == "203.0.113.9" and outer.body[2:4] == (61000).to_bytes(2, "big")


def test_limits_are_told_and_held(b):
    pair = b.pair(soft_packets=3, hard_packets=5)
    b.rings.events.clear()
    inner = pair.inner()
    assert len(b.passes(pair, [pair.packet(inner) for _ in range(4)], [1] * 4)) == 4
    assert b.rings.event(event="sa-soft")["slot"] == pair.index
    # the limit is looked at once per burst: the one that reaches it is the last
    b.passes(pair, [pair.packet(inner)], [1])
    e = b.rings.event(event="sa-hard")
    assert (e["slot"], e["dir"], e["c"]["packets"]) == (pair.index, IN, 5), e
    b.expect([pair.packet(inner) for _ in range(9)], {"lifetime-exceeded": 9}, pair, {"invalid sa": 9})


def test_a_deleted_sa_is_gone_with_its_figures(b):
    pair = b.pair()
    inner = pair.inner()
    packet, late = pair.packet(inner), pair.packet(inner)
    assert len(b.passes(pair, [packet], [1])) == 1
    b.rings.do("sa-del", slot=pair.index, dir=IN)
    e = b.rings.event(event="sa-gone")
    assert (e["slot"], e["spi"], e["c"]["packets"], e["c"]["octets"]) == (pair.index, pair.spi_in, 1, len(inner)), e
    b.expect(late, {"bad-spi": 1})
    # nothing goes out in clear when the other half is gone too
    b.rings.do("sa-del", slot=pair.index, dir=OUT)
    b.forget()
    b.rings.events.clear()
    b.expect(ip4(HOST, pair.host, 17, udp(5, 6, b"secret")), {"no-sa": 1}, link="lan")
    assert b.rings.event(event="no-sa")["tunnel"] == pair.index
    assert b.receive("wan", 1, ms=200) == []


def test_an_echo_to_ourselves_is_answered(b):
    """The inner packet may be for the gateway itself: its LAN address is inside the selectors."""
    pair = b.pair()
    ping = ip4(pair.host, GW_LAN, 1, echo(77, 1, b"hello"))
    b.forget()
    b.send("wan", pair.packet(ping))
    outers = b.receive("wan", 1)
    assert len(outers) == 1
    pong = Ip4(pair.decrypt(outers[0]))
    assert (pong.src, pong.dst, pong.body[0], pong.body[8:]) == (GW_LAN, pair.host, 0, b"hello")


def test_two_workers_hand_over_and_lose_nothing(b):
    """Frames come to the worker that the kernel's hash picks; an SA belongs to one. Outer and inner ports vary."""
    with EspBench(workers=2, beside=b, tag="2") as two:
        pairs = [two.pair(worker=i % 2) for i in range(4)]
        sent, outer = [], []
        for n in range(200):
            pair = pairs[n % 4]
            inner = ip4(pair.host, HOST, 17, udp(1000 + n, 53, bytes([n])), ident=n)
            sent.append(hop(inner))
            outer.append(pair.wrap(pair.seal(inner), sport=20000 + n))
        two.forget()
        for i in range(0, 200, 20):
            two.send("wan", *outer[i : i + 20])
        got = two.receive("lan", 200, ms=4000)
        assert sorted(got) == sorted(sent), f"{len(got)} of 200 towards us"
        inners = [ip4(HOST, pairs[n % 4].host, 17, udp(1000 + n, 53, bytes([n])), ident=n) for n in range(200)]
        for i in range(0, 200, 20):
            two.send("lan", *inners[i : i + 20])
        got, seqs = two.receive("wan", 200, ms=4000), {}
        opened = []
        for packet in got:
            spi = int.from_bytes(Ip4(packet).body[8:12], "big")
            pair = next(p for p in pairs if p.spi_out == spi)
            seqs.setdefault(spi, []).append(int.from_bytes(Ip4(packet).body[12:16], "big"))
            opened.append(Ip4(pair.decrypt(packet)).raw)
        assert sorted(opened) == sorted(map(hop, inners)), f"{len(got)} of 200 from us"
        assert all(s == list(range(1, 51)) for s in seqs.values()), "a number twice, left out or out of order"
        assert two.state()[0].keys() <= {"not-for-us"}, two.state()[0]
        workers = two.rings.counters()["workers"]
        assert sum(w["handoff_in"] for w in workers) > 0, workers


if __name__ == "__main__":
    tap.main(__name__, EspBench)
