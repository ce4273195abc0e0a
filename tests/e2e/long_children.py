"""Several children in one IKE_SA with strongSwan: both roles, each with its own traffic, rekeys and end; traffic that asks."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import CONNECTION, HOST_B, NET_A, NET_B, PSK, TUNNEL, Bench, Pings, gateway_yaml  # noqa: E402

NETS = [NET_B, "10.3.0.0/24", "10.4.0.0/24"]
HOSTS = [HOST_B, "10.3.0.10", "10.4.0.10"]
NAMES = ["net", "net3", "net4"]  # strongSwan's


class Sites(Bench):
    """Site b has three networks, and each its child."""

    def __enter__(self):
        super().__enter__()
        for host, net in zip(HOSTS[1:], NETS[1:]):
            self.net.b.run("ip", "address", "add", f"{host}/24", "dev", "eth0")
            self.net.peer.run("ip", "address", "add", net.replace(".0/", ".1/"), "dev", "lan")
        return self

    def children(self, tunnel=None, mine=NETS, theirs=NETS, **ike):
        """Both ends running. mine, theirs: the networks of site b that each end has a child for."""
        self.stop()
        self.starts += 1
        more = {n: {"local_ts": ts, "remote_ts": NET_A, "esp_proposals": "aes256gcm16"} for n, ts in zip(NAMES, theirs)}
        self.peer = self.net.charon({"children": more, **ike}, {"esp_proposals": "aes256gcm16"}, PSK,
                                    {"delete_rekeyed_delay": 1}, name=f"charon{self.starts}")  # fmt: skip
        pairs = ", ".join(f"{{local: {NET_A}, remote: {n}}}" for n in mine)
        keys = {"selectors": f"[{pairs}]", "children": "per-selector", "esp": "{proposals: [aes256gcm16]}"}
        text = gateway_yaml({**keys, **(tunnel or {})})
        routes = "".join(f"  - {{to: {n}, tunnel: site-b}}\n" for n in NETS)
        text = text.replace(f"  - {{to: {NET_B}, tunnel: site-b}}\n", routes)
        self.gw = Gateway(self.net.gw, text, PSK, f"gw{self.starts}").start()

    def ours(self):
        """{child: SPI in} of what is installed here."""
        rows = [c for c in self.gw.children(TUNNEL) if c.state == "installed"]
        return {c.raw["child"]: c.spi_in for c in rows}

    def theirs(self):
        """{name: SPI out} of what is installed there."""
        return {n: c.spi_out for n in NAMES for c in self.peer.installed(n)}

    def agreed(self, n):
        ours, theirs = self.ours(), self.theirs()
        return len(ours) == len(theirs) == n and {NAMES[i]: s for i, s in ours.items()} == theirs

    def wait_agreed(self, n=3, timeout=20):
        wait_for(f"{n} children, the same at both ends", lambda: self.agreed(n), timeout, 0.1)

    def echoes(self, hosts=HOSTS):
        for host in hosts:
            wait_for(f"an echo from {host}", lambda host=host: self.net.a.pings(host), 5)


def test_we_begin_and_each_pair_has_its_child(bench):
    bench.children()
    bench.gw.up(TUNNEL)
    bench.wait_agreed()
    bench.echoes()
    assert len(bench.peer.sas()) == 1
    row = bench.gw.tunnel(TUNNEL)
    assert (row["children"], row["children_up"]) == (3, 3), row
    before = bench.ours()
    bench.gw.rekey_child(TUNNEL)
    wait_for("new SPIs", lambda: not set(bench.ours().values()) & set(before.values()) and bench.agreed(3), 20, 0.1)
    bench.gw.rekey_ike(TUNNEL)
    wait_for("one new IKE_SA", lambda: len(bench.peer.sas()) == 1 and bench.agreed(3), 20, 0.1)
    bench.echoes()


def test_the_peer_begins_one_after_the_other(bench):
    bench.children()
    for n, name in enumerate(reversed(NAMES)):  # not in our order
        bench.peer.initiate(name)
        bench.wait_agreed(n + 1)
    bench.echoes()
    before = bench.ours()
    pings = Pings(bench.net.a, HOSTS[0], 3000)
    bench.peer.rekey_child(NAMES[1])
    wait_for("one new SPI", lambda: bench.agreed(3) and bench.ours() != before, 20, 0.1)
    assert [i for i in before if bench.ours()[i] != before[i]] == [1]
    bench.peer.terminate(child=NAMES[2])
    wait_for("two children", lambda: set(bench.ours()) == {0, 1}, 10, 0.1)
    sent, received = pings.stop()
    assert received >= sent - 1, f"{received} of {sent} echoes came back"
    bench.echoes(HOSTS[:2])


def test_a_pair_that_the_peer_lacks_leaves_the_others_alone(bench):
    bench.children(theirs=NETS[:2])
    bench.gw.up(TUNNEL)
    wait_for("the cause", lambda: "TS_UNACCEPTABLE" in bench.error(), 10, 0.1)
    wait_for("two children", lambda: set(bench.ours()) == {0, 1}, 10, 0.1)
    assert "2 of this tunnel" in bench.error()
    bench.echoes(HOSTS[:2])


def test_traffic_brings_up_the_child_that_it_needs(bench):
    bench.children({"start": "on-traffic"})
    assert not bench.peer.sas()
    wait_for("an echo", lambda: bench.net.a.pings(HOSTS[1]), 10)
    bench.wait_agreed(1)
    assert set(bench.ours()) == {1}
    wait_for("an echo", lambda: bench.net.a.pings(HOSTS[2]), 10)
    assert set(bench.ours()) == {1, 2}
    assert len(bench.peer.established(CONNECTION)) == 1


def test_a_new_data_plane_gets_all_children_anew(bench):
    bench.children({"start": "always"})
    bench.wait_agreed()
    before, ike = bench.ours(), {s.spi_i for s in bench.peer.sas()}
    bench.gw.dataplane.kill()
    bench.gw.start_dataplane()
    wait_for("new children", lambda: bench.agreed(3) and not set(bench.ours().values()) & set(before.values()), 60, 0.2)
    assert {s.spi_i for s in bench.peer.sas()} == ike
    bench.echoes()


test_a_new_data_plane_gets_all_children_anew.seconds = 120


def test_octets_and_packets_rekey_each_child_by_itself(bench):
    bench.children({"esp": "{proposals: [aes256gcm16], lifetime-bytes: 150KB, lifetime-packets: 1000}"})
    bench.gw.up(TUNNEL)
    bench.wait_agreed()
    before = bench.ours()
    sent, received, _ = bench.net.a.ping(HOSTS[1], 400, 0.01, size=1000)
    assert sent == received == 400, f"{received} of {sent}"
    assert bench.gw.log_text().count("event=sa-soft-limit") >= 2
    assert "event=sa-hard-limit" not in bench.gw.log_text()
    wait_for("three children", lambda: bench.agreed(3), 20, 0.1)
    assert [i for i in before if bench.ours()[i] != before[i]] == [1]

if __name__ == "__main__":
    tap.main(__name__, Sites)
