#!/usr/bin/python3
"""What the keys of a tunnel do: two of our gateways, a file for each case, and what is then seen on the wire.

    site-a           left                          right            site-b
    10.1.0.10 --- lan | wan 203.0.113.1 --- 203.0.113.2 wan | lan --- 10.2.0.10
"""

import contextlib
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, LabError, wait_for  # noqa: E402

PSK = "correct horse battery staple"
NET_A, NET_B = "10.1.0.0/24", "10.2.0.0/24"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"
LEFT, RIGHT = "203.0.113.1", "203.0.113.2"
RAW_ESP, UDP_ESP = "ip proto 50", "udp port 4500 and udp[8:4] != 0 and udp[4:2] > 9"


def block(here, there, routes=(), own="", **tunnel):
    """A gateway's file; tunnel: keys of its tunnel beyond or instead of the usual ones."""
    left = here == LEFT
    mine, others = (NET_A, NET_B) if left else (NET_B, NET_A)
    keys = {
        "local": "{port: wan0}",
        "remote": f"{{address: {there}}}",
        "auth": "{psk-file: @DIR@/psk}",
        "selectors": f"[{{local: {mine}, remote: {others}}}]",
        "start": "respond-only",
        **tunnel,
    }
    lines = "".join(f"    {k}: {v}\n" for k, v in keys.items())
    ways = "".join(f"  - {{to: {r}, tunnel: link}}\n" for r in (others, *routes))
    lan = "[10.1.0.1/24, 10.1.1.1/24]" if left else "[10.2.0.1/24]"
    return f"""gateway: {{name: gw, addresses: [{own}]}}
dataplane: {{workers: 1}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [{here}/24]}}
  lan0: {{device: "af_packet:lan", addresses: {lan}}}
routes:
{ways}tunnels:
  link:
{lines}"""


class Wire:
    """Packets of a filter that arrive on the WAN, counted by tcpdump. What a data plane sends passes the taps of its own
    end, so the other end (at: a namespace) must look."""

    def __init__(self, pair, at, words):
        pair.captures += 1
        self.p = at.start(f"dump{pair.captures}", "tcpdump", "-n", "-l", "-p", "-i", "wan", words, peer=True)
        wait_for("tcpdump listens", lambda: "listening on" in self.text(), 5)

    def text(self):
        with open(self.p.log, errors="replace") as f:
            return f.read()

    def count(self):
        return len(re.findall(r"^\d\d:\d\d:\d\d", self.text(), re.M))

    def stop(self):
        self.p.stop()
        return self.count()


class Pair:
    def __init__(self, lab):
        self.a, self.left_ns, self.right_ns, self.b = (lab.ns(n) for n in ("site-a", "left", "right", "site-b"))
        lab.veth(self.a, "eth0", self.left_ns, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", self.right_ns, "lan", f"{HOST_B}/24")
        lab.veth(self.left_ns, "wan", self.right_ns, "wan")
        self.a.address("eth0", "10.1.1.10/24", "10.1.2.10/24")
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")
        self.left = self.right = None
        self.starts = self.captures = 0

    def fresh(self, left=None, right=None, both=None):
        """Both gateways new, with these keys of block(); nothing negotiated."""
        self.stop()
        self.starts += 1
        self.left = Gateway(self.left_ns, block(LEFT, RIGHT, **{**(both or {}), **(left or {})}), PSK, f"l{self.starts}")
        self.right = Gateway(self.right_ns, block(RIGHT, LEFT, **{**(both or {}), **(right or {})}), PSK, f"r{self.starts}")
        for g in self.both():
            g.start_dataplane()
            g.start_controlplane()
        for g in self.both():
            g.wait_ready()

    def both(self):
        return self.left, self.right

    def stop(self):
        for g in self.both():
            if g:
                g.stop()
        self.left = self.right = None

    def up(self, by=None):
        (by or self.left).up("link")
        wait_for("one child, the same at both ends", self.pair, 10)
        wait_for("an echo", lambda: self.a.pings(HOST_B), 5)

    def pair(self):
        l, r = ([c for c in g.children("link") if c.state == "installed"] for g in self.both())
        same = len(l) == len(r) == 1 and l[0].spi_in == r[0].spi_out and l[0].spi_out == r[0].spi_in
        return (l[0], r[0]) if same else None

    def traffic(self, count=10, interval=0.02, **more):
        for ns, host in ((self.a, HOST_B), (self.b, HOST_A)):
            before = self.left.drops(), self.right.drops()
            sent, got, _ = ns.ping(host, count, interval, **more)
            if sent == count > got >= count - 1 and before == (self.left.drops(), self.right.drops()):
                # a busy machine, as far as anybody here can see: once more, and then all of them
                print(f"# {got} of {count} from {ns.name}, and no counter moved", flush=True)
                sent, got, _ = ns.ping(host, count, interval, **more)
            assert sent == got == count, f"{got} of {sent} from {ns.name}; drops: {self.left.drops()} {self.right.drops()}"

    def explain(self):
        text = ""
        for g in self.both():
            if g:
                text += f"--- {g.name}\n" + "\n".join(g.log_text().splitlines()[-30:]) + "\n"
                with contextlib.suppress(Exception):
                    text += f"{g.show('tunnels')} {g.drops()}\n"
        return text


@contextlib.contextmanager
def pair():
    with Lab() as lab:
        p = Pair(lab)
        yield p
        p.stop()


def encapsulation(p, left, right, want, by):
    p.fresh({"encapsulation": left}, {"encapsulation": right})
    p.up(by(p))
    assert [c.raw["encap"] for c in p.pair()] == [want, want], [c.raw["encap"] for c in p.pair()]
    right_kind, wrong_kind = (RAW_ESP, UDP_ESP) if want == "none" else (UDP_ESP, RAW_ESP)
    good = [Wire(p, ns, right_kind) for ns in (p.left_ns, p.right_ns)]
    bad = [Wire(p, ns, wrong_kind) for ns in (p.left_ns, p.right_ns)]
    p.traffic()
    wait_for("20 packets of ESP each way", lambda: all(w.count() >= 20 for w in good), 3)
    assert all(w.stop() for w in good) and not any(w.stop() for w in bad), "ESP of the other kind was seen"


def test_encapsulation_auto_is_plain_esp_where_no_nat_is(p):
    encapsulation(p, "auto", "auto", "none", lambda p: p.left)


def test_encapsulation_force_is_udp_whoever_begins(p):
    encapsulation(p, "force", "auto", "udp", lambda p: p.left)
    encapsulation(p, "force", "auto", "udp", lambda p: p.right)


def test_encapsulation_never_wins_over_a_peer_that_forces(p):
    encapsulation(p, "never", "force", "none", lambda p: p.left)
    encapsulation(p, "never", "force", "none", lambda p: p.right)


def test_several_selectors_are_one_child_and_all_are_held(p):
    mine = f"[{{local: {NET_A}, remote: {NET_B}}}, {{local: 10.1.1.0/24, remote: {NET_B}}}]"
    theirs = f"[{{local: {NET_B}, remote: {NET_A}}}, {{local: {NET_B}, remote: 10.1.1.0/24}}]"
    p.fresh({"selectors": mine}, {"selectors": theirs, "routes": ("10.1.1.0/24",)})
    p.up()
    (l, r) = p.pair()
    assert {s["local"] for s in l.selectors} == {s["remote"] for s in r.selectors} == {NET_A, "10.1.1.0/24"}, l.selectors
    for source in (HOST_A, "10.1.1.10"):
        sent, got, _ = p.a.ping(HOST_B, 5, 0.02, source=source)
        assert sent == got == 5, (source, sent, got)
    # what no selector names does not enter the tunnel at its beginning
    packets = p.left.tunnel("link")["out_packets"]
    assert p.a.ping(HOST_B, 3, 0.02, timeout=0.5, source="10.1.2.10")[1] == 0
    assert p.left.tunnel("link")["out_packets"] == packets
    assert sum(p.left.drops().values()) >= 3, p.left.drops()


def test_addresses_of_gateway_and_tunnel_answer_through_the_tunnel(p):
    p.fresh(
        {"selectors": "any", "own": "10.99.0.1/32", "addresses": "[169.254.7.1/30]"},
        {"selectors": "any", "routes": ("10.99.0.1/32", "169.254.7.1/32")},
    )
    p.up()
    for address in ("10.99.0.1", "169.254.7.1"):
        before = p.left.tunnel("link")["in_packets"]
        sent, got, _ = p.b.ping(address, 5, 0.02)
        assert sent == got == 5, (address, sent, got, p.left.drops())
        wait_for("through the tunnel", lambda: p.left.tunnel("link")["in_packets"] - before >= 5, 3)  # noqa: B023
        assert p.a.pings(address), f"{address} does not answer its own site"


def outer_df(p, word, want):
    """want: (outer DF of an inner packet with DF, without). Outer packets of ours only."""
    p.fresh({"df": word})
    p.up()
    for inner, df in (("do", want[0]), ("dont", want[1])):
        on, off = (Wire(p, p.right_ns, f"src {LEFT} and ip proto 50 and ip[6] & 0x40 {op} 0") for op in ("!=", "="))
        p.a.run("ping", "-n", "-c", 5, "-i", 0.02, "-M", inner, HOST_B, peer=True)
        right_one, wrong_one = (on, off) if df else (off, on)
        wait_for("five packets", lambda: right_one.count() >= 5, 3)  # noqa: B023
        assert (right_one.stop(), wrong_one.stop()) == (5, 0), (word, inner)


def test_df_copy_is_that_of_the_inner_packet(p):
    outer_df(p, "copy", (True, False))


def test_df_set_and_clear_are_the_same_for_all(p):
    outer_df(p, "set", (True, True))
    outer_df(p, "clear", (False, False))


def test_mtu_of_the_tunnel_is_told_and_held(p):
    p.fresh({"mtu": 1000})
    p.up()
    r = p.a.run("ping", "-n", "-c", 1, "-W", 1, "-M", "do", "-s", 1000, HOST_B, peer=True, check=False)
    assert re.search(r"mtu ?= ?1000", r.stdout), r.stdout
    p.a.run("ip", "route", "flush", "cache")
    assert p.a.ping(HOST_B, 3, 0.02, size=972) [1] == 3


def test_byte_limit_rekeys_and_loses_nothing(p):
    p.fresh(both={"esp": "{proposals: [aes128gcm16], lifetime-bytes: 150KB}"})
    p.up()
    before = {c.spi_in for c in p.pair()}
    # from the soft limit to the hard one it is 14 packets at least: time enough for a busy machine
    sent, got, _ = p.a.ping(HOST_B, 400, 0.02, size=500)
    assert sent == got == 400, f"{got} of {sent}: {p.left.drops()} {p.right.drops()}"
    wait_for("another pair alone", lambda: p.pair() and not before & {c.spi_in for c in p.pair()}, 10)
    assert "sa-soft-limit" in p.left.log_text() + p.right.log_text()
    assert "sa-hard-limit" not in p.left.log_text() + p.right.log_text()


def test_lifetimes_rekey_by_the_clock_and_lose_nothing(p):
    p.fresh(
        {"esp": "{proposals: [aes256gcm16-x25519], lifetime: 10s}", "ike": "{lifetime: 10s}"},
        {"esp": "{proposals: [aes256gcm16-x25519]}"},
    )
    p.up()
    spis, ike = {c.spi_in for c in p.pair()}, p.left.ikes("link")[0].spi_i
    sent, got, _ = p.a.ping(HOST_B, 550, 0.02)
    assert sent == got == 550, f"{got} of {sent}: {p.left.drops()} {p.right.drops()}"
    wait_for("another pair", lambda: p.pair() and not spis & {c.spi_in for c in p.pair()}, 5)
    wait_for("another IKE_SA", lambda: [s.spi_i for s in p.left.ikes("link")] not in ([], [ike]), 5)


def test_replay_window_is_the_one_of_the_file(p):
    p.fresh({"esp": "{proposals: [aes256gcm16], replay-window: 64}"}, {"esp": "{proposals: [aes256gcm16]}"})
    p.up()
    assert [c.raw["replay_window"] for c in p.pair()] == [64, 1024]
    p.traffic(100, 0.002)


def test_a_peer_at_any_address_is_known_by_its_identity(p):
    p.fresh(
        {"remote": "{address: any, id: branch.example}", "local": "{port: wan0, id: hub.example}"},
        {"remote": f"{{address: {LEFT}, id: hub.example}}", "local": "{port: wan0, id: branch.example}"},
    )
    r = p.left.up("link", check=False)
    assert r.returncode == 1 and "may be anywhere" in r.stdout + r.stderr, r
    p.up(p.right)
    p.traffic()
    (sa,) = p.left.ikes("link")
    assert sa.raw["remote_id"] == "branch.example" and sa.remote == RIGHT, sa.raw
    # who says that he is somebody else is refused
    p.right.write(block(RIGHT, LEFT, remote=f"{{address: {LEFT}, id: hub.example}}", local="{port: wan0, id: thief.example}"))
    p.right.down("link")
    p.right.controlplane.signal(signal.SIGHUP)
    wait_for("the new file is taken", lambda: "event=reloaded" in p.right.log_text(), 5)
    r = p.right.up("link", check=False, seconds=5)
    assert r.returncode == 1 and "AUTHENTICATION_FAILED" in r.stdout + r.stderr, r
    assert "thief.example" in p.left.log_text() and not p.left.children("link")


def test_dpd_asks_in_silence_only_and_keeps_the_tunnel(p):
    p.fresh({"dpd": "1s"}, {"dpd": 0})
    p.up()
    ike = p.left.ikes("link")[0].spi_i
    wire = Wire(p, p.right_ns, f"udp port 500 and src {LEFT}")
    sent, got, _ = p.a.ping(HOST_B, 60, 0.03)
    assert sent == got and wire.count() <= 1, "it asked although ESP came"
    asked = wire.count()
    wait_for("two questions", lambda: wire.count() >= asked + 2, 6)
    wire.stop()
    assert p.left.ikes("link")[0].spi_i == ike and p.a.pings(HOST_B)


def test_a_reload_changes_routes_and_settings_in_place(p):
    p.fresh(both={"esp": "{proposals: [aes256gcm16]}"})
    p.up()
    more = block(LEFT, RIGHT, routes=("10.2.0.128/25",), esp="{proposals: [aes128gcm16]}")
    p.left.write(more)
    p.left.controlplane.signal(signal.SIGHUP)
    wait_for("the new route", lambda: any(r["prefix"] == "10.2.0.128/25" and r["state"] == "installed" for r in p.left.show("routes")))
    assert p.pair()[0].encr == "AES-GCM-16-256", "a reload touched a living SA"
    p.traffic()
    # the next negotiation uses what the file says now
    p.right.write(block(RIGHT, LEFT, esp="{proposals: [aes128gcm16]}"))
    p.right.controlplane.signal(signal.SIGHUP)
    wait_for("the right one has read it", lambda: "event=reloaded" in p.right.log_text(), 5)
    old = p.pair()[0].spi_in
    p.left.rekey_child("link")
    wait_for("a child of the new kind", lambda: p.pair() and p.pair()[0].spi_in != old, 10)
    assert p.pair()[0].encr == "AES-GCM-16-128", p.pair()[0].encr
    # a route that goes takes its packets with it
    p.left.write(more.replace(f"  - {{to: {NET_B}, tunnel: link}}\n", ""))
    p.left.controlplane.signal(signal.SIGHUP)
    wait_for("no route", lambda: all(r["prefix"] != NET_B for r in p.left.show("routes")))
    wait_for("no echo", lambda: not p.a.pings(HOST_B), 3)
    assert p.left.drops().get("no-route", 0) > 0, p.left.drops()


def test_sigterm_ends_the_control_plane_also_without_data_plane(p):
    p.fresh()
    p.up()
    p.left.dataplane.kill()
    assert p.left.controlplane.stop() == 0
    p.left.start_controlplane()
    wait_for("it answers", lambda: p.left.gwctl("show", "tunnels", check=False).returncode == 0)
    assert p.left.controlplane.stop() == 0
    p.left.start()
    p.up()


if __name__ == "__main__":
    tap.main(__name__, pair)
