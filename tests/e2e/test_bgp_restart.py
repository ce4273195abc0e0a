"""Each side of the sessions dies and comes back: FRR, our control plane, our data plane."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgplab import AS_BIRD, AS_FRR, BIRD, BIRD_LO, BIRD_NET, FRR, FRR_LO, FRR_NET, GW_B, GW_F, Edge, bird_conf, edge_yaml, frr_conf  # noqa: E402
from bgplab import peer_yaml  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import Pings  # noqa: E402

GONE_MEANWHILE = "10.70.0.0/24"
PEERS = peer_yaml("frr", FRR, AS_FRR) + peer_yaml("bird", BIRD, AS_BIRD)


def fresh(edge):
    """Up, with ways between the cables that do not hang on what FRR and BIRD learn from us."""
    frr = frr_conf(networks=[FRR_NET, GONE_MEANWHILE], extra=f"ip route 10.12.0.0/24 {GW_F}")
    edge.fresh(edge_yaml(PEERS), frr, bird_conf())
    edge.bird_ns.route(FRR_NET, "via", GW_B, "metric", 5)
    wait_for("the way by the learned route", lambda: edge.bird_ns.ping(FRR_LO, timeout=0.3)[1], 10)
    return edge.gw


def test_frr_dies_and_returns(edge):
    gw = fresh(edge)
    edge.frr.kill()
    wait_for("its routes are gone from the data plane", lambda: not gw.ways(FRR_LO), 12)
    edge.bird.wait_gone(FRR_NET)
    edge.frr.start()
    gw.wait_bgp("frr")
    edge.bird.wait_path(FRR_NET)
    wait_for("its routes are back", lambda: gw.ways(FRR_LO) == [FRR], 5)
    edge.frr.wait_path(BIRD_NET)
    edge.crosses()


def test_bird_dies_and_returns(edge):
    gw = fresh(edge)
    edge.bird.kill()
    wait_for("its routes are gone from the data plane", lambda: not gw.ways(BIRD_LO), 12)
    edge.frr.wait_gone(BIRD_NET)
    assert edge.frr.flaps(GW_F) == (1, 0)
    edge.bird.start()
    gw.wait_bgp("bird")
    edge.frr.wait_path(BIRD_NET)
    wait_for("its routes are back", lambda: gw.ways(BIRD_LO) == [BIRD], 5)
    edge.bird.wait_path(FRR_NET)
    edge.crosses()


def test_frr_falls_silent(edge):
    """The hold timer, since nobody closes the connection."""
    gw = fresh(edge)
    edge.frr_ns.run("ip", "link", "set", "eth0", "down")
    try:
        gw.wait_bgp("frr", "established", 1)
        wait_for("the session is lost", lambda: gw.bgp_state("frr") != "established", 15)
        assert "old" in gw.bgp_neighbor("frr")["last_error"]["text"], gw.bgp_neighbor("frr")["last_error"]
        wait_for("its routes are gone from the data plane", lambda: not gw.ways(FRR_LO), 5)
        assert edge.bird.established("up")
    finally:
        edge.frr_ns.run("ip", "link", "set", "eth0", "up")
    gw.wait_bgp("frr")
    wait_for("its routes are back", lambda: gw.ways(FRR_LO) == [FRR], 5)


def test_control_plane_dies_while_learned_routes_forward(edge):
    gw = fresh(edge)
    wait_for("the other route", lambda: gw.ways("10.70.0.1") == [FRR], 5)
    pings = Pings(edge.bird_ns, FRR_LO, count=1500)
    gw.controlplane.kill()
    wait_for("FRR sees it", lambda: not edge.frr.established(GW_F), 15)
    # what FRR withdraws now, nobody hears
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv4 unicast", f"no network {GONE_MEANWHILE}")
    gw.start_controlplane()
    gw.wait_ready()
    gw.wait_bgp("frr")
    gw.wait_bgp("bird")
    wait_for("what went meanwhile is swept", lambda: not gw.ways("10.70.0.1"), 30)
    assert gw.ways(FRR_LO) == [FRR]
    sent, received = pings.stop()
    assert sent > 100 and sent == received, f"{received} of {sent} came back: {gw.drops()}"
    edge.crosses()


def test_data_plane_dies_and_gets_the_routes_again(edge):
    gw = fresh(edge)
    gw.dataplane.kill()
    gw.start_dataplane()
    gw.wait_ready()
    fib = lambda: gw.gwctl("show", "fib", FRR_LO, check=False)
    wait_for("the routes are back", lambda: fib().returncode == 0 and gw.ways(FRR_LO) == [FRR], 25)
    wait_for("an echo", lambda: edge.bird_ns.ping(FRR_LO, timeout=0.3)[1], 10)
    gw.wait_bgp("frr", timeout=30)
    gw.wait_bgp("bird", timeout=30)
    edge.bird.wait_path(FRR_NET)
    edge.crosses()


def test_stopping_tells_the_peers(edge):
    """A control plane that is stopped says so: no peer waits for its hold timer."""
    gw = fresh(edge)
    assert gw.controlplane.stop() == 0
    wait_for("FRR has no session", lambda: not edge.frr.established(GW_F), 3)
    reason = edge.frr.neighbor(GW_F).get("lastNotificationReason", "")
    assert "Administrative Shutdown" in reason or "Peer Unconfig" in reason, reason
    assert not edge.bird.established("up")


if __name__ == "__main__":
    tap.main(__name__, Edge)
