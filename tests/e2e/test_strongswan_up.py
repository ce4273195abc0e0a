"""The tunnel comes up with strongSwan, whoever begins and whatever both can do, and carries echoes both ways."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from ikeinit import half_open  # noqa: E402
from netlab import LabError, wait_for  # noqa: E402
from topo import CHILD, CONNECTION, GW, HOST_B, ID_A, ID_B, NET_A, NET_B, PEER, TUNNEL, Bench, peer_connections  # noqa: E402
from topo import peer_secrets  # noqa: E402

# (IKE proposal, ESP proposal, what strongSwan then says of IKE, of ESP)
SUITES = {
    "aes256_x25519": ("aes256gcm16-prfsha384-x25519", "aes256gcm16", "AES_GCM_16-256", "AES_GCM_16-256", "CURVE_25519"),
    "aes128_ecp256": ("aes128gcm16-prfsha256-ecp256", "aes128gcm16", "AES_GCM_16-128", "AES_GCM_16-128", "ECP_256"),
    "aes256_modp2048": ("aes256gcm16-prfsha256-modp2048", "aes128gcm16", "AES_GCM_16-256", "AES_GCM_16-128", "MODP_2048"),
}


def suite_case(by_us, ike, esp, want_ike, want_esp, want_dh):
    def case(bench):
        bench.fresh(
            {"ike": f"{{proposals: [{ike}]}}", "esp": f"{{proposals: [{esp}]}}"}, {"proposals": ike}, {"esp_proposals": esp}
        )
        bench.up(by_us)
        bench.traffic()
        (sa,) = bench.peer.sas()
        assert (sa.encr, sa.dh) == (want_ike, want_dh), (sa.encr, sa.dh)
        assert sa.children[0].encr == want_esp, sa.children[0].encr
        assert sa.initiator != by_us
        (ours,) = bench.gw.ikes(TUNNEL)
        assert ours.role == ("initiator" if by_us else "responder") and ours.state == "established"

    return case


for _suite, _row in SUITES.items():
    globals()[f"test_we_begin_with_{_suite}"] = suite_case(True, *_row)
    globals()[f"test_peer_begins_with_{_suite}"] = suite_case(False, *_row)


def test_our_defaults_meet_the_peers_defaults(bench):
    bench.fresh({"ike": None, "esp": None}, {"proposals": "default"}, {"esp_proposals": "default"})
    bench.up()
    bench.traffic()


def test_two_workers_carry_the_tunnel(bench):
    bench.fresh(workers=2)
    bench.up()
    bench.traffic(100)


def test_start_always_needs_no_command(bench):
    bench.fresh(start="always")
    bench.wait_settled()
    bench.traffic()


def test_first_packet_brings_up_an_on_traffic_tunnel(bench):
    bench.fresh(start="on-traffic")
    wait_for("an echo", lambda: bench.net.a.pings(HOST_B), 15)
    bench.wait_settled()


def test_gateway_answers_arp_and_echo_itself(bench):
    bench.fresh()
    sent, received, _ = bench.net.a.ping("10.1.0.1", 20, 0.02)
    assert sent == received == 20
    sent, received, _ = bench.net.peer.ping(GW, 20, 0.02)
    assert sent == received == 20


def test_cookie_of_the_peer_is_returned(bench):
    # a cookie is asked for as soon as one exchange is half open: open one from another host
    bench.fresh(options={"cookie_threshold": 1, "cookie_threshold_ip": 0, "block_threshold": 0})
    conns = peer_connections(bench.net.peer_address)
    conns["any"] = {"version": 2, "proposals": "aes256gcm16-prfsha384-x25519", "local": {"auth": "psk"}, "remote": {"auth": "psk"}}
    bench.peer.load(conns, peer_secrets())
    half_open(bench.net.b, PEER)
    wait_for("a half-open IKE_SA", lambda: bench.peer.sas(), 5)
    bench.gw.up(TUNNEL)
    wait_for("our child at strongSwan", lambda: bench.peer.installed(CHILD), 5)
    log = bench.peer.log_text()
    assert "[ N(COOKIE) ]" in log, "strongSwan asked for no cookie"
    assert "request 0 [ N(COOKIE) SA" in log, "our cookie did not come"
    bench.traffic()


def test_cookie_of_ours_is_returned_by_the_peer(bench):
    bench.fresh()
    half_open(bench.net.peer, GW, count=60)
    wait_for("half-open IKE_SAs here", lambda: len(bench.gw.show("ike-sas")) >= 3, 5)
    bench.peer.initiate(CHILD)
    wait_for("the child here", lambda: bench.gw.children(TUNNEL), 5)
    assert "N(COOKIE)" in bench.peer.log_text(), "we asked for no cookie"
    bench.traffic()


def test_group_that_the_peer_refuses_is_changed(bench):
    bench.fresh({"ike": "{proposals: [aes256gcm16-prfsha384-x25519-ecp256]}"}, {"proposals": "aes256gcm16-prfsha384-ecp256"})
    bench.up()
    assert "requesting ECP_256" in bench.peer.log_text(), "no INVALID_KE_PAYLOAD was sent"
    bench.traffic()


def test_group_that_we_refuse_is_changed(bench):
    bench.fresh({"ike": "{proposals: [aes256gcm16-prfsha384-ecp256]}"}, {"proposals": "aes256gcm16-prfsha384-x25519-ecp256"})
    bench.up(by_us=False)
    assert "N(INVAL_KE)" in bench.peer.log_text(), "no INVALID_KE_PAYLOAD came"
    bench.traffic()


def narrowed(bench, by_us, local, remote):
    bench.up(by_us)
    bench.traffic()
    (child,) = bench.gw.children(TUNNEL)
    assert [(s["local"], s["remote"]) for s in child.selectors] == [(local, remote)], child.selectors
    (peer,) = bench.peer.installed(CHILD)
    assert (peer.remote_ts, peer.local_ts) == ([local], [remote]), (peer.remote_ts, peer.local_ts)


def test_peer_narrows_our_selectors(bench):
    bench.fresh({"selectors": "any"})
    narrowed(bench, True, NET_A, NET_B)


def test_we_narrow_the_peers_selectors(bench):
    bench.fresh(None, None, {"local_ts": "10.2.0.0/16", "remote_ts": "10.0.0.0/8"})
    narrowed(bench, False, NET_A, NET_B)


def test_both_narrow(bench):
    bench.fresh({"selectors": f"[{{local: 10.0.0.0/8, remote: {NET_B}}}]"}, None, {"local_ts": "10.2.0.0/16"})
    narrowed(bench, True, NET_A, NET_B)


def test_packet_too_big_for_the_tunnel_is_told_so(bench):
    bench.fresh()
    bench.up()
    a = bench.net.a
    r = a.run("ping", "-n", "-c", 1, "-W", 2, "-M", "do", "-s", 1472, HOST_B, peer=True, check=False)
    assert "Frag needed" in r.stdout or "mtu" in r.stdout.lower() + r.stderr.lower(), r.stdout + r.stderr
    # and the sender learns: a large echo without DF comes through in fragments
    sent, received, _ = a.ping(HOST_B, 3, 0.05, size=2500)
    assert sent == received, f"{received} of {sent}"


def test_ttl_runs_out_at_the_gateway(bench):
    bench.fresh()
    bench.up()
    r = bench.net.a.run("ping", "-n", "-c", 1, "-W", 2, "-t", 1, HOST_B, peer=True, check=False)
    assert "From 10.1.0.1" in r.stdout and "Time to live exceeded" in r.stdout, r.stdout


if __name__ == "__main__":
    tap.main(__name__, Bench)
