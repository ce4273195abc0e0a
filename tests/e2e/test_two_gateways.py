#!/usr/bin/python3
"""Two of our gateways with each other: four processes, four namespaces, real packets.

    site-a           left                          right            site-b
    10.1.0.10 --- lan | wan 203.0.113.1 --- 203.0.113.2 wan | lan --- 10.2.0.10
"""

import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402

PSK = "correct horse battery staple"
NET_A, NET_B = "10.1.0.0/24", "10.2.0.0/24"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"


def config(wan, peer, lan, here, there, workers=1, start="respond-only", extra=""):
    return f"""
gateway: {{name: gw-{wan.rsplit(".", 1)[1]}}}
dataplane: {{workers: {workers}}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [{wan}/24]}}
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
{extra}"""


class Sites:
    def __init__(self, lab):
        self.a, self.left_ns, self.right_ns, self.b = (lab.ns(n) for n in ("site-a", "left", "right", "site-b"))
        lab.veth(self.a, "eth0", self.left_ns, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", self.right_ns, "lan", f"{HOST_B}/24")
        lab.veth(self.left_ns, "wan", self.right_ns, "wan")
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")
        self.left = Gateway(self.left_ns, self.left_config(), PSK, "left")
        self.right = Gateway(
            self.right_ns, config("203.0.113.2", "203.0.113.1", "10.2.0.1", NET_B, NET_A, workers=2), PSK, "right"
        )

    @staticmethod
    def left_config(**more):
        return config("203.0.113.1", "203.0.113.2", "10.1.0.1", NET_A, NET_B, **more)

    def both(self):
        return self.left, self.right

    def attached(self, gw):
        """Its control plane answers and has a data plane that has taken the tunnel."""
        r = gw.gwctl("show", "workers", check=False)
        return r.returncode == 0 and gw.show("workers") and "data plane" not in gw.tunnel("link")["last_error"]

    def state(self, gw):
        return gw.tunnel("link")["state"]

    def wait_up(self, timeout=15):
        wait_for("the tunnel is up on both sides", lambda: all(self.state(g) == "up" for g in self.both()), timeout)

    def children(self):
        return [[c for c in g.children("link") if c.state == "installed"] for g in self.both()]

    def pair(self):
        """Our inbound SPI, when there is exactly one child on each side, each the other's; else None."""
        l, r = self.children()
        same = len(l) == len(r) == 1 and l[0].spi_in == r[0].spi_out and l[0].spi_out == r[0].spi_in
        return l[0].spi_in if same else None

    def explain(self):
        text = ""
        for g in self.both():
            text += f"--- {g.name}\n" + "\n".join(g.log_text().splitlines()[-40:]) + "\n"
            with contextlib.suppress(Exception):
                text += str(g.show("tunnels")) + str(g.drops()) + "\n"
        return text


@contextlib.contextmanager
def sites():
    with Lab() as lab:
        yield Sites(lab)


def test_the_control_plane_may_start_first(s):
    s.left.start_controlplane()
    wait_for("the control plane answers", lambda: s.left.gwctl("show", "tunnels", check=False).returncode == 0)
    r = s.left.gwctl("tunnel", "link", "up", check=False)
    assert r.returncode == 1 and "data plane" in r.stdout + r.stderr, r
    s.left.start_dataplane()
    wait_for("workers are seen", lambda: s.attached(s.left), 20)
    s.right.start()


def test_nothing_leaks_before_the_tunnel_is_up(s):
    assert not s.a.pings(HOST_B)
    # the route counts only while the tunnel is up
    wait_for("counted as no-route", lambda: s.left.drops().get("no-route", 0) >= 1)
    assert not s.left.drops().get("no-sa", 0)
    assert s.left.show("child-sas") == []


def test_up_by_hand_and_ping_passes(s):
    s.left.up("link")
    s.wait_up()
    assert s.pair(), s.children()
    # the responder sends once it has seen that the initiator does
    wait_for("the first echo", lambda: s.a.pings(HOST_B), 5)
    sent, got, _ = s.a.ping(HOST_B, count=20, interval=0.01)
    assert sent == got == 20, (sent, got)
    sent, got, _ = s.b.ping(HOST_A, count=20, interval=0.01, size=1200)
    assert sent == got == 20, (sent, got)


def test_counters_agree_at_both_ends(s):
    def agree():
        (l,), (r,) = s.children()
        return l.bytes_out == r.bytes_in > 0 and r.bytes_out == l.bytes_in > 0 and l.packets_out == r.packets_in

    wait_for("counters agree", agree)
    t = s.left.tunnel("link")
    assert t["out_packets"] >= 40 and t["in_packets"] >= 40, t
    assert t["ike_sas"] == t["child_sas"] == 1 and t["last_error"] == "", t


def test_status_tells_what_was_agreed(s):
    (i,), (r,) = s.left.ikes("link"), s.right.ikes("link")
    assert (i.spi_i, i.spi_r) == (r.spi_i, r.spi_r) and i.role == "initiator" and r.role == "responder"
    assert i.nat == r.nat == "none" and i.raw["state"] == "established", i.raw
    ports = {p["name"]: p for p in s.left.show("ports")}
    assert ports["wan0"]["up"] and ports["wan0"]["tx_packets"] > 0, ports
    routes = {x["prefix"]: x for x in s.left.show("routes")}
    assert routes[NET_B]["state"] == "installed" and routes[NET_B]["tunnel"] == "link", routes


def test_child_and_ike_rekey_lose_nothing(s):
    before, ike = s.pair(), s.left.ikes("link")[0].spi_i
    flood = s.a.start("ping", "ping", "-n", "-c", "400", "-i", "0.01", "-W", "2", HOST_B, peer=True)
    s.left.rekey_child("link")
    wait_for("another child", lambda: s.pair() not in (None, before))
    s.right.rekey_child("link")
    s.left.rekey_ike("link")
    wait_for("another IKE SA", lambda: [x.spi_i for x in s.left.ikes("link") if x.state == "established"] != [ike])
    flood.wait(20)
    with open(flood.log) as f:
        text = f.read()
    assert "400 packets transmitted, 400 received" in text, text[-300:]
    wait_for("one pair and one IKE SA at the end", lambda: s.pair() and len(s.left.ikes("link")) == 1, 15)


def test_totals_survive_the_rekeys(s):
    assert s.left.tunnel("link")["out_packets"] >= 440


def test_a_reload_with_errors_changes_nothing(s):
    pair = s.pair()
    s.left.write(s.left_config() + "surprise: yes\n")
    s.left.controlplane.signal(signal.SIGHUP)
    wait_for("the errors are told", lambda: "reload-refused" in s.left.log_text())
    assert s.pair() == pair and s.a.pings(HOST_B)


def test_a_reload_that_adds_a_tunnel_leaves_the_others_alone(s):
    pair = s.pair()
    more = """  other:
    local: {port: wan0}
    remote: {address: 203.0.113.77}
    auth: {psk-file: @DIR@/psk}
    selectors: [{local: 10.1.0.0/24, remote: 10.77.0.0/24}]
    start: respond-only
"""
    s.left.write(s.left_config(extra=more))
    s.left.controlplane.signal(signal.SIGHUP)
    wait_for("the new tunnel is shown", lambda: any(t["name"] == "other" for t in s.left.show("tunnels")))
    assert s.pair() == pair and s.a.pings(HOST_B)
    s.left.write(s.left_config())
    s.left.controlplane.signal(signal.SIGHUP)
    wait_for("and goes again", lambda: all(t["name"] != "other" for t in s.left.show("tunnels")))
    assert s.pair() == pair and s.a.pings(HOST_B)


def test_traffic_flows_while_the_control_plane_is_dead(s):
    s.left.controlplane.kill()
    sent, got, _ = s.a.ping(HOST_B, count=20, interval=0.02)
    assert sent == got == 20, (sent, got)


def test_a_new_control_plane_takes_over(s):
    s.left.start_controlplane()
    wait_for("it answers", lambda: s.attached(s.left), 20)
    assert s.a.pings(HOST_B), "the SAs of its predecessor went down with it"
    s.left.up("link")
    wait_for("one pair again", s.pair, 15)
    wait_for("an echo", lambda: s.a.pings(HOST_B), 5)


def test_a_new_data_plane_gets_new_children_on_the_old_ike_sa(s):
    ike, pair = s.left.ikes("link")[0].spi_i, s.pair()
    s.left.dataplane.kill()
    wait_for("the loss is told", lambda: "data-plane-lost" in s.left.log_text())
    s.left.start_dataplane()
    wait_for("another pair", lambda: s.pair() not in (None, pair), 30)
    assert s.left.ikes("link")[0].spi_i == ike
    wait_for("ping passes again", lambda: s.a.pings(HOST_B), 10)


def test_down_by_hand_removes_both_ends(s):
    s.left.gwctl("tunnel", "link", "down")
    wait_for("down on both sides", lambda: all(g.show("child-sas") == [] and g.show("ike-sas") == [] for g in s.both()))
    assert not s.a.pings(HOST_B)


def test_azures_default_in_raw_esp(s):
    """IKE AES-256, SHA-1, group 2; ESP AES-256, SHA-256: what Azure does when its connection has no policy."""
    for gw, text in ((s.left, s.left_config()), (s.right, config("203.0.113.2", "203.0.113.1", "10.2.0.1", NET_B, NET_A, workers=2))):
        text = text.replace("{proposals: [aes256gcm16-prfsha384-x25519]}", "{proposals: [AES256-SHA1-DHGroup2], legacy: true}")
        before = gw.log_text().count("event=reloaded")
        gw.reload(text.replace("{proposals: [aes256gcm16-x25519]}", "{proposals: [AES256-SHA256], lifetime-bytes: 102400000KB}"))
        wait_for("the file is taken", lambda g=gw, n=before: g.log_text().count("event=reloaded") > n, 5)
    s.left.up("link")
    s.wait_up()
    wait_for("the first echo", lambda: s.a.pings(HOST_B), 5)
    sent, got, _ = s.b.ping(HOST_A, count=20, interval=0.01, size=1200)
    assert sent == got == 20, (sent, got)
    for gw in s.both():
        (sa,) = gw.ikes("link")
        assert (sa.encr, sa.prf, sa.dh) == ("AES-CBC-256", "PRF-HMAC-SHA1", "MODP-1024"), (sa.encr, sa.prf, sa.dh)
        assert gw.children("link")[0].encr == "AES-CBC-256"
        assert gw.log_text().count("event=weak-algorithm") == 3
    s.left.down("link")


def test_stopping_says_delete_and_ends_with_0(s):
    s.left.up("link")
    s.wait_up()
    assert s.left.controlplane.stop() == 0
    wait_for("the peer has nothing left", lambda: s.right.show("ike-sas") == [] and s.right.show("child-sas") == [])
    assert s.left.dataplane.stop() == 0
    assert s.right.stop() == (0, 0)


if __name__ == "__main__":
    tap.main(__name__, sites)
