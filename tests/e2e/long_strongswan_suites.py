"""Each IKE and ESP suite and each group with strongSwan, from both ends; and IKE messages in fragments (RFC 7383)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suites  # noqa: E402
import tap  # noqa: E402
from topo import PEER, PSK, Bench, peer_connections  # noqa: E402

suites.cases(suites.SUITES, globals())


# names that make IKE_AUTH longer than 576 octets
LONG_A, LONG_B = "a23456789." * 24 + "example", "b23456789." * 24 + "example"


def fragments(by_us):
    def case(bench):
        ike = {"proposals": "aes256-sha256-modp2048", "fragmentation": "force", "local": {"id": LONG_B}, "remote": {"id": LONG_A}}
        child = {"esp_proposals": "aes256-sha256"}
        bench.fresh(
            {
                "local": f"{{port: wan0, id: {LONG_A}}}",
                "remote": f"{{address: {PEER}, id: {LONG_B}}}",
                "ike": "{proposals: [aes256-sha256-modp2048], fragment-size: 576}",
                "esp": "{proposals: [aes256-sha256]}",
            },
            ike,
            child,
            options={"fragment_size": 400},
        )
        bench.peer.load(
            peer_connections(bench.net.peer_address, ike, child),
            {"ike-1": {"id-1": LONG_A, "id-2": LONG_B, "secret": f'"{PSK}"'}},
        )
        bench.up(by_us)
        bench.traffic()
        log = bench.peer.log_text()
        assert "splitting IKE message" in log, "strongSwan cut nothing"
        # our answer has one name in it, and is short enough
        assert not by_us or "received fragment #1" in log, "we cut nothing"

    return case


test_fragments_when_we_begin = fragments(True)
test_fragments_when_the_peer_begins = fragments(False)

if __name__ == "__main__":
    tap.main(__name__, Bench)
