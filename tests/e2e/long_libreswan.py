"""libreswan 4.10 as a second implementation of IKEv2, in a guest over its kernel's ESP: both roles, rekeys, its end and
ours, suites, ESN, fragments of IKE, several children, IPv6."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_ike import GW6, HOST6_A, HOST6_B, NET6_A, NET6_B, PEER6, is_extended  # noqa: E402
from guest_libreswan import LibreswanBench  # noqa: E402
from netlab import wait_for  # noqa: E402
from test_tun import socket_in  # noqa: E402
from topo import HOST_A, HOST_B, ID_B, NET_A, NET_B, PEER, TUNNEL, Pings  # noqa: E402

SKF, IKE_AUTH, ETH_ALL = 53, 35, 3
# names that make IKE_AUTH longer than 576 octets
LONG_A, LONG_B = "a23456789." * 24 + "example", "b23456789." * 24 + "example"


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
    # libreswan sends on the new child before it sends the answer that we need for its keys: nothing else may be lost
    drops = bench.gw.drops()
    assert set(drops) <= {"bad-spi"} and sent - received <= min(drops.get("bad-spi", 0), 25), (sent, received, drops)


def test_peer_says_delete(bench):
    bench.fresh()
    bench.up(True)
    bench.peer.terminate()
    wait_for("our end is down too", lambda: not bench.gw.children(TUNNEL), 10)


def both_begin(bench, *pairs, children=1):
    for by_us in (True, False):
        if by_us:
            bench.gw.up(TUNNEL, seconds=60)
        else:
            bench.peer.initiate()
        bench.wait_settled(children=children)
        bench.echoes(*pairs)
        yield by_us
        bench.empty(by_us)


def suite(ours_ike, theirs_ike, ours, theirs, shown, esn="no"):
    def case(bench):
        bench.fresh({"ike": f"{{proposals: [{ours_ike}]}}", "esp": f"{{proposals: [{ours}], esn: {'require' if esn == 'yes' else esn}}}"},
                    {"ike": theirs_ike, "esp": theirs, "esn": esn})  # fmt: skip
        for _ in both_begin(bench):
            states = bench.both_states()
            assert all(shown in s and is_extended(s) == (esn == "yes") for s in states), states

    return case


test_cbc256_sha256 = suite("aes256-sha256-modp2048", "aes256-sha2_256-dh14", "aes256-sha256", "aes256-sha2_256", "hmac(sha256)")
test_cbc128_sha512_esn = suite("aes128-sha512-ecp256", "aes128-sha2_512-dh19", "aes128-sha512", "aes128-sha2_512", "hmac(sha512)", "yes")
test_chacha_esn = suite("chacha20poly1305-prfsha256-x25519", "chacha20_poly1305-sha2_256-dh31", "chacha20poly1305", "chacha20_poly1305",
                        "rfc7539esp", "yes")  # fmt: skip


def test_fragments_of_ike(bench):
    bench.fresh({"local": f"{{port: wan0, id: {LONG_A}}}", "remote": f"{{address: {PEER}, id: {LONG_B}}}",
                 "ike": "{proposals: [aes256-sha256-modp2048], fragment-size: 576}"},
                {"ike": "aes256-sha2_256-dh14", "fragmentation": "yes", "leftid": f"@{LONG_B}", "rightid": f"@{LONG_A}"})  # fmt: skip
    with socket_in(bench.net.peer, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_ALL)) as s:
        s.bind(("wan", ETH_ALL))
        for by_us in both_begin(bench):
            s.setblocking(False)
            cut = {PEER: 0, "ours": 0}
            while True:
                try:
                    p = s.recv(2000)
                except BlockingIOError:
                    break
                if p[0] == 0x45 and p[9] == 17 and len(p) > 56 and p[44] == SKF and p[46] == IKE_AUTH:
                    cut[PEER if socket.inet_ntoa(p[12:16]) == PEER else "ours"] += 1
            assert cut["ours" if by_us else PEER] >= 2, cut


def test_several_subnets(bench):
    nets, hosts = [NET_B, "10.3.0.0/24", "10.4.0.0/24"], [HOST_B, "10.3.0.10", "10.4.0.10"]
    for host, net in zip(hosts[1:], nets[1:]):
        bench.net.b.run("ip", "address", "add", f"{host}/24", "dev", "eth0")
        bench.net.machine.guest.run("ip", "address", "add", net.replace(".0/", ".1/"), "dev", "eth1")
    pairs = ", ".join(f"{{local: {NET_A}, remote: {n}}}" for n in nets)
    bench.fresh({"selectors": f"[{pairs}]", "children": "per-selector", "esp": "{proposals: [aes256gcm16]}"},
                {"leftsubnet": None, "leftsubnets": "{" + ",".join(nets) + "}", "esp": "aes_gcm256", "pfs": "no"}, routes=nets)  # fmt: skip
    for _ in both_begin(bench, *((HOST_A, h) for h in hosts), children=3):
        assert len(bench.gw.ikes(TUNNEL)) == 1
        before = {c.spi_in for c in bench.gw.children(TUNNEL)}
        bench.gw.rekey_child(TUNNEL)
        wait_for("new children", lambda b=before: bench.settled(3) and not b & {c.spi_in for c in bench.gw.children(TUNNEL)}, 20, 0.2)
        bench.echoes(*((HOST_A, h) for h in hosts))


def test_ipv6(bench):
    bench.fresh({"remote": f'{{address: "{PEER6}", id: {ID_B}}}', "selectors": f'[{{local: "{NET6_A}", remote: "{NET6_B}"}}]'},
                {"left": PEER6, "right": GW6, "leftsubnet": NET6_B, "rightsubnet": NET6_A}, routes=[NET6_B])  # fmt: skip
    for _ in both_begin(bench, (HOST6_A, HOST6_B)):
        assert all(f"src {PEER6}" in s or f"dst {PEER6}" in s for s in bench.both_states())


def test_wrong_key(bench):
    bench.fresh(peer_psk="another key")
    bench.gw.up(TUNNEL, check=False)
    wait_for("the reason", lambda: "AUTHENTICATION_FAILED" in bench.error() or "key" in bench.error(), 10)


if __name__ == "__main__":
    tap.CASE_SECONDS = 180  # the guest has no KVM
    tap.main(__name__, LibreswanBench)
