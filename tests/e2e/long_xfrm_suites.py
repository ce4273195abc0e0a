"""Each ESP suite with a peer whose kernel does ESP (strongSwan in a guest), begun by either end."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_ike import GuestBench  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import TUNNEL  # noqa: E402

# a proposal, and what the peer's kernel then shows
SUITES = {
    "aes256-sha256": r"auth-trunc hmac\(sha256\) 0x[0-9a-f]{64} 128.*enc cbc\(aes\) 0x[0-9a-f]{64}",
    "aes192-sha384": r"auth-trunc hmac\(sha384\) 0x[0-9a-f]{96} 192.*enc cbc\(aes\) 0x[0-9a-f]{48}",
    "aes128-sha512": r"auth-trunc hmac\(sha512\) 0x[0-9a-f]{128} 256.*enc cbc\(aes\) 0x[0-9a-f]{32}",
    "aes128-sha1": r"auth-trunc hmac\(sha1\) 0x[0-9a-f]{40} 96.*enc cbc\(aes\) 0x[0-9a-f]{32}",
    "3des-sha256": r"auth-trunc hmac\(sha256\) .*enc cbc\(des3_ede\) 0x[0-9a-f]{48}",
    "chacha20poly1305": r"aead rfc7539esp\(chacha20,poly1305\) 0x[0-9a-f]{72} 128",
    "aes192gcm16": r"aead rfc4106\(gcm\(aes\)\) 0x[0-9a-f]{56} 128",
    "aes128gcm16": r"aead rfc4106\(gcm\(aes\)\) 0x[0-9a-f]{40} 128",
    "aes256gmac": r"aead rfc4543\(gcm\(aes\)\) 0x[0-9a-f]{72} 128",
    "null-sha256": r"auth-trunc hmac\(sha256\) .*enc ecb\(cipher_null\)",
}
MOST = 8  # suites that a gateway may have


class Suites(GuestBench):
    suites = ()  # what the gateway that runs takes

    def suite(self, name):
        """Both ends ready for it."""
        child = {"esp_proposals": name}
        if name in self.suites:
            self.reload(child=child)
            return
        at = list(SUITES).index(name)
        self.suites = list(SUITES)[at : at + MOST]
        self.fresh({"ike": "{proposals: [aes256gcm16-prfsha384-x25519], legacy: true}", "esp": f"{{proposals: [{', '.join(self.suites)}]}}"},
                   child=child)  # fmt: skip


def suite(name, shown):
    def case(bench):
        bench.suite(name)
        for by_us in (True, False):
            bench.up(by_us)
            bench.echoes()
            for text in bench.both_states():
                assert re.search(shown, text, re.S), text
            bench.gw.down(TUNNEL)
            wait_for("no SA", lambda: not bench.gw.children(TUNNEL) and not bench.peer.sas(), 10, 0.1)

    return case


for _name, _shown in SUITES.items():
    globals()["test_both_begin_with_" + _name.replace("-", "_")] = suite(_name, _shown)


if __name__ == "__main__":
    tap.CASE_SECONDS = 180  # the guest has no KVM
    tap.main(__name__, Suites)
