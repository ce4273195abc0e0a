"""A router with a smaller MTU between us and strongSwan: its messages are believed, TCP does not starve, large pings pass both ways."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import HOST_A, HOST_B, TUNNEL, Bench  # noqa: E402

PATH = 1400  # of the router's inner side
# outer IPv4, UDP, ESP, IV, ICV; the text is a multiple of 4 with 2 octets of trailer
FIT = {mtu: (mtu - 20 - 8 - 8 - 8 - 16) // 4 * 4 - 2 for mtu in (1500, PATH)}
OCTETS = 400_000

SERVER = f"""
import socket
s = socket.create_server(("{HOST_B}", 5001))
print("ready", flush=True)
c, _ = s.accept()
print("mss", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), flush=True)
n = 0
while data := c.recv(65536):
    n += len(data)
c.sendall(b"%d" % n)
"""
CLIENT = f"""
import socket
s = socket.create_connection(("{HOST_B}", 5001), 10)
s.settimeout(20)
s.sendall(bytes({OCTETS}))
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode(), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
"""


class Narrow(Bench):
    def __init__(self):
        super().__init__(nat=True)

    def __enter__(self):
        super().__enter__()
        self.net.router.run("ip", "link", "set", "in", "mtu", PATH)
        self.net.peer.run("ip", "link", "set", "wan", "mtu", PATH)
        for ns, ifname in ((self.net.a, "eth0"), (self.net.gw, "lan"), (self.net.b, "eth0"), (self.net.peer, "lan"),
                           (self.net.gw, "wan"), (self.net.router, "out"), (self.net.router, "in"), (self.net.peer, "wan")):
            ns.run("ethtool", "-K", ifname, "tx", "off", "tso", "off", "gso", "off", "gro", "off", peer=True)
        return self

    def begin(self, **tunnel):
        for ns in (self.net.a, self.net.b):
            ns.run("ip", "route", "flush", "cache")
        self.fresh({"encapsulation": "force", **tunnel} if tunnel.pop("force", None) else tunnel)
        self.up()

    def mtu(self):
        return self.gw.children(TUNNEL)[0].raw["mtu"]

    def ping(self, size, df, ns=None, address=HOST_B):
        """Does one of size octets of IP come back? What ping says of it."""
        ns = ns or self.net.a
        r = ns.run("ping", "-n", "-c", 1, "-W", 1, "-M", "do" if df else "dont", "-s", size - 28, address, peer=True, check=False)
        return r.returncode == 0, r.stdout + r.stderr

    def tcp(self):
        """(octets that arrived, MSS at the server)"""
        server = self.net.b.start("server", "python3", "-u", "-c", SERVER, stdout=subprocess.PIPE)
        assert server.popen.stdout.readline() == "ready\n"
        said = self.net.a.run("python3", "-c", CLIENT, timeout=40).stdout.split()
        mss = int(server.popen.stdout.readline().split()[1])
        server.wait(10)
        return int(said[0]), mss


def test_the_mtu_is_the_suites(bench):
    bench.begin()
    wait_for("the MTU to be known", lambda: bench.mtu() == FIT[1500], 5)
    assert f"MTU               : {FIT[1500]}" in bench.gw.gwctl("show", "child-sas").stdout


def test_the_routers_message_is_believed_and_passed_on(bench):
    bench.begin()
    ok, _ = bench.ping(FIT[1500], True)
    assert not ok  # the router cannot send it on, and tells us
    wait_for("the path's MTU to be known", lambda: bench.mtu() == FIT[PATH], 5)
    ok, text = bench.ping(FIT[1500], True)  # now its sender hears of it
    assert not ok and f"mtu = {FIT[PATH]}" in text or f"mtu={FIT[PATH]}" in text, text
    ok, text = bench.ping(FIT[PATH], True)
    assert ok, text
    drops = bench.gw.drops()
    assert drops.get("path-mtu-told", 0) >= 1 and not drops.get("path-mtu-refused"), drops
    bench.gw.rekey_child(TUNNEL)  # and the next SA knows it too
    bench.wait_settled()
    wait_for("the new one's MTU", lambda: bench.mtu() == FIT[PATH], 5)


def test_tcp_with_df_does_not_starve(bench):
    for mss, most in (("auto", FIT[1500] - 40), ("off", 1460), ("1200", 1200)):
        bench.begin(mss=mss)
        octets, at_server = bench.tcp()
        print(f"# mss {mss}: the server sees {at_server}", flush=True)
        assert octets == OCTETS
        # Linux says what is left after its time stamps
        assert most - 12 <= at_server <= most or mss == "auto" and at_server <= most, (mss, at_server, most)
        if mss != "1200":
            assert bench.mtu() == FIT[PATH]


def test_large_pings_pass_both_ways(bench):
    bench.begin()
    assert not bench.ping(FIT[1500], True)[0]
    wait_for("the path's MTU to be known", lambda: bench.mtu() == FIT[PATH], 5)
    for size in (FIT[PATH] + 1, 1500, 3000, 8000):
        wait_for(f"an echo of {size} octets", lambda size=size: bench.ping(size, False)[0], 5)
        wait_for(f"one of {size} from there", lambda size=size: bench.ping(size, False, bench.net.b, HOST_A)[0], 5)
    # ourselves: asked in fragments, answered in fragments
    for size in (1500, 3000, 20000, 65535):
        ok, text = bench.ping(size, False, address="10.1.0.1")
        assert ok, (size, text, bench.gw.drops())


def test_fragments_behind_the_cipher_arrive(bench):
    bench.begin(fragment="after", df="clear")
    for size in (FIT[1500] + 1, 1500):
        wait_for(f"an echo of {size} octets", lambda size=size: bench.ping(size, False)[0], 5)
    assert bench.mtu() == FIT[1500]  # nobody had anything to tell


if __name__ == "__main__":
    tap.main(__name__, Narrow)
