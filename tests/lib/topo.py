"""The network of the demo and of the interop tests: two sites, our gateway on one side, strongSwan on the other.

    site-a           gateway                     router               strongswan          site-b
    10.1.0.10 --- lan | wan 203.0.113.1 --- 203.0.113.2 | 192.168.77.1 --- 192.168.77.2 | lan --- 10.2.0.10

With nat=False there is no router: strongSwan itself has 203.0.113.2.
"""

import re

from gateway import Gateway
from strongswan import Charon, merge

GW, PEER, PEER_INSIDE = "203.0.113.1", "203.0.113.2", "192.168.77.2"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"
NET_A, NET_B = "10.1.0.0/24", "10.2.0.0/24"
PSK = "correct horse battery staple"
ID_A, ID_B = "site-a.example", "site-b.example"

# The router hides strongSwan, and lets IKE and ESP-in-UDP from outside through to it. What it sees of our gateway's
# ESP it counts: UDP to port 4500 whose first four octets (the SPI) are not zero (RFC 3948 2.2).
ROUTER_NFT = f"""
table ip demo {{
	counter wan_esp {{
	}}
	chain seen {{
		type filter hook prerouting priority raw; policy accept;
		iifname "out" ip saddr {GW} udp dport 4500 @th,64,32 != 0 counter name wan_esp
		iifname "out" ip saddr {GW} udp sport 4500 udp dport != 4500 @th,64,32 != 0 counter name wan_esp
	}}
	chain inwards {{
		type nat hook prerouting priority dstnat; policy accept;
		iifname "out" udp dport {{ 500, 4500 }} dnat to {PEER_INSIDE}
	}}
	chain outwards {{
		type nat hook postrouting priority srcnat; policy accept;
		oifname "out" masquerade
	}}
}}
"""
# From now on only what strongSwan begins gets through, and it appears from ports of the router's choice.
ROUTER_CLOSED_NFT = """
flush chain ip demo inwards
flush chain ip demo outwards
add rule ip demo outwards oifname "out" meta l4proto udp masquerade to :40000-50000
add rule ip demo outwards oifname "out" masquerade
"""


def gateway_yaml(tunnel=None, workers=1, start="respond-only", extra=""):
    """A gateway's file. tunnel: lines of the tunnel beyond the usual ones, as {key: text}; None removes one."""
    keys = {
        "local": f"{{port: wan0, id: {ID_A}}}",
        "remote": f"{{address: {PEER}, id: {ID_B}}}",
        "auth": "{psk-file: @DIR@/psk}",
        "selectors": f"[{{local: {NET_A}, remote: {NET_B}}}]",
        "start": start,
    }
    keys.update(tunnel or {})
    lines = "".join(f"    {k}: {v}\n" for k, v in keys.items() if v is not None)
    return (
        "gateway: {name: edge-a}\n"
        f"dataplane: {{workers: {workers}}}\n"
        "ports:\n"
        f'  wan0: {{device: "af_packet:wan", addresses: [{GW}/24]}}\n'
        '  lan0: {device: "af_packet:lan", addresses: [10.1.0.1/24]}\n'
        f"routes:\n  - {{to: {NET_B}, tunnel: site-b}}\n"
        f"tunnels:\n  site-b:\n{lines}{extra}"
    )


def peer_connections(local=PEER_INSIDE, ike=None, child=None):
    """swanctl.conf's connections; ike and child lay their keys over the usual ones."""
    connection = {
        "version": 2,
        "local_addrs": local,
        "remote_addrs": GW,
        "encap": "yes",  # kernel-libipsec sends ESP in UDP only
        "proposals": "aes256gcm16-prfsha384-x25519",
        "mobike": "no",
        "local": {"auth": "psk", "id": ID_B},
        "remote": {"auth": "psk", "id": ID_A},
        "children": {"net": {"local_ts": NET_B, "remote_ts": NET_A, "esp_proposals": "aes256gcm16-x25519"}},
    }
    connection = merge(connection, ike or {})
    connection["children"]["net"] = merge(connection["children"]["net"], child or {})
    return {"site-a": connection}


def peer_secrets(psk=PSK):
    return {"ike-1": {"id-1": ID_A, "id-2": ID_B, "secret": f'"{psk}"'}}


class TwoSites:
    """The namespaces and their cables; the programs are started by the caller."""

    def __init__(self, lab, nat=True):
        self.lab, self.nat = lab, nat
        self.a, self.gw = lab.ns("site-a"), lab.ns("gateway")
        self.peer, self.b = lab.ns("strongswan", forward=True), lab.ns("site-b")
        lab.veth(self.a, "eth0", self.gw, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", self.peer, "lan", f"{HOST_B}/24", "10.2.0.1/24")
        if nat:
            self.router = lab.ns("router", forward=True)
            lab.veth(self.gw, "wan", self.router, "out", None, f"{PEER}/24")
            lab.veth(self.router, "in", self.peer, "wan", "192.168.77.1/24", f"{PEER_INSIDE}/24")
            self.router.nft(ROUTER_NFT)
            self.peer.route("default", "via", "192.168.77.1")
            self.peer_address = PEER_INSIDE
        else:
            lab.veth(self.gw, "wan", self.peer, "wan", None, f"{PEER}/24")
            self.peer_address = PEER
        self.peer.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")

    def charon(self, ike=None, child=None, psk=PSK, options=None, name="charon"):
        """strongSwan, running and configured."""
        charon = Charon(self.peer, name, options)
        return charon.start(peer_connections(self.peer_address, ike, child), peer_secrets(psk))

    def gateway(self, tunnel=None, psk=PSK, name="gw", **more):
        """Our gateway, running."""
        return Gateway(self.gw, gateway_yaml(tunnel, **more), psk, name).start()

    def close_router(self):
        """Forget what the router knows of and let in from outside no more."""
        self.router.nft(ROUTER_CLOSED_NFT)
        self.router.run("conntrack", "-F", peer=True)

    def wan_esp(self):
        """ESP packets of our gateway that the router has seen."""
        text = self.router.run("nft", "list", "counter", "ip", "demo", "wan_esp", peer=True).stdout
        return int(re.search(r"packets (\d+)", text).group(1))
