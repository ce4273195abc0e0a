"""Two peers behind one NAT address, known by their identities only: each its own tunnel, and neither moves the other.

    site-a           gateway                     router                                   peer-x  10.2.0.1   (lo)
    10.1.0.10 --- lan | wan 203.0.113.1 --- 203.0.113.2 | 192.168.77.1 --- 192.168.77.2   x.example
                                                        | 192.168.78.1 --- 192.168.78.2   peer-y  10.3.0.1   y.example
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import Lab, tail, wait_for  # noqa: E402
from strongswan import Charon  # noqa: E402
from topo import GW, HOST_A, NET_A, PEER, Pings  # noqa: E402

KEYS = {"x": "the key of x, and of nobody else", "y": "y has another one than x, as it must"}
WAN = {"x": "192.168.77.2", "y": "192.168.78.2"}
NETS = {"x": "10.2.0.0/24", "y": "10.3.0.0/24"}
HOSTS = {"x": "10.2.0.1", "y": "10.3.0.1"}
PORTS = {"x": "20000-29999", "y": "30000-39999"}
OTHER = {"x": "y", "y": "x"}
NFT = """
table ip t {
	chain outwards {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "out" ip saddr 192.168.77.2 meta l4proto udp masquerade to :%(x)s
		oifname "out" ip saddr 192.168.78.2 meta l4proto udp masquerade to :%(y)s
	}
}
"""


def our_yaml():
    tunnels = routes = ""
    for p in KEYS:
        routes += f"  - {{to: {NETS[p]}, tunnel: {p}}}\n"
        tunnels += f"""
  {p}:
    local: {{port: wan0, id: hub.example}}
    remote: {{address: any, id: {p}.example}}
    auth: {{psk-file: @DIR@/psk-{p}}}
    ike: {{proposals: [aes256gcm16-prfsha384-x25519]}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    selectors: [{{local: {NET_A}, remote: {NETS[p]}}}]
    start: respond-only
    dpd: 5s"""
    return f"""gateway: {{name: hub}}
dataplane: {{workers: 1}}
ports:
  wan0: {{device: "af_packet:wan", addresses: [{GW}/24]}}
  lan0: {{device: "af_packet:lan", addresses: [10.1.0.1/24]}}
routes:
{routes}tunnels:{tunnels}
"""


def their_connections(p):
    return {"hub": {
        "version": 2, "local_addrs": WAN[p], "remote_addrs": GW, "proposals": "aes256gcm16-prfsha384-x25519", "mobike": "no",
        "local": {"auth": "psk", "id": f"{p}.example"}, "remote": {"auth": "psk", "id": "hub.example"},
        "children": {"net": {"local_ts": NETS[p], "remote_ts": NET_A, "esp_proposals": "aes256gcm16-x25519"}},
    }}  # fmt: skip


class Road:
    def __enter__(self):
        self.lab = lab = Lab()
        self.a, self.gw_ns, self.router = lab.ns("site-a"), lab.ns("gateway"), lab.ns("router", forward=True)
        self.ns = {p: lab.ns(f"peer-{p}", forward=True) for p in KEYS}
        lab.veth(self.a, "eth0", self.gw_ns, "lan", f"{HOST_A}/24")
        lab.veth(self.gw_ns, "wan", self.router, "out", None, f"{PEER}/24")
        self.a.route("default", "via", "10.1.0.1")
        for p, ns in self.ns.items():
            inside = WAN[p].rsplit(".", 1)[0] + ".1"
            lab.veth(self.router, f"in-{p}", ns, "wan", f"{inside}/24", f"{WAN[p]}/24")
            ns.address("lo", f"{HOSTS[p]}/24")
            ns.route("default", "via", inside)
            ns.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.ports = dict(PORTS)
        self.router.nft(NFT % self.ports)
        self.gw = Gateway(self.gw_ns, our_yaml(), name="hub")
        for p, key in KEYS.items():
            self.gw.write_file(f"psk-{p}", key)
        self.gw.start()
        self.peers = {}
        for p, ns in self.ns.items():
            secret = {"ike-1": {"id-1": "hub.example", "id-2": f"{p}.example", "secret": f'"{KEYS[p]}"'}}
            self.peers[p] = Charon(ns, options={"delete_rekeyed_delay": 1}).start(their_connections(p), secret)
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def rebind(self, p, ports):
        """The router forgets the flows of p, which from now on appear from other ports."""
        self.ports[p] = ports
        self.router.nft("flush chain ip t outwards\n" + NFT % self.ports)
        self.router.run("conntrack", "-D", "-s", WAN[p], peer=True, check=False)

    def port(self, p):
        (sa,) = self.gw.ikes(p)
        assert sa.remote == PEER and sa.nat == "remote", sa.raw
        return sa.remote_port

    def inside(self, p, ports=None):
        low, high = (ports or PORTS[p]).split("-")
        return int(low) <= self.port(p) <= int(high)

    def agreed(self, p):
        ours = {(c.spi_in, c.spi_out) for c in self.gw.children(p)}
        return len(ours) == 1 and ours == {(c.spi_out, c.spi_in) for c in self.peers[p].installed("net")}

    def echoes(self, p, count=10):
        wait_for(f"an echo from {p}", lambda: self.ns[p].ping(HOST_A, source=HOSTS[p])[1], 10)
        for ns, address, source in ((self.a, HOSTS[p], None), (self.ns[p], HOST_A, HOSTS[p])):
            sent, got, _ = ns.ping(address, count, 0.05, source=source)
            assert sent == got, f"{p}: {got} of {sent} from {ns.name}: {self.gw.drops()}"

    def explain(self):
        text = "".join(self.gw.log_text().splitlines(True)[-40:]) + f"{self.gw.show('tunnels')} {self.gw.show('ike-sas')} {self.gw.drops()}\n"
        return text + "".join(f"--- {p}\n" + tail(c.logfile, 20) for p, c in self.peers.items())


def test_each_gets_the_tunnel_of_its_name(r):
    for p, peer in r.peers.items():
        peer.initiate("net")
        wait_for(f"{p} is up at both ends", lambda p=p: r.agreed(p), 10, 0.1)
    for p in r.peers:
        assert r.inside(p), r.port(p)
        before = {q: r.gw.tunnel(q)["out_packets"] for q in KEYS}
        r.echoes(p)
        after = {q: r.gw.tunnel(q)["out_packets"] for q in KEYS}
        assert after[p] >= before[p] + 20 and after[OTHER[p]] == before[OTHER[p]], (before, after)


def test_a_new_mapping_of_one_leaves_the_other_alone(r):
    for p, ports in (("x", "40000-44999"), ("y", "45000-49999")):
        other, where, sas = OTHER[p], r.port(OTHER[p]), r.gw.ikes(OTHER[p])[0].spi_i
        pings = Pings(r.a, HOSTS[other], 3000, 0.01)
        r.rebind(p, ports)
        r.echoes(p)
        assert r.inside(p, ports), r.port(p)
        r.gw.rekey_child(p)  # IKE went there too
        wait_for(f"{p} agrees", lambda p=p: r.agreed(p), 10, 0.1)
        sent, received = pings.stop()
        assert received >= sent - 1, f"{other}: {received} of {sent}: {r.gw.drops()}"
        assert r.port(other) == where and r.gw.ikes(other)[0].spi_i == sas and r.agreed(other)


def test_both_mappings_change_places(r):
    """Each peer appears at once where the other one was a moment ago."""
    old = dict(r.ports)
    r.router.nft("flush chain ip t outwards\n" + NFT % {"x": old["y"], "y": old["x"]})
    r.ports = {"x": old["y"], "y": old["x"]}
    for p in r.peers:
        r.router.run("conntrack", "-D", "-s", WAN[p], peer=True, check=False)
    for p in r.peers:
        r.echoes(p)
        assert r.inside(p, r.ports[p]), r.port(p)


def test_rekeys_of_one_and_the_end_of_one(r):
    for p in r.peers:
        before = r.gw.ikes(p)[0].spi_i
        r.gw.rekey_ike(p)
        wait_for("another IKE_SA", lambda p=p, b=before: [s.spi_i for s in r.gw.ikes(p)] not in ([b], []) and r.agreed(p), 15, 0.1)
        before = {c.spi_in for c in r.gw.children(p)}
        r.peers[p].rekey_child("net")
        wait_for("another child", lambda p=p, b=before: r.agreed(p) and not b & {c.spi_in for c in r.gw.children(p)}, 15, 0.1)
        r.echoes(OTHER[p])
    r.peers["x"].terminate(ike="hub")
    wait_for("x is down", lambda: not r.gw.children("x"), 10, 0.1)
    r.echoes("y")
    r.peers["x"].initiate("net")
    wait_for("x is up", lambda: r.agreed("x"), 10, 0.1)
    r.echoes("x")


def test_the_key_of_one_does_not_open_the_others_tunnel(r):
    x = r.peers["x"]
    before, sa = r.port("y"), r.gw.ikes("y")[0].spi_i
    wrong = their_connections("x")
    wrong["hub"]["local"]["id"] = "y.example"
    x.terminate(ike="hub")
    x.load(wrong, {"ike-1": {"id-1": "hub.example", "id-2": "y.example", "secret": f'"{KEYS["x"]}"'}})
    r.peers["x"].swanctl("--initiate", "--child", "net", "--timeout", "5", check=False)
    wait_for("it is told", lambda: "AUTH_FAILED" in x.log_text() or "AUTHENTICATION_FAILED" in x.log_text(), 10, 0.1)
    assert r.port("y") == before and r.gw.ikes("y")[0].spi_i == sa
    r.echoes("y")


if __name__ == "__main__":
    tap.main(__name__, Road)
