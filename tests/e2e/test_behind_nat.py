#!/usr/bin/python3
"""We are the one behind the NAT: two of our gateways, a router that masquerades between them.

    site-a           branch                              router                        hub                site-b
    10.1.0.10 --- lan | wan 192.168.77.2 --- 192.168.77.1 | 203.0.113.2 --- 203.0.113.1 wan | lan --- 10.2.0.10
"""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402

PSK = "correct horse battery staple"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"
KEEPALIVE = "udp dport 4500 @th,32,16 9 @th,64,8 0xff"  # RFC 3948 2.3: one octet, 0xff
MASQUERADE = """
flush ruleset
table ip t {{
	counter keepalives {{
	}}
	chain seen {{
		type filter hook prerouting priority raw; policy accept;
		iifname "in" {keepalive} counter name keepalives
	}}
	chain outwards {{
		type nat hook postrouting priority srcnat; policy accept;
		oifname "out" meta l4proto udp masquerade to :{ports}
	}}
}}
"""


def config(wan, lan, routes, tunnel):
    return f"""gateway: {{name: gw}}
dataplane: {{workers: 1}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [{wan}/24]}}
  lan0: {{device: "af_packet:lan", addresses: [{lan}/24]}}
routes:
{routes}tunnels:
  link:
    auth: {{psk-file: @DIR@/psk}}
    dpd: 0
{tunnel}"""


BRANCH = config(
    "192.168.77.2", "10.1.0.1", "  - {to: 0.0.0.0/0, via: 192.168.77.1}\n  - {to: 10.2.0.0/24, tunnel: link}\n",
    """    local: {port: wan0, id: branch.example}
    remote: {address: 203.0.113.1, id: hub.example}
    selectors: [{local: 10.1.0.0/24, remote: 10.2.0.0/24}]
    start: always
""")  # fmt: skip
HUB = config(
    "203.0.113.1", "10.2.0.1", "  - {to: 10.1.0.0/24, tunnel: link}\n",
    """    local: {port: wan0, id: hub.example}
    remote: {address: any, id: branch.example}
    selectors: [{local: 10.2.0.0/24, remote: 10.1.0.0/24}]
    start: respond-only
""")  # fmt: skip


class Nat:
    def __init__(self, lab):
        self.a, self.branch_ns, self.hub_ns, self.b = (lab.ns(n) for n in ("site-a", "branch", "hub", "site-b"))
        self.router = lab.ns("router", forward=True)
        lab.veth(self.a, "eth0", self.branch_ns, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", self.hub_ns, "lan", f"{HOST_B}/24")
        lab.veth(self.branch_ns, "wan", self.router, "in", None, "192.168.77.1/24")
        lab.veth(self.hub_ns, "wan", self.router, "out", None, "203.0.113.2/24")
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")
        self.masquerade("40000-50000")
        self.branch = Gateway(self.branch_ns, BRANCH, PSK, "branch")
        self.hub = Gateway(self.hub_ns, HUB, PSK, "hub")

    def masquerade(self, ports):
        """From now on flows appear from other ports."""
        self.router.nft(MASQUERADE.format(ports=ports, keepalive=KEEPALIVE))
        self.router.run("conntrack", "-F", peer=True)

    def keepalives(self):
        text = self.router.run("nft", "list", "counter", "ip", "t", "keepalives", peer=True).stdout
        return int(text.split("packets ")[1].split()[0])

    def both(self):
        return self.branch, self.hub

    def traffic(self, count=10):
        for ns, host in ((self.a, HOST_B), (self.b, HOST_A)):
            sent, got, _ = ns.ping(host, count, 0.02)
            assert sent == got == count, f"{got} of {sent} from {ns.name}: {self.branch.drops()} {self.hub.drops()}"

    def explain(self):
        text = ""
        for g in self.both():
            text += f"--- {g.name}\n" + "\n".join(g.log_text().splitlines()[-30:]) + "\n"
            with contextlib.suppress(Exception):
                text += f"{g.show('tunnels')} {g.show('ike-sas')} {g.drops()}\n"
        return text


@contextlib.contextmanager
def nat():
    with Lab() as lab:
        yield Nat(lab)


def test_branch_behind_the_router_reaches_the_hub(n):
    n.hub.start()
    n.branch.start()
    wait_for("an echo", lambda: n.a.pings(HOST_B), 15)
    n.traffic()
    (b,), (h,) = n.branch.ikes("link"), n.hub.ikes("link")
    assert (b.nat, b.role, b.remote_port) == ("local", "initiator", 4500), b.raw
    assert (h.nat, h.role, h.remote) == ("remote", "responder", "203.0.113.2") and 40000 <= h.remote_port <= 50000, h.raw
    assert [c.raw["encap"] for g in n.both() for c in g.children("link")] == ["udp", "udp"]


def test_keepalives_come_from_the_one_behind_the_nat_and_disturb_nobody(n):
    before, drops = n.keepalives(), n.hub.drops()
    ike = n.hub.ikes("link")[0].spi_i
    wait_for("a keepalive", lambda: n.keepalives() > before, 25, 0.2)
    n.traffic()
    (sa,) = n.hub.ikes("link")
    assert sa.spi_i == ike
    more = {k: v - drops.get(k, 0) for k, v in n.hub.drops().items() if v != drops.get(k, 0)}
    assert set(more) <= {"keepalive"}, f"the hub blames keepalives: {more}"


def test_hub_follows_the_branch_to_its_new_mapping(n):
    old = n.hub.ikes("link")[0].remote_port
    n.masquerade("20000-30000")
    wait_for("an echo", lambda: n.a.pings(HOST_B), 10)
    n.traffic()
    (sa,) = n.hub.ikes("link")
    assert 20000 <= sa.remote_port <= 30000 and sa.remote_port != old, sa.raw


def test_hub_rekeys_towards_the_branch(n):
    old = {c.spi_in for c in n.hub.children("link")}
    n.hub.rekey_child("link")
    wait_for("another child", lambda: not old & {c.spi_in for c in n.hub.children("link") if c.state == "installed"}, 10)
    n.hub.rekey_ike("link")
    n.traffic(50)


if __name__ == "__main__":
    tap.main(__name__, nat)
