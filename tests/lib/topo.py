"""The network of the demo and of the interop tests: two sites, our gateway on one side, strongSwan on the other.

    site-a           gateway                     router               strongswan          site-b
    10.1.0.10 --- lan | wan 203.0.113.1 --- 203.0.113.2 | 192.168.77.1 --- 192.168.77.2 | lan --- 10.2.0.10

With nat=False there is no router: strongSwan itself has 203.0.113.2.
"""

import re
import signal
import subprocess

import netlab
from gateway import Gateway
from netlab import Lab, LabError, wait_for
from strongswan import Charon, merge

GW, PEER, PEER_INSIDE = "203.0.113.1", "203.0.113.2", "192.168.77.2"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"
NET_A, NET_B = "10.1.0.0/24", "10.2.0.0/24"
PSK = "correct horse battery staple"
ID_A, ID_B = "site-a.example", "site-b.example"
TUNNEL, CONNECTION, CHILD = "site-b", "site-a", "net"  # ours; strongSwan's

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
        "ike": "{proposals: [aes256gcm16-prfsha384-x25519]}",
        "esp": "{proposals: [aes256gcm16-x25519]}",
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

    def __init__(self, lab, nat=True, peer=Charon):
        self.lab, self.nat, self.Peer = lab, nat, peer
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
        charon = self.Peer(self.peer, name, options)
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


class Bench:
    """Two sites whose daemons are started anew for every case: the context of the interop tests (tap.main). peer: the class of the
    other end (strongswan.Charon, or one that can be used like it)."""

    def __init__(self, nat=False, peer=Charon):
        self.nat, self.Peer, self.gw, self.peer, self.starts = nat, peer, None, None, 0

    def __enter__(self):
        self.lab = Lab()
        self.net = TwoSites(self.lab, self.nat, self.Peer)
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def fresh(self, tunnel=None, ike=None, child=None, psk=PSK, peer_psk=PSK, options=None, **more):
        """Both ends running and configured, nothing negotiated. tunnel: our keys; ike and child: strongSwan's."""
        self.stop()
        self.starts += 1
        # a rekeyed child stays 5 s at strongSwan unless told otherwise
        options = {"delete_rekeyed_delay": 1, **(options or {})}
        self.peer = self.net.charon(ike, child, peer_psk, options, name=f"charon{self.starts}")
        self.gw = self.net.gateway(tunnel, psk, name=f"gw{self.starts}", **more)
        return self.gw, self.peer

    def stop(self):
        for end in (self.gw, self.peer):
            if end:
                end.stop()
        self.gw = self.peer = None

    # -- what the tests ask

    def up(self, by_us=True):
        """Bring the tunnel up from one end, and wait until both ends agree on it and use it."""
        if by_us:
            self.gw.up(TUNNEL)
        else:
            self.peer.initiate(CHILD)
        self.wait_settled()

    def spis(self):
        """(IKE SPIs, child SPIs towards us and towards the peer), each as (ours, the peer's) sets."""
        ike = {(s.spi_i, s.spi_r) for s in self.gw.ikes(TUNNEL)}, {(s.spi_i, s.spi_r) for s in self.peer.sas()}
        child = (
            {(c.spi_in, c.spi_out) for c in self.gw.children(TUNNEL)},
            {(c.spi_out, c.spi_in) for s in self.peer.sas() for c in s.children},
        )
        return ike, child

    def settled(self):
        """One IKE_SA with one child, the same at both ends?"""
        ike, child = self.spis()
        return len(ike[0]) == len(child[0]) == 1 and ike[0] == ike[1] and child[0] == child[1]

    def wait_settled(self, timeout=20):
        try:
            wait_for("one IKE_SA with one child, the same at both ends", self.settled, timeout, 0.1)
        except LabError as e:
            raise LabError(f"{e}: (ike, child) as (ours, theirs): {self.spis()}") from None

    def wait_empty(self, timeout=10):
        wait_for("no SA at either end", lambda: not any(s for pair in self.spis() for s in pair), timeout, 0.1)

    def traffic(self, count=10):
        """Echoes both ways, none lost."""
        # who answered sends when the other end shows that it has the child, or a second later
        wait_for("an echo", lambda: self.net.b.pings(HOST_A), 5)
        for ns, address in ((self.net.a, HOST_B), (self.net.b, HOST_A)):
            self._echoes(ns, address, count)

    def _echoes(self, ns, address, count):
        """All come back. strongSwan's ESP in user space loses some when the machine is busy: once more, if we did not."""
        for once_more in (True, False):
            before = self.gw.drops()
            sent, received, _ = ns.ping(address, count, 0.02)
            if sent == received:
                return
            if self.gw.drops() != before or not once_more:
                break
            print(f"# {received} of {sent} pings from {ns.name} came back, none lost here", flush=True)
        raise LabError(f"{received} of {sent} pings from {ns.name} came back; drops: {before} -> {self.gw.drops()}")

    def no_traffic(self):
        if self.net.a.pings(HOST_B) or self.net.b.pings(HOST_A):
            raise LabError("an echo came back although there is no tunnel")

    def error(self):
        """Why the tunnel is down, in our words."""
        return self.gw.tunnel(TUNNEL)["last_error"] or ""

    def explain(self):
        """The ends of the logs, for a failed case."""
        text = ""
        if self.gw:
            text += "our log:\n" + "".join(self.gw.log_text().splitlines(True)[-40:])
        if self.peer:
            text += "strongSwan's log:\n" + netlab.tail(self.peer.logfile, 30)
        return text


class Pings:
    """Echoes in the background; lost() waits for the last and counts the missing ones."""

    def __init__(self, ns, address, count=500, interval=0.01):
        argv = ["ping", "-n", "-i", interval, "-c", count, "-W", 2, address]
        self.process = ns.start("pings", *argv, peer=True, stdout=subprocess.PIPE)

    def running(self):
        return self.process.alive()

    def stop(self):
        """No more echoes; (sent, received)."""
        self.process.signal(signal.SIGINT)
        return self.result()

    def result(self):
        popen = self.process.popen
        text = popen.communicate(timeout=60)[0]
        try:
            sent, received, _ = netlab.ping_result(text)
        except LabError as e:
            raise LabError(f"{e} (exit code {popen.returncode}, {len(text)} octets)") from e
        return sent, received
