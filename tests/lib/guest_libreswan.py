"""libreswan 4.10 in the guest (guest.py), over the kernel's ESP."""

import re

from guest_ike import GuestSites, Machine
from netlab import Lab, wait_for
from topo import GW, ID_A, ID_B, NET_A, NET_B, PEER, PSK, Bench

NSS = "/var/lib/ipsec/nss"
CONF = {
    "ikev2": "insist", "authby": "secret", "type": "tunnel", "auto": "add", "left": PEER, "leftid": f"@{ID_B}", "leftsubnet": NET_B,
    "right": GW, "rightid": f"@{ID_A}", "rightsubnet": NET_A, "ike": "aes_gcm256-sha2_384-dh31", "esp": "aes_gcm256;dh31",
    "encapsulation": "no",
}  # fmt: skip


class Libreswan:
    """pluto, with one connection of topo's shape. keys: ipsec.conf's, laid over the usual ones; None takes one away."""

    def __init__(self, machine):
        self.guest, self.pid = machine.guest, None

    def start(self, keys=None, psk=PSK, timeout=40):
        g = self.guest
        words = {k: v for k, v in {**CONF, **(keys or {})}.items() if v is not None}
        conn = "".join(f"\t{k}={v}\n" for k, v in words.items())
        g.write("/etc/ipsec.conf", f"config setup\n\tlogfile=/tmp/pluto.log\n\tuniqueids=yes\n\nconn net\n{conn}")
        g.write("/etc/ipsec.secrets", f'@{ID_B} @{ID_A} : PSK "{psk}"\n')
        # the stack module wants a default route to orient itself
        g.run("ip", "route", "replace", "default", "via", GW)
        g.run("sh", "-c", f"mkdir -p {NSS} /run/pluto; test -e {NSS}/cert9.db || ipsec initnss >/dev/null; : >/tmp/pluto.log")
        self.pid = g.start("/usr/libexec/ipsec/pluto", "--config", "/etc/ipsec.conf", "--nofork", log="/tmp/pluto.out")
        wait_for("pluto listens", lambda: "listening" in self.whack("--listen", check=False).stdout.lower() or self.ready(), timeout, 0.5)
        self.whack_auto("--add", "net")
        return self

    def ready(self):
        return "using kernel interface" in self.whack("--status", check=False).stdout

    def whack(self, *argv, check=True):
        return self.guest.run("ipsec", "whack", *argv, check=check)

    def whack_auto(self, *argv, check=True, timeout=60):
        return self.guest.run("ipsec", "auto", *argv, check=check, timeout=timeout)

    def initiate(self, *_):
        self.whack_auto("--up", "net")

    def terminate(self, **_):
        self.whack_auto("--down", "net")

    def rekey_child(self, *_):
        self.whack("--rekey-ipsec", "--name", "net")

    def rekey_ike(self, *_):
        self.whack("--rekey-ike", "--name", "net")

    def spis(self):
        """(in, out) of every pair that the kernel has, as text of 8 hexadecimal digits: in is what comes to libreswan."""
        text = self.guest.run("ip", "xfrm", "state").stdout
        found = re.findall(r"src (\S+) dst (\S+)\n\s+proto esp spi 0x([0-9a-f]{8})", text)
        return {s for _, dst, s in found if dst == PEER}, {s for src, _, s in found if src == PEER}

    def log_text(self):
        return self.guest.read("/tmp/pluto.log")

    def stop(self):
        if self.pid:
            self.whack("--shutdown", check=False)
            wait_for("the end of pluto", lambda: not self.guest.alive(self.pid), 20, 0.3)
        self.pid = None


class LibreswanBench(Bench):
    """topo.Bench whose other end is libreswan. fresh(): child and options do not count; ike are ipsec.conf's keys."""

    def __enter__(self):
        self.lab = Lab()
        self.net = GuestSites(self.lab, None)
        return self

    def fresh(self, tunnel=None, ike=None, psk=PSK, peer_psk=PSK, **more):
        self.stop()
        self.starts += 1
        self.peer = Libreswan(self.net.machine).start(ike, peer_psk)
        self.gw = self.net.gateway(tunnel, psk, name=f"gw{self.starts}", **more)
        return self.gw, self.peer

    def settled(self):
        """One child at our end, and its SPIs in the peer's kernel."""
        ours = [(c.spi_in, c.spi_out) for c in self.gw.children("site-b")]
        into, out = self.peer.spis()
        return len(ours) == 1 and ours[0][0] in out and ours[0][1] in into

    def shape(self):
        """The SPIs of our SAs."""
        return [s.spi_i for s in self.gw.ikes("site-b")], [c.spi_in for c in self.gw.children("site-b")]

    def wait_settled(self, timeout=20):
        wait_for("one child, the same at both ends", self.settled, timeout, 0.3)

    def explain(self):
        text = "our log:\n" + "".join(self.gw.log_text().splitlines(True)[-30:]) if self.gw else ""
        theirs = self.peer.log_text() if self.peer else self.net.machine.guest.read("/tmp/pluto.log")
        return text + "".join(theirs.splitlines(True)[-40:]) + "".join(self.net.machine.xfrm())
