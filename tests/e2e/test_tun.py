#!/usr/bin/python3
"""The TUN device: the kernel's own sockets on the gateway's addresses, through the data plane and its tunnels."""

import ctypes
import errno
import os
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from esp_bench import GW, GW_LAN, HOST, OUT, PEER, EspBench  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import wait_for  # noqa: E402
from scapy_peer import Refused  # noqa: E402
from wire import Ip4, cksum, eth, ip4, udp  # noqa: E402

BGP, LOOP, FAR = 179, "192.0.2.77", "10.2.1.7"
ETH_ALL = 3
SYN, ACK, RST = 2, 16, 4
NH_DROP = 0
IP_MINTTL, IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 21, 10, 2, 14

_libc = ctypes.CDLL(None, use_errno=True)


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


def tcp_in(ns, ttl=None):
    s = socket_in(ns, socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(5)
    if ttl:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    return s


def segment(src, dst, sport, dport, flags=SYN, seq=1, ack=0, options=b"", **fields):
    """A TCP segment without text, in an IPv4 packet."""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (20 + len(options)) << 2, flags, 8192, 0, 0) + options
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(head))
    head = head[:16] + struct.pack("!H", cksum(pseudo + head)) + head[18:]
    return ip4(src, dst, 6, head, **fields)


class Sniffer:
    """Frames or packets of one interface."""

    def __init__(self, ns, ifname):
        self.s = socket_in(ns, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_ALL))
        self.s.bind((ifname, ETH_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.s.close()

    def take(self, want, seconds=1.0, most=1):
        """IPv4 packets that were seen in that time, for which want(Ip4) is true."""
        got, deadline = [], time.monotonic() + seconds
        while len(got) < most and (left := deadline - time.monotonic()) > 0:
            self.s.settimeout(left)
            try:
                data, where = self.s.recvfrom(65536)
            except socket.timeout:
                break
            if where[1] == 0x0800 and where[2] != socket.PACKET_OUTGOING and want(p := Ip4(data)):
                got.append(p)
        return got


def flags(p):
    return p.body[13] if p.proto == 6 else 0


class Tun(EspBench):
    """The bench of the ESP tests; on its LAN cable there is a kernel host too, with an address of its own."""

    KERNEL = "10.1.0.20"

    def __enter__(self):
        super().__enter__()
        self.host = self.lab.ns("host")
        # the far end of the LAN cable becomes a bridge between scapy's end and a host
        self.far.run("ip", "link", "add", "br0", "type", "bridge")
        self.lab.veth(self.far, "tohost", self.host, "eth0", None, f"{self.KERNEL}/24")
        for dev in ("lanp", "tohost", "br0"):
            self.far.run("ip", "link", "set", dev, *(("master", "br0") if dev != "br0" else ()), "up")
        self.host.run("ip", "route", "add", "default", "via", GW_LAN)
        wait_for("the host reaches the gateway", lambda: self.host.pings(GW_LAN), 10)
        self.device = self.tun()
        return self

    def tun(self):
        names = re.findall(r"^\d+: (esplanade\d+):", self.gw.run("ip", "-o", "link").stdout, re.M)
        assert len(names) == 1, names
        return names[0]

    def table(self):
        rules = self.gw.run("ip", "rule").stdout
        return re.findall(r"from (\S+) lookup (\d+)", rules)

    def main(self):
        return self.gw.run("ip", "route", "show", "table", "main").stdout

    def total(self, key):
        return sum(w[key] for w in self.rings.counters()["workers"])

    def listen(self, address=GW_LAN, port=BGP, ttl=None):
        s = tcp_in(self.gw, ttl)
        s.bind((address, port))
        s.listen()
        return s

    def connect(self, server, ttl=None):
        c = tcp_in(self.host, ttl)
        c.connect(server.getsockname())
        return c, server.accept()[0]


def talk(a, b, size=200000):
    """The same text both ways, whole."""
    text = os.urandom(size)
    for x, y in ((a, b), (b, a)):
        got = bytearray()
        sent = 0
        x.setblocking(False)
        y.settimeout(5)
        while len(got) < size:
            try:
                sent += x.send(text[sent : sent + 65536]) if sent < size else 0
            except BlockingIOError:
                pass
            got += y.recv(65536)
        x.settimeout(5)
        assert bytes(got) == text


def test_a_server_of_the_kernel_is_reached_through_the_data_plane(b):
    up, down = b.total("to_tun"), b.total("from_tun")
    with b.listen() as server:
        client, conn = b.connect(server)
        with client, conn:
            assert client.getpeername() == (GW_LAN, BGP) and conn.getpeername()[0] == b.KERNEL
            talk(client, conn)
    wait_for("counted", lambda: b.total("to_tun") > up + 20 and b.total("from_tun") > down + 20, 2, 0.02)


def test_one_syn_has_one_answer(b):
    with b.listen(), Sniffer(b.far, "lanp") as wire, Sniffer(b.gw, b.device) as tun:
        b.send("lan", segment(HOST, GW_LAN, 4711, BGP))
        answers = wire.take(lambda p: p.src == GW_LAN and p.proto == 6, 0.5, 9)
        assert [flags(p) for p in answers] == [SYN | ACK], [flags(p) for p in answers]
        assert len(tun.take(lambda p: p.src == HOST and flags(p) == SYN, 0.2, 9)) == 1
        b.send("lan", segment(HOST, GW_LAN, 4711, BGP, RST, 2))
    # nobody listens: one reset, and not one from each of two kernels
    with Sniffer(b.far, "lanp") as wire:
        b.send("lan", segment(HOST, GW_LAN, 4712, BGP))
        answers = wire.take(lambda p: p.src == GW_LAN and p.proto == 6, 0.5, 9)
        assert [flags(p) for p in answers] == [RST | ACK]


def test_a_closed_udp_port_is_said_once(b):
    with Sniffer(b.far, "lanp") as wire:
        b.send("lan", ip4(HOST, GW_LAN, 17, udp(1000, 9, b"x")))
        answers = wire.take(lambda p: p.src == GW_LAN and p.proto == 1, 0.5, 9)
        assert [p.body[:2] for p in answers] == [b"\x03\x03"]


def test_the_kernel_connects_from_our_address(b):
    server = tcp_in(b.host)
    with server:
        server.bind((b.KERNEL, 5000))
        server.listen()
        client = tcp_in(b.gw)
        client.bind((GW_LAN, 0))
        client.connect((b.KERNEL, 5000))
        conn, peer = server.accept()
        with client, conn:
            assert peer[0] == GW_LAN
            talk(client, conn)


def test_the_ttl_is_the_kernels_own(b):
    for ttl in (255, 1):
        # the server asks for the TTL that a neighbour's packet must still have; RFC 5082
        with b.listen(ttl=ttl) as server, Sniffer(b.far, "lanp") as wire, Sniffer(b.gw, b.device) as tun:
            server.setsockopt(socket.IPPROTO_IP, IP_MINTTL, ttl)
            client, conn = b.connect(server, ttl)
            with client, conn:
                talk(client, conn, 1000)
            seen = wire.take(lambda p: p.src == GW_LAN and p.proto == 6, 1, 4)
            assert seen and {p.ttl for p in seen} == {ttl}, [p.ttl for p in seen]
            seen = tun.take(lambda p: p.src == b.KERNEL and p.proto == 6, 1, 4)
            assert seen and {p.ttl for p in seen} == {ttl}, [p.ttl for p in seen]


def test_a_table_of_its_own_by_source(b):
    rules = b.table()
    assert sorted(a for a, _ in rules) == sorted([GW, GW_LAN]) and len({t for _, t in rules}) == 1, rules
    table = b.gw.run("ip", "route", "show", "table", rules[0][1]).stdout
    assert f"default dev {b.device}" in table and "unreachable default" in table, table
    assert b.main() == "", b.main()
    addresses = b.gw.run("ip", "-o", "-4", "address", "show", "dev", b.device).stdout
    assert sorted(re.findall(r"inet (\S+)", addresses)) == sorted([f"{GW}/32", f"{GW_LAN}/32"])
    assert b.gw.run("ip", "-o", "-6", "address", "show", "dev", b.device).stdout == ""
    conf = "/proc/sys/net/ipv4/conf"
    read = b.gw.run("cat", f"{conf}/{b.device}/rp_filter", f"{conf}/{b.device}/forwarding").stdout.split()
    assert read == ["0", "0"], read


def test_what_another_hand_removes_is_put_back(b):
    """As systemd-networkd does with rules and routes that it does not know, when it starts."""
    table = b.table()[0][1]

    def route():
        return b.gw.run("ip", "route", "show", "table", table).stdout

    with b.listen() as server:
        client, conn = b.connect(server)
        with client, conn:
            for address in (GW, GW_LAN):
                b.gw.run("ip", "rule", "del", "from", address, "lookup", table)
            b.gw.run("ip", "route", "flush", "table", table)
            wait_for("rules and routes are back", lambda: len(b.table()) == 2 and route().count("default") == 2, 3, 0.02)
            assert f"default dev {b.device}" in route() and "unreachable default" in route(), route()
            assert sorted(a for a, _ in b.table()) == sorted([GW, GW_LAN]), b.table()
            talk(client, conn, 1000)
    # nothing moves while nothing is missing: whoever listens would hear it five times a second
    said = open(b.process.dataplane.log).read().count("rules-put-back")
    assert said >= 1
    heard = b.gw.run("timeout", "1", "ip", "monitor", "rule", "route", check=False).stdout
    assert heard == "", heard
    assert open(b.process.dataplane.log).read().count("rules-put-back") == said


def test_an_address_is_there_before_the_answer_and_gone_after(b):
    b.rings.do("addr-set", addr=LOOP)
    with b.listen(LOOP) as server:
        client, conn = b.connect(server)
        with client, conn:
            talk(client, conn, 1000)
    assert (LOOP, b.table()[0][1]) in b.table()
    b.rings.do("addr-del", addr=LOOP)
    assert LOOP not in [a for a, _ in b.table()] and LOOP not in b.gw.run("ip", "address").stdout
    s = tcp_in(b.gw)
    try:
        s.bind((LOOP, BGP))
        raise AssertionError("the address is still there")
    except OSError as e:
        assert e.errno == errno.EADDRNOTAVAIL
    # what another control plane does not want any more goes with its sweep
    b.rings.do("addr-set", addr=LOOP)
    b.rings.close()
    b.rings = type(b.rings)(b.lab, b.process.run_dir)
    b.attach()
    assert LOOP in b.gw.run("ip", "address").stdout
    b.rings.ask("sync-begin")
    b.rings.ask("sync-end")
    wait_for("the sweep takes it", lambda: LOOP not in b.gw.run("ip", "address").stdout, 5)
    assert LOOP not in [a for a, _ in b.table()]


def test_a_foreign_source_does_not_leave(b):
    raw = socket_in(b.gw, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b.device.encode() + b"\0")
        b.forget()
        moved = b.moved(lambda: raw.sendto(ip4("198.18.0.1", HOST, 17, udp(1, 2, b"x")), (HOST, 0)))
        wait_for("it is counted", lambda: moved or b.state()[0]["bad-address"], 2, 0.02)
        assert set(moved) <= {"bad-address"} and b.receive("lan", 1, ms=100) == []


def test_lone_fragments_to_ourselves_are_counted(b):
    # 20 octets with more to come: nothing ends there
    b.expect(segment(HOST, GW_LAN, 1, BGP, mf=True), {"fragment": 1}, link="lan")
    late = b.state()[0]["reassembly-timeout"]
    b.expect(segment(HOST, GW_LAN, 1, BGP, frag=3), {}, link="lan")
    wait_for("the rest never came", lambda: b.state()[0]["reassembly-timeout"] == late + 1, 8)


def test_rubbish_from_the_device_harms_nobody(b):
    """Whoever has the right to may write any packet into the device: each is named, and a session lives on."""
    good = ip4(GW_LAN, HOST, 17, udp(1, 2, b"x"))
    rubbish = {
        "bad-options": ip4(GW_LAN, HOST, 17, udp(1, 2, b"x"), options=b"\x83\x07\x04\x0a\x01\x00\x09\x00"),  # LSRR
        "bad-length": good[:2] + b"\x40\x00" + good[4:],
        "bad-checksum": good[:10] + b"\x12\x34" + good[12:],
    }
    with b.listen() as server, socket_in(b.gw, socket.AF_PACKET, socket.SOCK_DGRAM, 0) as raw:
        client, conn = b.connect(server)
        with client, conn:
            for reason, packet in rubbish.items():
                b.forget()
                assert b.moved(lambda p=packet: raw.sendto(p, (b.device, 0x0800))) == {reason: 1}
            six = b"\x60" + b"\0" * 3 + b"\0\0\x3b\x40" + b"\xfe\x80" + b"\0" * 30
            assert b.moved(lambda: raw.sendto(six, (b.device, 0x86DD))) == {"bad-address": 1}
            # fragments and harmless options are packets like others
            nops = ip4(GW_LAN, HOST, 17, udp(1, 2, b"x"), options=b"\x01" * 4)
            for packet in (ip4(GW_LAN, HOST, 17, b"x" * 64, frag=8), nops):
                b.forget()
                raw.sendto(packet, (b.device, 0x0800))
                assert packet in b.receive("lan", 1)
            talk(client, conn, 1000)


def test_two_gateways_of_one_host(b):
    """Each has its device, its table and its rules; what one leaves behind is removed without touching the other's."""
    config = """gateway: {name: second}
dataplane: {workers: 1, max-sas: 16, max-routes: 64}
ports:
  wan0: {device: "pcap:tx=@DIR@/out.pcap", addresses: [198.51.100.1/24]}
"""
    other = Gateway(b.gw, config, name="second")

    def rules(n):
        ours, theirs = ([a for a, t in b.table() if (t == mine) is same] for same in (True, False))
        return sorted(ours) == sorted([GW, GW_LAN]) and theirs == ["198.51.100.1"] * n

    def devices():
        return len(re.findall(r"^\d+: esplanade\d+:", b.gw.run("ip", "-o", "link").stdout, re.M))

    mine = b.table()[0][1]
    with b.listen() as server:
        client, conn = b.connect(server)
        with client, conn:
            for end in (lambda: other.dataplane.kill(), lambda: other.dataplane.stop()):
                other.start_dataplane()
                wait_for("it has its device and its rule", lambda: devices() == 2 and rules(1), 10)
                talk(client, conn, 1000)
                end()
                talk(client, conn, 1000)
            assert rules(0), b.table()


def test_through_a_tunnel_and_never_beside_it(b):
    pair = b.pair()
    with b.listen() as _, Sniffer(b.far, "wanp") as wire:
        # a SYN out of the tunnel: its answer is inside ESP, with the kernel's TTL
        b.forget()
        b.send("wan", pair.packet(segment(FAR, GW_LAN, 4713, BGP, ttl=255)))
        outer = next(p for p in map(Ip4, b.receive("wan", 1)) if p.proto == 17)
        inner = Ip4(pair.decrypt(outer.raw))
        assert (inner.src, inner.dst, flags(inner), inner.ttl) == (GW_LAN, FAR, SYN | ACK, 64)
        assert wire.take(lambda p: p.src == GW_LAN, 0.3) == [], "in clear on the WAN"
        # the same in clear: whoever is on the wire could speak for the peer
        b.expect(segment(FAR, GW_LAN, 4714, BGP), {"clear-to-protected": 1})
        b.expect(segment(FAR, GW_LAN, 4713, BGP, RST, 2), {"clear-to-protected": 1})
        b.expect(ip4(FAR, GW_LAN, 17, udp(1, 2, b"x")), {"clear-to-protected": 1})


def test_what_does_not_fit_the_tunnel_is_told_to_the_kernel(b):
    pair = b.pair()
    s = socket_in(b.gw, socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.bind((GW_LAN, 0))
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        s.connect((pair.host, 7))
        s.send(b"x" * 1472)

        def known():
            return s.getsockopt(socket.IPPROTO_IP, IP_MTU)

        wait_for("the kernel knows the tunnel's MTU", lambda: known() < 1500, 3, 0.01)
        mtu = known()
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
        assert 1400 < mtu < 1480, mtu
        b.forget()
        s.send(b"y" * (mtu - 28))
        outer = [p for p in map(Ip4, b.receive("wan", 1)) if p.proto == 17]
        assert Ip4(pair.decrypt(outer[0].raw)).total == mtu
        # without DF it goes in fragments
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
        b.forget()
        s.send(b"z" * 1472)
        parts = [Ip4(pair.decrypt(p.raw)) for p in map(Ip4, b.receive("wan", 2))]
        assert sorted(p.mf for p in parts) == [False, True] and sum(len(p.body) for p in parts) == 1480


def test_an_update_of_4096_octets_fits_a_small_tunnel(b):
    pair = b.pair()
    b.rings.do("tunnel-set", slot=pair.index, local=GW, port=0, name=f"t{pair.index}", mtu=700, mss=0xFFFF)
    b.rings.do("sa-del", slot=pair.index, dir=OUT)  # an SA keeps the MTU that it came with
    pair.add("sa-out-add")
    with b.listen() as server:

        def say(*args, **o):
            b.send("wan", pair.packet(segment(pair.host, GW_LAN, 4800, BGP, *args, **o)))

        def hear():
            for outer in map(Ip4, b.receive("wan", 1, ms=500)):
                return Ip4(pair.decrypt(outer.raw)) if outer.proto == 17 else None

        b.forget()
        say(SYN, 1, options=struct.pack("!BBH", 2, 4, 1460))
        first = hear()
        assert first and flags(first) == SYN | ACK
        begin = int.from_bytes(first.body[4:8], "big") + 1
        say(ACK, 2, begin)
        conn = server.accept()[0]
        with conn:
            too_big = b.state()[0]["too-big"]
            text = os.urandom(4096)
            conn.sendall(text)
            got, sizes, deadline = bytearray(), [], time.monotonic() + 10
            while len(got) < len(text) and time.monotonic() < deadline:
                p = hear()
                if p and (body := p.body[(p.body[12] >> 4) * 4 :]):
                    sizes.append(p.total)
                    if int.from_bytes(p.body[4:8], "big") == (begin + len(got)) % 2**32:
                        got += body
                    say(ACK, 2, (begin + len(got)) % 2**32)
            assert bytes(got) == text, f"{len(got)} octets of 4096, in packets of {sizes}"
            assert 600 < max(sizes) <= 700, sizes
            wait_for("the first ones did not fit", lambda: b.state()[0]["too-big"] > too_big, 2)


def test_the_hosts_own_loopback_is_not_for_sale(b):
    for address in ("127.0.0.1", "224.0.0.5", "255.255.255.255", "0.0.0.1"):
        try:
            b.rings.do("addr-set", addr=address)
        except Refused:
            continue
        raise AssertionError(f"{address} was taken")
    assert len(b.table()) == 2, b.table()
    # a broadcast address of a connected network is nobody's, to the kernel neither
    try:
        b.rings.do("addr-set", addr="10.1.0.255")
        raise AssertionError("a broadcast address was taken")
    except Refused:
        pass
    assert len(b.table()) == 2 and "10.1.0.255" not in b.gw.run("ip", "-4", "-o", "address").stdout


def test_no_routes_make_the_kernels_packets_wait(b):
    """A /1 is 8 million words; a control plane that sends nothing else holds up nobody for longer than one of them."""
    hop = b.first_nexthop + 90
    for i in range(2):
        b.rings.do("nexthop-set", id=hop + i, kind=NH_DROP)
    b.route("128.0.0.0", 1, hop)
    with b.listen() as server:
        before, n, took = b.rings.counters()["applied"], 150, []
        for i in range(n):
            b.rings.ask("route-set", addr="128.0.0.0", plen=1, nexthop=hop + i % 2)
        started = time.monotonic()
        while b.rings.counters()["applied"] < before + n:
            begun = time.monotonic()
            client, conn = b.connect(server)
            took.append(time.monotonic() - begun)
            client.close()
            conn.close()
        assert len(took) > 3, "it was too fast to see"
        each = (time.monotonic() - started) / n  # and so is a turn; a connection takes a few
        assert sorted(took)[len(took) // 2] < max(10 * each, 0.05), (each, took)
    b.route("128.0.0.0", 1, 0, cmd="route-del")


def test_a_flood_of_syns_starves_neither_forwarding_nor_a_session(b):
    pair = b.pair()
    with b.listen() as server:
        client, conn = b.connect(server)
        flood = [segment(f"10.1.0.{30 + i % 200}", GW_LAN, 1024 + i, BGP, seq=i) for i in range(2000)]
        wan = [eth(b.mac["lan"][0], b.mac["lan"][1], p) for p in flood]
        raw = socket_in(b.far, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        raw.bind(("lanp", ETH_ALL))
        with client, conn, raw:
            before = b.state()[0]
            b.forget()
            for i in range(20):
                for f in wan:
                    raw.send(f)
                if i % 4 == 0:
                    talk(client, conn, 20000)
                b.send("wan", pair.packet(pair.inner(b"%d" % i)))
                assert [p for p in map(Ip4, b.receive("lan", 40, ms=300)) if p.src == pair.host], f"ESP stood still, {i}"
            drops = b.state()[0]
            moved = {k: drops[k] - before[k] for k in drops if drops[k] != before[k]}
            assert moved.get("tun-policed", 0) > 10000, moved
            assert not set(moved) & {"tx-full", "bad-icv", "no-mbuf"}, moved


def test_set_down_and_up_again(b):
    with b.listen() as server:
        client, conn = b.connect(server)
        with client, conn:
            b.gw.run("ip", "link", "set", b.device, "down")
            s = tcp_in(b.gw)
            s.bind((GW_LAN, 0))
            try:
                s.connect((b.KERNEL, 5000))
                raise AssertionError("it found another way")
            except OSError as e:
                assert e.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH), e
            s.close()
            wait_for("it is known to be down", lambda: b.moved(
                lambda: b.send("lan", segment(HOST, GW_LAN, 1, BGP, ACK))) == {"link-down": 1}, 3, 0.05)  # fmt: skip
            b.gw.run("ip", "link", "set", b.device, "up")
            wait_for("its route is back", lambda: f"default dev {b.device}" in b.gw.run(
                "ip", "route", "show", "table", b.table()[0][1]).stdout, 3)  # fmt: skip
            talk(client, conn, 1000)


def ends_and_begins_again(b, end):
    b.rings.close()
    end()
    b.process.start_dataplane()
    b.rings = type(b.rings)(b.lab, b.process.run_dir)
    b.attach()
    wait_for("both ports forward", b._ready, 20)
    b.device = b.tun()
    rules = b.table()
    assert sorted(a for a, _ in rules) == sorted([GW, GW_LAN]) and len({t for _, t in rules}) == 1, rules
    wait_for("the host reaches the gateway", lambda: b.host.pings(GW_LAN), 10)
    with b.listen() as server:
        client, conn = b.connect(server)
        with client, conn:
            talk(client, conn, 1000)


def test_at_its_end_nothing_is_left(b):
    def end():
        table = b.table()[0][1]
        assert b.process.dataplane.stop() == 0
        assert b.table() == [] and "esplanade" not in b.gw.run("ip", "link").stdout and b.main() == ""
        assert b.gw.run("ip", "route", "show", "table", table, check=False).stdout == ""

    ends_and_begins_again(b, end)


def test_after_kill_9_the_next_start_is_whole(b):
    b.rings.do("addr-set", addr=LOOP)

    def end():
        b.process.dataplane.kill()
        assert "esplanade" not in b.gw.run("ip", "link").stdout
        assert len(b.table()) == 3, b.table()  # they lead nowhere, and the next start removes them

    ends_and_begins_again(b, end)


if __name__ == "__main__":
    tap.main(__name__, Tun)
