"""Transport mode with a peer whose kernel does ESP (strongSwan in a guest): what the gateway's own sockets and the peer say to each
other, over IPv4 and IPv6, and never in clear."""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from guest_ike import GW6, PEER6, GuestBench  # noqa: E402
from netlab import wait_for  # noqa: E402
from test_tun import socket_in  # noqa: E402
from topo import CHILD, GW, ID_B, PEER, TUNNEL  # noqa: E402

PORT, ESP, UDP, ICMPV6 = 5001, 50, 17, 58
ENDS = {False: (GW, PEER), True: (GW6, PEER6)}
# in the guest: sends what comes on a connection back
ECHO = f"""
import socket
s = socket.create_server(("::", {PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
print("listens", flush=True)
while True:
    c, _ = s.accept()
    while d := c.recv(65536): c.sendall(d)
    c.close()
"""
LOG = "/tmp/echo"


class Transport(GuestBench):
    def __enter__(self):
        super().__enter__()
        guest = self.net.machine.guest
        guest.start("python3", "-c", ECHO, log=LOG)
        wait_for("it listens", lambda: "listens" in guest.read(LOG), 30)
        return self


class Wire:
    """Protocols of what passes between the two ends in one family: {protocol: packets} of ours and of theirs."""

    def __init__(self, net, six=False):
        self.s = socket_in(net.peer, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.s.bind(("wan", 3))
        self.s.settimeout(0.2)
        # the octet that says what is inside, and where the source is
        self.proto, self.src = (6, slice(8, 24)) if six else (9, slice(12, 16))
        self.type = 0x86DD if six else 0x800
        self.ends = [socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, e) for e in ENDS[six]]
        self.ours, self.theirs, self.on = {}, {}, True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.on:
            try:
                data, where = self.s.recvfrom(65536)
            except socket.timeout:
                continue
            if where[1] != self.type or data[self.src] not in self.ends:
                continue
            p = data[self.proto]
            if p == ICMPV6 and 133 <= data[40] <= 137:
                continue  # neighbour discovery
            seen = self.ours if data[self.src] == self.ends[0] else self.theirs
            seen[p] = seen.get(p, 0) + 1

    def check(self, packets):
        """Both sent so many in ESP at least, and IKE beside it, and nothing else."""
        for seen in (self.ours, self.theirs):
            assert seen.get(ESP, 0) >= packets and not set(seen) - {ESP, UDP}, (self.ours, self.theirs)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.on = False
        self.thread.join()
        self.s.close()


def fresh(bench, six=False, tunnel=None, child=None):
    peer = ENDS[six][1]
    keys = {"mode": "transport", "remote": f'{{address: "{peer}", id: {ID_B}}}', "selectors": None, **(tunnel or {})}
    ts = {"mode": "transport", "local_ts": "dynamic", "remote_ts": "dynamic", **(child or {})}
    ike = {"local_addrs": PEER6, "remote_addrs": GW6} if six else {}
    bench.fresh(keys, ike, ts, routes=())


def echoes(bench, six=False, count=5):
    ours, theirs = ENDS[six]
    wait_for("an echo", lambda: bench.net.gw.ping(theirs, source=ours, timeout=1)[1], 10)
    sent, received, _ = bench.net.gw.ping(theirs, count, 0.1, source=ours)
    assert sent == received, f"{received} of {sent}: {bench.gw.drops()}"
    got = bench.net.machine.guest.run("ping", "-n", "-c", count, "-i", 0.2, "-W", 2, "-I", theirs, ours, check=False).stdout
    assert f" {count} received" in got, f"{got}: {bench.gw.drops()}"


def tcp(bench, six=False, size=200000):
    """Octets there and back over a connection of the gateway's kernel."""
    ours, theirs = ENDS[six]
    with socket_in(bench.net.gw, socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(15)
        s.bind((ours, 0))
        s.connect((theirs, PORT))
        text = os.urandom(size)
        threading.Thread(target=s.sendall, args=(text,), daemon=True).start()
        got = b""
        while len(got) < size:
            part = s.recv(65536)
            assert part, f"{len(got)} octets came back"
            got += part
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
    assert got == text


def both(six, **more):
    def case(bench):
        fresh(bench, six, **more)
        for by_us in (True, False):
            bench.up(by_us)
            with Wire(bench.net, six) as wire:
                echoes(bench, six)
                tcp(bench, six)
            wire.check(50)
            assert all("mode transport" in s for s in bench.both_states()), bench.both_states()
            assert bench.gw.children(TUNNEL)[0].raw["mode"] == "transport"
            bench.gw.down(TUNNEL)
            wait_for("no SA", lambda: not bench.gw.children(TUNNEL) and not bench.peer.sas(), 10, 0.1)

    return case


test_ipv4 = both(False)
test_ipv6 = both(True)
test_ipv4_in_cbc_with_esn = both(False, tunnel={"esp": "{proposals: [aes256-sha256], esn: require}"}, child={
    "esp_proposals": "aes256-sha256-esn"})  # fmt: skip


def test_nothing_goes_or_comes_in_clear(bench):
    fresh(bench)
    guest, drops = bench.net.machine.guest, bench.gw.drops
    with Wire(bench.net) as wire:
        before = drops().get("no-sa", 0)
        assert not bench.net.gw.ping(PEER, source=GW, timeout=1)[1]
        assert drops().get("no-sa", 0) > before, drops()
    assert not set(wire.ours) - {UDP}, wire.ours
    before = drops().get("clear-to-protected", 0)
    assert " 0 received" in guest.run("ping", "-n", "-c", 2, "-i", 0.2, "-W", 1, GW, check=False).stdout
    assert drops().get("clear-to-protected", 0) == before + 2, drops()
    bench.up(False)
    echoes(bench)
    guest.run("ip", "xfrm", "policy", "flush")
    before = drops().get("clear-to-protected", 0)
    assert " 0 received" in guest.run("ping", "-n", "-c", 2, "-i", 0.2, "-W", 1, GW, check=False).stdout
    assert drops().get("clear-to-protected", 0) == before + 2, drops()


def test_traffic_asks_and_rekeys(bench):
    fresh(bench, tunnel={"start": "on-traffic"})
    assert not bench.gw.children(TUNNEL)
    with Wire(bench.net) as wire:
        echoes(bench)
        for rekey in (lambda: bench.gw.rekey_child(TUNNEL), lambda: bench.peer.rekey_child(CHILD)):
            before = bench.spis()[1][0]
            rekey()
            wait_for("another child", lambda before=before: bench.settled() and not bench.spis()[1][0] & before, 20, 0.1)
            echoes(bench)
    wire.check(30)


def test_a_tunnel_is_not_transport(bench):
    fresh(bench, child={"mode": "tunnel"})
    bench.gw.up(TUNNEL, check=False)
    wait_for("the reason", lambda: "transport" in bench.error() or "tunnel mode" in bench.error(), 10, 0.1)
    assert not bench.net.gw.ping(PEER, source=GW, timeout=1)[1]


if __name__ == "__main__":
    tap.CASE_SECONDS = 180  # the guest has no KVM
    tap.main(__name__, Transport)
