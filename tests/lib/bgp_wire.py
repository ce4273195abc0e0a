"""A namespace with our BGP speaker in it, and raw peers that connect to it: the context of the tests by wire (tap.main)."""

import ctypes
import os

from bgp_raw import KEEPALIVE, UPDATE, Speaker, cap, mp, usual_caps
from bgp_speaker import BgpSpeaker
from netlab import Lab, tail, wait_for

US, OUR_AS = "192.0.2.1", 65001
NETWORK = "10.7.0.0/21"  # of the peers: all its addresses are on the namespace's loopback
CLONE_NEWNET = 0x40000000


def address(i):
    """Of peer number i."""
    return f"10.7.{(i + 1) >> 8}.{(i + 1) & 255}"


def config(peers, originate="", our_as=OUR_AS):
    """peers: per peer its AS and more words of its row. They connect; we wait."""
    rows = "".join(
        f"    p{i}: {{address: {address(i)}, as: {number}, source: {US}, families: [ipv4, ipv6], import: any, export: any, "
        f"connect: passive{', ' if extra else ''}{extra}}}\n"
        for i, (number, extra) in enumerate(peers)
    )
    return (
        f"gateway: {{name: edge-a, addresses: [{US}/32]}}\ndataplane: {{workers: 1}}\n"
        'ports:\n  lan0: {device: "af_packet:lan0", addresses: [10.0.0.1/24]}\n'
        f"bgp:\n  as: {our_as}\n{f'  originate: [{originate}]' if originate else ''}\n  peers:\n{rows}"
        "policies:\n  any: [{permit: {}}]\n"
    )


class Wire:
    def __init__(self, text, as_of):
        self.text, self.as_of = text, as_of  # as_of(i): AS of peer number i

    def __enter__(self):
        self.lab = Lab()
        self.ns = self.lab.ns("wire")
        self.ns.address("lo", f"{US}/32")
        self.ns.run("ip", "route", "add", "local", NETWORK, "dev", "lo")
        self.speaker = BgpSpeaker(self.ns, self.text, level="bgp=info")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.here = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.there = os.open(self.ns.path, os.O_RDONLY)
        return self

    def __exit__(self, *exc):
        os.close(self.here)
        os.close(self.there)
        self.lab.close()

    def explain(self):
        return tail(self.speaker.log, 15)

    def connect(self, index):
        """A connection of peer number `index`: (its name, the connection)."""
        assert self.libc.setns(self.there, CLONE_NEWNET) == 0
        try:
            c = Speaker.connect(US, address(index))
        finally:
            self.libc.setns(self.here, CLONE_NEWNET)
        return f"p{index}", c

    def session(self, index, wide=True, empty=True, **words):
        """An Established session; wide: with capability 65. empty: there is nothing to tell it; its End-of-RIBs are read."""
        name, c = self.connect(index)
        number = self.as_of(index)
        c.establish(number, usual_caps(number) if wide else mp(1) + mp(2) + cap(2), **words)
        wait_for(f"{name} is Established", lambda: self.neighbor(name)["state"] == "Established")
        for _ in range(2 if empty else 0):
            c.expect(UPDATE, skip=(KEEPALIVE,))
        return name, c

    def neighbor(self, name):
        return self.speaker.ask("neighbor", name)

    def received(self, name):
        return {r["prefix"]: r for r in self.speaker.ask("received", name)["rows"]}

    def taken(self, name, messages):
        """Wait until the core has had so many messages of the peer in all; the peer's row then."""

        def had():
            n = self.neighbor(name)
            return n if n["messages_in"]["all"] >= messages or n["state"] != "Established" else None

        return wait_for(f"{messages} messages of {name} are read", had)
