#!/usr/bin/python3
"""Ports by AF_XDP: a tunnel with scapy, our XDP program's life on the interface, and what the kernel gets to see."""

import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from esp_bench import AES128, AES256, GW, GW_LAN, HOST, IN, OUT, PEER, EspBench  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import TOP, wait_for  # noqa: E402
from wire import Ip4, echo, hop, ip4, udp  # noqa: E402

PROGRAM = "esplanade_steer"
FOREIGN = os.path.join(TOP, "tests", "lib", "xdp_foreign.py")


def program(bench, ifname="wan"):
    """The name of the XDP program on one of our interfaces, or ''."""
    words = bench.gw.run("ip", "-d", "link", "show", ifname).stdout.split()
    return words[words.index("name") + 1] if "prog/xdp" in words else ""


def log(bench):
    with open(bench.process.dataplane.log, errors="replace") as f:
        return f.read()


def both_ways(b, suite, encap):
    pair = b.pair(suite, encap)
    sizes = [0, 1, 64, 500, 1300]
    inners = [pair.inner(bytes([n % 256]) * n, ident=n) for n in sizes]
    assert b.passes(pair, [pair.encrypt(i) for i in inners], inners) == [hop(i) for i in inners]
    inners = [ip4(HOST, pair.host, 17, udp(5, 6, bytes([n % 256]) * n), ident=n) for n in sizes]
    b.forget()
    b.send("lan", *inners)
    outers = b.receive("wan", len(inners))
    assert [Ip4(pair.decrypt(o)).raw for o in outers] == [hop(i) for i in inners]
    for way in (IN, OUT):
        b.expect_sa(pair, way, packets=len(sizes), drop={})


def test_a_tunnel_passes_both_ways(b):
    assert program(b) == PROGRAM
    assert "mode=native copy=yes queues=1" in log(b)
    both_ways(b, AES256, True)
    both_ways(b, AES128, False)


def test_the_largest_packet_fits(b):
    """1500 octets in, 1500 octets on: the kernel's headroom in each frame must not cut it."""
    whole = ip4(HOST, PEER, 17, udp(7, 8, b"x" * (1500 - 28)), ident=77, df=1)
    b.forget()
    b.send("lan", whole)
    assert b.receive("wan", 1) == [hop(whole)]


def test_the_kernel_does_not_answer_in_our_place(b):
    """It has an address there and listens; but it sees no frame: no ARP reply of its own, no RST, no echo."""
    b.gw.run("ip", "address", "add", "203.0.113.77/24", "dev", "wan")
    b.send("wan", ip4(PEER, "203.0.113.77", 1, echo(9, 1)), ip4(PEER, "203.0.113.77", 17, udp(9, 9, b"closed?")))
    # ours looks for a neighbour of that address, and says when there is none
    got = [Ip4(p) for p in b.receive("wan", 2, ms=8000)]
    assert got and all((p.src, p.proto, p.body[0]) == (GW, 1, 3) for p in got), got
    rx = b.gw.run("nstat", "-asz", "IpInReceives").stdout.split()
    assert rx[rx.index("IpInReceives") + 1] == "0", rx
    b.gw.run("ip", "address", "del", "203.0.113.77/24", "dev", "wan")


def test_a_burst_loses_nothing_and_keeps_its_order(b):
    pair = b.pair()
    total, step = 2000, 100
    b.forget()
    for at in range(0, total, step):
        inners = [ip4(HOST, pair.host, 17, udp(5, 6, n.to_bytes(4, "big")), ident=n) for n in range(at, at + step)]
        b.send("lan", *inners)
        outers = b.receive("wan", step)
        seen = [int.from_bytes(Ip4(pair.decrypt(o)).body[8:12], "big") for o in outers]
        assert seen == list(range(at, at + step)), seen
    assert b.rings.counters()["ports"][1]["rx_missed"] == 0


def test_a_link_that_flaps_is_up_again_within_a_second(b):
    for _ in range(3):
        b.gw.run("ip", "link", "set", "wan", "down")
        wait_for("link-down in the counters", lambda: not b.rings.counters()["ports"][0]["up"], 3)
        b.gw.run("ip", "link", "set", "wan", "up")
        wait_for("the port is up", lambda: b.rings.counters()["ports"][0]["up"], 1.5)
        wait_for("it forwards", lambda: b._ready(), 1.5)
    pair = b.pair()
    inner = pair.inner(b"after the flaps")
    assert b.passes(pair, [pair.encrypt(inner)], [inner]) == [hop(inner)]


def test_a_second_gateway_is_refused_by_the_lock(b):
    other = Gateway(b.gw, f'gateway: {{name: o}}\nports:\n  w: {{device: "af_xdp:wan", addresses: [{GW}/24]}}\n', name="o")
    other.start_dataplane()
    assert other.dataplane.wait(20) == 1
    with open(other.dataplane.log) as f:
        assert "another esplanade-dataplane uses interface wan" in f.read()
    assert program(b) == PROGRAM and b._ready(), "it left the first one alone"


def test_killed_it_drops_and_the_next_one_takes_over(b):
    b.process.dataplane.kill()
    assert program(b) == PROGRAM, "the program outlives its gateway"
    b.gw.run("ip", "address", "add", "203.0.113.78/24", "dev", "wan")
    b.send("wan", ip4(PEER, "203.0.113.78", 1, echo(9, 1)))
    assert b.receive("wan", 1, ms=500) == [], "the kernel answered in the dead gateway's place"
    b.gw.run("ip", "address", "del", "203.0.113.78/24", "dev", "wan")
    b.process.start_dataplane()
    wait_for("it says that it removed the leftover", lambda: f"event=leftover-removed interface=wan xdp-program={PROGRAM}" in log(b), 20)
    b.rings.close()
    b.rings = type(b.rings)(b.lab, b.process.run_dir)
    b.attach()
    b.pairs = 0
    wait_for("both ports forward", b._ready, 20)
    both_ways(b, AES256, True)


def test_its_end_takes_the_program_off(b):
    b.process.dataplane.signal(signal.SIGTERM)
    assert b.process.dataplane.wait(20) == 0
    assert program(b) == "" and program(b, "lan") == ""


@contextlib.contextmanager
def foreign(b, ifname):
    p = b.gw.start("foreign", "/usr/bin/python3", FOREIGN, ifname)
    wait_for("the foreign program is on", lambda: p.check() or program(b, ifname), 10)
    yield p
    p.kill()


def test_a_foreign_program_is_refused_by_name(b):
    with foreign(b, "lan"):
        assert program(b, "lan") == "somebody"
        b.process.start_dataplane()
        assert b.process.dataplane.wait(20) == 1
        text = log(b)
        assert "port lan0: interface lan carries the XDP program somebody (id " in text, text
        assert "ip link set dev lan xdpdrv off" in text, text
        assert program(b, "lan") == "somebody", "it was taken off"
    wait_for("it is gone with its owner", lambda: not program(b, "lan"), 10)


def test_an_mtu_beyond_a_page_is_refused(b):
    b.gw.run("ip", "link", "set", "wan", "mtu", 4000)
    b.process.start_dataplane()
    assert b.process.dataplane.wait(20) == 1
    assert "the mtu 4000 of interface wan is more than AF_XDP takes (3400)" in log(b)
    b.gw.run("ip", "link", "set", "wan", "mtu", 1500)


def test_the_largest_mtu_that_is_taken_passes_whole(b):
    with open(b.process.file) as f:
        text = f.read()
    for ns, names in ((b.gw, ("wan", "lan")), (b.far, ("wanp", "lanp"))):
        for name in names:
            ns.run("ip", "link", "set", name, "mtu", 3400)
    b.process.write(text.replace("addresses:", "mtu: 3400, addresses:"))
    b.process.start_dataplane()
    wait_for("it runs", lambda: b.process.dataplane.check() or log(b).count("mtu=3400") == 2, 20)
    wait_for("both ports forward", b._ready, 20)
    whole = ip4(HOST, PEER, 17, udp(7, 8, bytes(range(256)) * 13 + b"x" * (3400 - 28 - 3328)), ident=78, df=1)
    b.forget()
    b.send("lan", whole)
    assert b.receive("wan", 1) == [hop(whole)]
    assert b.process.dataplane.stop() == 0
    b.process.write(text)
    for ns, names in ((b.gw, ("wan", "lan")), (b.far, ("wanp", "lanp"))):
        for name in names:
            ns.run("ip", "link", "set", name, "mtu", 1500)


def test_one_queue_and_two_workers(b):
    """veth has one queue: one worker reads each port, the other hands it what it has to send."""
    with EspBench(workers=2, beside=b, tag="2", device="af_xdp") as two:
        text = log(two)
        assert "port=wan0 event=fewer-queues-than-workers rx-queues=1 tx-queues=1 workers=2 read-by=0-0" in text, text
        assert "port=lan0 event=fewer-queues-than-workers rx-queues=1 tx-queues=1 workers=2 read-by=1-1" in text, text
        for worker in (0, 1):
            pair = two.pair(worker=worker)
            inners = [pair.inner(bytes([n]), ident=n) for n in range(50)]
            assert two.passes(pair, [pair.encrypt(i) for i in inners], inners) == [hop(i) for i in inners]
            inners = [ip4(HOST, pair.host, 17, udp(5, 6, bytes([n])), ident=n) for n in range(50)]
            two.forget()
            two.send("lan", *inners)
            assert [Ip4(pair.decrypt(o)).raw for o in two.receive("wan", 50)] == [hop(i) for i in inners]
        workers = two.rings.counters()["workers"]
        assert all(w["handoff_in"] > 0 and w["handoff_out"] > 0 for w in workers), workers
    b.process.start_dataplane()  # what the context looks at in the end


if __name__ == "__main__":
    tap.main(__name__, lambda: EspBench(device="af_xdp"))
