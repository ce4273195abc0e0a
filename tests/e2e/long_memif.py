#!/usr/bin/python3
"""Two of our gateways back to back over shared memory (memif): a tunnel with traffic, and the death of either end.

    site-a           left                       right            site-b
    10.1.0.10 --- lan | wan 203.0.113.1 === 203.0.113.2 wan | lan --- 10.2.0.10
"""

import contextlib
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402

PSK = "correct horse battery staple"
NET_A, NET_B = "10.1.0.0/24", "10.2.0.0/24"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"


def config(role, sock, wan, peer, lan, here, there, workers=1, queues=1, start="respond-only"):
    return f"""
gateway: {{name: gw-{role}}}
dataplane: {{workers: {workers}}}
ports:
  wan0: {{device: "memif:role={role},socket={sock},id=7,queues={queues}", addresses: [{wan}/24]}}
  lan0: {{device: "af_packet:lan", addresses: [{lan}/24]}}
routes:
  - {{to: {there}, tunnel: link}}
tunnels:
  link:
    local: {{port: wan0}}
    remote: {{address: {peer}}}
    auth: {{psk-file: @DIR@/psk}}
    ike: {{proposals: [aes256gcm16-prfsha384-x25519]}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    selectors: [{{local: {here}, remote: {there}}}]
    start: {start}
"""


class Sites:
    def __init__(self, lab):
        self.lab = lab
        self.a, self.left_ns, self.right_ns, self.b = (lab.ns(n) for n in ("site-a", "left", "right", "site-b"))
        lab.veth(self.a, "eth0", self.left_ns, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", self.right_ns, "lan", f"{HOST_B}/24")
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")
        self.sock = f"/run/{lab.prefix}-memif.sock"
        lab.on_close(self.remove_socket)
        self.setup(workers=1, queues=1)

    def remove_socket(self):
        with contextlib.suppress(OSError):
            os.unlink(self.sock)

    def setup(self, **size):
        self.left = Gateway(
            self.left_ns, config("server", self.sock, "203.0.113.1", "203.0.113.2", "10.1.0.1", NET_A, NET_B, **size), PSK, "left"
        )
        self.right = Gateway(
            self.right_ns,
            config("client", self.sock, "203.0.113.2", "203.0.113.1", "10.2.0.1", NET_B, NET_A, start="always", **size), PSK, "right",
        )  # fmt: skip

    def port(self, gw):
        return next(p for p in gw.show("ports") if p["name"] == "wan0")

    def passes(self, timeout=30):
        wait_for("a ping passes", lambda: self.a.pings(HOST_B), timeout, 0.1)

    def explain(self):
        return "\n".join(g.name + ": " + g.log_text()[-1500:] for g in (self.left, self.right))


@contextlib.contextmanager
def sites():
    with Lab() as lab:
        yield Sites(lab)


def test_the_client_may_start_first(s):
    s.right.start()
    assert s.port(s.right)["up"] is False
    s.left.start()
    wait_for("both see the link", lambda: s.port(s.left)["up"] and s.port(s.right)["up"], 10)
    s.passes()


def test_ports_say_what_they_are(s):
    left, right = s.port(s.left), s.port(s.right)
    for p in (left, right):
        assert (p["driver"], p["rx_queues"], p["tx_queues"]) == ("net_memif", 1, 1), p
        assert p["mac"].startswith("02:6d:"), p
    assert left["mac"] != right["mac"]


def test_nothing_is_lost(s):
    before = s.port(s.left)["missed"], s.left.drops(), s.right.drops()
    sent, got, _ = s.a.ping(HOST_B, count=200, interval=0.005, size=1300)
    assert (sent, got) == (200, 200)
    assert (s.port(s.left)["missed"], s.left.drops(), s.right.drops()) == before
    assert sum(c.packets_in for c in s.left.children("link")) >= 200


def test_a_killed_client_comes_back(s):
    mac = s.port(s.right)["mac"]
    for _ in range(3):  # under traffic: its memory goes while the other end's worker reads it
        flood = s.a.start("flood", "ping", "-q", "-i", "0.001", "-s", "600", HOST_B, peer=True)
        s.right.dataplane.kill()
        wait_for("the server's end sees it", lambda: not s.port(s.left)["up"], 10)
        s.left.dataplane.check()
        s.right.start_dataplane()
        wait_for("the link is back", lambda: s.port(s.left)["up"], 20)
        s.passes(60)
        flood.stop()
    assert s.port(s.right)["mac"] == mac, "the neighbour's entry for it must stay right"


def test_a_killed_server_comes_back_over_its_stale_socket(s):
    for _ in range(2):
        flood = s.b.start("flood", "ping", "-q", "-i", "0.001", "-s", "600", HOST_A, peer=True)
        s.left.dataplane.kill()
        wait_for("the client's end sees it", lambda: not s.port(s.right)["up"], 10)
        s.right.dataplane.check()
        assert os.path.exists(s.sock)
        s.left.start_dataplane()
        wait_for("the link is back", lambda: s.port(s.right)["up"], 20)
        s.passes(60)
        flood.stop()
    assert "event=leftover-removed socket=" + s.sock in s.left.log_text()


def test_a_living_server_is_not_robbed(s):
    other = Gateway(s.a, config("server", s.sock, "203.0.113.9", "203.0.113.2", "10.1.0.1", NET_A, NET_B), PSK, "other")
    other.write(f'ports:\n  w: {{device: "memif:role=server,socket={s.sock}", addresses: [203.0.113.9/24]}}\n')
    other.start_dataplane()
    assert other.dataplane.wait(20) == 1
    with open(other.dataplane.log) as f:
        assert f"another program serves memif socket {s.sock}" in f.read()
    s.passes()


def test_clients_that_go_at_once_are_borne(s):
    """The driver greets them too late, and EAL would end over it."""
    for _ in range(300):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
            c.connect(s.sock)
    s.passes()


def refused(s, device, text):
    other = Gateway(s.a, f'ports:\n  w: {{device: "{device}", addresses: [203.0.113.9/24]}}\n', None, "refused")
    other.start_dataplane()
    assert other.dataplane.wait(20) == 1
    with open(other.dataplane.log) as f:
        log = f.read()
    assert text in log, log


def test_what_cannot_be_is_refused(s):
    path = os.path.join(s.lab.dir, "file")
    with open(path, "w") as f:
        f.write("mine")
    refused(s, f"memif:role=server,socket={path}", f"{path} is no socket: remove it")
    with open(path) as f:
        assert f.read() == "mine"
    refused(s, "memif:role=server,socket=/nowhere/x.sock", "directory /nowhere/ of the memif socket: ")
    refused(s, "memif:role=client,socket=/run/x.sock,queues=2", "2 queues for 1 workers: write queues=1")


def test_a_socket_that_nobody_serves_any_more_is_no_hindrance(s):
    path = s.sock + ".stale"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    dead.bind(path)
    dead.close()
    other = Gateway(s.a, f'ports:\n  w: {{device: "memif:role=server,socket={path}", addresses: [203.0.113.9/24]}}\n', None, "stale")
    other.start_dataplane()
    wait_for("it runs", lambda: other.dataplane.check() or "event=running" in open(other.dataplane.log).read(), 20)
    assert other.dataplane.stop() == 0
    assert not os.path.exists(path)


def test_two_workers_and_two_queues(s):
    assert s.left.stop() == (0, 0)
    assert s.right.stop() == (0, 0)
    s.setup(workers=2, queues=2)
    s.left.start()
    s.right.start()
    s.passes()
    assert (s.port(s.left)["rx_queues"], s.port(s.right)["tx_queues"]) == (2, 2)
    sent, got, _ = s.a.ping(HOST_B, count=200, interval=0.005, size=1300)
    assert (sent, got) == (200, 200)


def test_two_workers_and_one_queue(s):
    assert s.left.stop() == (0, 0)
    assert s.right.stop() == (0, 0)
    s.setup(workers=2, queues=1)
    s.left.start()
    s.right.start()
    s.passes()
    sent, got, _ = s.a.ping(HOST_B, count=200, interval=0.005, size=1300)
    assert (sent, got) == (200, 200)
    assert s.left.stop() == (0, 0) and s.right.stop() == (0, 0)
    assert not os.path.exists(s.sock)


if __name__ == "__main__":
    tap.main(__name__, sites)
