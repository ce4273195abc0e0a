"""A peer by name: its address changes while the tunnel is up and while it is down, several addresses, and answers that are none."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import gateway  # noqa: E402
import tap  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import ID_B, PEER, PSK, TUNNEL, Bench, gateway_yaml  # noqa: E402

NAME, SECOND, NOBODY = "peer.example", "203.0.113.3", "203.0.113.9"
DNS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "dns_server.py")


def nameserver():
    """Whom the host's resolver asks first. In the gateway's namespace our server has that address."""
    try:
        with open("/etc/resolv.conf") as f:
            found = [line.split()[1] for line in f if line.startswith("nameserver") and len(line.split()) > 1]
    except OSError:
        found = []
    return found[0] if found else "127.0.0.1"


class Named(gateway.Gateway):
    """A gateway whose control plane asks our server, and does not wait long for an answer."""

    def start_controlplane(self):
        self.controlplane = self.ns.start(
            "controlplane", gateway.CONTROLPLANE, "--config", self.file, "--run-dir", self.run_dir,
            env={"RES_OPTIONS": "timeout:1 attempts:1"},
        )  # fmt: skip


class Sites(Bench):
    def __enter__(self):
        super().__enter__()
        self.net.peer.address("wan", f"{SECOND}/24")
        self.net.gw.run("ip", "link", "set", "lo", "up")
        self.records = os.path.join(self.lab.dir, "records")
        self.name([PEER])
        server = nameserver()
        if ":" in server:
            self.net.gw.sysctl("net.ipv6.conf.lo.disable_ipv6", 0)
        if not server.startswith("127.") and server != "::1":
            self.net.gw.address("lo", server)
        self.net.gw.start("dns", sys.executable, DNS, server, self.records)
        return self

    def name(self, addresses):
        """What the name stands for from now on; None: the server fails."""
        with open(self.records + ".new", "w") as f:
            json.dump({NAME: addresses} if addresses != [] else {}, f)
        os.rename(self.records + ".new", self.records)

    def named(self, addresses, tunnel=None):
        """Both ends running; the name is known to ours."""
        self.stop()
        self.starts += 1
        self.name(addresses)
        self.peer = self.net.charon({"local_addrs": "%any", "remote_addrs": "%any"}, None, PSK, None, name=f"charon{self.starts}")
        keys = {"remote": f"{{address: {NAME}, id: {ID_B}}}", **(tunnel or {})}
        self.gw = Named(self.net.gw, gateway_yaml(keys), PSK, f"gw{self.starts}")
        self.gw.start()
        self.text = gateway_yaml(keys)

    def asked_anew(self):
        """A reload asks; wait until the answer to that is there."""
        before = self.gw.log_text().count("event=reloaded")
        self.gw.reload(self.text)
        wait_for("the reload", lambda: self.gw.log_text().count("event=reloaded") > before, 5)

    def peer_is(self, address):
        return self.gw.tunnel(TUNNEL)["peer"] == address

    def wait_peer(self, address, timeout=15):
        wait_for(f"the peer at {address}", lambda: self.peer_is(address), timeout, 0.1)

    def remote(self):
        return {i.remote for i in self.gw.ikes(TUNNEL) if i.state == "established"}


def test_a_name_is_resolved_and_called(bench):
    bench.named([PEER])
    bench.wait_peer(PEER)
    bench.up()
    bench.traffic()


def test_an_address_that_changes_while_the_tunnel_is_down(bench):
    bench.named([PEER])
    bench.wait_peer(PEER)
    bench.name([SECOND])
    bench.asked_anew()
    bench.wait_peer(SECOND)
    bench.up()
    assert bench.remote() == {SECOND}
    bench.traffic()


def test_what_works_stays_until_it_ends(bench):
    bench.named([PEER])
    bench.wait_peer(PEER)
    bench.up()
    bench.name([SECOND])
    bench.asked_anew()
    bench.traffic()
    assert bench.remote() == {PEER}
    bench.gw.down(TUNNEL)
    bench.wait_peer(SECOND)
    bench.up()
    assert bench.remote() == {SECOND}


def test_no_answer_keeps_the_last_address(bench):
    bench.named([PEER])
    bench.wait_peer(PEER)
    for nothing in (None, []):  # SERVFAIL, NXDOMAIN
        said = bench.gw.log_text().count("peer-not-resolved")
        bench.name(nothing)
        bench.asked_anew()
        wait_for("the failed question", lambda said=said: bench.gw.log_text().count("peer-not-resolved") > said, 10)
        assert bench.peer_is(PEER)
    bench.up()


def test_addresses_of_a_family_that_we_lack_are_left_out(bench):
    bench.named(["2001:db8::9", PEER])
    bench.wait_peer(PEER)
    said = bench.gw.log_text().count("peer-not-resolved")
    bench.name(["2001:db8::9"])
    bench.asked_anew()
    wait_for("the cause", lambda: bench.gw.log_text().count("peer-not-resolved") > said, 10)
    assert "has no address of a family that port wan0" in bench.gw.log_text()
    assert bench.peer_is(PEER)


def test_the_next_address_is_tried_when_the_first_is_silent(bench):
    bench.named([NOBODY, PEER], {"start": "always"})
    wait_for("the tunnel at the address that answers", lambda: bench.remote() == {PEER}, 150, 0.5)
    bench.traffic()


test_the_next_address_is_tried_when_the_first_is_silent.seconds = 170


def test_an_address_that_changes_while_the_tunnel_is_up(bench):
    bench.named([PEER], {"start": "always", "dpd": "5s"})
    wait_for("the tunnel", lambda: bench.remote() == {PEER}, 20, 0.1)
    bench.wait_settled()
    bench.traffic()
    bench.name([SECOND])
    bench.net.peer.run("ip", "address", "del", f"{PEER}/24", "dev", "wan")  # and with it those of the same network
    bench.net.peer.address("wan", f"{SECOND}/24")
    try:
        wait_for("the tunnel at the new address", lambda: bench.remote() == {SECOND}, 150, 0.5)
        assert bench.gw.tunnel(TUNNEL)["state"] == "up"
    finally:
        bench.net.peer.address("wan", f"{PEER}/24")


test_an_address_that_changes_while_the_tunnel_is_up.seconds = 200

if __name__ == "__main__":
    tap.main(__name__, Sites)
