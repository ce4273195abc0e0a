"""BGP over IPv6 with FRR and BIRD behind two tunnels of ours: one over IPv4, one over IPv6, both families inside each.

    site-a        left                                        right                  FRR   10.50.0.1, 2001:db8:50::1
    10.1.0.10 -- lan | wan 203.0.113.1    === four === 203.0.113.2    wan | f -- 10.11.0.2, 2001:db8:11::2
    2001:db8:a::10   |    2001:db8:ff::1  === six  === 2001:db8:ff::2     | b -- 10.12.0.2, 2001:db8:12::2
                                                                             BIRD  10.60.0.1, 2001:db8:60::1

The sessions are between a loopback address of left and FRR (inside `four`), another and BIRD (inside `six`), with an MD5 key.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgplab import octets, peer_yaml  # noqa: E402
from bird import Bird  # noqa: E402
from frr import Frr  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, tail, wait_for  # noqa: E402

PSK, KEY = "correct horse battery staple", "open-sesame"
AS_GW, AS_FRR, AS_BIRD = 65010, 65020, 65030
FRR, BIRD = "2001:db8:11::2", "2001:db8:12::2"
LO = {"frr": ("2001:db8:ee::4", "10.255.0.4"), "bird": ("2001:db8:ee::6", "10.255.0.6")}
NETS = {"frr": ("10.50.0.0/24", "2001:db8:50::/48"), "bird": ("10.60.0.0/24", "2001:db8:60::/48")}
HOSTS = {"frr": ("10.50.0.1", "2001:db8:50::1"), "bird": ("10.60.0.1", "2001:db8:60::1")}
OURS = ("10.1.0.0/24", "2001:db8:a::/64")
OVER = {"frr": "four", "bird": "six"}


def tunnels(side, start):
    text = ""
    for name, ends in (("four", ("203.0.113.1", "203.0.113.2")), ("six", ("2001:db8:ff::1", "2001:db8:ff::2"))):
        text += f"""
  {name}:
    local: {{port: wan0}}
    remote: {{address: "{ends[1 - side]}"}}
    auth: {{psk-file: @DIR@/psk}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    selectors: any
    start: {start}"""
    return text


def left_yaml():
    addresses = ", ".join(f'"{v6}/128", {v4}/32' for v6, v4 in LO.values())
    peers = policies = ""
    for name, address, remote_as in (("frr", FRR, AS_FRR), ("bird", BIRD, AS_BIRD)):
        peers += peer_yaml(name, f'"{address}"', remote_as, source=f'"{LO[name][0]}"', families="[ipv4, ipv6]", export=f"to-{name}",
                           password=f'"{KEY}"')  # fmt: skip
        # a session has an address of one family: the next hop of the other is the policy's
        policies += f"  to-{name}: [{{permit: {{set: {{next-hop: {LO[name][1]}}}}}}}]\n"
    return f"""
gateway: {{name: left, addresses: [{addresses}]}}
dataplane: {{workers: 1}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [203.0.113.1/24, "2001:db8:ff::1/64"]}}
  lan0: {{device: "af_packet:lan", addresses: [10.1.0.1/24, "2001:db8:a::1/64"]}}
routes:
  - {{to: 10.11.0.0/24, tunnel: four}}
  - {{to: "2001:db8:11::/64", tunnel: four}}
  - {{to: 10.12.0.0/24, tunnel: six}}
  - {{to: "2001:db8:12::/64", tunnel: six}}
  - {{to: "2001:db8:60::/48", blackhole: true, distance: 250}}
tunnels:{tunnels(0, "always")}
bgp:
  as: {AS_GW}
  router-id: 10.255.0.4
  originate: [{OURS[0]}, "{OURS[1]}"]
  peers:
{peers}policies:
  any: [{{permit: {{}}}}]
{policies}"""


def right_yaml():
    return f"""
gateway: {{name: right}}
dataplane: {{workers: 1}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [203.0.113.2/24, "2001:db8:ff::2/64"]}}
  f0: {{device: "af_packet:lanf", addresses: [10.11.0.1/24, "2001:db8:11::1/64"]}}
  b0: {{device: "af_packet:lanb", addresses: [10.12.0.1/24, "2001:db8:12::1/64"]}}
routes:
  - {{to: "2001:db8:ee::4/128", tunnel: four}}
  - {{to: "2001:db8:ee::6/128", tunnel: six}}
  - {{to: 10.1.0.0/24, tunnel: four}}
  - {{to: "2001:db8:a::/64", tunnel: six}}
  - {{to: 10.50.0.0/24, via: 10.11.0.2}}
  - {{to: "2001:db8:50::/48", via: "{FRR}"}}
  - {{to: 10.60.0.0/24, via: 10.12.0.2}}
  - {{to: "2001:db8:60::/48", via: "{BIRD}"}}
tunnels:{tunnels(1, "respond-only")}
"""


def frr_conf():
    peer = LO["frr"][0]
    return f"""frr defaults traditional
ip route {LO["frr"][1]}/32 10.11.0.1
ipv6 route {peer}/128 2001:db8:11::1
route-map v4 permit 10
 set ip next-hop 10.11.0.2
router bgp {AS_FRR}
 bgp router-id 10.50.0.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {peer} remote-as {AS_GW}
 neighbor {peer} ebgp-multihop 255
 neighbor {peer} password {KEY}
 neighbor {peer} timers 3 9
 neighbor {peer} timers connect 1
 address-family ipv4 unicast
  network {NETS["frr"][0]}
  neighbor {peer} activate
  neighbor {peer} route-map v4 out
 exit-address-family
 address-family ipv6 unicast
  network {NETS["frr"][1]}
  neighbor {peer} activate
 exit-address-family
exit
"""


def bird_conf():
    peer, hop4 = LO["bird"]
    return f"""
router id 10.60.0.1;
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; }}; }}
protocol kernel {{ ipv6 {{ export where source = RTS_BGP; }}; }}
protocol static {{ ipv4; route {NETS["bird"][0]} blackhole; route {hop4}/32 via 10.12.0.1; }}
protocol static {{ ipv6; route {NETS["bird"][1]} blackhole; route {peer}/128 via 2001:db8:12::1; }}
protocol bgp up {{
	local {BIRD} as {AS_BIRD};
	neighbor {peer} as {AS_GW};
	multihop 255;
	password "{KEY}";
	hold time 9;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv4 {{ import all; export filter {{ if net = {NETS["bird"][0]} then accept; reject; }}; next hop address 10.12.0.2; }};
	ipv6 {{ import all; export filter {{ if net = {NETS["bird"][1]} then accept; reject; }}; }};
}}
"""


class Six:
    """All of it, up."""

    def __enter__(self):
        self.lab = lab = Lab()
        self.a, left, right = (lab.ns(n) for n in ("site-a", "left", "right"))
        self.peers = {n: lab.ns(n) for n in ("frr", "bird")}
        lab.veth(self.a, "eth0", left, "lan")
        lab.veth(left, "wan", right, "wan")
        lab.veth(right, "lanf", self.peers["frr"], "eth0")
        lab.veth(right, "lanb", self.peers["bird"], "eth0")
        self.host(self.a, "10.1.0.10/24", "2001:db8:a::10/64", None, None)
        for i, (name, ns) in enumerate(self.peers.items(), 1):
            self.host(ns, f"10.1{i}.0.2/24", f"2001:db8:1{i}::2/64", *(f"{h}/128" if ":" in h else f"{h}/32" for h in HOSTS[name]))
        self.a.route("default", "via", "10.1.0.1")
        self.a.run("ip", "-6", "route", "add", "default", "via", "2001:db8:a::1")
        left.sysctl("net.ipv6.conf.default.disable_ipv6", 0)  # for the TUN: BGP is spoken over it
        # BIRD keeps static routes to itself
        self.peers["bird"].run("ip", "-6", "route", "add", f"{LO['bird'][0]}/128", "via", "2001:db8:12::1")
        self.left = Gateway(left, left_yaml(), PSK, "left")
        self.right = Gateway(right, right_yaml(), PSK, "right").start()
        self.frr = Frr(self.peers["frr"], frr_conf()).start()
        self.bird = Bird(self.peers["bird"], bird_conf()).start()
        self.left.start()
        self.settled()
        return self

    def host(self, ns, v4, v6, *loopback):
        for ifname in ("eth0", "lo"):
            ns.sysctl(f"net.ipv6.conf.{ifname}.accept_dad", 0)
            ns.sysctl(f"net.ipv6.conf.{ifname}.disable_ipv6", 0)
        ns.address("eth0", v4, v6)
        ns.address("lo", *(a for a in loopback if a))

    def __exit__(self, *exc):
        self.lab.close()

    def settled(self):
        for name in HOSTS:
            self.left.wait_bgp(name, timeout=30)
            for host in HOSTS[name]:
                wait_for(f"the way to {host}", lambda h=host, n=name: self.left.ways(h) == [OVER[n]], 10)
                wait_for(f"an echo from {host}", lambda h=host: self.a.pings(h), 15)

    def sent(self, tunnel):
        return sum(c.packets_out for c in self.left.children(tunnel))

    def explain(self):
        text = self.left.gwctl("show", "bgp", "summary", check=False).stdout + self.left.gwctl("show", "routes", check=False).stdout
        for gw in (self.left, self.right):
            text += f"{gw.name}: drops {gw.drops()}\n" + "".join(gw.log_text().splitlines(True)[-25:])
        return text + tail(self.frr.logfile, 10) + tail(self.bird.logfile, 10)


def test_both_families_are_learned_over_ipv6(six):
    for name, remote_as in (("frr", AS_FRR), ("bird", AS_BIRD)):
        paths = six.left.bgp_paths(name)
        for net in NETS[name]:
            assert octets(paths[net]["as_path"]) == [remote_as] and paths[net]["best"], paths
        row = six.left.bgp_neighbor(name)
        assert row["address"] in (FRR, BIRD) and row["md5"], row
    for net, family in zip(OURS, ("ipv4", "ipv6")):
        assert octets(six.frr.wait_path(net, family=family)["aspath"]["string"]) == [AS_GW]
        six.bird.wait_path(net)


def test_traffic_of_both_families_follows(six):
    for name, hosts in HOSTS.items():
        for host in hosts:
            before = six.sent(OVER[name])
            sent, received, _ = six.a.ping(host, 20, 0.02)
            assert sent == received == 20, f"{received} of {sent} echoes from {host}: {six.left.drops()} {six.right.drops()}"
            assert six.sent(OVER[name]) >= before + 20, (host, before)


def test_what_is_shown_fits(six):
    for words in (("routes",), ("bgp", "summary"), ("bgp", "route"), ("bgp", "neighbor", "frr", "routes"), ("fib", HOSTS["frr"][1])):
        text = six.left.gwctl("show", *words).stdout
        assert max(len(line) for line in text.splitlines()) <= 100, text
        assert "2001:db8:50" in text or words == ("bgp", "summary"), text
    states = {r["prefix"]: r["state"] for r in six.left.show("routes") if r["selected"]}
    assert states[NETS["frr"][1]] == states[NETS["bird"][1]] == "installed", states


def test_the_ipv6_tunnel_falls_and_comes_back(six):
    established = six.left.bgp_neighbor("frr")["established"]
    six.left.down("six")
    wait_for("the floating blackhole", lambda: six.left.ways(HOSTS["bird"][1]) == ["blackhole"], 15)
    wait_for("no way in IPv4", lambda: not six.left.ways(HOSTS["bird"][0]), 15)
    wait_for("the session is lost", lambda: six.left.bgp_state("bird") != "established", 15)
    assert six.left.ways(HOSTS["frr"][1]) == ["four"]
    six.left.up("six")
    six.settled()
    assert six.left.bgp_neighbor("frr")["established"] == established  # the other one did not notice


def test_a_dead_control_plane_leaves_both_families_in_force(six):
    # the peers shall not take their ways back away when the sessions go
    for i, ns in enumerate(six.peers.values(), 1):
        ns.route(OURS[0], "via", f"10.1{i}.0.1", "metric", "4000")
        ns.run("ip", "-6", "route", "add", OURS[1], "via", f"2001:db8:1{i}::1", "metric", "4000")
    six.left.controlplane.kill()
    for host in HOSTS["bird"] + HOSTS["frr"]:
        sent, received, _ = six.a.ping(host, 5, 0.02)
        assert sent == received, f"{received} of {sent} echoes from {host}"
    six.left.start_controlplane()
    six.left.wait_ready()
    six.settled()


if __name__ == "__main__":
    tap.main(__name__, Six)
