"""libreswan 4.10 as a second implementation of IKEv2, in a guest over its kernel's ESP: both roles, rekeys, its end and ours."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_libreswan import LibreswanBench  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import HOST_B, TUNNEL, Pings  # noqa: E402


def test_we_begin(bench):
    bench.fresh()
    bench.up(True)
    bench.traffic()


def test_peer_begins(bench):
    bench.fresh()
    bench.up(False)
    bench.traffic()


def test_rekeys_from_both_ends(bench):
    bench.fresh()
    bench.up(True)
    pings = Pings(bench.net.a, HOST_B, 500, 0.02)
    steps = (lambda: bench.gw.rekey_child(TUNNEL), bench.peer.rekey_child, lambda: bench.gw.rekey_ike(TUNNEL), bench.peer.rekey_ike)
    for rekey in steps:
        before = bench.shape()
        rekey()
        wait_for("another SA alone", lambda before=before: bench.settled() and bench.shape() != before, 20, 0.2)
    sent, received = pings.result()
    # libreswan sends on the new child before its answer can have reached us: one echo a rekey of ours may fall into that
    assert sent - received <= 1, (sent, received, bench.gw.drops())


def test_peer_says_delete(bench):
    bench.fresh()
    bench.up(True)
    bench.peer.terminate()
    wait_for("our end is down too", lambda: not bench.gw.children(TUNNEL), 10)


def test_wrong_key(bench):
    bench.fresh(peer_psk="another key")
    bench.gw.up(TUNNEL, check=False)
    wait_for("the reason", lambda: "AUTHENTICATION_FAILED" in bench.error() or "key" in bench.error(), 10)


if __name__ == "__main__":
    tap.main(__name__, LibreswanBench)
