"""libreswan 4.10 in the guest (guest.py), over the kernel's ESP."""

import re

from gateway import Gateway
from guest_ike import GW6, GuestBench, gateway6_yaml
from netlab import wait_for
from topo import GW, ID_A, ID_B, NET_A, NET_B, PEER, PSK, TUNNEL

NSS = "/var/lib/ipsec/nss"
CONF = {
    "ikev2": "insist", "authby": "secret", "type": "tunnel", "auto": "add", "left": PEER, "leftid": f"@{ID_B}", "leftsubnet": NET_B,
    "right": GW, "rightid": f"@{ID_A}", "rightsubnet": NET_A, "ike": "aes_gcm256-sha2_384-dh31", "esp": "aes_gcm256;dh31",
    "encapsulation": "no",
}  # fmt: skip


class Libreswan:
    """pluto, with one connection of topo's shape. keys: ipsec.conf's, laid over the usual ones; None takes one away."""

    def __init__(self, machine):
        self.guest, self.pid, self.left = machine.guest, None, PEER

    def start(self, keys=None, psk=PSK, timeout=40):
        """Run it, or give the one that runs another connection."""
        g = self.guest
        words = {k: v for k, v in {**CONF, **(keys or {})}.items() if v is not None}
        conn = "".join(f"\t{k}={v}\n" for k, v in words.items())
        g.write("/etc/ipsec.conf", f"config setup\n\tlogfile=/tmp/pluto.log\n\tuniqueids=yes\n\nconn net\n{conn}")
        g.write("/etc/ipsec.secrets", f'{words["leftid"]} {words["rightid"]} : PSK "{psk}"\n')
        self.left = words["left"]
        if self.pid:
            self.whack("--name", "net", "--delete", check=False)
            self.whack("--rereadsecrets")
            self.whack_auto("--add", "net")
            return self
        # the stack module wants a default route to orient itself, and sets none of its own
        for words in (["ip", "route"], ["ip", "-6", "route"]):
            g.run(*words, "replace", "default", "via", GW6 if "-6" in words else GW)
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
        return {s for _, dst, s in found if dst == self.left}, {s for src, _, s in found if src == self.left}

    def log_text(self):
        return self.guest.run("tail", "-c", 20000, "/tmp/pluto.log").stdout

    def stop(self):
        if self.pid:
            self.whack("--shutdown", check=False)
            wait_for("the end of pluto", lambda: not self.guest.alive(self.pid), 20, 0.3)
        self.pid = None


class LibreswanBench(GuestBench):
    """topo.Bench whose other end is libreswan. fresh(): ike are ipsec.conf's keys."""

    def __init__(self):
        super().__init__(Libreswan)

    def fresh(self, tunnel=None, ike=None, psk=PSK, peer_psk=PSK, routes=(NET_B,), **more):
        if self.gw:
            self.gw.stop()
        self.starts += 1
        self.peer = (self.peer or Libreswan(self.net.machine)).start(ike, peer_psk)
        self.gw = Gateway(self.net.gw, gateway6_yaml(tunnel, routes, **more), psk, f"gw{self.starts}").start()
        return self.gw, self.peer

    def settled(self, children=1):
        """As many children at our end, and their SPIs in the peer's kernel."""
        ours = [(c.spi_in, c.spi_out) for c in self.gw.children(TUNNEL) if c.state == "installed"]
        if len(ours) != children:
            return False
        into, out = self.peer.spis()
        return {i for i, _ in ours} <= out and {o for _, o in ours} <= into

    def shape(self):
        """The SPIs of our SAs."""
        return [s.spi_i for s in self.gw.ikes(TUNNEL)], [c.spi_in for c in self.gw.children(TUNNEL)]

    def wait_settled(self, timeout=20, children=1):
        wait_for(f"{children} children, the same at both ends", lambda: self.settled(children), timeout, 0.3)

    def empty(self, by_us=True):
        """Down, by the end that began: pluto begins again when what it began is taken from it."""
        if by_us:
            self.gw.down(TUNNEL)
        else:
            self.peer.terminate()
        wait_for("no SA", lambda: not self.gw.children(TUNNEL) and not self.peer.spis()[0], 10, 0.2)

    def explain(self):
        text = "our log:\n" + "".join(self.gw.log_text().splitlines(True)[-30:]) if self.gw else ""
        theirs = self.peer.log_text() if self.peer else self.net.machine.guest.run("tail", "-c", 20000, "/tmp/pluto.log", check=False).stdout
        return text + "".join(theirs.splitlines(True)[-40:]) + "".join(self.net.machine.xfrm())
