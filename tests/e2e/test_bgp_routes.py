"""Routes of FRR and BIRD on their way: withdrawn, filtered, originated, shared among next hops, limited and asked for again."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgplab import ANY, AS_BIRD, AS_FRR, AS_GW, BIRD, BIRD_LO, BIRD_NET, FRR, FRR_LO, FRR_NET, GW_B, GW_F, Edge  # noqa: E402
from bgplab import bird_conf, edge_yaml, frr_conf, octets, peer_yaml  # noqa: E402
from netlab import wait_for  # noqa: E402

NETS = ["10.71.0.0/24", "10.72.0.0/24", "10.73.0.0/24"]


def peers(frr=None, bird=None):
    return peer_yaml("frr", FRR, AS_FRR, **(frr or {})) + peer_yaml("bird", BIRD, AS_BIRD, **(bird or {}))


def leaves_by(gw, address, *ways):
    """Whether the data plane sends what is for address these ways, or nowhere (none named)."""
    return gw.ways(address) == sorted(ways)


def send_packets(edge, count=5):
    """Packets of BIRD's to FRR's network, whatever becomes of them."""
    edge.bird_ns.run("ping", "-n", "-c", count, "-i", 0.02, "-W", 1, "-I", BIRD_LO, FRR_LO, peer=True, check=False)


def test_withdrawn_route_leaves_the_data_plane(edge):
    gw = edge.both()
    edge.bird.wait_path(FRR_NET)
    edge.crosses()
    wait_for("the route is in the data plane", lambda: leaves_by(gw, FRR_LO, FRR), 5)
    edge.bird_ns.route(FRR_NET, "via", GW_B)  # BIRD's own host goes on sending
    before = gw.drops().get("no-route", 0)
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", f"no network {FRR_NET}")
    wait_for("the route is gone from the data plane", lambda: leaves_by(gw, FRR_LO), 5)
    edge.bird.wait_gone(FRR_NET)
    send_packets(edge)
    wait_for("5 packets without a route", lambda: gw.drops().get("no-route", 0) == before + 5, 3)
    assert FRR_NET not in gw.gwctl("show", "routes").stdout
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", f"network {FRR_NET}")
    wait_for("it is back", lambda: leaves_by(gw, FRR_LO, FRR), 5)
    edge.crosses()
    assert edge.frr.flaps(GW_F) == (1, 0)


def test_other_attributes_replace_a_path(edge):
    gw = edge.both()
    gw.wait_path("frr", FRR_NET)
    frr = edge.frr
    frr.configure("route-map worse permit 10", "set metric 77", f"set as-path prepend {AS_FRR} {AS_FRR}",
                  f"router bgp {AS_FRR}", "address-family ipv4 unicast", f"neighbor {GW_F} route-map worse out")  # fmt: skip
    frr.vtysh(f"clear bgp ipv4 unicast {GW_F} soft out")
    wait_for("the longer path here", lambda: octets(gw.bgp_paths("frr")[FRR_NET]["as_path"]) == [AS_FRR] * 3, 10)
    assert gw.bgp_paths("frr")[FRR_NET]["med"] == 77
    wait_for("the longer path at BIRD", lambda: octets(edge.bird.path(FRR_NET)["as_path"]) == [AS_GW] + [AS_FRR] * 3, 10)
    # a MED that came from another AS is not passed on (RFC 4271 5.1.4)
    assert edge.bird.path(FRR_NET).get("med", "0") == "0", edge.bird.path(FRR_NET)
    edge.crosses()


def test_originated_only_while_it_is_in_the_table(edge):
    static = "  - {to: 10.80.0.0/24, blackhole: true}\n"
    originate = "10.80.0.0/24, 10.81.0.0/24, 10.11.0.0/24"
    with_it = edge_yaml(peers(), originate=originate, routes=static)
    gw = edge.fresh(edge_yaml(peers(), originate=originate), frr_conf(), bird_conf())
    edge.frr.wait_path("10.11.0.0/24")  # connected
    assert not edge.frr.has("10.80.0.0/24") and not edge.frr.has("10.81.0.0/24")
    gw.reload(with_it)
    path = edge.frr.wait_path("10.80.0.0/24")
    assert octets(path["aspath"]["string"]) == [AS_GW] and path["origin"] == "IGP" and path["nexthops"][0]["ip"] == GW_F, path
    edge.bird.wait_path("10.80.0.0/24")
    gw.reload(edge_yaml(peers(), originate=originate))
    edge.frr.wait_gone("10.80.0.0/24")
    edge.bird.wait_gone("10.80.0.0/24")
    assert edge.frr.flaps(GW_F) == (1, 0)


def test_default_is_originated_to_one_peer(edge):
    """Row 3-06: no default route of ours is needed, and none comes of it."""
    gw = edge.fresh(edge_yaml(peers({"default-originate": "true"})), frr_conf(), bird_conf())
    path = edge.frr.wait_path("0.0.0.0/0")
    assert octets(path["aspath"]["string"]) == [AS_GW] and path["nexthops"][0]["ip"] == GW_F, path
    assert "0.0.0.0/0" in gw.bgp_paths("frr", "advertised-routes")
    edge.bird.wait_path(FRR_NET)
    assert not edge.bird.has("0.0.0.0/0")
    assert leaves_by(gw, "192.0.2.1")
    gw.reload(edge_yaml(peers()))
    edge.frr.wait_gone("0.0.0.0/0")
    assert edge.frr.flaps(GW_F) == (1, 0)


POLICIES = """
  from-frr:
    - {deny: {prefix: bad}}
    - {permit: {prefix: mine, set: {local-pref: 200, community: ["65010:7"]}}}
    - {deny: {as-path: via-666}}
    - {permit: {}}
  to-bird:
    - {deny: {community: ["65010:7"]}}
    - {permit: {prefix: long, set: {prepend: 2, med: 5}}}
    - {permit: {}}
"""
LISTS = """
prefix-lists:
  bad: [{permit: 10.71.0.0/24}]
  mine: [{permit: 10.72.0.0/16, ge: 24, le: 24}]
  long: [{permit: 10.73.0.0/24}]
as-path-lists:
  via-666: [{permit: "_666_"}]
"""


def policy_yaml(policies=POLICIES):
    return edge_yaml(peers({"import": "from-frr"}, {"export": "to-bird"}), policies=ANY + policies, extra=LISTS)


def test_policies_permit_deny_and_set(edge):
    frr = frr_conf(networks=[FRR_NET, *NETS, "10.74.0.0/24"], af=["route-map some out"]) + (
        "ip prefix-list hell permit 10.74.0.0/24\nroute-map some permit 5\n match ip address prefix-list hell\n"
        " set as-path prepend 666\nexit\nroute-map some permit 10\nexit\n"
    )
    gw = edge.fresh(policy_yaml(), frr, bird_conf())
    edge.bird.wait_path("10.73.0.0/24")
    received = gw.bgp_paths("frr", "received-routes")
    # FRR says back what it has of us: our AS is in that path
    assert set(received) == {FRR_NET, *NETS, "10.74.0.0/24", BIRD_NET}, received
    assert "AS" in received[BIRD_NET]["verdict"]["reason"], received[BIRD_NET]
    assert set(gw.bgp_paths("frr")) == {FRR_NET, "10.72.0.0/24", "10.73.0.0/24"}, gw.bgp_paths("frr")
    for prefix in ("10.71.0.0/24", "10.74.0.0/24"):
        assert "import policy" in received[prefix]["verdict"]["reason"], received[prefix]
        assert not edge.bird.has(prefix)
    assert gw.bgp_paths("frr")["10.72.0.0/24"]["local_pref"] == 200
    assert not edge.bird.has("10.72.0.0/24")
    path = edge.bird.path("10.73.0.0/24")
    assert octets(path["as_path"]) == [AS_GW] * 3 + [AS_FRR] and path["med"] == "5", path
    # a change of policy needs neither a reset nor a refresh (row 3-10): what was denied is still known
    refreshes = edge.frr.neighbor(GW_F)["messageStats"]["routeRefreshRecv"]
    gw.reload(policy_yaml(POLICIES.replace("{deny: {prefix: bad}}", "{permit: {prefix: bad, set: {med: 9}}}")))
    gw.wait_path("frr", "10.71.0.0/24")
    edge.bird.wait_path("10.71.0.0/24")
    assert edge.frr.flaps(GW_F) == (1, 0) and edge.frr.neighbor(GW_F)["messageStats"]["routeRefreshRecv"] == refreshes
    gw.reload(policy_yaml())
    edge.bird.wait_gone("10.71.0.0/24")


def test_more_prefixes_than_may_be(edge):
    frr = frr_conf(networks=[FRR_NET, *NETS])
    gw = edge.fresh(edge_yaml(peers({"max-prefix-in": 3})), frr, bird_conf(), wait=False)
    wait_for("FRR is told", lambda: "Maximum Number of Prefixes" in edge.frr.neighbor(GW_F).get("lastNotificationReason", ""), 15)
    gw.wait_bgp("bird")
    wait_for("no route of FRR's", lambda: not any(edge.bird.has(n) for n in [FRR_NET, *NETS]), 5)
    text = gw.gwctl("show", "bgp", "neighbor", "frr").stdout
    assert "refix" in text and "3" in text, text
    # fewer of them, and by hand it begins again
    words = [f"no network {n}" for n in NETS]
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", *words)
    gw.gwctl("bgp", "clear", "frr")
    gw.wait_bgp("frr")
    edge.bird.wait_path(FRR_NET)


def test_never_more_prefixes_out_than_may_be(edge):
    """Rows A-11 to A-13: the peer would drop the session."""
    frr = frr_conf(networks=[FRR_NET, *NETS])
    gw = edge.fresh(edge_yaml(peers(None, {"max-prefix-out": 2})), frr, bird_conf())
    wait_for("all four are here", lambda: len(gw.bgp_paths("frr")) == 4, 10)
    wait_for("two at BIRD", lambda: sum(edge.bird.has(n) for n in [FRR_NET, *NETS]) == 2, 10)
    gw.gwctl("bgp", "clear", "bird", "soft")
    assert len(gw.bgp_paths("bird", "advertised-routes")) == 2
    assert sum(edge.bird.has(n) for n in [FRR_NET, *NETS]) == 2
    # a reload lets more through, and fewer, without a reset
    for limit in (3, 1):
        gw.reload(edge_yaml(peers(None, {"max-prefix-out": limit})))
        wait_for(f"{limit} at BIRD", lambda n=limit: sum(edge.bird.has(x) for x in [FRR_NET, *NETS]) == n, 10)
    assert gw.bgp_neighbor("bird")["established"] == 1 and gw.bgp_state("bird") == "established"


def test_refresh_asked_by_either_side(edge):
    gw = edge.both()
    edge.frr.wait_path(BIRD_NET)
    gw.wait_path("frr", FRR_NET)
    stats = edge.frr.neighbor(GW_F)["messageStats"]
    edge.frr.vtysh(f"clear bgp ipv4 unicast {GW_F} soft in")
    wait_for("our table once more", lambda: edge.frr.neighbor(GW_F)["messageStats"]["updatesRecv"] > stats["updatesRecv"], 10)
    assert edge.frr.neighbor(GW_F)["messageStats"]["routeRefreshSent"] == stats["routeRefreshSent"] + 1
    gw.gwctl("bgp", "clear", "frr", "soft")
    wait_for("our refresh", lambda: edge.frr.neighbor(GW_F)["messageStats"]["routeRefreshRecv"] > stats["routeRefreshRecv"], 10)
    said = edge.bird.birdc("reload in up")
    assert "up: reloading" in said, said
    assert edge.bird.has(FRR_NET)
    assert edge.frr.flaps(GW_F) == (1, 0)
    edge.crosses()


def test_clear_resets_the_session(edge):
    gw = edge.both()
    edge.frr.wait_path(BIRD_NET)
    gw.gwctl("bgp", "clear", "frr")
    wait_for("FRR has lost a session", lambda: edge.frr.flaps(GW_F)[1] == 1, 5)
    gw.wait_bgp("frr")
    edge.frr.wait_established(GW_F)
    edge.frr.wait_path(BIRD_NET)
    assert "Cease/Administrative Reset" in edge.frr.log_text()


def test_two_peers_share_a_prefix(edge):
    """ECMP: the same path from two routers of one AS, and flows over both; then one of them."""
    shared = "10.90.0.0/24"
    ours = peer_yaml("frr", FRR, AS_FRR) + peer_yaml("bird", BIRD, AS_FRR)
    bird = bird_conf(our_as=AS_FRR, networks=[BIRD_NET, shared])
    gw = edge.fresh(edge_yaml(ours), frr_conf(networks=[FRR_NET, shared]), bird)
    wait_for("two legs", lambda: leaves_by(gw, "10.90.0.1", FRR, BIRD), 10)
    routes = gw.gwctl("show", "routes").stdout
    assert shared in routes, routes
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", f"no network {shared}")
    wait_for("one leg", lambda: leaves_by(gw, "10.90.0.1", BIRD), 10)
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", f"network {shared}")
    wait_for("two legs", lambda: leaves_by(gw, "10.90.0.1", FRR, BIRD), 10)
    edge.bird.kill()
    wait_for("one leg", lambda: leaves_by(gw, "10.90.0.1", FRR), 10)


def test_static_route_is_nearer_than_bgp(edge):
    """Row 4-02, and a floating static that waits behind BGP."""
    routes = f"  - {{to: 10.71.0.0/24, via: {BIRD}}}\n  - {{to: 10.72.0.0/24, blackhole: true, distance: 250}}\n"
    frr = frr_conf(networks=[FRR_NET, *NETS])
    gw = edge.fresh(edge_yaml(peers(), routes=routes), frr, bird_conf())
    wait_for("BGP's route in front of the floating one", lambda: leaves_by(gw, "10.72.0.1", FRR), 10)
    assert leaves_by(gw, "10.71.0.1", BIRD), gw.fib("10.71.0.1")
    gw.reload(edge_yaml(peers(), routes=routes.splitlines(True)[1]))
    wait_for("BGP takes over from the static route", lambda: leaves_by(gw, "10.71.0.1", FRR), 10)
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", "no network 10.72.0.0/24")
    wait_for("the floating blackhole", lambda: leaves_by(gw, "10.72.0.1", "blackhole"), 10)


def test_route_over_itself_does_not_take_the_peer_away(edge):
    """FRR announces networks that cover its own address and ours: the session lives on."""
    covers = ["10.11.0.2/32", "10.11.0.0/30", "10.8.0.0/13", "0.0.0.0/0"]
    frr = frr_conf(networks=[FRR_NET, *covers])
    gw = edge.fresh(edge_yaml(peers()), frr, bird_conf())
    for prefix in covers:
        gw.wait_path("frr", prefix)
    edge.bird.wait_path(FRR_NET)
    edge.crosses()
    assert leaves_by(gw, FRR_LO, FRR)
    # longer than a hold time
    wait_for("three keepalives", lambda: edge.frr.neighbor(GW_F)["messageStats"]["keepalivesRecv"] >= 5, 20, 0.3)
    assert edge.frr.flaps(GW_F) == (1, 0) and gw.bgp_state("frr") == "established"
    edge.crosses()


def test_a_thousand_routes_and_none_again(edge):
    count = 1000
    lines = "".join(f"ip route 10.{100 + i // 250}.{i % 250}.0/24 blackhole\n" for i in range(count))
    frr = frr_conf(extra=lines, networks=[FRR_NET], af=[]).replace(
        " address-family ipv4 unicast\n", " address-family ipv4 unicast\n  redistribute static\n", 1
    )
    gw = edge.fresh(edge_yaml(peers()), frr, bird_conf())
    count += 1
    wait_for("BIRD has all", lambda: f"{count} imported" in edge.bird.session("up").get("Routes", ""), 15)
    assert gw.bgp_peer("frr")["pfx_accepted"] == count, gw.bgp_peer("frr")
    wait_for("the last is in the data plane", lambda: leaves_by(gw, "10.103.249.1", FRR), 10)
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", "no redistribute static")
    wait_for("BIRD has one", lambda: re.match("1 imported", edge.bird.session("up").get("Routes", "")), 15)
    wait_for("none is in the data plane", lambda: leaves_by(gw, "10.103.249.1") and leaves_by(gw, "10.100.0.1"), 10)
    edge.crosses()


if __name__ == "__main__":
    tap.main(__name__, Edge)
