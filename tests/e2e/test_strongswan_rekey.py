"""Rekeys of child and IKE_SA from either side with echoes running: none lost, new SPIs at both ends, old SAs gone."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import CHILD, CONNECTION, HOST_B, TUNNEL, Bench, Pings  # noqa: E402

PFS = {"x25519": "-x25519", "ecp256": "-ecp256", "modp2048": "-modp2048", "no_pfs": ""}


def acts(bench):
    return {
        "our_child": lambda: bench.gw.rekey_child(TUNNEL),
        "our_ike": lambda: bench.gw.rekey_ike(TUNNEL),
        "peers_child": lambda: bench.peer.rekey_child(CHILD),
        "peers_ike": lambda: bench.peer.rekey_ike(CONNECTION),
    }


def rekeyed(bench, what, act, until_gone=True):
    """Run act() with echoes on their way; everything new that should be new, nothing lost.

    until_gone: wait until the old SAs are gone at both ends too, which takes some seconds for a child.
    """
    bench.traffic()
    before = bench.spis()
    seen = bench.gw.tunnel(TUNNEL)["in_packets"]
    pings = Pings(bench.net.a, HOST_B, 3000)
    wait_for("echoes", lambda: bench.gw.tunnel(TUNNEL)["in_packets"] > seen + 20, 5)
    act()
    changed = 1 if "child" in what else 0

    def fresh():
        ours, theirs = (s - before[changed][0] for s in bench.spis()[changed])
        return ours == theirs and len(ours) == 1

    wait_for("new SPIs at both ends", fresh, 20, 0.1)
    if until_gone:
        bench.wait_settled()
        assert not bench.spis()[changed][0] & before[changed][0]
    wait_for("echoes on the new SAs", lambda: bench.gw.tunnel(TUNNEL)["in_packets"] > seen + 60, 5)
    sent, received = pings.stop()
    assert received >= sent - 1 and sent > 20, f"{received} of {sent} echoes came back"  # one may have been on its way


def rekey_case(pfs, what, by_us):
    def case(bench):
        esp = "aes256gcm16" + PFS[pfs]
        bench.fresh({"esp": f"{{proposals: [{esp}]}}"}, None, {"esp_proposals": esp})
        bench.up(by_us)
        rekeyed(bench, what, acts(bench)[what], pfs == "x25519" or "ike" in what)
        bench.traffic()

    return case


for _pfs in PFS:
    for _what in ("our_child", "peers_child"):
        globals()[f"test_{_what}_rekey_{_pfs}"] = rekey_case(_pfs, _what, True)
for _by_us in (True, False):
    for _what in ("our_ike", "peers_ike"):
        _who = "we" if _by_us else "peer"
        globals()[f"test_{_what}_rekey_after_{_who}_began"] = rekey_case("no_pfs", _what, _by_us)


def test_six_rekeys_in_a_row(bench):
    bench.fresh()
    bench.up()
    for what in ("our_child", "our_ike", "peers_child", "peers_ike", "our_child", "our_ike"):
        rekeyed(bench, what, acts(bench)[what], False)
    bench.wait_settled()


test_six_rekeys_in_a_row.seconds = 120


def crossing(bench, ours, theirs):
    """Both ends begin at the same moment (RFC 7296 2.8.1); one pair of SAs is left, and no echo is lost."""
    bench.fresh()
    bench.up()
    bench.traffic()
    pings = Pings(bench.net.a, HOST_B, 3000)
    for _ in range(3 if os.environ.get("ESP_LONG") else 1):
        before = bench.spis()
        both = [threading.Thread(target=acts(bench)[w]) for w in (ours, theirs)]
        for t in both:
            t.start()
        for t in both:
            t.join()
        which = 1 if "child" in ours else 0
        wait_for("new SPIs", lambda: not bench.spis()[which][0] & before[which][0], 20, 0.1)
        bench.wait_settled()
    sent, received = pings.stop()
    assert received >= sent - 1, f"{received} of {sent} echoes came back"


def test_crossing_child_rekeys(bench):
    crossing(bench, "our_child", "peers_child")


def test_crossing_ike_rekeys(bench):
    crossing(bench, "our_ike", "peers_ike")


test_crossing_child_rekeys.seconds = test_crossing_ike_rekeys.seconds = 120


def test_group_that_the_peer_refuses_in_a_rekey_is_changed(bench):
    bench.fresh({"esp": "{proposals: [aes256gcm16-x25519-ecp256]}"}, None, {"esp_proposals": "aes256gcm16-ecp256"})
    bench.up()
    rekeyed(bench, "our_child", acts(bench)["our_child"])
    (child,) = bench.peer.installed(CHILD)
    assert child.dh == "ECP_256", child.dh


def test_group_that_we_refuse_in_a_rekey_is_changed(bench):
    bench.fresh({"esp": "{proposals: [aes256gcm16-ecp256]}"}, None, {"esp_proposals": "aes256gcm16-x25519-ecp256"})
    bench.up()
    rekeyed(bench, "peers_child", acts(bench)["peers_child"])
    (child,) = bench.peer.installed(CHILD)
    assert child.dh == "ECP_256", child.dh


def test_packet_limit_rekeys_before_it_is_reached(bench):
    bench.fresh({"esp": "{proposals: [aes256gcm16], lifetime-packets: 1000}"}, None, {"esp_proposals": "aes256gcm16"})
    bench.up()
    before = bench.spis()[1][0]
    sent, received, _ = bench.net.a.ping(HOST_B, 1500, 0.004)
    assert sent == received == 1500, f"{received} of {sent}"
    wait_for("a new child alone", lambda: bench.settled() and not bench.spis()[1][0] & before, 20, 0.1)


if __name__ == "__main__":
    tap.main(__name__, Bench)
