#!/usr/bin/python3
"""The data plane as a process: start and its errors, neighbours, forwarding, IKE through the rings, links, its end."""

import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ikeinit  # noqa: E402
import tap  # noqa: E402
from gateway import DATAPLANE, Gateway  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402
from scapy_peer import Rings  # noqa: E402
from wire import Ip4, cksum, echo, eth, ip4, udp  # noqa: E402

WAN, LAN, PEER, HOST, BEHIND = "203.0.113.1", "10.1.0.1", "203.0.113.2", "10.1.0.10", "10.77.0.1"
ETH_ARP, ETH_ALL = 0x0806, 3
NH_PORT, NH_LOCAL = 1, 3
CAP_NET_ADMIN = 1 << 12

CONFIG = """gateway: {{name: process}}
dataplane: {{workers: {workers}, max-sas: 64, max-routes: 1024}}
ports:
  wan0: {{device: "af_packet:{wan}", addresses: [203.0.113.1/24]}}
  lan0: {{device: "af_packet:lan", addresses: [10.1.0.1/24]}}
"""

_libc = ctypes.CDLL(None, use_errno=True)


def config(workers=2, wan="wan"):
    return CONFIG.format(workers=workers, wan=wan)


def socket_in(ns, *args):
    """A socket that belongs to a namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(ns.path, os.O_RDONLY)
    try:
        assert _libc.setns(there, 0) == 0
        return socket.socket(*args)
    finally:
        assert _libc.setns(home, 0) == 0
        os.close(home)
        os.close(there)


class Wire:
    """The far end of a cable: raw frames."""

    def __init__(self, ns, ifname):
        self.s = socket_in(ns, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        self.s.bind((ifname, ETH_ALL))
        self.mac = ns.mac(ifname)

    def send(self, frame):
        self.s.send(frame)

    def wait(self, want, seconds=2.0):
        """The first frame for which want(frame) is true, or None."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.s.settimeout(left)
            try:
                frame, where = self.s.recvfrom(65536)
            except socket.timeout:
                return None
            if where[2] != socket.PACKET_OUTGOING and want(frame):
                return frame
        return None

    def forget(self):
        self.s.setblocking(False)
        try:
            while True:
                self.s.recv(65536)
        except BlockingIOError:
            pass


def raw(mac):
    return bytes.fromhex(mac.replace(":", ""))


def arp(op, sha, spa, tha, tpa, **wrong):
    return struct.pack(
        "!HHBBH6s4s6s4s", wrong.get("hw", 1), wrong.get("proto", 0x0800), wrong.get("hlen", 6), wrong.get("plen", 4), op,
        raw(sha), socket.inet_aton(spa), raw(tha), socket.inet_aton(tpa),
    )  # fmt: skip


def is_arp(op, spa=None, tpa=None):
    def want(f):
        return (
            f[12:14] == b"\x08\x06" and struct.unpack("!H", f[20:22])[0] == op
            and (spa is None or f[28:32] == socket.inet_aton(spa)) and (tpa is None or f[38:42] == socket.inet_aton(tpa))
        )  # fmt: skip

    return want


def is_ip(src=None, dst=None, proto=None):
    def want(f):
        if f[12:14] != b"\x08\x00":
            return False
        p = Ip4(f[14:])
        return (src or p.src) == p.src and (dst or p.dst) == p.dst and (proto or p.proto) == p.proto

    return want


ALL, NONE = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"


class Process:
    """A gateway with two cables; at the far ends the kernel of a host each, and raw frames."""

    def __enter__(self):
        self.lab = Lab()
        self.gw, self.wan, self.lan = self.lab.ns("gateway"), self.lab.ns("wan"), self.lab.ns("lan")
        self.lab.veth(self.gw, "wan", self.wan, "wanp", b_addr=f"{PEER}/24")
        self.lab.veth(self.gw, "lan", self.lan, "lanp", b_addr=f"{HOST}/24")
        self.wan.run("ip", "route", "add", "10.0.0.0/8", "via", WAN)
        self.lan.run("ip", "route", "add", "default", "via", LAN)
        self.lan.address("lo", f"{BEHIND}/32")
        # an address that the kernel keeps, to see whether it hears anything
        self.gw.address("wan", "203.0.113.99/24")
        self.mac = {"wan": self.gw.mac("wan"), "lan": self.gw.mac("lan")}
        self.wire = {"wan": Wire(self.wan, "wanp"), "lan": Wire(self.lan, "lanp")}
        self.process = Gateway(self.gw, config(), name="proc")
        self.start()
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def start(self, *before):
        argv = [*before, DATAPLANE, "--config", self.process.file, "--run-dir", self.process.run_dir]
        self.process.dataplane = self.gw.start("dataplane", *argv)
        self.rings = None
        wait_for("both addresses answer", lambda: self.echoes("wan", WAN) and self.echoes("lan", LAN), 15)

    def stop(self):
        if self.rings:
            self.rings.close()
        return self.process.dataplane.stop()

    def attach(self):
        if self.rings is None:
            self.rings = Rings(self.lab, self.process.run_dir)
            self.rings.attach(ms=10000)
        return self.rings

    def pid(self):
        return self.process.dataplane.pid

    def log(self):
        with open(self.process.dataplane.log) as f:
            return f.read()

    def echoes(self, name, address, seconds=0.3):
        """A raw echo request, and its reply."""
        self.process.dataplane.check()
        wire, src = self.wire[name], PEER if name == "wan" else HOST
        wire.forget()
        wire.send(eth(self.mac[name], wire.mac, ip4(src, address, 1, echo(77, 1, b"abc"))))
        return wire.wait(is_ip(address, src, 1), seconds) is not None

    def counters(self):
        return self.attach().counters()

    def total(self, key):
        return sum(w[key] for w in self.counters()["workers"])

    def drops(self):
        sums = {}
        for w in self.counters()["workers"]:
            for k, v in w["drop"].items():
                sums[k] = sums.get(k, 0) + v
        return sums

    def moved(self, reason, before):
        return self.drops().get(reason, 0) - before.get(reason, 0)

    def route(self, addr, plen, nexthop):
        before = self.counters()["applied"]
        self.rings.ask("route-set", addr=addr, plen=plen, nexthop=nexthop)
        wait_for("the route is applied", lambda: self.counters()["applied"] > before, 5, 0.01)

    def told(self, addr):
        """What the data plane says that it does with packets to addr."""
        seq = self.rings.do("fib-get", addr=addr)["seq"]
        return self.rings.event(event="fib-info", query=seq)

    def tables(self):
        return re.findall(r"table netdev (esplanade_\w+)", self.gw.run("nft", "list", "tables", peer=True).stdout)

    def refused(self, text, run_dir=None, *more):
        """A start that must fail: soon, with code 1 and one line that says why."""
        path = os.path.join(self.process.dir, "refused.yaml")
        with open(path, "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(text)
        begun = time.monotonic()
        r = self.gw.run(
            DATAPLANE, "--config", path, "--run-dir", run_dir or self.process.run_dir + "-x", *more, check=False
        )
        subprocess.run(["rm", "-rf", self.process.run_dir + "-x"], check=True)
        assert r.returncode == 1, (r.returncode, r.stderr)
        assert time.monotonic() - begun < 2, "it took its time"
        return r.stderr


# --- neighbours and echo ---


def test_kernel_hosts_resolve_and_ping_both_ports(p):
    assert p.wan.ping(WAN, count=3)[1] == 3
    assert p.lan.ping(LAN, count=3)[1] == 3
    assert p.mac["wan"] in p.wan.run("ip", "neigh", "show", WAN).stdout
    assert p.lan.ping(LAN, count=2, size=1472)[1] == 2, "a whole MTU"


def test_the_kernel_hears_nothing_on_our_ports(p):
    assert not p.wan.pings("203.0.113.99", timeout=1), "the kernel answers beside us"
    p.wire["wan"].forget()
    p.wire["wan"].send(eth(p.mac["wan"], p.wire["wan"].mac, ip4(PEER, WAN, 17, udp(5, 9, b"x"))))
    assert p.wire["wan"].wait(is_ip(WAN, PEER, 1), 2), "our address's port is closed: the kernel says so, by the TUN device"
    assert p.wire["wan"].wait(is_ip(WAN, PEER, 1), 0.3) is None, "port unreachable a second time, from somebody else"
    assert len(p.tables()) == 1


def test_hosts_reach_each_other_through_connected_networks(p):
    assert p.wan.ping(HOST, count=3)[1] == 3
    assert p.lan.ping(PEER, count=3)[1] == 3


def test_the_first_packet_to_an_unknown_neighbour_arrives(p):
    mac = "02:00:00:00:00:21"
    wan, lan = p.wire["wan"], p.wire["lan"]
    wan.forget()
    for i in range(3):
        lan.send(eth(p.mac["lan"], lan.mac, ip4(HOST, "203.0.113.21", 17, udp(1, 2, bytes([i])))))
    asked = wan.wait(is_arp(1, WAN, "203.0.113.21"))
    assert asked and asked[:6] == raw(ALL) and asked[22:28] == raw(p.mac["wan"])
    assert wan.wait(is_ip(dst="203.0.113.21"), 0.1) is None, "sent before it was resolved"
    wan.send(eth(p.mac["wan"], mac, arp(2, mac, "203.0.113.21", p.mac["wan"], WAN), ETH_ARP))
    got = [wan.wait(is_ip(dst="203.0.113.21")) for _ in range(3)]
    assert all(got) and [f[42] for f in got] == [0, 1, 2], "all three that were held, in order"
    assert got[0][:6] == raw(mac) and got[0][6:12] == raw(p.mac["wan"])


def test_packets_for_a_silent_neighbour_are_counted_once(p):
    p.attach()
    before = p.drops()
    for _ in range(5):
        p.wire["lan"].send(eth(p.mac["lan"], p.wire["lan"].mac, ip4(HOST, "203.0.113.66", 17, udp(1, 2, b"z"))))
    assert p.wire["wan"].wait(is_arp(1, WAN, "203.0.113.66"))
    # two at once, since three are held; the rest when it is given up; and the sender hears of it
    p.wire["lan"].forget()
    wait_for("given up", lambda: p.moved("no-neighbour", before) == 5, 6)
    error = p.wire["lan"].wait(is_ip(LAN, HOST, 1))
    assert error and error[34:36] == b"\x03\x01", "host unreachable"


def test_malformed_arp_moves_one_counter(p):
    p.attach()
    wire, me = p.wire["wan"], p.wire["wan"].mac
    bad = [
        arp(1, me, PEER, NONE, WAN, hw=6), arp(1, me, PEER, NONE, WAN, proto=0x86DD), arp(1, me, PEER, NONE, WAN, hlen=8),
        arp(1, me, PEER, NONE, WAN, plen=16), arp(3, me, PEER, NONE, WAN), arp(1, ALL, PEER, NONE, WAN),
        arp(2, NONE, PEER, me, WAN), arp(1, "01:00:5e:00:00:01", PEER, NONE, WAN),
    ]  # fmt: skip
    before = p.drops()
    wire.forget()
    for body in bad:
        wire.send(eth(ALL, me, body, ETH_ARP))
    wait_for("all are counted", lambda: p.moved("bad-arp", before) == len(bad), 3)
    assert wire.wait(is_arp(2), 0.2) is None


def test_arp_answers_only_for_the_addresses_of_that_port(p):
    wire, me = p.wire["wan"], p.wire["wan"].mac
    for addr in (LAN, HOST, "203.0.113.50", "0.0.0.0"):
        wire.forget()
        wire.send(eth(ALL, me, arp(1, me, PEER, NONE, addr), ETH_ARP))
        assert wire.wait(is_arp(2), 0.15) is None, addr
    # RFC 5227: a probe, whose sender has no address yet, is answered
    wire.forget()
    wire.send(eth(ALL, me, arp(1, me, "0.0.0.0", NONE, WAN), ETH_ARP))
    assert wire.wait(is_arp(2, WAN))


def test_nobody_takes_our_address_or_a_strangers(p):
    wire, thief = p.wire["wan"], "02:00:00:00:00:66"
    wire.send(eth(ALL, thief, arp(1, thief, WAN, NONE, WAN), ETH_ARP))
    wait_for("the conflict is told", lambda: "event=address-conflict" in p.log(), 3)
    assert p.echoes("wan", WAN)
    # hearsay about a neighbour that we never asked for makes no entry: the first packet asks
    wire.send(eth(p.mac["wan"], thief, arp(2, thief, "203.0.113.40", p.mac["wan"], WAN), ETH_ARP))
    wire.forget()
    p.wire["lan"].send(eth(p.mac["lan"], p.wire["lan"].mac, ip4(HOST, "203.0.113.40", 17, udp(1, 2, b"z"))))
    assert wire.wait(is_arp(1, WAN, "203.0.113.40"))


# --- routes ---


def test_a_static_route_by_the_rings_forwards(p):
    p.attach()
    first = p.rings.hello["nexthops"] // 4
    assert not p.wan.pings(BEHIND, timeout=1)
    p.rings.do("nexthop-set", id=first, kind=NH_PORT, port=1, via=HOST)
    p.route("10.77.0.0", 16, first)
    assert p.wan.ping(BEHIND, count=3)[1] == 3
    told = p.told(BEHIND)
    assert (told["addr"], told["plen"], told["nexthop"], told["routes"]) == ("10.77.0.0", 16, first, 1), told
    assert [(n["kind"], n["port"], n["via"]) for n in told["legs"]] == [(NH_PORT, 1, HOST)], told
    p.rings.do("barrier")
    p.rings.do("nexthop-del", id=first)
    p.rings.do("barrier")
    assert p.told(BEHIND)["legs"] == [] and not p.told("10.78.0.1")["found"]
    assert p.told(WAN)["nexthop"] == 0xFFFFFFFF and p.told(WAN)["legs"][0]["kind"] == NH_LOCAL
    assert (p.told(PEER)["addr"], p.told(PEER)["plen"]) == ("203.0.113.0", 24)
    before = p.drops()
    assert not p.wan.pings(BEHIND, timeout=1)
    wait_for("no-route is counted", lambda: p.moved("no-route", before) >= 1, 3)


def test_legs_share_flows_and_change_at_once(p):
    """Two neighbours on the LAN, made of frames: each flow is one's alone."""
    p.attach()
    lan, macs = p.wire["lan"], ["02:00:00:00:01:%02x" % i for i in range(3)]
    vias = [f"10.1.0.{100 + i}" for i in range(3)]
    nh = p.rings.hello["nexthops"] // 4 + 1

    def legs(*which):
        p.rings.do("nexthop-set", id=nh, legs=[{"kind": NH_PORT, "port": 1, "via": vias[i]} for i in which])

    def flow(sport):
        """The neighbour that got it."""
        lan.forget()
        p.wire["wan"].send(eth(p.mac["wan"], p.wire["wan"].mac, ip4(PEER, "10.80.0.1", 17, udp(sport, 9, b"x"))))
        frame = lan.wait(is_ip(PEER, "10.80.0.1"), 2)
        assert frame, f"flow {sport} is lost"
        return macs.index(":".join("%02x" % b for b in frame[:6]))

    for mac, via in zip(macs, vias):  # unasked answers do not count: ask first
        lan.forget()
        p.wire["wan"].send(eth(p.mac["wan"], p.wire["wan"].mac, ip4(PEER, via, 17, udp(1, 9, b"x"))))
        assert lan.wait(is_arp(1, LAN, via))
        lan.send(eth(p.mac["lan"], mac, arp(2, mac, via, p.mac["lan"], LAN), ETH_ARP))
        assert lan.wait(is_ip(PEER, via))
    legs(0, 1)
    p.route("10.80.0.0", 16, nh)
    told = p.told("10.80.0.1")
    assert [n["via"] for n in told["legs"]] == vias[:2] and told["nexthop"] == nh, told
    first = [flow(i) for i in range(1000, 1030)]
    assert set(first) == {0, 1} and first == [flow(i) for i in range(1000, 1030)]
    legs(2)
    p.rings.do("barrier")
    assert {flow(i) for i in range(1000, 1010)} == {2}
    legs(0, 1, 2)
    p.rings.do("barrier")
    assert {flow(i) for i in range(1000, 1030)} == {0, 1, 2}


def test_ten_thousand_route_records_pass_while_ping_goes_on(p):
    p.attach()
    first = p.rings.hello["nexthops"] // 4
    p.rings.do("nexthop-set", id=first, kind=NH_PORT, port=1, via=HOST)
    before = p.counters()["applied"]
    failed = 0
    for i in range(10000):
        n = i % 1000
        p.rings.write({"cmd": "route-set", "addr": f"10.{100 + n // 256}.{n % 256}.0", "plen": 24, "nexthop": first})
        failed += i % 500 == 0 and not p.echoes("wan", WAN, 1.0)
    sent = sum(p.rings.next(10) is not None for _ in range(10000))
    assert failed == 0 and sent == 10000
    wait_for("all are applied", lambda: p.counters()["applied"] - before >= 10000, 10)
    p.rings.ask("sync-begin")
    p.route("10.100.7.0", 24, first)
    p.rings.ask("sync-end")
    wait_for("swept", lambda: p.counters()["applied"] - before >= 10003, 10)
    p.rings.ask("route-del", addr="10.100.8.0", plen=24)
    assert p.rings.event(event="nack", type="route-del")["status"] == -2, "it was swept already"


# --- IKE ---


def ike_packet(data, sport=500, dport=500, total=None, bad_sum=False):
    head = struct.pack("!HHHH", sport, dport, 8 + len(data) if total is None else total, 0)
    pseudo = socket.inet_aton(PEER) + socket.inet_aton(WAN) + struct.pack("!BBH", 0, 17, 8 + len(data))
    s = cksum(pseudo + head + data) or 0xFFFF
    return ip4(PEER, WAN, 17, head[:6] + struct.pack("!H", s ^ bad_sum) + data)


def to_wan(p, packet):
    p.wire["wan"].send(eth(p.mac["wan"], p.wire["wan"].mac, packet))


def test_ike_reaches_the_control_plane_and_comes_back(p):
    p.attach()
    init = ikeinit.request()
    to_wan(p, ike_packet(init, sport=777))
    e = p.rings.event(event="ike", init=True)
    assert bytes.fromhex(e["data"]) == init
    assert (e["local"], e["local_port"], e["remote"], e["remote_port"], e["encap"], e["port"]) == (
        WAN, 500, PEER, 777, False, 0)  # fmt: skip
    other = init[:8] + b"12345678" + init[16:]
    to_wan(p, ike_packet(bytes(4) + other, sport=4500, dport=4500))
    e = p.rings.event(event="ike", init=False)
    assert bytes.fromhex(e["data"]) == other and e["encap"], "the marker is taken off"
    for size, encap in ((100, 0), (1400, 1), (4001, 1), (60000, 0), (1, 1)):
        data = b"\xff" if size == 1 else os.urandom(size)
        with socket_in(p.wan, socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((PEER, 4500 if encap else 777))
            s.settimeout(3)
            p.rings.ask("ike-send", data=data.hex(), local=WAN, remote=PEER, local_port=4500 if encap else 500,
                        remote_port=4500 if encap else 777, encap=encap, port=0, worker=e["worker"])  # fmt: skip
            got, where = s.recvfrom(65536)
        assert where == (WAN, 4500 if encap else 500)
        assert got == (bytes(4) if encap and size > 1 else b"") + data, f"{size} octets"


def test_bad_ike_moves_one_counter_each(p):
    p.attach()
    good = ikeinit.request()
    cases = [
        ("runt", ike_packet(good[:27])), ("runt", ike_packet(b"")), ("runt", ike_packet(bytes(4) + good[:20], dport=4500)),
        ("runt", ike_packet(b"\0\0\0", dport=4500)), ("keepalive", ike_packet(b"\xff", dport=4500)),
        ("bad-length", ike_packet(good, total=7)), ("bad-length", ike_packet(good, total=9999)),
        ("bad-checksum", ike_packet(good, bad_sum=True)), ("bad-version", ike_packet(good[:17] + b"\x00" + good[18:])),
        ("fragment", ip4(PEER, WAN, 17, udp(500, 500, good), frag=0x1FFF)),
    ]  # fmt: skip
    for reason, packet in cases:
        before = p.drops()
        to_wan(p, packet)
        wait_for(f"{reason} is counted", lambda: p.moved(reason, before) == 1, 2, 0.01)
        now = p.drops()
        assert {k for k in now if now[k] != before.get(k, 0)} == {reason}


def test_a_flood_of_init_requests_is_policed_and_starves_nobody(p):
    p.attach()
    before = p.drops()
    init = ikeinit.request()
    for i in range(3000):
        to_wan(p, ike_packet(os.urandom(8) + init[8:], sport=1000 + i))
    other = init[:8] + b"87654321" + init[16:]
    to_wan(p, ike_packet(other))
    assert bytes.fromhex(p.rings.event(event="ike", init=False)["data"]) == other
    lost = wait_for("some are refused", lambda: p.moved("ike-policed", before), 3)
    assert lost < 3000
    p.rings.events.clear()


# --- the process ---


def test_threads_have_no_more_rights_than_they_need(p):
    caps = {}
    for t in os.listdir(f"/proc/{p.pid()}/task"):
        with open(f"/proc/{p.pid()}/task/{t}/status") as f:
            s = dict(line.split(":", 1) for line in f if ":" in line)
        caps.setdefault(int(s["CapPrm"], 16), []).append(s["Name"].strip())
        assert s["CapEff"] == s["CapPrm"] and int(s["CapInh"], 16) == 0
        assert s["NoNewPrivs"].strip() == "1"
    assert set(caps) == {0, CAP_NET_ADMIN}, caps
    assert caps[CAP_NET_ADMIN] == ["esplanade-datap"], caps
    with open(f"/proc/{p.pid()}/limits") as f:
        assert re.search(r"Max core file size\s+0\s+0", f.read())


def test_frames_that_the_kernel_had_to_drop_are_counted(p):
    def missed():
        return p.counters()["ports"][0]["rx_missed"]

    before, rx = missed(), p.total("rx")
    frame = eth(p.mac["wan"], p.wire["wan"].mac, ip4(PEER, WAN, 17, udp(5, 9, b"x")))
    p.process.dataplane.signal(signal.SIGSTOP)
    try:
        for _ in range(12000):
            p.wire["wan"].send(frame)
    finally:
        p.process.dataplane.signal(signal.SIGCONT)
    wait_for("every frame is accounted for", lambda: missed() - before + p.total("rx") - rx >= 12000, 10)
    assert missed() > before


def test_idle_costs_little_and_sleeps(p):
    def ticks():
        with open(f"/proc/{p.pid()}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return int(words[11]) + int(words[12])

    p.attach()
    before, begun = ticks(), time.monotonic()
    time.sleep(1.5)  # a span to measure over, not a wait for something
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begun)
    assert used < 0.5, f"{used:.2f} CPUs for two idle workers"


def test_a_second_start_is_refused_and_the_first_lives(p):
    text = p.refused(config(), p.process.run_dir)
    assert text.count("\n") == 1 and "another esplanade-dataplane" in text and p.process.run_dir in text, text
    text = p.refused(config())
    assert text.count("\n") == 1 and "another esplanade-dataplane uses interface wan" in text, text
    assert len(p.tables()) == 1 and p.echoes("wan", WAN)


def test_start_errors_say_what_where_and_the_way_out(p):
    text = p.refused(config(wan="eth77"))
    assert text.count("\n") == 1, text
    for word in ("wan0", "eth77", "there are:", "wan", "lan"):
        assert word in text, text
    assert "Ethernet" in p.refused(config(wan="lo"))
    text = p.refused(config().replace("10.1.0.1/24]", "10.1.0.1/24], mtu: 9000"))
    assert "lan0" in text and "mtu: 1500" in text, text
    text = p.refused(config() + "nonsense: 1\n")
    assert "nonsense" in text and ":6:" in text, text
    text = p.refused(config().replace("workers: 2", "workers: [0, 999]"))
    assert "999" in text, text
    text = p.refused(config().replace("max-sas", "hugepages: true, max-sas"))
    assert "nr_hugepages" in text and re.search(r"\d+ pages", text), text
    text = p.refused(config().replace("max-sas", "memory: 64MB, max-sas"))
    assert "MB" in text and "memory" in text, text
    text = p.refused(config().replace("af_packet:wan", "pcap:rx=/nonexistent"))
    assert "/nonexistent" in text, text
    assert len(p.tables()) == 1


def test_eal_arguments_can_be_shown(p):
    r = p.gw.run(DATAPLANE, "--config", p.process.file, "--show-eal")
    for word in ("--no-huge", "--no-pci", "--force-max-simd-bitwidth=512", "iface=wan,qpairs=2", "--lcores"):
        assert word in r.stdout, r.stdout
    assert p.gw.run(DATAPLANE, "--config", p.process.file, "--check").returncode == 0
    assert "esplanade-dataplane " in p.gw.run(DATAPLANE, "--version").stdout


def test_a_link_that_goes_and_comes_is_told(p):
    p.attach()
    p.rings.events.clear()
    p.lan.run("ip", "link", "set", "lanp", "down")
    p.rings.event(event="link")
    wait_for("the log says so", lambda: "port=lan0 event=link-down" in p.log(), 3)
    p.wire["lan"].s.close()
    p.lan.run("ip", "link", "set", "lanp", "up")
    p.rings.event(event="link")
    p.wire["lan"] = Wire(p.lan, "lanp")
    assert p.wire["lan"].wait(is_arp(1, LAN, LAN), 3), "its address is announced again"
    p.lan.run("ip", "route", "replace", "default", "via", LAN)
    assert wait_for("lan answers", lambda: p.echoes("lan", LAN), 5)


def test_a_control_plane_that_goes_and_comes_finds_the_same_life(p):
    p.attach()
    was = p.rings.hello
    p.rings.close()
    p.rings = None
    assert p.echoes("wan", WAN)
    p.attach()
    assert p.rings.hello["epoch"] == was["epoch"] and p.rings.hello["attach"] > was["attach"]
    assert p.wan.ping(HOST, count=2)[1] == 2


def test_a_control_plane_that_shuts_its_doorbells_is_put_out(p):
    def ticks():
        with open(f"/proc/{p.pid()}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))

    p.attach()
    p.rings.close()
    p.rings = None
    for which in (slice(2, 3), slice(3, 4)):  # the ctl thread's, a worker's
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(5)
            wait_for("it can be reached", lambda: s.connect_ex(f"{p.process.run_dir}/dataplane.sock") == 0, 3)
            hello, fds = socket.recv_fds(s, 4096, 64)[:2]
            magic, layout, _, epoch, attach = struct.unpack_from("<IIQQI", hello)
            s.send(struct.pack("<IIQII32s", magic, layout, epoch, attach, os.getpid(), b"test"))
            wait_for("it is attached", lambda: f"event=attached attach={attach} " in p.log(), 3)
            bells = [socket.socket(fileno=fd) for fd in fds[1:]]
            os.close(fds[0])
            for bell in bells[which.start - 1 : which.stop - 1]:
                bell.shutdown(socket.SHUT_RDWR)
            assert s.recv(1) == b"", "the connection is closed"
            for bell in bells:
                bell.close()
        assert f"event=reset attach={attach} " in p.log()
    before = ticks()
    time.sleep(0.5)  # the span over which its CPU time is looked at
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 0.35, "it sleeps again"
    assert p.echoes("wan", WAN)


def test_a_killed_process_leaves_nothing_that_hinders_the_next(p):
    p.attach()
    was = p.rings.hello
    p.process.dataplane.kill()
    p.rings.event(event="lost")
    p.rings.close()
    assert len(p.tables()) == 1, "the rule is still there"
    p.start()
    p.attach()
    assert p.rings.hello["epoch"] != was["epoch"]
    assert len(p.tables()) == 1
    # and one with another run directory: what the killed one left on these interfaces goes
    p.stop()
    p.start()
    p.process.dataplane.kill()
    other = p.process.run_dir + "-2"
    p.lab.on_close(lambda: subprocess.run(["rm", "-rf", other], check=False))
    first, p.process.run_dir = p.process.run_dir, other
    p.start()
    chains = re.findall(r"chain (in_\w+)", p.gw.run("nft", "list", "ruleset", peer=True).stdout)
    assert len(chains) == len(set(chains)) == 2, chains
    assert p.stop() == 0
    p.process.run_dir = first
    p.start()


def test_an_interface_made_anew_under_its_name_is_not_taken_for_the_old_one(p):
    def make():
        p.lab.veth(p.gw, "wan", p.wan, "wanp", b_addr=f"{PEER}/24")
        p.wan.run("ip", "route", "replace", "10.0.0.0/8", "via", WAN)
        p.gw.address("wan", "203.0.113.99/24")
        p.mac["wan"], p.wire["wan"] = p.gw.mac("wan"), Wire(p.wan, "wanp")

    p.wire["wan"].s.close()
    p.gw.run("ip", "link", "del", "wan")
    wait_for("the log says what to do", lambda: "port=wan0 event=interface-gone interface=wan" in p.log(), 3)
    make()
    assert p.echoes("lan", LAN), "the other port goes on"
    looks = p.log().count("event=link-up")
    time.sleep(0.6)  # three looks at the links, none of which may say anything
    assert p.log().count("event=link-up") == looks and p.log().count("event=interface-gone") == 1
    assert not p.counters()["ports"][0]["up"]
    assert p.stop() == 0
    p.start()
    assert p.wan.ping(HOST, count=2)[1] == 2


def test_a_stopped_process_leaves_nothing(p):
    for number in (signal.SIGTERM, signal.SIGINT):
        if p.rings:
            p.rings.close()
        p.process.dataplane.signal(number)
        assert p.process.dataplane.wait(5) == 0
        assert p.tables() == [] and os.listdir(p.process.run_dir) == []
        assert wait_for("the kernel hears again", lambda: p.wan.pings("203.0.113.99"), 5)
        p.start()


def test_two_workers_run_on_one_cpu(p):
    assert p.stop() == 0
    p.start("taskset", "-c", "0")
    assert p.wan.ping(HOST, count=5, interval=0.05)[1] == 5
    assert p.stop() == 0
    p.start()


def pcap(path, *frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)


def frames_of(path):
    got = []
    with open(path, "rb") as f:
        data = f.read()[24:]
    while len(data) >= 16:
        size = struct.unpack("<I", data[8:12])[0]
        got.append(data[16 : 16 + size])
        data = data[16 + size :]
    return got


def test_files_go_in_and_out(p):
    d, peer, host = p.process.dir, "02:00:00:00:00:02", "02:00:00:00:00:03"
    ask = arp(1, host, HOST, NONE, LAN)
    pcap(f"{d}/lan.in", eth(ALL, host, ask, ETH_ARP))
    pcap(
        f"{d}/wan.in", eth(ALL, peer, arp(1, peer, PEER, NONE, WAN), ETH_ARP),
        *[eth("02:70:63:61:70:00", peer, ip4(PEER, HOST, 17, udp(1, 2, bytes([i]) * 20))) for i in range(3)],
        eth("02:70:63:61:70:00", peer, ip4(PEER, WAN, 1, echo(1, 1, b"x" * 32))),
    )  # fmt: skip
    text = config(1).replace("af_packet:lan", f"pcap:rx={d}/lan.in,tx={d}/lan.out")
    text = text.replace("af_packet:wan", f"pcap:rx={d}/wan.in,tx={d}/wan.out")
    path = f"{d}/pcap.yaml"
    with open(path, "w") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(text)
    run_dir = p.process.run_dir + "-p"
    p.lab.on_close(lambda: subprocess.run(["rm", "-rf", run_dir], check=False))
    gw = p.gw.start("pcap", DATAPLANE, "--config", path, "--run-dir", run_dir)
    wait_for("it runs", lambda: os.path.exists(f"{run_dir}/dataplane.sock") and "event=running" in open(gw.log).read(), 10)
    rings = Rings(p.lab, run_dir)
    rings.attach(ms=5000)
    wait_for("all went out", lambda: sum(w["tx"] for w in rings.counters()["workers"]) >= 10, 10)
    rings.close()
    assert gw.stop() == 0
    forwarded = [f for f in frames_of(f"{d}/lan.out") if is_ip(PEER, HOST, 17)(f)]
    assert [f[42] for f in forwarded] == [0, 1, 2] and forwarded[0][:6] == raw(host) and forwarded[0][22] == 63
    wan = frames_of(f"{d}/wan.out")
    assert sum(is_arp(2, WAN, PEER)(f) for f in wan) == 1 and sum(is_ip(WAN, PEER, 1)(f) for f in wan) == 1


if __name__ == "__main__":
    tap.main(__name__, Process)
