"""IPv6 with a peer whose kernel does ESP (strongSwan in a guest): outside, inside, both families in one child, in UDP, rekeys."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_ike import GW6, HOST6_A, HOST6_B, NET6_A, NET6_B, PEER6, GuestBench  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import CHILD, HOST_A, HOST_B, ID_B, NET_A, NET_B, TUNNEL, Pings  # noqa: E402

FOUR, SIX = (HOST_A, HOST_B), (HOST6_A, HOST6_B)
NETS = {FOUR: (NET_A, NET_B), SIX: (NET6_A, NET6_B)}


def fresh(bench, outer6, inner, tunnel=None, ike=None, child=None):
    """inner: a tuple of FOUR and SIX, each a pair of the child's selectors."""
    nets = [NETS[i] for i in inner]
    keys = {"selectors": "[" + ", ".join(f'{{local: "{a}", remote: "{b}"}}' for a, b in nets) + "]"}
    peer = {}
    if outer6:
        keys["remote"] = f'{{address: "{PEER6}", id: {ID_B}}}'
        peer = {"local_addrs": PEER6, "remote_addrs": GW6}
    ts = {"local_ts": ",".join(b for _, b in nets), "remote_ts": ",".join(a for a, _ in nets)}
    bench.fresh({**keys, **(tunnel or {})}, {**peer, **(ike or {})}, {**ts, **(child or {})}, routes=[b for _, b in nets])


def way(outer6, inner, **more):
    def case(bench):
        fresh(bench, outer6, inner, **more)
        for by_us in (True, False):
            bench.up(by_us)
            bench.echoes(*inner)
            bench.echoes(*inner, size=1200, count=5)
            assert all(("src 2001:db8:ff::" in s) == outer6 for s in bench.both_states())
            bench.gw.down(TUNNEL)
            wait_for("no SA", lambda: not bench.gw.children(TUNNEL) and not bench.peer.sas(), 10, 0.1)

    return case


test_ipv6_carries_ipv4 = way(True, (FOUR,))
test_ipv6_carries_ipv6 = way(True, (SIX,))
test_ipv4_carries_ipv6 = way(False, (SIX,))
test_ipv4_carries_both = way(False, (FOUR, SIX))
test_ipv6_carries_both_in_cbc = way(True, (FOUR, SIX), tunnel={"esp": "{proposals: [aes256-sha256]}"}, child={"esp_proposals": "aes256-sha256"})
test_ipv6_carries_both_in_chacha = way(True, (FOUR, SIX), tunnel={"esp": "{proposals: [chacha20poly1305], esn: require}"},
                                       child={"esp_proposals": "chacha20poly1305-esn"})  # fmt: skip


def test_udp_over_ipv6(bench):
    fresh(bench, True, (FOUR, SIX), {"encapsulation": "force"}, {"encap": "yes"})
    for by_us in (True, False):
        bench.up(by_us)
        assert all("encap type espinudp" in s for s in bench.both_states()), bench.both_states()
        bench.echoes(FOUR, SIX)
        bench.gw.down(TUNNEL)
        wait_for("no SA", lambda: not bench.gw.children(TUNNEL) and not bench.peer.sas(), 10, 0.1)


def test_what_is_too_long_for_the_tunnel(bench):
    fresh(bench, True, (FOUR, SIX))
    bench.up(True)
    for ns, address in ((bench.net.a, HOST6_B), (bench.net.b, HOST6_A)):  # the first is lost: so IPv6 learns the path's MTU
        wait_for("an echo of 3000 octets", lambda ns=ns, address=address: ns.ping(address, size=3000)[1], 10)
    bench.echoes(FOUR, SIX, size=3000, count=5)


def test_rekeys_over_ipv6_lose_nothing(bench):
    fresh(bench, True, (FOUR, SIX))
    bench.up(False)
    bench.echoes(FOUR, SIX, count=5)  # who answered sends when the peer shows that it has the child, or a second later
    pings = [Pings(bench.net.a, h, 3000, 0.02) for h in (HOST_B, HOST6_B)]
    for rekey in (lambda: bench.gw.rekey_child(TUNNEL), lambda: bench.peer.rekey_child(CHILD)):
        before = bench.spis()[1][0]
        rekey()
        wait_for("another child", lambda before=before: bench.settled() and not bench.spis()[1][0] & before, 20, 0.1)
    before = bench.spis()[0][0]
    bench.gw.rekey_ike(TUNNEL)
    wait_for("another IKE_SA", lambda: bench.settled() and not bench.spis()[0][0] & before, 20, 0.1)
    for p in pings:
        sent, received = p.stop()
        assert received >= sent - 1, f"{received} of {sent}: {bench.gw.drops()}"  # SIGINT may come in front of the last answer


if __name__ == "__main__":
    tap.CASE_SECONDS = 180  # the guest has no KVM
    tap.main(__name__, GuestBench)
