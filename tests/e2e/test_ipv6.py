#!/usr/bin/python3
"""IPv6 through the data plane, with kernels as neighbours: discovery, forwarding, errors, and the kernel's own sockets."""

import os
import re
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402
from test_tun import socket_in  # noqa: E402

GW_W, GW_E = "2001:db8:1::1", "2001:db8:2::1"
WEST, EAST, FAR = "2001:db8:1::9", "2001:db8:2::9", "2001:db8:77::1"
MTU_E = 1400

CONFIG = f"""
gateway: {{name: gw}}
dataplane: {{workers: [0], memory: 512MB, hugepages: no, max-routes: 1000}}
ports:
  west:
    device: af_packet:west
    addresses: ["{GW_W}/64", 10.9.1.1/24]
  east:
    device: af_packet:east
    addresses: ["{GW_E}/64"]
    mtu: {MTU_E}
routes:
  - {{to: "2001:db8:77::/48", via: "{EAST}"}}
  - {{to: "2001:db8:66::/48", blackhole: true}}
"""


class Bench:
    def __enter__(self):
        self.lab = Lab()
        self.gw_ns, self.west, self.east = (self.lab.ns(n) for n in ("gw", "west", "east"))
        for n in (self.west, self.east):
            for key, value in (("disable_ipv6", 0), ("accept_dad", 0), ("accept_ra", 0)):
                n.sysctl(f"net.ipv6.conf.default.{key}", value)
                n.sysctl(f"net.ipv6.conf.all.{key}", value)
        self.lab.veth(self.gw_ns, "west", self.west, "eth0", None, f"{WEST}/64")
        self.lab.veth(self.gw_ns, "east", self.east, "eth0", None, f"{EAST}/64")
        self.east.address("lo", f"{FAR}/128")
        self.west.route("default", "via", GW_W)
        self.east.route("default", "via", GW_E)
        self.west.address("eth0", "10.9.1.9/24")
        self.gw = Gateway(self.gw_ns, CONFIG).start()
        wait_for("the west is heard", lambda: ping(self.west, GW_W)[0], 10)
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def explain(self):
        return f"drops {self.gw.drops()}\n{self.gw.log_text()[-2000:]}"


def ping(ns, address, *more, wait=1, count=1):
    """(answers, what ping said)."""
    r = ns.run("ping", "-6", "-n", "-c", count, "-i", "0.2", "-W", wait, *more, address, peer=True, check=False)
    return int(re.search(r"(\d+) received", r.stdout).group(1)), r.stdout


def mac_of(b, port):
    return b.gw_ns.mac(port)


def test_the_gateway_answers_on_both_its_addresses(b):
    assert ping(b.west, GW_W, count=3)[0] == 3
    groups = b.gw_ns.run("ip", "maddr", "show", "dev", "west").stdout
    assert "33:33:ff:00:00:01" in groups, groups  # a device with a filter would let it through
    o = [int(x, 16) for x in mac_of(b, "west").split(":")]
    local = f"fe80::{o[0] ^ 2:02x}{o[1]:02x}:{o[2]:02x}ff:fe{o[3]:02x}:{o[4]:02x}{o[5]:02x}"
    assert ping(b.west, f"{local}%eth0", count=2)[0] == 2, local
    table = b.west.run("ip", "-6", "neigh", "show").stdout
    for a in (GW_W, local):
        line = next(x for x in table.splitlines() if re.sub(r"\b0+(?=\w)", "", a) in re.sub(r"\b0+(?=\w)", "", x))
        assert mac_of(b, "west") in line and "router" in line, table


def test_packets_go_through_with_one_hop_less(b):
    assert ping(b.west, EAST, count=3)[0] == 3
    got, said = ping(b.east, WEST, "-s", 1200)
    assert got == 1 and "ttl=63" in said, said
    assert ping(b.west, FAR)[0] == 1  # by a route with a gateway
    assert b.west.ping("10.9.1.1")[1] == 1  # the other family beside it


def test_a_hop_too_far_is_told(b):
    got, said = ping(b.west, EAST, "-t", 1)
    assert got == 0 and f"From {GW_W} icmp_seq=1 Time exceeded: Hop limit" in said, said


def test_no_way_is_told(b):
    _, said = ping(b.west, "2001:db8:99::1")
    assert f"From {GW_W} icmp_seq=1 Destination unreachable: No route" in said, said
    before = b.gw.drops().get("blackhole", 0)
    _, said = ping(b.west, "2001:db8:66::1")
    assert "From" not in said.split("\n", 1)[1] and b.gw.drops().get("blackhole", 0) == before + 1, said


def test_nobody_at_home_is_told(b):
    _, said = ping(b.west, "2001:db8:2::99", wait=5)
    assert f"From {GW_W} icmp_seq=1 Destination unreachable: Address unreachable" in said, said


def test_too_big_is_told_and_learned(b):
    _, said = ping(b.west, EAST, "-M", "do", "-s", 1452)
    assert f"From {GW_W} icmp_seq=1 Packet too big: mtu={MTU_E}" in said, said
    assert ping(b.west, EAST, "-M", "do", "-s", MTU_E - 48)[0] == 1
    route = b.west.run("ip", "-6", "route", "get", EAST).stdout
    assert f"mtu {MTU_E}" in route, route


def test_whoever_wants_our_address_does_not_get_it(b):
    b.west.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
    b.west.run("ip", "address", "add", f"{GW_W}/64", "dev", "eth0")
    show = lambda: b.west.run("ip", "-6", "address", "show", "dev", "eth0").stdout  # noqa: E731
    wait_for("its duplicate is found", lambda: "dadfailed" in show(), 5)
    b.west.run("ip", "address", "del", f"{GW_W}/64", "dev", "eth0")
    assert "event=address-conflict" in b.gw.log_text() and GW_W in b.gw.log_text()
    assert ping(b.west, GW_W)[0] == 1


def test_link_local_stays_on_its_link(b):
    before = b.gw.drops().get("bad-address", 0)
    host = bytes.fromhex(b.west.mac("eth0").replace(":", ""))
    frame = bytes.fromhex(mac_of(b, "west").replace(":", "")) + host + b"\x86\xdd"
    frame += struct.pack("!IHBB", 6 << 28, 8, 17, 64) + socket.inet_pton(socket.AF_INET6, "fe80::1234")
    frame += socket.inet_pton(socket.AF_INET6, EAST) + struct.pack("!HHHH", 4000, 53, 8, 0)
    with socket_in(b.west, socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("eth0", 0))
        s.send(frame)
    wait_for("it is dropped", lambda: b.gw.drops().get("bad-address", 0) == before + 1, 5)


def test_the_kernels_sockets_speak_ipv6(b):
    with socket_in(b.gw_ns, socket.AF_INET6, socket.SOCK_STREAM) as s, socket_in(b.west, socket.AF_INET6, socket.SOCK_STREAM) as c:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((GW_W, 179))
        s.listen()
        s.settimeout(5)
        c.settimeout(5)
        c.connect((GW_W, 179))
        p, who = s.accept()
        with p:
            assert who[0] == WEST
            p.settimeout(5)
            for text in (b"x" * 5000, b"y" * 40000):
                p.sendall(text)
                got = b""
                while len(got) < len(text):
                    got += c.recv(65536)
                assert got == text
                c.sendall(text)
                got = b""
                while len(got) < len(text):
                    got += p.recv(65536)
                assert got == text
    with socket_in(b.gw_ns, socket.AF_INET6, socket.SOCK_STREAM) as c, socket_in(b.east, socket.AF_INET6, socket.SOCK_STREAM) as s:
        s.bind((FAR, 4242))
        s.listen()
        s.settimeout(5)
        c.settimeout(5)
        c.bind((GW_E, 0))
        c.connect((FAR, 4242))
        p, who = s.accept()
        p.close()
        assert who[0] == GW_E


def test_nothing_of_it_is_left(b):
    rules = b.gw_ns.run("ip", "-6", "rule", "show").stdout
    assert GW_W in rules and GW_E in rules, rules
    assert b.gw.stop() == (0, 0)
    rules = b.gw_ns.run("ip", "-6", "rule", "show").stdout
    assert GW_W not in rules and GW_E not in rules, rules
    assert "unreachable" not in b.gw_ns.run("ip", "-6", "route", "show", "table", "all").stdout


if __name__ == "__main__":
    tap.main(__name__, Bench)
