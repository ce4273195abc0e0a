"""Our gateway between FRR and BIRD, each on a port of its own: the network of the BGP interop tests.

    10.50.0.1/24 lo  frr  10.11.0.2 --- 10.11.0.1 lan0 | gateway | lan1 10.12.0.1 --- 10.12.0.2  bird  lo 10.60.0.1/24
                 AS 65020                              AS 65010                              AS 65030
"""

import json
import os
import re
import signal
import subprocess
import sys

import netlab
from bird import Bird
from frr import Frr
from gateway import Gateway
from netlab import Lab, LabError, wait_for

AS_GW, AS_FRR, AS_BIRD = 65010, 65020, 65030
GW_F, FRR = "10.11.0.1", "10.11.0.2"  # the cable to FRR
GW_B, BIRD = "10.12.0.1", "10.12.0.2"  # the cable to BIRD
LO = "10.255.0.1"  # the gateway's own address
FRR_LO, FRR_NET = "10.50.0.1", "10.50.0.0/24"
BIRD_LO, BIRD_NET = "10.60.0.1", "10.60.0.0/24"
ANY = "  any: [{permit: {}}]\n"


def peer_yaml(name, address, remote_as, **keys):
    """One of our peers; keys with - written as _; None removes one."""
    words = {"address": address, "as": remote_as, "hold-time": "9s", "connect-retry": "1s", "import": "any", "export": "any"}
    words.update({k.rstrip("_").replace("_", "-"): v for k, v in keys.items()})
    return f"    {name}: {{" + ", ".join(f"{k}: {v}" for k, v in words.items() if v is not None) + "}\n"


def edge_yaml(peers, our_as=AS_GW, originate="", bgp="", routes="", policies=ANY, extra="", gateway=f"addresses: [{LO}/32]"):
    """The gateway's file: ports on both cables, no tunnel."""
    return (
        f"gateway: {{name: edge-a, {gateway}}}\n"
        "dataplane: {workers: 1}\n"
        "ports:\n"
        f'  lan0: {{device: "af_packet:lan0", addresses: [{GW_F}/24]}}\n'
        f'  lan1: {{device: "af_packet:lan1", addresses: [{GW_B}/24]}}\n'
        + (f"routes:\n{routes}" if routes else "")
        + f"bgp:\n  as: {our_as}\n"
        + (f"  originate: [{originate}]\n" if originate else "")
        + bgp
        + f"  peers:\n{peers}"
        + f"policies:\n{policies}{extra}"
    )


def frr_conf(peer=GW_F, remote_as=AS_GW, our_as=AS_FRR, lines=(), af=(), networks=(FRR_NET,), extra="", router_id=FRR_LO):
    """An frr.conf with one neighbour. lines: of the neighbour, behind `neighbor A `; af: the same in ipv4 unicast."""
    text = f"frr defaults traditional\n{extra}\nrouter bgp {our_as}\n bgp router-id {router_id}\n no bgp ebgp-requires-policy\n"
    text += " no bgp network import-check\n bgp log-neighbor-changes\n"
    for words in (f"remote-as {remote_as}", "timers 3 9", "timers connect 1", *lines):
        text += f" neighbor {peer} {words}\n"
    text += " address-family ipv4 unicast\n"
    text += "".join(f"  network {n}\n" for n in networks)
    for words in af:
        text += f"  neighbor {peer} {words}\n"
    return text + " exit-address-family\nexit\n"


def bird_conf(peer=GW_B, local=BIRD, remote_as=AS_GW, our_as=AS_BIRD, lines="", ipv4="", statics="", extra="", networks=(BIRD_NET,),
              router_id=BIRD_LO):  # fmt: skip
    """A bird.conf with one protocol, `up`. lines: of the protocol; ipv4: of its channel; statics: routes with attributes.

    remote_as 0: any AS but BIRD's own."""
    static = "".join(f"route {n} blackhole; " for n in networks)
    return f"""
router id {router_id};
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; }}; }}
protocol static nets {{ ipv4; {static}{statics} }}
{extra}
protocol bgp up {{
	local {local} as {our_as};
	neighbor {peer} {f"as {remote_as}" if remote_as else "external"};
	hold time 9;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	{lines}
	ipv4 {{ import all; export where source = RTS_STATIC; import table; {ipv4} }};
}}
"""


class Sniffer:
    """What passes an interface: counts of tests/lib/sniff.py, from now until stop()."""

    def __init__(self, ns, ifname, marker="no such octets on any wire"):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sniff.py")
        self.process = ns.start(f"sniff-{ifname}", sys.executable, script, ifname, marker, stdout=subprocess.PIPE)
        if self.process.popen.stdout.readline().strip() != "ready":
            self.process.check()

    def stop(self):
        self.process.signal(signal.SIGTERM)
        counts = json.loads(self.process.popen.communicate(timeout=10)[0])
        if counts["drops"]:
            raise LabError(f"the capture lost {counts['drops']} frames: it proves nothing")
        return counts


class Edge:
    """The network, and the three daemons started anew for every case: the context of the tests (tap.main)."""

    def __init__(self):
        self.gw = self.frr = self.bird = None
        self.starts = 0

    def __enter__(self):
        self.lab = Lab()
        self.gw_ns = self.lab.ns("gateway")
        self.frr_ns, self.bird_ns = self.lab.ns("frr", forward=True), self.lab.ns("bird", forward=True)
        self.lab.veth(self.gw_ns, "lan0", self.frr_ns, "eth0", None, f"{FRR}/24")
        self.lab.veth(self.gw_ns, "lan1", self.bird_ns, "eth0", None, f"{BIRD}/24")
        self.frr_ns.address("lo", f"{FRR_LO}/24")
        self.bird_ns.address("lo", f"{BIRD_LO}/24")
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def fresh(self, config, frr=None, bird=None, wait=True, **files):
        """Our gateway with this file, FRR and BIRD with theirs (None: not running); wait: for every session."""
        self.stop()
        self.starts += 1
        self.gw = Gateway(self.gw_ns, config, "no tunnel uses this", f"gw{self.starts}")
        for name, text in files.items():
            self.gw.write_file(name, text)
        if frr is not None:
            self.frr = Frr(self.frr_ns, frr, f"frr{self.starts}").start()
        if bird is not None:
            self.bird = Bird(self.bird_ns, bird, f"bird{self.starts}").start()
        self.gw.start()
        if wait:
            if self.frr:
                self.gw.wait_bgp("frr")
                self.frr.wait_established(GW_F)
            if self.bird:
                self.gw.wait_bgp("bird")
                self.bird.wait_established("up")
        return self.gw

    def stop(self):
        for end in (self.gw, self.frr, self.bird):
            if end:
                end.stop()
        self.gw = self.frr = self.bird = None

    def both(self, **more):
        """Both peers with everything permitted, up."""
        peers = peer_yaml("frr", FRR, AS_FRR) + peer_yaml("bird", BIRD, AS_BIRD)
        return self.fresh(edge_yaml(peers, **more), frr_conf(), bird_conf())

    def crosses(self, count=3):
        """Echoes from BIRD's network to FRR's, through us, by what both learned."""
        wait_for("the first echo", lambda: self.bird_ns.ping(FRR_LO, 1, source=BIRD_LO, timeout=0.3)[1], 10)
        sent, received, _ = self.bird_ns.ping(FRR_LO, count, 0.02, source=BIRD_LO)
        assert sent == received, f"{received} of {sent} echoes came back; drops: {self.gw.drops()}"

    def explain(self):
        text = ""
        if self.gw:
            text += "our log:\n" + "".join(self.gw.log_text().splitlines(True)[-40:])
            text += self.gw.gwctl("show", "bgp", "summary", check=False).stdout
        if self.frr:
            text += "FRR's log:\n" + netlab.tail(self.frr.logfile, 15)
        if self.bird:
            text += "BIRD's log:\n" + netlab.tail(self.bird.logfile, 15)
        return text


def octets(path):
    """An AS path in text as a list of numbers."""
    return [int(w) for w in re.findall(r"\d+", path)]
