"""ESP in IP, protocol 50, without UDP: Debian 13's strongSwan in user space, both roles, rekeys, and the wire watched; other
suites; IPv6 outside."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from guest_ike import GW6, PEER6, gateway6_yaml  # noqa: E402
from netlab import wait_for  # noqa: E402
from strongswan import RawCharon  # noqa: E402
from topo import CHILD, HOST_B, ID_B, PSK, TUNNEL, Bench, Pings  # noqa: E402

PLAIN = {"encap": "no"}


def up(bench, by_us):
    bench.fresh(ike=PLAIN)
    bench.up(by_us)
    bench.traffic()


def on_the_wire(bench):
    """Protocols of ESP that the WAN carries while echoes run: {"esp"}, {"udp"} or both."""
    rules = (
        "table inet seen {\nchain in {\ntype filter hook prerouting priority raw;\n"
        "meta l4proto esp counter\nudp dport 4500 @th,64,32 != 0 counter\n}\n}\n"
    )
    bench.net.peer.nft("add table inet seen\ndelete table inet seen\n" + rules)
    bench.traffic()
    text = bench.net.peer.run("nft", "list", "table", "inet", "seen", peer=True).stdout
    counts = [int(line.split("packets ")[1].split()[0]) for line in text.splitlines() if "packets" in line]
    return {name for name, n in zip(("esp", "udp"), counts) if n}


def test_we_begin(bench):
    up(bench, True)
    assert on_the_wire(bench) == {"esp"}


def test_peer_begins(bench):
    up(bench, False)
    assert on_the_wire(bench) == {"esp"}


def test_rekeys_from_both_ends_lose_nothing(bench):
    up(bench, True)
    pings = Pings(bench.net.a, HOST_B, 400, 0.01)
    for by_us in (True, False, True, False):
        before = bench.spis()[1]
        if by_us:
            bench.gw.rekey_child(TUNNEL)
        else:
            bench.peer.rekey_child(CHILD)
        wait_for("another child", lambda before=before: bench.settled() and bench.spis()[1] != before, 15)
    sent, received = pings.result()
    assert sent == received, (sent, received, bench.gw.drops())


def suite(name):
    def case(bench):
        bench.fresh({"esp": f"{{proposals: [{name}]}}"}, PLAIN, {"esp_proposals": name})
        for by_us in (True, False):
            bench.up(by_us)
            bench.traffic()
            bench.gw.down(TUNNEL)
            bench.wait_empty()

    return case


for _name in ("aes256-sha256", "aes128-sha512", "aes192-sha384", "chacha20poly1305", "aes128gcm16"):
    globals()["test_both_begin_with_" + _name.replace("-", "_")] = suite(_name)


def test_ipv6_outside(bench):
    bench.stop()
    bench.starts += 1
    peer = bench.net.peer
    for key, value in (("accept_dad", 0), ("disable_ipv6", 0)):
        peer.sysctl(f"net.ipv6.conf.wan.{key}", value)
    peer.address("wan", f"{PEER6}/64")
    bench.peer = bench.net.charon({**PLAIN, "local_addrs": PEER6, "remote_addrs": GW6}, options={"delete_rekeyed_delay": 1}, name="charon6")
    text = gateway6_yaml({"remote": f'{{address: "{PEER6}", id: {ID_B}}}'})
    bench.gw = Gateway(bench.net.gw, text, PSK, "gw6").start()
    for by_us in (True, False):
        bench.up(by_us)
        bench.traffic()
        assert bench.gw.children(TUNNEL)[0].raw["encap"] != "udp"
        bench.gw.down(TUNNEL)
        bench.wait_empty()


if __name__ == "__main__":
    tap.main(__name__, lambda: Bench(peer=RawCharon))
