"""tshark opens a captured IKE and ESP exchange of ours with the keys of a test build, and finds every ICV right."""

import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
os.environ["ESP_BUILD"] = os.environ.get("ESP_KEYLOG_BUILD", os.path.join(TOP, "build", "keylog"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
import tshark  # noqa: E402
from netlab import BUILD, wait_for  # noqa: E402
from topo import TUNNEL, Bench  # noqa: E402

FIELDS = ("frame.number", "isakmp.exchangetype", "isakmp.typepayload", "isakmp.enc.data", "isakmp.enc.decrypted", "esp.spi", "esp.icv_good",
          "esp.icv_bad", "icmp.type", "_ws.expert.message")  # fmt: skip
SUITES = {
    "gcm": ("aes256gcm16-prfsha384-x25519", "aes256gcm16"),
    "cbc": ("aes256-sha256-modp2048", "aes256-sha256"),
    "cbc_sha512": ("aes128-sha512-ecp256", "aes128-sha512"),
    "cbc_sha384": ("aes192-sha384-ecp384", "aes192-sha384"),
    "gcm128": ("aes128gcm16-prfsha256-ecp256", "aes128gcm16"),
}


def suite(ike, esp):
    def case(bench):
        bench.stop()
        os.environ["ESPLANADE_KEYLOG"] = keylog = os.path.join(bench.lab.dir, f"keys-{bench.starts}")
        capture = tshark.Capture(bench.net.peer, "wan", f"c{bench.starts}")
        wait_for("tcpdump", capture.started, 10)
        bench.fresh(
            {"ike": f"{{proposals: [{ike}]}}", "esp": f"{{proposals: [{esp}], esn: no}}"}, {"proposals": ike}, {"esp_proposals": esp}
        )
        bench.up()
        bench.traffic(10)
        bench.gw.rekey_child(TUNNEL)
        bench.gw.rekey_ike(TUNNEL)
        wait_for("the rekeys", bench.settled, 20)
        bench.traffic(10)
        capture.stop()
        rows = tshark.decode(capture, keylog, FIELDS)
        secret = [r for r in rows if r["isakmp.enc.data"]]
        esp_rows = [r for r in rows if r["esp.spi"]]
        assert len(secret) >= 8 and len(esp_rows) >= 80, (len(secret), len(esp_rows))
        assert all(r["isakmp.enc.decrypted"] for r in secret), [r for r in secret if not r["isakmp.enc.decrypted"]]
        assert not any("incorrect" in r["_ws.expert.message"] for r in secret), secret
        bad = [r for r in esp_rows if r["esp.icv_good"] not in ("1", "True") or not r["icmp.type"]]
        assert not bad, bad[:3]
        # both directions, before and after the rekey
        assert len({r["esp.spi"] for r in esp_rows}) >= 4, {r["esp.spi"] for r in esp_rows}

    return case


for _name, _row in SUITES.items():
    globals()[f"test_{_name}"] = suite(*_row)


def test_only_the_test_build_can(_bench):
    """The build that people get knows nothing of it."""
    for build, can in ((BUILD, True), (os.path.join(TOP, "build"), False)):
        with open(os.path.join(build, "controlplane", "esplanade-controlplane"), "rb") as f:
            assert (b"ESPLANADE_KEYLOG" in f.read()) == can, build


if __name__ == "__main__":
    tap.main(__name__, Bench)
