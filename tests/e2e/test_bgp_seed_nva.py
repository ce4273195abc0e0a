"""An appliance with FRR behind a router and two route servers of ours: the multihop sessions of tests/data/seed-003-frr.conf.

    nva, FRR 10.100.0.10 --- 10.100.0.1 router 10.100.210.1 -+- 10.100.210.4 ars4 10.0.4.1 --- 10.0.4.2 vnet, BIRD
             AS 65001                                         +- 10.100.210.5 ars5 10.0.5.1 --- 10.0.5.2
                                                                 AS 65515                       AS 64999

ars4 and ars5 are two gateways of ours in Azure Route Server's place. The virtual network gives them paths, of which they
take its AS away again, so that the appliance sees exactly the paths of PATHS behind 65515.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netlab  # noqa: E402
import tap  # noqa: E402
from bgplab import BIRD, Sniffer, bird_conf, edge_yaml, octets, peer_yaml  # noqa: E402
from bird import Bird  # noqa: E402
from frr import Frr  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, LabError, wait_for  # noqa: E402

NVA, ARS = "10.100.0.10", {"ars4": "10.100.210.4", "ars5": "10.100.210.5"}
AS_NVA, AS_ARS, AS_VNET = 65001, 65515, 64999
DEFAULT = "0.0.0.0/0"
# What stands behind 65515 in the path, and whether the seed's lists let it in (FRR 8.4's own verdicts).
PATHS = {
    "10.20.1.0/24": ([], True),
    "10.20.2.0/24": ([12076], True),
    "10.20.3.0/24": ([65010], True),
    "10.20.4.0/24": ([23456], False),
    "10.20.5.0/24": ([131000], False),
    "10.20.6.0/24": ([131069], False),
    "10.20.7.0/24": ([131071], False),
    "10.20.8.0/24": ([130999], True),
    "10.20.9.0/24": ([65552], True),
    "10.20.10.0/24": ([650], True),
    "10.20.11.0/24": ([AS_NVA], False),  # its own AS
    "10.20.12.0/24": ([AS_ARS, 65010], True),  # 65515 twice: put in front once more by our policy
    "10.20.13.0/24": ([10], True),  # _0_ is not in 10
}
GOOD = {p for p, (_, accepted) in PATHS.items() if accepted}
SEED = os.path.join(netlab.TOP, "tests", "data", "seed-003-frr.conf")


def ars_yaml(name, nva=None):
    n = name[3:]
    twice = [p for p, (path, _) in PATHS.items() if AS_ARS in path]
    return (
        f"gateway: {{name: {name}}}\n"
        "dataplane: {workers: 1}\n"
        "ports:\n"
        f'  wan0: {{device: "af_packet:wan", addresses: [{ARS[name]}/24]}}\n'
        f'  lan0: {{device: "af_packet:lan", addresses: [10.0.{n}.1/24]}}\n'
        "routes:\n  - {to: 10.100.0.0/24, via: 10.100.210.1}\n"
        f"bgp:\n  as: {AS_ARS}\n  peers:\n"
        + peer_yaml("nva", NVA, AS_NVA, source=ARS[name], **{"hold-time": "30s", **(nva or {"export": "to-nva"})})
        + peer_yaml("vnet", f"10.0.{n}.2", AS_VNET, import_="from-vnet")
        + f"prefix-lists:\n  twice: [{{permit: {twice[0]}}}]\n"
        "policies:\n  any: [{permit: {}}]\n"
        f"  from-vnet: [{{permit: {{set: {{remove-as: {AS_VNET}}}}}}}]\n"
        "  to-nva: [{permit: {prefix: twice, set: {prepend: 1}}}, {permit: {}}]\n"
    )


def routes(paths):
    """BIRD's static routes with these AS paths."""
    text = ""
    for prefix, path in paths.items():
        words = " ".join(f"bgp_path.prepend({a});" for a in reversed(path))
        text += f"route {prefix} blackhole {{ {words} }};\n" if words else f"route {prefix} blackhole;\n"
    return text


def vnet_conf():
    behind = {p: [a for a in path if a != AS_ARS] for p, (path, _) in PATHS.items()}
    text = bird_conf("10.0.4.1", "10.0.4.2", AS_ARS, AS_VNET, statics=routes(behind), networks=[], router_id="10.0.4.2")
    second = text[text.index("protocol bgp up"):].replace("bgp up", "bgp up5").replace("10.0.4.", "10.0.5.")
    return text + second


class RouteServers:
    """The network and its four routers."""

    def __init__(self):
        self.gw, self.starts, self.frr = {}, 0, None

    def __enter__(self):
        self.lab = lab = Lab()
        self.nva, self.router = lab.ns("nva", forward=True), lab.ns("router", forward=True)
        self.vnet = lab.ns("vnet", forward=True)
        self.ars = {name: lab.ns(name) for name in ARS}
        lab.veth(self.nva, "eth0", self.router, "nva", f"{NVA}/24", "10.100.0.1/24")
        self.router.run("ip", "link", "add", "name", "bridge0", "type", "bridge")
        self.router.run("ip", "link", "set", "bridge0", "up")
        self.router.address("bridge0", "10.100.210.1/24")
        for name, ns in self.ars.items():
            lab.veth(ns, "wan", self.router, name)
            self.router.run("ip", "link", "set", name, "master", "bridge0")
            lab.veth(ns, "lan", self.vnet, name, None, f"10.0.{name[3:]}.2/24")
        self.bird = Bird(self.vnet, vnet_conf()).start()
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def fresh(self, text=None, nva=None, wait=True):
        """The appliance with the seed's configuration (or text), and both route servers."""
        for end in (self.frr, *self.gw.values()):
            if end:
                end.stop()
        self.starts += 1
        with open(SEED) as f:
            seed = f.read()
        self.frr = Frr(self.nva, text(seed) if text else seed, f"frr{self.starts}").start()
        for name, ns in self.ars.items():
            self.gw[name] = Gateway(ns, ars_yaml(name, nva), "no tunnel uses this", f"{name}-{self.starts}").start()
        if wait:
            for name, gw in self.gw.items():
                gw.wait_bgp("nva", timeout=30)
                gw.wait_bgp("vnet", timeout=30)
                wait_for("all paths of the virtual network", lambda gw=gw: len(gw.bgp_paths("vnet")) == len(PATHS), 15)
                self.frr.wait_established(ARS[name])
        return self.gw["ars4"], self.gw["ars5"]

    def accepted(self):
        """What FRR took in, by prefix: its paths."""
        return self.frr.routes()

    def explain(self):
        text = "".join(f"{n}:\n" + "".join(g.log_text().splitlines(True)[-20:]) for n, g in self.gw.items())
        text += netlab.tail(self.bird.logfile, 10)
        return text + (netlab.tail(self.frr.logfile, 15) if self.frr else "")


def test_sessions_over_one_router(servers):
    """3-01, 3-02, 3-03: AS numbers, TTL 255 both ways, one router between."""
    sniffer = Sniffer(servers.nva, "eth0")
    servers.fresh()
    counts = sniffer.stop()
    # one router has taken 1 of ours; FRR refuses with its kernel's 64 what comes too early
    assert all(counts["ttls"][a] == [254] for a in ARS.values()) and 255 in counts["ttls"][NVA], counts
    for address in ARS.values():
        n = servers.frr.neighbor(address)
        assert (n["localAs"], n["remoteAs"], n["bgpState"]) == (AS_NVA, AS_ARS, "Established"), n
    for gw in servers.gw.values():
        assert gw.bgp_peer("nva")["as"] == AS_NVA


def test_verdicts_of_the_seeds_lists(servers):
    """3-11 to 3-14: which paths FRR lets in, and that all of them were sent."""
    servers.fresh()
    wait_for("FRR has what it lets in", lambda: GOOD <= set(servers.accepted()), 15)
    assert set(servers.accepted()) == GOOD, set(servers.accepted()) ^ GOOD
    for prefix, (path, _) in PATHS.items():
        for name, gw in servers.gw.items():
            sent = gw.bgp_paths("nva", "advertised-routes").get(prefix)
            assert sent and octets(sent["as_path"]) == [AS_ARS] + path, (name, prefix, sent)
            assert sent["next_hop"] == ARS[name], sent
    # 3-10: received is more than accepted
    for address in ARS.values():
        received = servers.frr.json(f"show bgp ipv4 unicast neighbors {address} received-routes")
        assert {"10.20.4.0/24", "10.20.5.0/24"} <= set(received["receivedRoutes"]), set(received["receivedRoutes"])


def test_same_lists_give_the_same_verdicts_here(servers):
    """3-13 the other way round: our gateway in the appliance's place, with the seed's lists in our words."""
    lists = (
        "as-path-lists:\n  bogons:\n"
        '    - {permit: "_0_"}\n    - {permit: "_23456_"}\n    - {permit: "_1310[0-6][0-9]_|_13107[0-1]_"}\n'
        '    - {deny: "_65515_"}\n    - {permit: "^65"}\n'
    )
    policies = "  from-azure: [{deny: {as-path: bogons}}, {permit: {}}]\n  any: [{permit: {}}]\n"
    yaml = edge_yaml(peer_yaml("azure", BIRD, AS_ARS, import_="from-azure"), AS_NVA, policies=policies, extra=lists)
    ours, theirs = servers.lab.ns("as-nva"), servers.lab.ns("as-azure")
    servers.lab.veth(ours, "lan0", theirs, "unused")
    servers.lab.veth(ours, "lan1", theirs, "eth0", None, f"{BIRD}/24")
    paths = {p: path for p, (path, _) in PATHS.items()}
    bird = Bird(theirs, bird_conf(our_as=AS_ARS, remote_as=AS_NVA, networks=[], statics=routes(paths)), "azure").start()
    gw = Gateway(ours, yaml, "no tunnel uses this", "as-nva").start()
    try:
        gw.wait_bgp("azure")
        wait_for("all paths", lambda: len(gw.bgp_paths("azure", "received-routes")) == len(PATHS), 15)
        accepted = set(gw.bgp_paths("azure"))
        assert accepted == GOOD, accepted ^ GOOD
    finally:
        gw.stop()
        bird.stop()


def test_both_instances_share_the_load(servers):
    """3-04, 3-05: both paths are in use, over next hops that lead to the same router."""
    servers.fresh()
    wait_for("FRR has what it lets in", lambda: GOOD <= set(servers.accepted()), 15)
    # received is not chosen yet: FRR works its queue of prefixes off after the UPDATE
    shared = lambda p: len(p) == 2 and all(x.get("multipath") or x.get("bestpath") for x in p)
    paths = wait_for("two paths in use", lambda: shared(p := servers.accepted()["10.20.2.0/24"]) and p, 10)
    assert sorted(p["nexthops"][0]["ip"] for p in paths) == sorted(ARS.values()), paths
    kernel = lambda: servers.nva.run("ip", "route", "show", "10.20.2.0/24").stdout
    wait_for("the kernel's route", lambda: "via 10.100.0.1 dev eth0" in kernel(), 10)


def test_default_comes_and_goes(servers):
    """3-06 to 3-09 as the route servers see it."""
    for gw in servers.fresh():
        row = gw.wait_path("nva", DEFAULT)
        assert octets(row["as_path"]) == [AS_NVA] and row["next_hop"] == NVA and row["med"] == 0, row
        assert row["origin"] == "IGP", row
        assert gw.bgp_peer("nva")["pfx_rcvd"] == 1
        wait_for("the way by the router", lambda gw=gw: gw.ways("192.0.2.1") == ["10.100.210.1"], 5)
    words = [f"no neighbor {a} default-originate" for a in ARS.values()]
    servers.frr.configure(f"router bgp {AS_NVA}", "address-family ipv4 unicast", *words)
    for gw in servers.gw.values():
        gw.wait_no_path("nva", DEFAULT)
        wait_for("no default", lambda gw=gw: not gw.ways("192.0.2.1"), 5)


def test_nothing_of_azure_goes_back(servers):
    """3-15, 3-17: own networks go, what came with 65515 does not."""
    servers.fresh()
    wait_for("FRR has what it lets in", lambda: GOOD <= set(servers.accepted()), 15)
    servers.nva.address("lo", "10.0.0.1/8")
    servers.frr.configure(f"router bgp {AS_NVA}", "address-family ipv4 unicast", "network 10.0.0.0/8", "network 172.31.0.0/16")
    for gw in servers.gw.values():
        gw.wait_path("nva", "10.0.0.0/8")
        # 172.31/16 is in no table of FRR's, so it does not come (import-check)
        assert set(gw.bgp_paths("nva", "received-routes")) == {DEFAULT, "10.0.0.0/8"}
    servers.nva.run("ip", "address", "del", "10.0.0.1/8", "dev", "lo")
    for gw in servers.gw.values():
        gw.wait_no_path("nva", "10.0.0.0/8")


def test_policy_change_at_the_appliance_needs_nothing_from_us(servers):
    """3-10: soft-reconfiguration inbound: no reset, no ROUTE-REFRESH."""
    servers.fresh()
    wait_for("FRR has what it lets in", lambda: GOOD <= set(servers.accepted()), 15)
    servers.frr.configure("no route-map rmap-bogon-asns deny 5")
    servers.frr.vtysh("clear bgp ipv4 unicast * soft in")
    want = set(PATHS) - {"10.20.11.0/24"}
    wait_for("FRR lets all in but its own", lambda: set(servers.accepted()) == want, 10)
    for address in ARS.values():
        n = servers.frr.neighbor(address)
        assert n["messageStats"]["routeRefreshSent"] == 0 and servers.frr.flaps(address) == (1, 0), n["messageStats"]


def test_appliance_without_policies(servers):
    """3-16: `frr defaults traditional` is RFC 8212: nothing accepted, and it says so."""
    servers.fresh(lambda seed: "\n".join(w for w in seed.splitlines() if not (w.startswith("  neighbor") and "route-map" in w)))
    text = wait_for("(Policy)", lambda: (t := servers.frr.vtysh("show bgp ipv4 unicast summary")).count("(Policy)") >= 2 and t, 10)
    assert not servers.accepted(), text


def test_no_session_without_multihop(servers):
    """3-02: with TTL 1 we do not get past the router."""
    servers.fresh(nva={"multihop": 1}, wait=False)
    for gw in servers.gw.values():
        gw.wait_bgp("vnet")
    try:
        wait_for("a session", lambda: any(g.bgp_state("nva") == "established" for g in servers.gw.values()), 5, 0.2)
    except LabError:
        return
    raise LabError("there is a session although TTL 1 does not pass a router")


def test_one_instance_less_moves_no_traffic(servers):
    """A-24: with one of the two gone the next hop resolves the same way."""
    servers.fresh()
    wait_for("FRR has what it lets in", lambda: GOOD <= set(servers.accepted()), 15)
    servers.gw["ars5"].stop()
    wait_for("FRR sees one", lambda: not servers.frr.established(ARS["ars5"]), 10)
    assert set(servers.accepted()) == GOOD
    kernel = lambda: servers.nva.run("ip", "route", "show", "10.20.2.0/24").stdout
    wait_for("the kernel's route", lambda: "via 10.100.0.1 dev eth0" in kernel(), 10)
    assert servers.frr.flaps(ARS["ars4"]) == (1, 0)


if __name__ == "__main__":
    tap.main(__name__, RouteServers)
