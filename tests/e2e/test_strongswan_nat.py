"""strongSwan behind a NAT router: both roles, the move to port 4500, keepalives, and a mapping that changes."""

import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import CHILD, HOST_A, HOST_B, PEER, ROUTER_NFT, TUNNEL, Bench, Pings  # noqa: E402


def open_router(bench):
    bench.net.router.run("nft", "flush", "ruleset", peer=True)
    bench.net.router.nft(ROUTER_NFT)
    bench.net.router.run("conntrack", "-F", peer=True)


def test_we_begin_through_the_forwarded_ports(bench):
    open_router(bench)
    bench.fresh()
    bench.up()
    bench.traffic()
    (sa,) = bench.gw.ikes(TUNNEL)
    assert sa.nat == "remote" and sa.remote == PEER and sa.remote_port == 4500, sa.raw
    (peer,) = bench.peer.sas()
    assert peer.nat_local and not peer.nat_remote


def test_peer_begins_from_a_port_of_the_routers_choice(bench):
    open_router(bench)
    bench.fresh()
    bench.net.close_router()
    bench.up(by_us=False)
    bench.traffic()
    (sa,) = bench.gw.ikes(TUNNEL)
    assert sa.nat == "remote" and 40000 <= sa.remote_port <= 50000, sa.raw


def test_both_rekeys_behind_the_router(bench):
    open_router(bench)
    bench.fresh()
    bench.net.close_router()
    bench.up(by_us=False)
    for act in (bench.gw.rekey_child, bench.gw.rekey_ike):
        before = bench.spis()
        act(TUNNEL)
        which = 1 if act == bench.gw.rekey_child else 0
        wait_for("new SPIs", lambda: not bench.spis()[which][0] & before[which][0], 10, 0.1)  # noqa: B023
        bench.wait_settled()
    bench.traffic()


def test_new_mapping_of_the_router_is_followed(bench):
    """RFC 7296 2.23: an authenticated packet from a new address and port moves the SAs there."""
    open_router(bench)
    bench.fresh()
    bench.net.close_router()
    bench.up(by_us=False)
    before = bench.gw.ikes(TUNNEL)[0].remote_port
    # the same flow gets another port from now on
    bench.net.router.run("nft", "flush", "chain", "ip", "demo", "outwards", peer=True)
    bench.net.router.nft('add rule ip demo outwards oifname "out" meta l4proto udp masquerade to :20000-30000')
    bench.net.router.run("conntrack", "-F", peer=True)
    wait_for("an echo from site-b", lambda: bench.net.b.pings(HOST_A), 10)
    bench.traffic()
    after = bench.gw.ikes(TUNNEL)[0].remote_port
    assert 20000 <= after <= 30000 and after != before, (before, after)
    # and IKE has moved too
    bench.gw.rekey_child(TUNNEL)
    bench.wait_settled()


def test_our_esp_count_is_the_wans(bench):
    open_router(bench)
    bench.fresh()
    bench.up()
    esp, out = bench.net.wan_esp(), bench.gw.tunnel(TUNNEL)["out_packets"]
    sent, received, _ = bench.net.a.ping(HOST_B, 200, 0.01)
    assert sent == received == 200
    wait_for("equal counts", lambda: bench.gw.tunnel(TUNNEL)["out_packets"] - out == bench.net.wan_esp() - esp == 200, 5)


if __name__ == "__main__":
    tap.main(__name__, functools.partial(Bench, nat=True))
