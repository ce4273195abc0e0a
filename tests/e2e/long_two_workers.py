#!/usr/bin/python3
"""Two workers at each of two gateways: numbered datagrams of many flows, both ways, over one tunnel and over eight; none is lost and
no flow changes its order, though most change the worker on their way.

    site-a  ---  lan | left | wan  ---  wan | right | lan  ---  site-b
    10.1.I.10            203.0.113.1    203.0.113.2            10.2.I.10      tunnel I has 10.1.I.0/24 and 10.2.I.0/24
"""

import contextlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import TOP, Lab, wait_for  # noqa: E402

PSK = "correct horse battery staple"
FLOWS = os.path.join(TOP, "tests", "lib", "flows.py")
PER_FLOW, RATE = 1500, 4000
CASES = (1, 8)


def config(name, wan, peer, here, there, n, start):
    lan = ", ".join(f"10.{here}.{i}.1/24" for i in range(n))
    text = f"""
gateway: {{name: {name}}}
dataplane: {{workers: [0, 1], idle: adaptive}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [{wan}/24]}}
  lan0: {{device: "af_packet:lan", addresses: [{lan}]}}
routes:
"""
    text += "".join(f"  - {{to: 10.{there}.{i}.0/24, tunnel: t{i}}}\n" for i in range(n))
    text += "tunnels:\n"
    for i in range(n):
        text += f"""  t{i}:
    local: {{port: wan0, id: g{here}-{i}.example}}
    remote: {{address: {peer}, id: g{there}-{i}.example}}
    auth: {{psk-file: @DIR@/psk}}
    ike: {{proposals: [aes256gcm16-prfsha384-x25519]}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    selectors: [{{local: 10.{here}.{i}.0/24, remote: 10.{there}.{i}.0/24}}]
    encapsulation: {"force" if i % 2 else "auto"}
    start: {start}
"""
    return text


class Sites:
    def __init__(self, lab, n):
        self.n = n
        self.a, self.left_ns, self.right_ns, self.b = (lab.ns(f"{x}{n}") for x in ("a", "left", "right", "b"))
        lab.veth(self.a, "eth0", self.left_ns, "lan", "10.1.0.10/24")
        lab.veth(self.b, "eth0", self.right_ns, "lan", "10.2.0.10/24")
        lab.veth(self.left_ns, "wan", self.right_ns, "wan")
        for ns, net in ((self.a, 1), (self.b, 2)):
            ns.address("eth0", *(f"10.{net}.{i}.10/24" for i in range(1, n)))
            ns.route("default", "via", f"10.{net}.0.1")
        self.left = Gateway(self.left_ns, config("left", "203.0.113.1", "203.0.113.2", 1, 2, n, "always"), PSK, f"left{n}")
        self.right = Gateway(self.right_ns, config("right", "203.0.113.2", "203.0.113.1", 2, 1, n, "respond-only"), PSK, f"right{n}")
        self.right.start()
        self.left.start()
        for i in range(n):
            way = {"address": f"10.2.{i}.10", "source": f"10.1.{i}.10", "timeout": 1}
            wait_for(f"tunnel {i} passes", lambda way=way: self.a.ping(**way)[1], 30, 0.1)

    def gateways(self):
        return self.left, self.right

    def flows(self, ns, here, there, per_flow):
        """16 flows from here to there over all tunnels, answered by the echo at the other end: what came back."""
        pairs = [f"10.{here}.{i % self.n}.10:{6000 + i}:10.{there}.{i % self.n}.10" for i in range(16)]
        return ns.start(f"flows{here}", "/usr/bin/python3", FLOWS, "send", per_flow, RATE, *pairs, stdout=-1)


@contextlib.contextmanager
def context():
    with Lab() as lab:
        yield {n: Sites(lab, n) for n in CASES}


def total(gw, key):
    return [w[key] for w in gw.show("workers")]


def drops(gw):
    return {k: v for k, v in gw.drops().items() if k in ("handoff-full", "tx-full", "no-mbuf", "replay", "replay-old", "sa-mismatch", "bad-icv")}


def run(s):
    before = [drops(g) for g in s.gateways()]
    missed = [[p["missed"] for p in g.show("ports")] for g in s.gateways()]
    echoes = [ns.start("echo", "/usr/bin/python3", FLOWS, "echo", 16) for ns in (s.a, s.b)]
    senders = [s.flows(s.a, 1, 2, PER_FLOW), s.flows(s.b, 2, 1, PER_FLOW)]
    for p in senders:
        out, _ = p.popen.communicate(timeout=100)
        assert p.popen.returncode == 0, out
        r = json.loads(out)
        assert r["lost"] == 0 and r["reordered"] == 0 and r["twice"] == 0, (r, [drops(g) for g in s.gateways()])
        assert r["received"] == 16 * PER_FLOW, r
    for e in echoes:
        e.stop()
    assert [drops(g) for g in s.gateways()] == before
    assert [[p["missed"] for p in g.show("ports")] for g in s.gateways()] == missed


def one_of(n):
    def case(sites):
        s = sites[n]
        for g in s.gateways():
            assert all((p["rx_queues"], p["tx_queues"]) == (2, 2) for p in g.show("ports")), g.show("ports")
        run(s)
        for g in s.gateways():
            assert all(x > 1000 for x in total(g, "rx")), ("the kernel's fan-out spreads the flows", g.show("workers"))
            assert max(total(g, "handoff_out")) > 1000, g.show("workers")
            assert sum(total(g, "handoff_in")) == sum(total(g, "handoff_out")), g.show("workers")
            busy = [x > 0 for x in total(g, "esp_out")]
            assert sum(busy) == min(n, 2), ("one tunnel has one owner, many are spread", g.show("workers"))

    case.seconds = 150
    return case


test_one_tunnel = one_of(1)
test_eight_tunnels = one_of(8)


if __name__ == "__main__":
    tap.main(__name__, context)
