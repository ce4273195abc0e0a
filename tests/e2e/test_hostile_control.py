#!/usr/bin/python3
"""A control plane that breaks the contract costs a new segment: SAs stay, forwarding goes on, the data plane lives."""

import os
import random
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from esp_bench import GW, HOST, IN, NH_TUNNEL, OUT, PEER, EspBench  # noqa: E402
from netlab import LabError, wait_for  # noqa: E402
from scapy_peer import Refused, Rings  # noqa: E402
from wire import hop, ip4, udp  # noqa: E402

NH_PORT = 1
RINGS_TO_DATAPLANE = ["cmd", "ctl_cmd", "route", "ike_out"]


def forwards(b, pair, n=20):
    """Traffic passes both ways, and no drop counter moves."""
    inners = [pair.inner(bytes([i]) * 50, ident=i) for i in range(n)]
    b.forget()
    b.send("wan", *[pair.packet(i) for i in inners])
    got = b.receive("lan", n)
    assert got == [hop(i) for i in inners], f"towards us {len(got)} of {n}"
    b.send("lan", *[ip4(HOST, pair.host, 17, udp(5, 6, b"x" * 50)) for _ in range(n)])
    got = b.receive("wan", n)
    assert len(got) == n, f"from us {len(got)} of {n}"


def attempt(b, cmd, **o):
    """A command that may find us dropped already."""
    try:
        b.rings.ask(cmd, **o)
    except Refused:
        pass


def lost(b, timeout=10):
    """The data plane has dropped us."""
    b.rings.event(timeout=timeout, event="lost")


def again(b, was):
    """A new segment: the same life, the next generation."""
    hello = b.attach()
    assert hello["epoch"] == was["epoch"], "the data plane has started anew"
    assert hello["attach"] > was["attach"], (hello, was)
    assert hello["pid"] == was["pid"]
    b.process.dataplane.check()
    return hello


def lives(b, pair):
    """The SAs that it tells of."""
    b.rings.events.clear()
    seq = b.rings.ask("sa-list")["sent"]
    b.rings.event(event="sa-info-end", seq=seq)
    return {(e["slot"], e["dir"]) for e in b.rings.events if e["event"] == "sa-info"}


class Hostile(EspBench):
    """One pair of SAs that must outlive everything; a fresh process for each case, since resets are counted a minute."""

    def __enter__(self):
        super().__enter__()
        self.victim = self.pair()
        forwards(self, self.victim)
        return self


def test_noise_in_every_ring_is_counted_and_skipped(b):
    before = b.rings.counters()
    for ring in RINGS_TO_DATAPLANE:
        for seed in range(1, 6):
            b.rings.ask("spoil", ring=ring, n=400, seed=seed)
    # it still takes good commands, over the same rings
    b.rings.do("barrier")
    wait_for("the worker has seen them", lambda: sum(w["bad_msgs"] for w in b.rings.counters()["workers"]) >
             sum(w["bad_msgs"] for w in before["workers"]), 10)  # fmt: skip
    b.process.dataplane.check()
    forwards(b, b.victim)


def test_messages_that_lie_are_refused_one_by_one(b):
    pair = b.victim
    lies = [
        ("sa-in-add", dict(slot=1 << 20)), ("sa-in-add", dict(slot=255, spi=pair.spi_in)), ("sa-del", dict(slot=99999)),
        ("tunnel-set", dict(slot=1 << 30, local=GW, name="x")), ("tunnel-set", dict(slot=9, local=GW, name="a b")),
        ("nexthop-set", dict(id=0xFFFFFFFF)), ("nexthop-set", dict(id=b.first_nexthop, kind=77)),
        ("addr-set", dict(addr=HOST, plen=77)), ("sa-list", dict(attach=b.rings.hello["attach"] - 1)),
    ]  # fmt: skip
    for cmd, o in lies:  # no answer: a message that fails its check is skipped
        b.rings.ask(cmd, **o)
    for cmd, o in (
        # well formed, and still wrong: each gets its NACK
        ("sa-in-add", dict(slot=pair.index, tunnel=pair.index, spi=pair.spi_in, key=pair.key_in, encr=pair.suite,
                           local=GW, remote="203.0.113.2")),
        ("sa-del", dict(slot=pair.index, gen=77, dir=IN)), ("sa-move", dict(slot=200, remote="203.0.113.3")),
        ("policy-set", {}), ("capture-start", {}),
        ("nexthop-set", dict(id=b.first_nexthop, kind=NH_TUNNEL, tunnel=pair.index, tunnel_gen=77)),
        ("nexthop-set", dict(id=b.first_nexthop, kind=NH_TUNNEL, tunnel=200)),
        ("nexthop-set", dict(id=b.first_nexthop, legs=[{"kind": NH_TUNNEL, "tunnel": pair.index},
                                                       {"kind": NH_TUNNEL, "tunnel": 200}])),
    ):  # fmt: skip
        try:
            b.rings.do(cmd, **o)
        except Refused:
            continue
        raise AssertionError(f"{cmd} {o} was taken")
    assert lives(b, pair) == {(pair.index, IN), (pair.index, OUT)}
    forwards(b, pair)


def test_next_hops_routes_and_questions_without_end(b):
    """All well formed, none of it sensible: groups beyond their number, legs to what is not there, every prefix length."""
    rnd = random.Random(7)
    free = range(b.first_nexthop + 50, b.rings.hello["nexthops"])

    def some_leg():
        return rnd.choice((
            {"kind": NH_PORT, "port": rnd.randrange(3), "via": f"10.1.0.{rnd.randrange(1, 255)}"},
            {"kind": NH_TUNNEL, "tunnel": rnd.randrange(300), "tunnel_gen": rnd.randrange(1, 3)},
            {"kind": NH_TUNNEL, "tunnel": b.victim.index},
        ))  # fmt: skip

    def prefix():
        """Anywhere but where the victim's hosts and its peer are."""
        plen = rnd.randrange(33)
        a = rnd.randrange(100 << 24, 110 << 24) >> (32 - plen) << (32 - plen)
        return {"addr": socket.inet_ntoa(a.to_bytes(4, "big")), "plen": plen}

    def push(cmd, **o):
        """As fast as the ring takes them."""
        for _ in range(1000):
            try:
                return b.rings.ask(cmd, **o)
            except Refused:
                time.sleep(0.005)
        raise AssertionError("the ring stays full")

    asked = []
    for _ in range(1200):
        what, hop = rnd.randrange(10), rnd.choice(free[:64] if rnd.randrange(4) else free)
        if what < 3:
            push("nexthop-set", id=hop, legs=[some_leg() for _ in range(rnd.randrange(1, 10))])
        elif what < 4:
            push("nexthop-del", id=hop)
        elif what < 7:
            push("route-set", **prefix(), nexthop=hop)
        elif what < 8:
            push("route-del", **prefix())
        else:
            asked.append(push("fib-get", addr=prefix()["addr"])["sent"])
    b.rings.do("barrier")
    b.process.dataplane.check()
    told = {e["query"] for e in b.rings.events if e["event"] == "fib-info"}
    assert told == set(asked), f"{len(asked)} questions, {len(told)} answers"
    forwards(b, b.victim)
    # one that says nothing of it: all of it goes with the sweep, which short prefixes make slow
    b.rings.do("nexthop-set", id=free[0], kind=NH_PORT, port=1)
    for i in range(64):
        push("route-set", addr=f"{4 * i}.0.0.0", plen=6, nexthop=free[0])
    forwards(b, b.victim)
    was = b.rings.hello
    b.rings.close()
    b.rings = Rings(b.lab, b.process.run_dir)
    again(b, was)
    b.rings.do("nexthop-set", id=b.first_nexthop + b.victim.index, kind=NH_TUNNEL, tunnel=b.victim.index)
    b.rings.ask("sync-begin")
    b.route(f"10.2.{b.victim.index}.0", 24, b.first_nexthop + b.victim.index)
    before = b.rings.counters()["applied"]
    b.rings.ask("sync-end")
    wait_for("the end of the sync is in force", lambda: b.rings.counters()["applied"] > before, 10, 0.001)
    seq = b.rings.do("fib-get", addr="100.0.0.1")["seq"]
    left = b.rings.event(event="fib-info", query=seq)["routes"]
    assert left == 1, f"{left} routes: the sweep is not over, and was said to be"
    forwards(b, b.victim)


def test_an_impossible_command_index_costs_a_new_segment(b):
    was = b.rings.hello
    b.rings.ask("index", ring="cmd", head=0x40000000)
    lost(b)
    forwards(b, b.victim)
    again(b, was)
    assert lives(b, b.victim) == {(b.victim.index, IN), (b.victim.index, OUT)}
    forwards(b, b.victim)


def test_an_impossible_event_index_costs_a_new_segment(b):
    was = b.rings.hello
    b.rings.ask("index", ring="evt", tail=0x40000000)
    attempt(b, "sa-list")  # makes it write an event
    lost(b)
    again(b, was)
    forwards(b, b.victim)


def test_a_fourth_reset_in_a_minute_waits_and_traffic_does_not(b):
    resets = 0
    for ring in ["ctl_cmd", "route", "cmd"]:
        was = b.rings.hello
        b.rings.ask("index", ring=ring, head=0x12345678)
        try:
            lost(b)
        except LabError:
            raise AssertionError(f"an impossible index of {ring} was not noticed") from None
        resets += 1
        forwards(b, b.victim, 5)
        try:
            hello = b.rings.attach(ms=1500)
        except Refused:
            break
        assert hello["attach"] > was["attach"]
    else:
        raise AssertionError(f"{resets} more resets, and it still gives segments")
    assert b.process.dataplane.alive()
    forwards(b, b.victim)


def test_a_spoiled_segment_harms_nobody_but_its_writer(b):
    """A process of its own for this: every octet of the segment overwritten with noise, over and over."""
    with Hostile(beside=b, tag="2") as other:
        for seed in range(1, 4):
            attempt(other, "stamp", seed=seed)
        lost(other)
        forwards(other, other.victim)
        was = other.rings.hello
        again(other, was)
        assert lives(other, other.victim) == {(other.victim.index, IN), (other.victim.index, OUT)}
        forwards(other, other.victim)
        # the rings of IKE datagrams are looked at when one comes
        was = other.rings.hello
        other.rings.ask("index", ring="ike_init", tail=0x40000000)
        ike = bytes(range(1, 9)) + b"\0" * 8 + b"\x21\x20\x22\x08" + b"\0\0\0\0" + b"\0\0\0\x1c"
        other.send("wan", ip4(PEER, GW, 17, udp(500, 500, ike)))
        lost(other)
        again(other, was)
        lives(other, other.victim)  # its worker has the new rings
        other.send("wan", ip4(PEER, GW, 17, udp(500, 500, ike)))
        assert bytes.fromhex(other.rings.event(event="ike")["data"]) == ike
        forwards(other, other.victim)


def test_a_killed_control_plane_leaves_the_sas(b):
    with Hostile(beside=b, tag="3") as other:
        was = other.rings.hello
        other.rings.popen.kill()
        other.rings.popen.wait()
        forwards(other, other.victim)
        other.rings = Rings(other.lab, other.process.run_dir)
        again(other, was)
        assert lives(other, other.victim) == {(other.victim.index, IN), (other.victim.index, OUT)}
        other.rings.do("sa-adopt", slot=other.victim.index, dir=IN)
        other.rings.do("sa-adopt", slot=other.victim.index, dir=OUT)
        forwards(other, other.victim)
        # and what is claimed can be deleted
        other.rings.do("sa-del", slot=other.victim.index, dir=OUT)


for case in list(vars().values()):
    if getattr(case, "__name__", "").startswith("test_"):
        case.seconds = 90

if __name__ == "__main__":
    tap.main(__name__, Hostile)
