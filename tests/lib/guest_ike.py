"""strongSwan and libreswan in the guest (guest.py), with the kernel's own ESP: used like strongswan.Charon in a bench.

The guest hangs on the peer's namespace as a bridge: its first card has the peer's WAN address, its second the LAN's, so that the
namespaces around it need not know.
"""

import re

from gateway import Gateway
from guest import Guest
from netlab import Lab, LabError, wait_for
from strongswan import IkeSa, conf, merge
from topo import CHILD, GW, HOST_A, HOST_B, NET_B, PEER, PSK, TUNNEL, Bench, TwoSites, gateway_yaml, peer_connections, peer_secrets

PLUGINS = "random nonce openssl sha1 sha2 hmac kdf gcm aes des pem x509 pubkey constraints revocation kernel-netlink socket-default vici"
DIR = "/etc/esplanade-test"
GW6, PEER6 = "2001:db8:ff::1", "2001:db8:ff::2"
HOST6_A, HOST6_B = "2001:db8:a::10", "2001:db8:b::10"
NET6_A, NET6_B = "2001:db8:a::/64", "2001:db8:b::/64"


def gateway6_yaml(tunnel=None, routes=(NET_B,), **more):
    """topo.gateway_yaml() with both families on both ports. routes: what goes into the tunnel."""
    text = gateway_yaml(tunnel, **more)
    text = text.replace(f"{GW}/24", f'{GW}/24, "{GW6}/64"').replace("10.1.0.1/24", '10.1.0.1/24, "2001:db8:a::1/64"')
    lines = "".join(f'  - {{to: "{r}", tunnel: {TUNNEL}}}\n' for r in routes)
    return text.replace(f"routes:\n  - {{to: {NET_B}, tunnel: site-b}}\n", f"routes:\n{lines}" if lines else "")


def tree_of(text):
    """swanctl's --raw as a dict of str, list and dict."""
    root = {}
    stack = [root]
    for name, listed, items, key, value in re.findall(r"([^\s{}=]+) \{|([^\s{}=]+)=\[([^\]]*)\]|([^\s{}=]+)=([^\s{}]*)|\}", text):
        if name:
            stack.append(stack[-1].setdefault(name, {}))
        elif listed:
            stack[-1][listed] = items.split()
        elif key:
            stack[-1][key] = value
        else:
            stack.pop()
    return root


def is_extended(state):
    """Does the text of an SA of the kernel say that its numbers are extended?"""
    return re.search(r"^\s+replay-window \d+ flag .*\besn\b", state, re.M) is not None


class Machine:
    """One guest for all cases of a bench. net: topo.TwoSites without NAT."""

    def __init__(self, net, wan=f"{PEER}/24", lan="10.2.0.1/24", wan6=f"{PEER6}/64", lan6="2001:db8:b::1/64"):
        self.guest = Guest(net.peer, cards=2).boot("wan", "lan")
        for card, addresses in (("eth0", (wan, wan6)), ("eth1", (lan, lan6))):
            self.guest.run("ip", "link", "set", card, "up")
            for a in filter(None, addresses):
                self.guest.run("ip", "address", "add", a, "dev", card, *(["nodad"] if ":" in a else []))
        for key in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.all.send_redirects=0"):  # fmt: skip
            self.guest.run("sysctl", "-qw", key)
        self.guest.run("modprobe", "-a", "esp4", "esp6", "xfrm_user", "af_key", "authenc", "echainiv", check=False)
        # the kernel tries a cipher out when it is first asked for it, which can take longer than a peer waits
        end = ["src", PEER, "dst", GW, "proto", "esp", "spi", 256]
        self.guest.run("ip", "xfrm", "state", "add", *end, "aead", "rfc4106(gcm(aes))", "0x" + "5a" * 36, 128, timeout=120)
        self.guest.run("ip", "xfrm", "state", "delete", *end)

    def xfrm(self):
        """(states, policies) of the kernel, as text."""
        return [self.guest.run("ip", "xfrm", what).stdout for what in ("state", "policy")]


class GuestSites(TwoSites):
    """Two sites, the peer's side a guest that is booted once."""

    def __init__(self, lab, peer, **addresses):
        super().__init__(lab, False, peer)
        for ns, host, via in ((self.a, HOST6_A, "2001:db8:a::1"), (self.b, HOST6_B, "2001:db8:b::1")):
            for key, value in (("accept_dad", 0), ("accept_ra", 0), ("disable_ipv6", 0)):
                ns.sysctl(f"net.ipv6.conf.eth0.{key}", value)
            ns.address("eth0", f"{host}/64")
            ns.run("ip", "-6", "route", "add", "default", "via", via)
        self.gw.sysctl("net.ipv6.conf.default.disable_ipv6", 0)  # for the TUN
        self.machine = Machine(self, **addresses)

    def charon(self, ike=None, child=None, psk=PSK, options=None, name="charon"):
        charon = self.Peer(self.machine, name, options)
        return charon.start(peer_connections(PEER, merge({"encap": "no"}, ike or {}), child), peer_secrets(psk))


class GuestBench(Bench):
    """topo.Bench whose other end runs in a guest."""

    def __init__(self, peer=None, **addresses):
        super().__init__(False, peer or GuestCharon)
        self.addresses = addresses

    def __enter__(self):
        self.lab = Lab()
        self.net = GuestSites(self.lab, self.Peer, **self.addresses)
        return self

    def fresh(self, tunnel=None, ike=None, child=None, psk=PSK, peer_psk=PSK, routes=(NET_B,), **more):
        """As topo.Bench.fresh(). The peer's daemon stays, which takes long to start: it gets other connections."""
        if self.gw:
            self.gw.stop()
        self.starts += 1
        if not self.peer:
            self.peer = self.Peer(self.net.machine, options={"delete_rekeyed_delay": 1}).start()
        elif self.peer.sas():
            self.peer.swanctl("--terminate", "--ike", "site-a", "--force", check=False)
            wait_for("the peer has no SA", lambda: not self.peer.sas(), 10)
        self.reload(ike, child, peer_psk)
        self.gw = Gateway(self.net.gw, gateway6_yaml(tunnel, routes, **more), psk, f"gw{self.starts}").start()
        return self.gw, self.peer

    def reload(self, ike=None, child=None, psk=PSK):
        """Other connections for the peer."""
        self.peer.load(peer_connections(PEER, merge({"encap": "no"}, ike or {}), child), peer_secrets(psk))

    def up(self, by_us=True):
        """A kernel that uses a cipher for the first time tries it out, which takes long without KVM."""
        if by_us:
            self.gw.up(TUNNEL, seconds=60)
        else:
            self.peer.initiate(CHILD)
        self.wait_settled(30)

    def settled(self):
        return all(c.state == "installed" for c in self.gw.children(TUNNEL)) and super().settled()

    def echoes(self, *pairs, count=10, size=None):
        """Both ways between (HOST_A, HOST_B) or other pairs, none lost."""
        for a, b in pairs or [(HOST_A, HOST_B)]:
            wait_for(f"an echo from {a}", lambda a=a: self.net.b.pings(a), 8)
            for ns, address in ((self.net.a, b), (self.net.b, a)):
                before = self.gw.drops()
                sent, received, _ = ns.ping(address, count, 0.05, size=size)
                if sent != received:
                    raise LabError(f"{received} of {sent} pings to {address} came back; drops: {before} -> {self.gw.drops()}")

    def xfrm_states(self):
        """{SPI: text} of the peer's kernel."""
        parts = re.split(r"^(?=src )", self.net.machine.xfrm()[0], flags=re.M)
        return {m.group(1): p for p in parts if (m := re.search(r"proto esp spi 0x([0-9a-f]{8})", p))}

    def both_states(self):
        """The text of our one child's two SAs in the peer's kernel: what comes to us, what comes to it."""
        (c,) = [c for c in self.gw.children(TUNNEL) if c.state == "installed"]
        states = self.xfrm_states()
        return states[c.spi_in], states[c.spi_out]

    def explain(self):
        text = "our log:\n" + "".join(self.gw.log_text().splitlines(True)[-30:]) if self.gw else ""
        theirs = "the peer's log:\n" + "".join(self.peer.log_text().splitlines(True)[-30:]) if self.peer else ""
        return text + theirs + "".join(self.net.machine.xfrm())


class GuestCharon:
    """strongSwan in the guest. connections and secrets as in strongswan.Charon."""

    def __init__(self, machine, name="charon", options=None):
        self.guest, self.name, self.dir = machine.guest, name, f"{DIR}/{name}"
        settings = {
            "load": PLUGINS,
            "install_virtual_ip": "no",
            "filelog": {"log": {"path": f"{self.dir}/log", "flush_line": "yes", "default": 1, "enc": 1}},
            "journal": {"default": -1},
            "plugins": {"vici": {"socket": f"unix://{self.dir}/vici"}},
        }
        text = conf({"charon-systemd": merge(settings, options or {}), "swanctl": {"load": "random nonce openssl sha2 hmac pem x509 pubkey"}})
        self.guest.write(f"{self.dir}/strongswan.conf", text)
        self.env = {"STRONGSWAN_CONF": f"{self.dir}/strongswan.conf", "SWANCTL_DIR": f"{self.dir}/swanctl"}
        self.pid, self.logfile = None, ""

    def start(self, connections=None, secrets=None, timeout=30.0):
        self.pid = self.guest.start("/usr/sbin/charon-systemd", log=f"{self.dir}/out", env=self.env)
        wait_for(f"{self.name} listens", lambda: self.swanctl("--stats", check=False).returncode == 0, timeout, 0.3)
        if connections:
            self.load(connections, secrets or {})
        return self

    def load(self, connections, secrets):
        self.guest.write(f"{self.dir}/swanctl/swanctl.conf", conf({"connections": connections, "secrets": secrets}))
        self.swanctl("--load-all")

    def swanctl(self, *argv, check=True, timeout=60):
        return self.guest.run("swanctl", *argv, "--uri", f"unix://{self.dir}/vici", env=self.env, check=check, timeout=timeout)

    def initiate(self, child, timeout_ms=60000):
        self.swanctl("--initiate", "--child", child, "--timeout", str(timeout_ms // 1000), timeout=timeout_ms / 1000 + 10)

    def terminate(self, **what):
        self.swanctl("--terminate", *[x for k, v in what.items() for x in (f"--{k}", v)])

    def rekey_child(self, child):
        self.swanctl("--rekey", "--child", child)

    def rekey_ike(self, ike):
        self.swanctl("--rekey", "--ike", ike)

    def sas(self):
        """As strongswan.Charon.sas()."""
        out = self.swanctl("--list-sas", "--raw").stdout
        return [IkeSa(n, d) for line in out.splitlines() if line.startswith("list-sa event") for n, d in tree_of(line)["event"].items()]

    def installed(self, child):
        return [c for s in self.sas() for c in s.children if c.name == child and c.state == "INSTALLED"]

    def log_text(self):
        return self.guest.run("tail", "-c", 20000, f"{self.dir}/log").stdout

    def kill(self):
        """As a machine that loses its power: without a word, and nothing left of it in the kernel."""
        self.guest.signal(self.pid, 9)
        wait_for(f"the end of {self.name}", lambda: not self.guest.alive(self.pid), 15, 0.1)
        self.pid = None
        for what in ("state", "policy"):
            self.guest.run("ip", "xfrm", what, "flush")

    def stop(self):
        if self.pid and self.guest.alive(self.pid):
            self.guest.signal(self.pid)
            wait_for(f"the end of {self.name}", lambda: not self.guest.alive(self.pid), 15, 0.2)
        self.pid = None
