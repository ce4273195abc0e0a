"""IPv6 with FRR 8.4 and BIRD 2: routes that we tell, over IPv4 and over IPv6, and sessions over IPv6.

Here it is the BGP core and its sockets alone (tests/lib/bgp_speaker), to which every next hop is reachable and every
originated prefix there; long_bgp_v6_tunnel.py has whole gateways.
"""

import ipaddress
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgp_speaker import BgpSpeaker  # noqa: E402
from bgplab import ANY, AS_BIRD, AS_FRR, AS_GW, BIRD, BIRD_NET, FRR, FRR_NET, GW_B, GW_F, Edge, Sniffer  # noqa: E402
from bgplab import bird_conf, edge_yaml, frr_conf, octets, peer_yaml  # noqa: E402
from bird import Bird  # noqa: E402
from frr import Frr  # noqa: E402
from netlab import LabError, tail, wait_for  # noqa: E402

GW_F6, FRR6, GW_B6, BIRD6 = "2001:db8:11::1", "2001:db8:11::2", "2001:db8:12::1", "2001:db8:12::2"
FRR_NET6, BIRD_NET6, OUR_NET, OUR_NET6 = "2001:db8:50::/48", "2001:db8:60::/48", "10.80.0.0/24", "2001:db8:80::/48"
OVER_V6 = {"frr": (FRR6, GW_F6), "bird": (BIRD6, GW_B6)}
# a session has an address of one family: the next hop of the other is the policy's
POLICIES = f"""
  to-frr: [{{permit: {{set: {{next-hop: "{GW_F6}"}}}}}}]
  to-bird: [{{permit: {{set: {{next-hop: "{GW_B6}"}}}}}}]
  to-frr-v4: [{{permit: {{set: {{next-hop: {GW_F}}}}}}}]
  to-bird-v4: [{{permit: {{set: {{next-hop: {GW_B}}}}}}}]
"""


class Edge6(Edge):
    """The network of bgplab with IPv6 on both cables, and a speaker in the gateway's place."""

    def __enter__(self):
        super().__enter__()
        self.speaker = None
        for ns, ifname, *addresses in (
            (self.gw_ns, "lan0", f"{GW_F}/24", f"{GW_F6}/64"),
            (self.gw_ns, "lan1", f"{GW_B}/24", f"{GW_B6}/64"),
            (self.frr_ns, "eth0", f"{FRR6}/64"),
            (self.bird_ns, "eth0", f"{BIRD6}/64"),
        ):
            ns.sysctl(f"net.ipv6.conf.{ifname}.accept_dad", 0)
            ns.sysctl(f"net.ipv6.conf.{ifname}.disable_ipv6", 0)
            ns.address(ifname, *addresses)
        return self

    def fresh6(self, text, frr, bird, over_v6=False, wait=("frr", "bird")):
        self.stop()
        self.starts += 1
        self.frr = Frr(self.frr_ns, frr, f"frr{self.starts}").start()
        self.bird = Bird(self.bird_ns, bird, f"bird{self.starts}").start()
        self.speaker = BgpSpeaker(self.gw_ns, text, f"speaker{self.starts}", peers=OVER_V6 if over_v6 else None)
        for name in wait:
            wait_for(f"a session with {name}", lambda n=name: self.state(n) == "Established", 20)

    def state(self, name):
        return self.speaker.ask("neighbor", name)["state"]

    def received(self, name):
        return {r["prefix"]: r for r in self.speaker.ask("received", name)["rows"]}

    def stop(self):
        if self.speaker:
            self.speaker.kill()
            self.speaker = None
        super().stop()

    def explain(self):
        return super().explain() + (tail(self.speaker.log, 40) if self.speaker else "")


def ours(policies=("to-frr", "to-bird"), frr=None, bird=None):
    """Our file: both families with both peers; what goes out has the next hop of these policies."""
    both = {"families": "[ipv4, ipv6]"}
    peers = peer_yaml("frr", FRR, AS_FRR, export=policies[0], **both, **(frr or {}))
    peers += peer_yaml("bird", BIRD, AS_BIRD, export=policies[1], **both, **(bird or {}))
    return edge_yaml(peers, originate=f'{OUR_NET}, "{OUR_NET6}"', policies=ANY + POLICIES)


def frr6(peer=GW_F6, **more):
    return frr_conf(peer=peer, af=["activate"], **more) + (
        f"router bgp {AS_FRR}\n address-family ipv6 unicast\n  network {FRR_NET6}\n  neighbor {peer} activate\n"
        " exit-address-family\nexit\n"
    )


def bird6(lines="", **more):
    return bird_conf(
        lines=f"ipv6 {{ import all; export where source = RTS_STATIC; next hop address {BIRD6}; }}; {lines}",
        ipv4=f"next hop address {BIRD};",
        extra=f"protocol static nets6 {{ ipv6; route {BIRD_NET6} blackhole; }}",
        **more,
    )


def both_know(edge):
    """FRR and BIRD have each other's networks of both families, and ours, with our addresses as next hops."""
    for net, family, hop, path in (
        (OUR_NET6, "ipv6", GW_F6, [AS_GW]),
        (BIRD_NET6, "ipv6", GW_F6, [AS_GW, AS_BIRD]),
        (OUR_NET, "ipv4", GW_F, [AS_GW]),
        (BIRD_NET, "ipv4", GW_F, [AS_GW, AS_BIRD]),
    ):
        row = edge.frr.wait_path(net, family=family)
        assert octets(row["aspath"]["string"]) == path, row
        assert [h["ip"] for h in row["nexthops"]] == [hop], row
    for net, hop, path in (
        (OUR_NET6, GW_B6, [AS_GW]),
        (FRR_NET6, GW_B6, [AS_GW, AS_FRR]),
        (OUR_NET, GW_B, [AS_GW]),
        (FRR_NET, GW_B, [AS_GW, AS_FRR]),
    ):
        row = edge.bird.wait_path(net)
        assert octets(row["as_path"]) == path and row["next_hop"] == hop, row
    for name, net, hop in (("frr", FRR_NET6, FRR6), ("frr", FRR_NET, FRR), ("bird", BIRD_NET6, BIRD6), ("bird", BIRD_NET, BIRD)):
        row = edge.received(name)[net]
        assert row["next_hop"] == hop and row["verdict"]["accepted"], row


def never(edge):
    """FRR gets no session although both try for some seconds."""
    try:
        wait_for("a session", lambda: edge.state("frr") == "Established", 4, 0.2)
    except LabError:
        return
    raise LabError("there is a session with FRR")


def test_ipv6_routes_of_ours_over_ipv4(edge):
    edge.fresh6(ours(), frr6(peer=GW_F), bird6())
    both_know(edge)
    # withdrawn one by one, and told again
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv6 unicast", f"no network {FRR_NET6}")
    edge.bird.wait_gone(FRR_NET6)
    assert edge.bird.has(FRR_NET) and edge.bird.has(OUR_NET6)
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv6 unicast", f"network {FRR_NET6}")
    edge.bird.wait_path(FRR_NET6)
    # without a next hop of its family nothing can be told, and what was is taken back
    edge.speaker.config(ours(("any", "any")))
    for net in (OUR_NET6, BIRD_NET6):
        edge.frr.wait_gone(net, family="ipv6")
    edge.bird.wait_gone(OUR_NET6)
    assert edge.frr.has(OUR_NET) and edge.frr.has(BIRD_NET) and edge.bird.has(FRR_NET)
    assert edge.frr.flaps(GW_F) == (1, 0)


def over_v6(edge, role="both", frr_lines=(), bird_lines="", both=None, **more):
    both = {"connect": role, **(both or {})}
    edge.fresh6(ours(("to-frr-v4", "to-bird-v4"), both, both), frr6(lines=frr_lines), bird6(bird_lines, peer=GW_B6, local=BIRD6),
                over_v6=True, **more)  # fmt: skip


def test_we_connect_over_ipv6(edge):
    over_v6(edge, "active", ["passive"], "passive on;")
    assert edge.frr.neighbor(GW_F6)["portLocal"] == 179
    both_know(edge)
    assert edge.speaker.ask("neighbor", "frr")["tcp"]["local"] == GW_F6


def test_the_peers_connect_over_ipv6(edge):
    """And their next hops come as two addresses, the global and the link-local one (RFC 2545 3)."""
    edge.stop()
    sniffers = []
    for ns, address in ((edge.frr_ns, FRR6), (edge.bird_ns, BIRD6)):
        marker = bytes.fromhex("00020120") + ipaddress.ip_address(address).packed + bytes.fromhex("fe80")
        sniffers.append(Sniffer(ns, "eth0", "0x" + marker.hex()))
    over_v6(edge, "passive")
    assert edge.frr.neighbor(GW_F6)["portForeign"] == 179
    both_know(edge)
    for sniffer in sniffers:
        assert sniffer.stop()["marked"] > 0, "no next hop of 32 octets was on the cable"


def test_we_listen_before_our_address_is_there(edge):
    """As the control plane does, which may be up before the TUN has its addresses."""
    edge.stop()
    edge.gw_ns.run("ip", "address", "del", f"{GW_F6}/64", "dev", "lan0")
    try:
        over_v6(edge, "passive", wait=["bird"])
        with open(edge.speaker.log) as f:
            assert "listen-failed" not in f.read()
    finally:
        edge.gw_ns.address("lan0", f"{GW_F6}/64")
    wait_for("a session", lambda: edge.state("frr") == "Established", 20)


def test_both_connect_over_ipv6_and_it_comes_back(edge):
    over_v6(edge)
    both_know(edge)
    assert edge.frr.flaps(GW_F6) == (1, 0)
    edge.speaker.ask("clear", "frr")
    wait_for("FRR has lost a session", lambda: edge.frr.flaps(GW_F6)[1] == 1, 5)
    wait_for("a session", lambda: edge.state("frr") == "Established", 15)
    edge.bird.kill()
    edge.frr.wait_gone(BIRD_NET6, family="ipv6")
    edge.bird.start()
    wait_for("a session", lambda: edge.state("bird") == "Established", 20)
    both_know(edge)


def test_md5_over_ipv6_in_both_roles(edge):
    for role in ("active", "passive"):
        over_v6(edge, role, ["password a-key"], 'password "a-key";', {"password": '"a-key"'})
        both_know(edge)


def test_md5_over_ipv6_of_the_wrong_key(edge):
    over_v6(edge, "both", ["password another"], 'password "a-key";', {"password": '"a-key"'}, wait=["bird"])
    never(edge)
    # the user is told what it may be
    error = lambda: edge.speaker.ask("neighbor", "frr")["last_error"]["text"]
    wait_for("the remedy", lambda: "`password` the same at both ends" in error(), 5)


def test_gtsm_over_ipv6(edge):
    security = {"ttl-security": 1}
    over_v6(edge, "both", ["ttl-security hops 1"], "ttl security on;", security)
    both_know(edge)
    over_v6(edge, "both", [], "ttl security on;", security, wait=["bird"])  # FRR then sends with 1
    never(edge)


if __name__ == "__main__":
    tap.main(__name__, Edge6)
