"""strongSwan and libreswan in the guest (guest.py), with the kernel's own ESP: used like strongswan.Charon in a bench.

The guest hangs on the peer's namespace as a bridge: its first card has the peer's WAN address, its second the LAN's, so that the
namespaces around it need not know.
"""

import json

import vici
from guest import Guest
from netlab import Lab, wait_for
from strongswan import IkeSa, conf, merge
from topo import PEER, PSK, Bench, TwoSites, peer_connections, peer_secrets

PLUGINS = "random nonce openssl sha1 sha2 hmac kdf gcm aes des pem x509 pubkey constraints revocation kernel-netlink socket-default vici"
DIR = "/etc/esplanade-test"


class Machine:
    """One guest for all cases of a bench. net: topo.TwoSites without NAT."""

    def __init__(self, net, wan="203.0.113.2/24", lan="10.2.0.1/24", wan6=None, lan6=None):
        self.guest = Guest(net.peer, cards=2).boot("wan", "lan")
        for card, addresses in (("eth0", (wan, wan6)), ("eth1", (lan, lan6))):
            self.guest.run("ip", "link", "set", card, "up")
            for a in filter(None, addresses):
                self.guest.run("ip", "address", "add", a, "dev", card, *(["nodad"] if ":" in a else []))
        for key in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
                    "net.ipv4.conf.all.send_redirects=0"):  # fmt: skip
            self.guest.run("sysctl", "-qw", key)
        for module in ("esp4", "esp6", "xfrm_user", "af_key"):
            self.guest.run("modprobe", module, check=False)

    def xfrm(self):
        """(states, policies) of the kernel, as text."""
        return [self.guest.run("ip", "xfrm", what).stdout for what in ("state", "policy")]


class GuestSites(TwoSites):
    """Two sites, the peer's side a guest that is booted once."""

    def __init__(self, lab, peer, **addresses):
        super().__init__(lab, False, peer)
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
        with open(vici.__file__) as f:
            self.guest.write(f"{DIR}/vici.py", f.read())
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

    def initiate(self, child, timeout_ms=20000):
        self.swanctl("--initiate", "--child", child, "--timeout", str(timeout_ms // 1000))

    def terminate(self, **what):
        self.swanctl("--terminate", *[x for k, v in what.items() for x in (f"--{k}", v)])

    def rekey_child(self, child):
        self.swanctl("--rekey", "--child", child)

    def rekey_ike(self, ike):
        self.swanctl("--rekey", "--ike", ike)

    def sas(self):
        """As strongswan.Charon.sas()."""
        code = f"import json, vici; print(json.dumps(list(vici.Vici({self.dir + '/vici'!r}, 20).stream('list-sas', 'list-sa'))))"
        out = self.guest.run("python3", "-c", code, env={"PYTHONPATH": DIR}).stdout
        return [IkeSa(n, d) for e in json.loads(out) for n, d in e.items()]

    def installed(self, child):
        return [c for s in self.sas() for c in s.children if c.name == child and c.state == "INSTALLED"]

    def log_text(self):
        return self.guest.read(f"{self.dir}/log")

    def stop(self):
        if self.pid and self.guest.alive(self.pid):
            self.guest.signal(self.pid)
            wait_for(f"the end of {self.name}", lambda: not self.guest.alive(self.pid), 15, 0.2)
        self.pid = None
