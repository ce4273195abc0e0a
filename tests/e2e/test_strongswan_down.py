"""What goes wrong, or is ended, with strongSwan: the tunnel is down for a reason that can be read, and comes back."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from netlab import LabError, wait_for  # noqa: E402
from topo import CHILD, CONNECTION, GW, HOST_B, NET_A, PEER, PSK, TUNNEL, Bench, Pings  # noqa: E402


def fails(bench, word, by_us=True):
    """The attempt fails, word is in what we say about it, and no SA or traffic is left."""
    if by_us:
        r = bench.gw.up(TUNNEL, check=False, seconds=4)
        assert r.returncode == 1, f"gwctl said {r.returncode}: {r.stdout}{r.stderr}"
        text = r.stdout + r.stderr + bench.error()
        assert word.lower() in text.lower(), text
    else:
        try:
            bench.peer.initiate(CHILD, 6000)
        except LabError:
            pass
        else:
            raise AssertionError("the peer's attempt succeeded")
    bench.no_traffic()
    assert not bench.gw.children(TUNNEL)


def test_wrong_psk_when_we_begin(bench):
    bench.fresh(peer_psk="something else")
    fails(bench, "auth")
    bench.wait_empty()


def test_wrong_psk_when_the_peer_begins(bench):
    bench.fresh(peer_psk="something else")
    fails(bench, "auth", by_us=False)
    assert "AUTHENTICATION_FAILED" in bench.peer.log_text() or "N(AUTH_FAILED)" in bench.peer.log_text()
    bench.wait_empty()
    # the right key afterwards is not held against it
    bench.peer.load(*_right_key(bench))
    bench.peer.initiate(CHILD)
    bench.wait_settled()
    bench.traffic()


def _right_key(bench):
    from topo import peer_connections, peer_secrets

    return peer_connections(bench.net.peer_address), peer_secrets(PSK)


def test_no_common_ike_proposal(bench):
    bench.fresh({"ike": "{proposals: [aes256gcm16-prfsha384-x25519]}"}, {"proposals": "aes128gcm16-prfsha256-ecp256"})
    fails(bench, "proposal")
    fails(bench, "proposal", by_us=False)
    assert not [s for s in bench.gw.ikes(TUNNEL) if s.state == "established"]


def test_no_common_esp_proposal(bench):
    bench.fresh({"esp": "{proposals: [aes256gcm16]}"}, None, {"esp_proposals": "aes128gcm16"})
    fails(bench, "proposal")
    fails(bench, "proposal", by_us=False)


def test_selectors_that_do_not_meet(bench):
    bench.fresh(None, None, {"remote_ts": "10.99.0.0/24"})
    fails(bench, "selector")
    fails(bench, "selector", by_us=False)


def test_wrong_identity(bench):
    bench.fresh({"remote": f"{{address: {PEER}, id: someone-else.example}}"})
    fails(bench, "auth")
    fails(bench, "auth", by_us=False)
    bench.wait_empty()


def test_our_delete_ends_it_and_it_comes_back(bench):
    bench.fresh()
    for by_us in (True, False):
        bench.up(by_us)
        bench.traffic()
        bench.gw.down(TUNNEL)
        bench.wait_empty()
        bench.no_traffic()
    bench.up()
    bench.traffic()


def test_peers_delete_of_the_ike_sa_ends_it_and_it_comes_back(bench):
    bench.fresh()
    for by_us in (True, False):
        bench.up(by_us)
        bench.peer.terminate(ike=CONNECTION)
        bench.wait_empty()
        bench.no_traffic()
    bench.up()
    bench.traffic()


def test_peers_delete_of_the_child_is_followed_by_a_new_one(bench):
    """Up by hand stays wanted: another child on the same IKE_SA (RFC 7296 1.4.1, 1.3.1)."""
    bench.fresh()
    bench.up()
    ike, child = bench.spis()
    bench.peer.terminate(child=CHILD)
    bench.gw.up(TUNNEL)
    wait_for("another child", lambda: bench.settled() and not bench.spis()[1][0] & child[0], 20, 0.1)
    assert bench.spis()[0] == ike, "the IKE_SA is another one"
    bench.traffic()


def test_start_always_comes_back_after_the_peers_delete(bench):
    bench.fresh(start="always")
    bench.wait_settled()
    before = bench.spis()[0][0]
    bench.peer.terminate(ike=CONNECTION)
    wait_for("a new IKE_SA", lambda: bench.settled() and not bench.spis()[0][0] & before, 30, 0.2)
    bench.traffic()


def test_restarted_peer_replaces_its_old_sas(bench):
    bench.fresh()
    bench.up()
    bench.peer.kill()
    bench.peer = bench.net.charon(name="restarted")
    bench.peer.initiate(CHILD)  # INITIAL_CONTACT (RFC 7296 2.4)
    bench.wait_settled()
    bench.traffic()


def test_killed_gateway_comes_back(bench):
    bench.fresh(start="always")
    bench.wait_settled()
    bench.gw.controlplane.kill()
    bench.gw.dataplane.kill()
    bench.gw.start()
    bench.wait_settled(30)
    bench.traffic()


def test_killed_control_plane_costs_no_packet(bench):
    bench.fresh(start="always")
    bench.wait_settled()
    pings = Pings(bench.net.a, HOST_B, 400)
    wait_for("echoes", lambda: bench.gw.tunnel(TUNNEL)["in_packets"] > 20, 5)
    bench.gw.controlplane.kill()
    sent, received = pings.result()
    assert sent == received == 400, f"{received} of {sent}"
    bench.gw.start_controlplane()
    bench.gw.wait_ready()
    bench.wait_settled(30)
    bench.traffic()


def test_killed_data_plane_gets_new_children_on_the_living_ike_sa(bench):
    bench.fresh(start="always")
    bench.wait_settled()
    ike, child = bench.spis()
    bench.gw.dataplane.kill()
    bench.gw.start_dataplane()
    wait_for("an echo", lambda: bench.net.a.pings(HOST_B), 20)
    bench.wait_settled(20)
    after = bench.spis()
    assert after[0][0] == ike[0], "the IKE_SA is another one"
    assert not after[1][0] & child[0], "a key was used twice"
    bench.traffic()


def test_rubbish_on_the_wire_disturbs_no_tunnel(bench):
    bench.fresh()
    bench.up()
    before = bench.gw.drops()
    pings = Pings(bench.net.a, HOST_B, 300)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "rubbish.py")
    bench.net.peer.run(sys.executable, script, GW, timeout=30)
    sent, received = pings.result()
    assert sent == received, f"{received} of {sent}"
    after = bench.gw.drops()
    unknown = after.get("bad-spi", 0) + after.get("no-sa", 0) - before.get("bad-spi", 0) - before.get("no-sa", 0)
    assert unknown >= 100, f"unknown SPIs counted: {unknown}: {after}"
    bench.wait_settled()
    for p in (bench.gw.dataplane, bench.gw.controlplane):
        p.check()


def test_daemons_end_cleanly(bench):
    bench.fresh()
    bench.up()
    codes = bench.gw.stop()
    gw, bench.gw = bench.gw, None
    assert codes == (0, 0), codes
    # our Delete reached the peer
    wait_for("no SA at the peer", lambda: not bench.peer.sas(), 5)
    ruleset = gw.ns.run("nft", "list", "ruleset", peer=True).stdout
    assert "esplanade" not in ruleset, f"left behind: {ruleset}"


if __name__ == "__main__":
    tap.main(__name__, Bench)
