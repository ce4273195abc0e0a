"""A session with FRR inside the tunnel to strongSwan, between loopback addresses, and what it brings.

    site-a           gateway                     router               strongSwan, FRR      site-b
    10.1.0.10 --- lan | wan 203.0.113.1 --- 203.0.113.2 | 192.168.77.1 --- 192.168.77.2 | lan --- 10.2.0.10
                 10.255.0.1 =========== eBGP in ESP in UDP =================== 10.255.0.2
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgplab import ANY, Sniffer, octets, peer_yaml  # noqa: E402
from frr import Frr  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import LabError, wait_for  # noqa: E402
from topo import CHILD, CONNECTION, HOST_A, HOST_B, ID_A, ID_B, NET_A, NET_B, PEER, PSK, TUNNEL, Bench, Pings  # noqa: E402

LO_A, LO_B = "10.255.0.1", "10.255.0.2"
AS_A, AS_B = 65010, 65020
ANYTHING = {"local_ts": "0.0.0.0/0", "remote_ts": "0.0.0.0/0"}
# kernel-libipsec wants to route by selectors; behind the main table it lets FRR decide
BY_ROUTES = {"routing_table_prio": 40000}


def config(start="respond-only", routes="", originate=NET_A, **keys):
    return f"""
gateway: {{name: edge-a, addresses: [{LO_A}/32]}}
dataplane: {{workers: 1, tun: tunbgp}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [203.0.113.1/24]}}
  lan0: {{device: "af_packet:lan", addresses: [10.1.0.1/24]}}
routes:
  - {{to: {LO_B}/32, tunnel: site-b}}
  - {{to: {NET_B}, blackhole: true, distance: 250}}
{routes}tunnels:
  site-b:
    local: {{port: wan0, id: {ID_A}}}
    remote: {{address: {PEER}, id: {ID_B}}}
    auth: {{psk-file: @DIR@/psk}}
    ike: {{proposals: [aes256gcm16-prfsha384-x25519]}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    selectors: any
    start: {start}
bgp:
  as: {AS_A}
  originate: [{originate}]
  peers:
{peer_yaml("site-b", LO_B, AS_B, source=LO_A, **keys)}policies:
{ANY}"""


def frr_conf(networks=(NET_B,)):
    text = f"""frr defaults traditional
ip route {LO_A}/32 ipsec0
router bgp {AS_B}
 bgp router-id {LO_B}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {LO_A} remote-as {AS_A}
 neighbor {LO_A} ebgp-multihop 255
 neighbor {LO_A} update-source {LO_B}
 neighbor {LO_A} timers 3 9
 neighbor {LO_A} timers connect 1
 address-family ipv4 unicast
"""
    return text + "".join(f"  network {n}\n" for n in networks) + " exit-address-family\nexit\n"


class Inside(Bench):
    """Bench, with FRR beside strongSwan."""

    def __init__(self):
        super().__init__(nat=True)
        self.frr = None

    def __enter__(self):
        super().__enter__()
        self.net.peer.address("lo", f"{LO_B}/32")
        return self

    def fresh(self, networks=(NET_B,), **more):
        self.stop()
        self.starts += 1
        options = {"delete_rekeyed_delay": 1, **BY_ROUTES}
        self.peer = self.net.charon(None, ANYTHING, PSK, options, name=f"charon{self.starts}")
        self.frr = Frr(self.net.peer, frr_conf(networks), f"frr{self.starts}").start()
        self.gw = Gateway(self.net.gw, config(**more), PSK, f"gw{self.starts}").start()
        return self.gw, self.frr

    def stop(self):
        if self.frr:
            self.frr.stop()
        self.frr = None
        super().stop()

    def session(self):
        self.up()
        self.gw.wait_bgp("site-b")
        self.frr.wait_established(LO_A)
        wait_for("echoes by learned routes", lambda: self.net.a.pings(HOST_B) and self.net.b.pings(HOST_A), 10)

    def uptimes(self):
        """How often the session came up and was lost at FRR, and how often it came up here."""
        return self.frr.flaps(LO_A), self.gw.bgp_neighbor("site-b")["established"]

    def explain(self):
        bgp = self.gw.gwctl("show", "bgp", "neighbor", "site-b", check=False).stdout if self.gw else ""
        return bgp + super().explain()


def test_both_networks_are_learned_inside_esp(bench):
    gw, frr = bench.fresh()
    wan = [Sniffer(bench.net.router, "out"), Sniffer(bench.net.router, "in")]
    tun = Sniffer(bench.net.gw, "tunbgp")
    bench.session()
    assert octets(frr.wait_path(NET_A)["aspath"]["string"]) == [AS_A]
    row = gw.wait_path("site-b", NET_B)
    assert octets(row["as_path"]) == [AS_B] and row["next_hop"] == LO_B, row
    assert gw.ways(HOST_B) == [TUNNEL], gw.fib(HOST_B)
    assert f"{NET_A} " in bench.net.peer.run("ip", "route").stdout, "zebra did not install it"
    bench.traffic(20)
    tun = tun.stop()
    wan = [w.stop() for w in wan]
    assert tun["bgp"] > 8 and set(tun["ttls"]) == {LO_A, LO_B}, tun
    assert all(w["bgp"] == 0 and w["esp"] > tun["bgp"] for w in wan), (wan, tun)


def test_tun_down_ends_the_session(bench):
    gw, frr = bench.fresh()
    bench.session()
    bench.net.gw.run("ip", "link", "set", "tunbgp", "down")
    wait_for("our session is lost", lambda: gw.bgp_state("site-b") != "established", 15)
    wait_for("FRR's session is lost", lambda: not frr.established(LO_A), 15)
    wait_for("what it told is gone", lambda: gw.ways(HOST_B) != [TUNNEL], 5)
    assert bench.gw.tunnel(TUNNEL)["state"] == "up"
    bench.net.gw.run("ip", "link", "set", "tunbgp", "up")
    gw.wait_bgp("site-b", timeout=30)
    wait_for("an echo", lambda: bench.net.a.pings(HOST_B), 15)


def test_rekeys_do_not_touch_the_session(bench):
    gw, frr = bench.fresh()
    bench.session()
    before = bench.uptimes()
    pings = Pings(bench.net.a, HOST_B, 1000)
    for act in (
        lambda: gw.rekey_child(TUNNEL),
        lambda: gw.rekey_ike(TUNNEL),
        lambda: bench.peer.rekey_child(CHILD),
        lambda: bench.peer.rekey_ike(CONNECTION),
    ):
        spis = bench.spis()
        act()
        wait_for("other SPIs", lambda: bench.spis() != spis and bench.settled(), 15, 0.1)
    stats = frr.neighbor(LO_A)["messageStats"]
    wait_for("keepalives in both ways", lambda: keepalives_after(frr, stats), 10, 0.2)
    sent, received = pings.stop()
    assert sent == received, f"{received} of {sent} echoes"
    assert bench.uptimes() == before, (before, bench.uptimes())
    assert gw.bgp_state("site-b") == "established"


def keepalives_after(frr, stats):
    now = frr.neighbor(LO_A)["messageStats"]
    return all(now[k] >= stats[k] + 2 for k in ("keepalivesSent", "keepalivesRecv"))


def test_tunnel_down_takes_routes_and_session(bench):
    """The static route to the peer is withdrawn, what hangs on it too; nothing leaks in clear meanwhile."""
    gw, frr = bench.fresh()
    bench.session()
    wan = Sniffer(bench.net.router, "out", "CLEAR-LEAK-CLEAR")
    gw.down(TUNNEL)
    wait_for("the floating blackhole", lambda: gw.ways(HOST_B) == ["blackhole"], 12)
    wait_for("no way to the peer", lambda: not gw.ways(LO_B), 5)
    before = gw.drops().get("blackhole", 0)
    marker = b"CLEAR-LEAK-CLEAR".hex()
    bench.net.a.run("ping", "-n", "-c", 5, "-i", 0.02, "-W", 1, "-p", marker, HOST_B, peer=True, check=False)
    wait_for("they are counted", lambda: gw.drops().get("blackhole", 0) >= before + 5, 3)
    wait_for("FRR has lost it", lambda: not frr.established(LO_A), 15)
    frr.wait_gone(NET_A)
    counts = wan.stop()
    assert counts["marked"] == counts["bgp"] == 0, counts
    row = gw.bgp_peer("site-b")
    assert TUNNEL in gw.gwctl("show", "bgp", "neighbor", "site-b").stdout, row
    bench.session()


def test_routes_never_take_the_tunnel_away(bench):
    """The peer announces its own address, the tunnel's endpoint and all there is: session and tunnel survive."""
    covers = [f"{LO_B}/32", "10.255.0.0/24", f"{PEER}/32", "203.0.113.0/25", "0.0.0.0/0"]
    gw, frr = bench.fresh(networks=(NET_B, *covers))
    bench.session()
    for prefix in covers:
        gw.wait_path("site-b", prefix)
    stats = frr.neighbor(LO_A)["messageStats"]
    wait_for("keepalives for longer than a hold time", lambda: keepalives_after(frr, {k: v + 2 for k, v in stats.items()}), 30, 0.3)
    before = bench.uptimes()
    gw.rekey_ike(TUNNEL)
    bench.wait_settled()
    gw.rekey_child(TUNNEL)
    bench.wait_settled()
    bench.traffic(20)
    assert bench.uptimes() == before and before[0] == (1, 0), before
    # the default route goes into the tunnel, the tunnel's own packets do not
    assert gw.ways("192.0.2.1") == [TUNNEL], gw.fib("192.0.2.1")
    assert gw.ways(PEER) != [TUNNEL], gw.fib(PEER)


def test_static_routes_live_and_die_with_the_tunnel(bench):
    """And so does what is originated from them."""
    routes = "  - {to: 10.3.0.0/24, tunnel: site-b}\n"
    gw, _ = bench.fresh(routes=routes, originate=f"{NET_A}, 10.3.0.0/24")
    assert not gw.ways("10.3.0.1") and not gw.ways(LO_B)
    bench.session()
    assert gw.ways("10.3.0.1") == [TUNNEL]
    assert "10.3.0.0/24" in gw.bgp_paths("site-b", "advertised-routes")
    before = gw.drops().get("no-route", 0)
    gw.down(TUNNEL)
    wait_for("the static route is gone", lambda: not gw.ways("10.3.0.1"), 10)
    bench.net.a.run("ping", "-n", "-c", 30, "-i", 0.01, "-W", 1, "10.3.0.1", peer=True, check=False)
    # the session that tries to go on has no route either
    wait_for("no route", lambda: 30 <= gw.drops().get("no-route", 0) - before < 45, 3)


def test_first_packet_of_the_session_brings_the_tunnel_up(bench):
    """A tunnel that starts on traffic: its static route is always there, and our SYN asks for the SA."""
    gw, frr = bench.fresh(start="on-traffic")
    gw.wait_bgp("site-b", timeout=30)
    frr.wait_established(LO_A)
    bench.wait_settled()
    bench.traffic()


def test_peer_connects_through_the_tunnel(bench):
    """Row A-07: the far end begins."""
    gw, frr = bench.fresh(connect="passive")
    bench.session()
    n = frr.neighbor(LO_A)
    assert n["portForeign"] == 179, n["portForeign"]
    assert gw.bgp_neighbor("site-b")["established"] == 1


def test_big_updates_pass_the_tunnel(bench):
    """Row 4-14: full messages of 4096 octets through a tunnel that is narrower than the cables."""
    gw, frr = bench.fresh()
    bench.session()
    lines = [f"network 10.{120 + i // 250}.{i % 250}.0/24" for i in range(1500)]
    frr.configure(f"router bgp {AS_B}", "address-family ipv4 unicast", *lines)
    wait_for("all of them", lambda: gw.bgp_peer("site-b")["pfx_accepted"] == 1501, 20)
    wait_for("the last in the data plane", lambda: gw.ways("10.125.249.1") == [TUNNEL], 10)
    assert bench.uptimes()[0] == (1, 0)
    bench.traffic()


def test_control_plane_dies_and_the_learned_route_carries_on(bench):
    """The SAs and the routes of the dead one stay until its successor has its own: no packet lacks either."""
    gw, frr = bench.fresh(start="always")
    swept = lambda: gw.log_text().count("event=former-routes-swept")
    base = swept()  # the log goes on over cases
    bench.wait_settled()
    gw.wait_bgp("site-b")
    wait_for("echoes by learned routes", lambda: bench.net.a.pings(HOST_B), 10)
    # FRR shall not take its way back away when the session goes
    frr.configure(f"ip route {NET_A} ipsec0 250")
    wait_for("there is nothing left to sweep", lambda: swept() == base + 1, 15)
    before = gw.drops()
    pings = Pings(bench.net.a, HOST_B, 3000)
    gw.controlplane.kill()
    wait_for("FRR sees it", lambda: not frr.established(LO_A), 15)
    gw.start_controlplane()
    gw.wait_ready()
    gw.wait_bgp("site-b", timeout=40)
    wait_for("all is swept", lambda: swept() == base + 2, 15)
    sent, received = pings.stop()
    lacking = {r: n for r, n in gw.drops().items() if r in ("no-route", "blackhole", "no-sa") and n != before.get(r, 0)}
    # strongSwan drops the old pair at once for the new one: what was on its way is lost
    assert sent > 100 and sent - received <= 2 and not lacking, f"{received} of {sent} echoes: {lacking}"
    assert gw.ways(HOST_B) == [TUNNEL]


def test_ends_on_both_sides_restart(bench):
    """strongSwan and FRR die and return; then our control plane: each time the session comes again, by itself."""
    gw, frr = bench.fresh(start="always")
    bench.wait_settled()
    gw.wait_bgp("site-b")
    frr.kill()
    frr.start()
    frr.wait_established(LO_A)
    gw.wait_bgp("site-b")
    gw.controlplane.kill()
    gw.start_controlplane()
    gw.wait_ready()
    gw.wait_bgp("site-b", timeout=40)
    try:
        wait_for("an echo", lambda: bench.net.a.pings(HOST_B), 20)
    except LabError as e:
        raise LabError(f"{e}; {gw.fib(HOST_B)}; {gw.drops()}") from None


if __name__ == "__main__":
    tap.main(__name__, Inside)
