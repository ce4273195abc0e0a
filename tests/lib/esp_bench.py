"""A data plane between two cables, a control plane by hand and scapy at both far ends: the context of the ESP tests.

    scapy 203.0.113.2 --- wan 203.0.113.1 [data plane] 10.1.0.1 lan --- 10.1.0.10 scapy

Behind each tunnel i the peer has 10.2.i.0/24. No control-plane process: ringctl gives what one would give.
"""

import collections
import random
import time
import typing

from gateway import Gateway
from netlab import Lab, LabError, wait_for
from scapy_peer import Rings, Scapy
from wire import Ip4, echo, eth, ip4, udp

GW, PEER, GW_LAN, HOST = "203.0.113.1", "203.0.113.2", "10.1.0.1", "10.1.0.10"
AES128, AES256 = 1, 2  # enum msg_encr
IN, OUT = 0, 1
SA_ENCAP, SA_ESN = 1, 2  # MSG_SA_*
SPI_SLOT_BITS = 20
NH_LOCAL, NH_TUNNEL = 3, 2
NATT = 4500

CONFIG = f"""gateway: {{name: esp-bench}}
dataplane: {{workers: %d, max-sas: 256, max-routes: 1024}}
ports:
  wan0: {{device: "%s:wan", addresses: [{GW}/24]}}
  lan0: {{device: "%s:lan", addresses: [{GW_LAN}/24]}}
"""


class Suite(typing.NamedTuple):
    """encr, integ: enum msg_encr, msg_integ. key_len: with the salt. crypt, auth: scapy's names."""

    name: str
    encr: int
    key_len: int
    crypt: str
    integ: int = 0
    auth_len: int = 0
    auth: str = ""
    esn: bool = False


class Pair:
    """A pair of SAs in a tunnel of its own."""

    def __init__(self, bench, index, suite, encap, window, worker, how=None, **limits):
        self.bench, self.index, self.suite, self.encap, self.window = bench, index, suite, encap, window
        self.worker = worker
        rnd = random.Random(index)
        self.how = how or Suite("", suite, 20 if suite == AES128 else 36, "AES-GCM")
        size = self.how.key_len + self.how.auth_len
        self.key_in, self.key_out = rnd.randbytes(size).hex(), rnd.randbytes(size).hex()
        self.spi_in = (rnd.randrange(1, 1 << 12) << SPI_SLOT_BITS) | index
        self.spi_out = rnd.randrange(256, 1 << 32)
        self.host = f"10.2.{index}.7"
        self.seq = 0
        self.limits = limits
        self.sa_drops = collections.Counter()  # of the inbound SA, that it has to have

    def install(self):
        """Tunnel, next hop, route and both SAs."""
        b, i, rings = self.bench, self.index, self.bench.rings
        rings.do("tunnel-set", slot=i, local=GW, port=0, name=f"t{i}", worker=self.worker)
        rings.do("nexthop-set", id=b.first_nexthop + i, kind=NH_TUNNEL, tunnel=i)
        b.route(f"10.2.{i}.0", 24, b.first_nexthop + i)
        self.add("sa-in-add")
        self.add("sa-out-add")
        ports = {"sport": NATT, "dport": NATT} if self.encap else {}
        b.scapy.ask("sa", name=f"to{i}", spi=self.spi_in, src=PEER, dst=GW, **self.scapy_suite(self.key_in), **ports)
        b.scapy.ask("sa", name=f"from{i}", spi=self.spi_out, src=GW, dst=PEER, **self.scapy_suite(self.key_out), **ports)
        return self

    def scapy_suite(self, key):
        cut = 2 * self.how.key_len
        return {"key": key[:cut], "auth_key": key[cut:], "crypt": self.how.crypt, "auth": self.how.auth, "esn": self.how.esn}

    def add(self, cmd, **more):
        i = self.index
        way = cmd == "sa-in-add"
        o = {
            "worker": self.worker, "slot": i, "tunnel": i, "encr": self.suite, "integ": self.how.integ, "local": GW, "remote": PEER, "ts": [self.selectors()],
            "spi": self.spi_in if way else self.spi_out, "key": self.key_in if way else self.key_out,
            "window": self.window if way else 0,
        }  # fmt: skip
        if self.encap:
            o.update(local_port=NATT, remote_port=NATT)
        o["flags"] = (SA_ENCAP if self.encap else 0) | (SA_ESN if self.how.esn else 0)
        if way:
            o.update(self.limits)
        o.update(more)
        return self.bench.rings.do(cmd, **o)

    def selectors(self):
        return {"local": ["10.1.0.0", "10.1.0.255"], "remote": [f"10.2.{self.index}.0", f"10.2.{self.index}.255"]}

    # -- towards us

    def inner(self, payload=b"x" * 64, proto=17, src=None, dst=HOST, **fields):
        body = udp(1111, 2222, payload) if proto == 17 else payload
        return ip4(src or self.host, dst, proto, body, **fields)

    def next_seq(self):
        self.seq += 1
        return self.seq

    def seal(self, inner, seq=None, **how):
        """ESP by scapy, with the padding that the text needs unless how says otherwise."""
        pad = how.pop("pad", None)
        if pad is None:
            pad = bytes(range(1, 1 + -(len(inner) + 2) % 4))
        seq = self.next_seq() if seq is None else seq
        return bytes.fromhex(
            self.bench.scapy.ask("seal", sa=f"to{self.index}", inner=inner.hex(), pad=pad.hex(), seq=seq, **how)
        )

    def wrap(self, esp, src=PEER, dst=GW, sport=NATT, **fields):
        if self.encap:
            return ip4(src, dst, 17, udp(sport, NATT, esp), **fields)
        return ip4(src, dst, 50, esp, **fields)

    def packet(self, inner=None, **how):
        return self.wrap(self.seal(self.inner() if inner is None else inner, **how))

    def encrypt(self, inner, seq=None, high=0):
        """A whole packet as scapy makes it; high: of an extended number."""
        seq = self.next_seq() if seq is None else seq
        return bytes.fromhex(
            self.bench.scapy.ask("encrypt", sa=f"to{self.index}", packet=inner.hex(), seq=seq, high=high)
        )

    # -- from us

    def decrypt(self, outer):
        return bytes.fromhex(self.bench.scapy.ask("decrypt", sa=f"from{self.index}", packet=outer.hex()))

    def look(self, outer):
        p = Ip4(outer)
        return self.bench.scapy.ask("look", sa=f"from{self.index}", esp=p.body[8 if self.encap else 0 :].hex())


class EspBench:
    """beside: another bench, whose lab this one shares; tag tells their namespaces apart."""

    config = CONFIG

    def __init__(self, workers=1, beside=None, tag="", device="af_packet"):
        self.workers, self.beside, self.tag, self.device = workers, beside, tag, device

    def __enter__(self):
        self.lab = self.beside.lab if self.beside else Lab()
        self.gw, self.far = self.lab.ns(f"gateway{self.tag}"), self.lab.ns(f"far{self.tag}")
        self.lab.veth(self.gw, "wan", self.far, "wanp")
        self.lab.veth(self.gw, "lan", self.far, "lanp")
        self.mac = {n: (self.gw.mac(n), self.far.mac(n + "p")) for n in ("wan", "lan")}
        self.prepare()
        self.process = Gateway(self.gw, self.config % (self.workers, self.device, self.device), name=f"esp{self.tag}")
        self.process.start_dataplane()
        self.scapy = Scapy(self.far)
        peers = [f"203.0.113.{i}" for i in range(2, 10)]
        self.scapy.ask("open", name="wan", ifname="wanp", mac=self.mac["wan"][1], addresses=peers)
        self.scapy.ask("open", name="lan", ifname="lanp", mac=self.mac["lan"][1], addresses=[HOST])
        self.rings = Rings(self.lab, self.process.run_dir)
        self.pairs = 0
        self.attach()
        wait_for("both ports forward", self._ready, 20)
        return self

    def __exit__(self, *exc):
        self.process.dataplane.check()
        if not self.beside:
            self.lab.close()

    def prepare(self):
        """Before the data plane starts."""

    def attach(self):
        hello = self.rings.attach(ms=20000)
        # the upper half of the ids is the control plane's to give, as the real one does
        self.first_nexthop = hello["nexthops"] // 4
        return hello

    def _ready(self):
        """Our address answers an echo on both cables."""
        self.process.dataplane.check()
        for name, src, dst in (("wan", PEER, GW), ("lan", HOST, GW_LAN)):
            self.send(name, ip4(src, dst, 1, echo(7, 1)))
            if not self.receive(name, 1, ms=300):
                return False
        return True

    def route(self, addr, plen, nexthop, cmd="route-set"):
        before = self.rings.counters()["applied"]
        self.rings.ask(cmd, addr=addr, plen=plen, nexthop=nexthop)
        wait_for("the route is applied", lambda: self.rings.counters()["applied"] > before, 5, 0.01)

    def pair(self, suite=AES256, encap=True, window=1024, worker=0, **limits):
        self.pairs += 1
        return Pair(self, self.pairs, suite, encap, window, worker, **limits).install()

    # -- frames

    def send(self, name, *packets):
        ours, theirs = self.mac[name]
        self.scapy.ask("tx", name=name, frames=[eth(ours, theirs, p).hex() for p in packets])

    def receive(self, name, n, ms=2000):
        """IPv4 packets that came out of a port: n of them, or what came in time."""
        got = []
        deadline = time.monotonic() + ms / 1000
        while len(got) < n:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            for f in self.scapy.ask("rx", name=name, n=1, ms=int(left * 1000) + 1):
                f = bytes.fromhex(f)
                if f[12:14] == b"\x08\x00":
                    got.append(Ip4(f[14:]).raw)
        return got

    def forget(self):
        """Take what has come out and was not asked for."""
        for name in ("wan", "lan"):
            self.scapy.ask("rx", name=name, n=1, ms=0)

    # -- counters

    def state(self):
        c = self.rings.counters()
        drops = collections.Counter()
        for w in c["workers"]:
            drops.update(w["drop"])
        sas = {(s["slot"], s["dir"]): s for s in c["sas"]}
        return drops, sas

    def moved(self, send):
        """What the drop counters moved by while send() did. Behind it goes a keepalive: when that is counted, all is."""
        drops = self.state()[0]
        send()
        self.send("wan", ip4(PEER, GW, 17, udp(NATT, NATT, b"\xff")))
        wait_for("a keepalive is counted", lambda: self.state()[0]["keepalive"] > drops["keepalive"], 5, 0.002)
        now = self.state()[0]
        delta = {k: now[k] - drops[k] for k in now if now[k] != drops[k]}
        assert delta.pop("keepalive") == 1
        return delta

    def expect(self, packets, drops, pair=None, sa_drops=None, link="wan"):
        """These packets move exactly these counters: of the worker, and of the pair's inbound SA."""
        packets = [packets] if isinstance(packets, bytes) else packets
        moved = self.moved(lambda: self.send(link, *packets))
        assert moved == drops, f"the worker's drops moved by {moved}, not {drops}"
        if pair is not None:
            pair.sa_drops.update(sa_drops or {})
            self.expect_sa(pair, IN, drop=dict(pair.sa_drops))

    def expect_sa(self, pair, way, **figures):
        """The SA's counters come to be these. They are published a little later than the worker's own."""
        seen = {}

        def same():
            seen.update(self.state()[1].get((pair.index, way), {}))
            return all(seen.get(k) == v for k, v in figures.items())

        try:
            wait_for("the SA's counters", same, 3, 0.005)
        except LabError:
            raise AssertionError(f"the SA's counters are {seen}, not {figures}") from None

    def passes(self, pair, packets, inners):
        """These outer packets come out of the LAN port as these inner ones, one hop older, and nothing is dropped."""
        self.forget()
        moved = self.moved(lambda: self.send("wan", *packets))
        assert moved == {}, moved
        return self.receive("lan", len(inners))
