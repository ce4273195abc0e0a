"""A peer whose kernel does ESP (XFRM): strongSwan in a guest under qemu. ESP in IP, ESN, transport mode, both roles, rekeys."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_ike import GuestBench  # noqa: E402


def test_we_begin(bench):
    bench.fresh()
    bench.up(True)
    bench.traffic()


def test_peer_begins(bench):
    bench.fresh()
    bench.up(False)
    bench.traffic()


if __name__ == "__main__":
    tap.main(__name__, GuestBench)
