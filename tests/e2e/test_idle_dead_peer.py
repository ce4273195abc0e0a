"""A peer that dies without a word is noticed, and found again. Mostly waiting: retransmissions take over a minute."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import TUNNEL, Bench  # noqa: E402


def test_dead_peer_is_noticed_and_comes_back(bench):
    bench.fresh({"dpd": "5s"}, start="always")
    bench.wait_settled()
    bench.peer.kill()
    wait_for("no child here", lambda: not bench.gw.children(TUNNEL), 100, 0.5)
    assert bench.error(), "the tunnel is down and says no reason"
    peer = bench.net.charon(name="again")
    bench.peer = peer
    bench.wait_settled(60)
    bench.traffic()


test_dead_peer_is_noticed_and_comes_back.seconds = 180


if __name__ == "__main__":
    tap.main(__name__, Bench)
