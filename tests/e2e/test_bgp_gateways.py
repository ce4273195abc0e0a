"""Two of our gateways speak BGP with each other over two tunnels, which share what both bring.

    site-a           left                                  right            site-b
    10.1.0.10 --- lan | wan 203.0.113.1 === one === 203.0.113.2 wan | lan --- 10.2.0.10 to .25
                      |    203.0.113.11 === two === 203.0.113.12    |
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgplab import ANY, octets, peer_yaml  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402

PSK = "correct horse battery staple"
NET_A, NET_B, HOST_A = "10.1.0.0/24", "10.2.0.0/24", "10.1.0.10"
HOSTS_B = [f"10.2.0.{i}" for i in range(10, 26)]
AS = {"left": 65010, "right": 65020}
TUNNELS = {"one": ("203.0.113.1", "203.0.113.2"), "two": ("203.0.113.11", "203.0.113.12")}


def config(name, net, start="respond-only"):
    side = 0 if name == "left" else 1
    other = "right" if name == "left" else "left"
    ours, theirs = ([TUNNELS[t][s] for t in TUNNELS] for s in (side, 1 - side))
    lo, far = ([f"10.255.{i}.{s + 1}" for i in (1, 2)] for s in (side, 1 - side))
    tunnels, routes, peers = "", "", ""
    for i, t in enumerate(TUNNELS):
        tunnels += f"""
  {t}:
    local: {{port: wan0, address: {ours[i]}}}
    remote: {{address: {theirs[i]}}}
    auth: {{psk-file: @DIR@/psk}}
    ike: {{proposals: [aes256gcm16-prfsha384-x25519]}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    start: {start}"""
        routes += f"  - {{to: {far[i]}/32, tunnel: {t}}}\n"
        peers += peer_yaml(t, far[i], AS[other], source=lo[i])
    return f"""
gateway: {{name: {name}, addresses: [{lo[0]}/32, {lo[1]}/32]}}
dataplane: {{workers: {side + 1}}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [{ours[0]}/24, {ours[1]}/24]}}
  lan0: {{device: "af_packet:lan", addresses: [{net[:-4]}1/24]}}
routes:
{routes}tunnels:{tunnels}
bgp:
  as: {AS[name]}
  originate: [{net}]
  peers:
{peers}policies:
{ANY}"""


class Sites:
    """Both sites and both gateways, up."""

    def __enter__(self):
        self.lab = lab = Lab()
        self.a, left, right, self.b = (lab.ns(n) for n in ("site-a", "left", "right", "site-b"))
        lab.veth(self.a, "eth0", left, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", right, "lan")
        self.b.address("eth0", *(f"{h}/24" for h in HOSTS_B))
        lab.veth(left, "wan", right, "wan")
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")
        self.left = Gateway(left, config("left", NET_A, "always"), PSK, "left")
        self.right = Gateway(right, config("right", NET_B), PSK, "right").start()
        self.left.start()
        self.settled()
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def settled(self):
        for gw in (self.left, self.right):
            for t in TUNNELS:
                gw.wait_bgp(t, timeout=30)
        wait_for("both ways there", lambda: self.left.ways(HOSTS_B[0]) == ["one", "two"], 10)
        wait_for("both ways back", lambda: self.right.ways(HOST_A) == ["one", "two"], 10)

    def sent(self, gw):
        """Packets that went into each tunnel."""
        return [sum(c.packets_out for c in gw.children(t)) for t in TUNNELS]

    def echoes(self, each=3):
        for host in HOSTS_B:
            sent, received, _ = self.a.ping(host, each, 0.02)
            assert sent == received, f"{received} of {sent} from {host}: {self.left.drops()} {self.right.drops()}"

    def explain(self):
        return "".join(f"{g.name}:\n" + "".join(g.log_text().splitlines(True)[-25:]) for g in (self.left, self.right))


def test_two_tunnels_share_the_flows(sites):
    sites.echoes(1)
    before = sites.sent(sites.left), sites.sent(sites.right)
    sites.echoes(10)
    for gw, old in zip((sites.left, sites.right), before):
        new = [b - a for a, b in zip(old, sites.sent(gw))]
        # 16 flows of 10 echoes; the keepalives are few
        assert min(new) >= 20 and sum(new) >= 160, (gw.name, new)


def test_both_ends_show_the_same(sites):
    for gw, net, other in ((sites.left, NET_B, "right"), (sites.right, NET_A, "left")):
        for i, t in enumerate(TUNNELS, 1):
            row = gw.bgp_paths(t)[net]
            assert octets(row["as_path"]) == [AS[other]] and row["next_hop"].startswith(f"10.255.{i}."), row
            assert row["best"] or row["multipath"], row


def test_one_tunnel_down_moves_its_flows(sites):
    sites.left.down("one")
    wait_for("only the other way there", lambda: sites.left.ways(HOSTS_B[0]) == ["two"], 10)
    wait_for("only the other way back", lambda: sites.right.ways(HOST_A) == ["two"], 10)
    sites.echoes()
    assert sites.left.bgp_state("two") == "established"
    sites.left.up("one")
    sites.settled()
    sites.echoes()


if __name__ == "__main__":
    tap.main(__name__, Sites)
