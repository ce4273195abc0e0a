"""A peer whose kernel does ESP (XFRM): strongSwan in a guest under qemu. ESP in IP and in UDP, ESN past 2^32, several children,
rekeys, traffic that asks at both ends, and a peer that loses its power."""

import concurrent.futures
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_ike import GuestBench, is_extended  # noqa: E402
from netlab import wait_for  # noqa: E402
from test_tun import socket_in  # noqa: E402
from topo import CHILD, HOST_A, HOST_B, NET_A, NET_B, PEER, TUNNEL, Pings  # noqa: E402

NETS = [NET_B, "10.3.0.0/24", "10.4.0.0/24"]
HOSTS = [HOST_B, "10.3.0.10", "10.4.0.10"]
NAMES = [CHILD, "net3", "net4"]
ETH_ALL, ETH_IP, UDP = 3, 0x800, 17


class Xfrm(GuestBench):
    def __enter__(self):
        super().__enter__()
        for host, net in zip(HOSTS[1:], NETS[1:]):
            self.net.b.run("ip", "address", "add", f"{host}/24", "dev", "eth0")
            self.net.machine.guest.run("ip", "address", "add", net.replace(".0/", ".1/"), "dev", "eth1")
        return self

    def children(self, tunnel=None):
        """Three children at each end."""
        more = {n: {"local_ts": ts, "remote_ts": NET_A, "esp_proposals": "aes256gcm16"} for n, ts in zip(NAMES, NETS)}
        pairs = ", ".join(f"{{local: {NET_A}, remote: {n}}}" for n in NETS)
        keys = {"selectors": f"[{pairs}]", "children": "per-selector", "esp": "{proposals: [aes256gcm16]}", **(tunnel or {})}
        return self.fresh(keys, {"children": more}, {"esp_proposals": "aes256gcm16"}, routes=NETS)

    def ours(self):
        """{name at the peer: SPI in} of what is installed here."""
        rows = [c for c in self.gw.children(TUNNEL) if c.state == "installed"]
        return {NAMES[c.raw["child"]]: c.spi_in for c in rows}

    def agreed(self, n=3):
        ours = self.ours()
        return len(ours) == n and ours == {c.name: c.spi_out for s in self.peer.sas() for c in s.children if c.state == "INSTALLED"}

    def wait_agreed(self, n=3):
        wait_for(f"{n} children, the same at both ends", lambda: self.agreed(n), 20, 0.1)


def test_we_begin(bench):
    bench.fresh()
    bench.up(True)
    bench.traffic()
    (c,) = bench.gw.children(TUNNEL)
    assert c.raw["encap"] != "udp" and "encap" not in "".join(bench.both_states()), c.raw


def test_peer_begins(bench):
    bench.fresh()
    bench.up(False)
    bench.traffic()


def test_in_udp(bench):
    for ours, theirs in (("force", "no"), ("auto", "yes")):
        bench.fresh({"encapsulation": ours}, {"encap": theirs})
        bench.up(ours == "force")
        bench.echoes()
        assert all("encap type espinudp sport 4500 dport 4500" in s for s in bench.both_states()), bench.both_states()
        bench.echoes(size=3000)


def test_extended_numbers_go_past_32_bits(bench):
    """The peer's next number is set to just below 2^32: what follows must open here, and what is repeated must not."""
    bench.fresh({"esp": "{proposals: [aes256gcm16], esn: require, replay-window: 64}"}, child={
        "esp_proposals": "aes256gcm16-esn", "replay_window": 512})  # fmt: skip
    bench.up(False)
    bench.echoes(count=50)  # farther than our window: a jump before that is one backwards
    state = bench.both_states()[0]
    assert is_extended(state) and bench.gw.children(TUNNEL)[0].raw["esn"], state
    src, dst, spi, reqid = re.search(r"src (\S+) dst (\S+)\s+proto esp spi (\S+) reqid (\d+)", state).groups()
    aead = re.search(r"aead (\S+) (\S+) (\d+)", state).groups()
    ends = ["src", src, "dst", dst, "proto", "esp", "spi", spi]
    guest = bench.net.machine.guest
    guest.run("ip", "xfrm", "state", "delete", *ends)
    guest.run("ip", "xfrm", "state", "add", *ends, "reqid", reqid, "mode", "tunnel", "flag", "af-unspec", "esn", "replay-window", 32,
              "replay-oseq", 0xFFFFFFF0, "aead", *aead)  # fmt: skip
    bench.echoes(count=40)
    text = bench.both_states()[0]
    assert re.search(r"oseq-hi 0x1\b", text), text
    assert not {r for r in ("bad-icv", "replay", "replay-old") if bench.gw.drops().get(r)}, bench.gw.drops()


def test_extended_numbers_are_agreed_on(bench):
    for ours, theirs, by_us, got in (("prefer", "esn", True, True), ("prefer", "noesn", True, False), ("prefer", "esn-noesn", False, True),
                                     ("no", "esn-noesn", False, False)):  # fmt: skip
        bench.fresh({"esp": f"{{proposals: [aes256gcm16], esn: {ours}}}"}, child={"esp_proposals": f"aes256gcm16-{theirs}"})
        bench.up(by_us)
        bench.echoes()
        assert bench.gw.children(TUNNEL)[0].raw["esn"] == got, (ours, theirs)
        assert all(is_extended(s) == got for s in bench.both_states()), bench.both_states()


def test_each_child_is_rekeyed_by_either_end_without_loss(bench):
    bench.children()
    bench.gw.up(TUNNEL)
    bench.wait_agreed()
    pings = [Pings(bench.net.a, h, 3000, 0.02) for h in HOSTS]
    for name in NAMES[:2]:
        before = bench.ours()
        bench.peer.rekey_child(name)
        wait_for("one new child", lambda b=before, n=name: bench.agreed() and bench.ours()[n] != b[n], 20, 0.1)
        assert [n for n in NAMES if bench.ours()[n] != before[n]] == [name]
    before = bench.ours()
    bench.gw.rekey_child(TUNNEL)
    wait_for("new children", lambda: bench.agreed() and not set(bench.ours().values()) & set(before.values()), 20, 0.1)
    before = {s.spi_i for s in bench.peer.sas()}
    for rekey in (lambda: bench.gw.rekey_ike(TUNNEL), lambda: bench.peer.rekey_ike("site-a")):
        rekey()
        wait_for("another IKE_SA", lambda: len(bench.peer.sas()) == 1 and not {s.spi_i for s in bench.peer.sas()} & before, 20, 0.2)
        before = {s.spi_i for s in bench.peer.sas()}
    for p in pings:
        sent, received = p.stop()
        assert received >= sent - 1, f"{received} of {sent}: {bench.gw.drops()}"  # SIGINT may come in front of the last answer


def test_the_peer_begins_children_one_by_one(bench):
    bench.children()
    for n, name in enumerate(reversed(NAMES)):
        bench.peer.initiate(name)
        bench.wait_agreed(n + 1)
    bench.echoes(*((HOST_A, h) for h in HOSTS))
    bench.peer.terminate(child=NAMES[1])
    bench.wait_agreed(2)
    bench.echoes((HOST_A, HOSTS[0]), (HOST_A, HOSTS[2]))


def test_traffic_asks_at_our_end(bench):
    bench.children({"start": "on-traffic"})
    assert not bench.peer.sas()
    for n, i in enumerate((1, 0)):
        wait_for("an echo", lambda i=i: bench.net.a.pings(HOSTS[i]), 10)
        bench.wait_agreed(n + 1)


def test_traffic_asks_at_the_peers_end(bench):
    bench.fresh(child={"start_action": "trap", "dpd_action": "trap"})
    assert not bench.gw.children(TUNNEL)
    wait_for("an echo", lambda: bench.net.b.pings(HOST_A), 15)
    bench.wait_settled()
    bench.gw.down(TUNNEL)
    wait_for("no SA here", lambda: not bench.gw.children(TUNNEL), 10)
    wait_for("an echo once more", lambda: bench.net.b.pings(HOST_A), 15)


def is_init(packet, where):
    """The first message of an IKE_SA in IPv4, from the peer."""
    return where[1] == ETH_IP and packet[9] == UDP and socket.inet_ntoa(packet[12:16]) == PEER and packet[20 + 8 + 8 : 20 + 8 + 16] == bytes(8)


def test_a_peer_that_loses_its_power_is_back_at_once(bench):
    bench.fresh({"dpd": "30s"})
    bench.up(False)
    old = bench.spis()
    bench.peer.kill()
    bench.peer.start()
    bench.peer.swanctl("--load-all")
    with concurrent.futures.ThreadPoolExecutor() as pool, socket_in(
            bench.net.peer, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_ALL)) as wan:  # fmt: skip
        wan.bind(("wan", ETH_ALL))
        wan.settimeout(30)
        pool.submit(bench.peer.initiate, CHILD)
        while not is_init(*wan.recvfrom(2000)):  # the first message: from then on it is not the guest's slowness alone
            pass
        wait_for("an echo", lambda: bench.net.a.pings(HOST_B), 5)
    bench.wait_settled()
    assert not bench.spis()[0][0] & old[0][0]
    bench.echoes()


if __name__ == "__main__":
    tap.CASE_SECONDS = 180  # the guest has no KVM
    tap.main(__name__, Xfrm)
