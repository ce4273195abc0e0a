"""strongSwan in the peers' root and in a namespace, with ESP in user space (kernel-libipsec): in UDP 4500 with Debian 12's, also
without with Debian 13's (RawCharon).

Each daemon has its own strongswan.conf, swanctl folder, log and vici socket, so that several run side by side.
"""

import os

from netlab import PEERS, TRIXIE, LabError, wait_for
from vici import Vici, ViciError

# charon-systemd is the daemon that needs no starter; without systemd it simply runs in the foreground.
DAEMON = "/usr/sbin/charon-systemd"
PLUGINS = "random nonce openssl sha2 hmac kdf gcm aes pem x509 pubkey constraints kernel-libipsec kernel-netlink socket-default vici"

SWANCTL_PLUGINS = "random nonce openssl sha2 hmac pem x509 pubkey"


def conf(tree, depth=0):
    """A nested dict as strongSwan's configuration text."""
    out, pad = "", "\t" * depth
    for key, value in tree.items():
        if isinstance(value, dict):
            out += f"{pad}{key} {{\n{conf(value, depth + 1)}{pad}}}\n"
        else:
            out += f"{pad}{key} = {value}\n"
    return out


def merge(base, extra):
    """base with extra laid over it, section by section."""
    out = dict(base)
    for key, value in extra.items():
        out[key] = merge(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


class Child:
    """One CHILD_SA as strongSwan sees it. SPIs are hexadecimal text of 8 digits."""

    def __init__(self, d):
        self.name, self.state = d["name"], d["state"]
        self.spi_in, self.spi_out = d.get("spi-in", ""), d.get("spi-out", "")
        self.bytes_in, self.bytes_out = int(d.get("bytes-in", 0)), int(d.get("bytes-out", 0))
        self.packets_in, self.packets_out = int(d.get("packets-in", 0)), int(d.get("packets-out", 0))
        self.local_ts, self.remote_ts = d.get("local-ts", []), d.get("remote-ts", [])
        self.encr = d.get("encr-alg", "") + ("-" + d["encr-keysize"] if "encr-keysize" in d else "")
        self.dh = d.get("dh-group", "")


class IkeSa:
    """One IKE_SA as strongSwan sees it. SPIs are hexadecimal text of 16 digits."""

    def __init__(self, name, d):
        self.name, self.state, self.id = name, d["state"], d["uniqueid"]
        self.spi_i, self.spi_r = d["initiator-spi"], d["responder-spi"]
        self.initiator = d.get("initiator") == "yes"
        self.local, self.remote = d["local-host"], d["remote-host"]
        self.remote_port = int(d.get("remote-port", 0))
        self.nat_local, self.nat_remote = d.get("nat-local") == "yes", d.get("nat-remote") == "yes"
        self.encr = d.get("encr-alg", "") + ("-" + d["encr-keysize"] if "encr-keysize" in d else "")
        self.integ, self.prf, self.dh = d.get("integ-alg", ""), d.get("prf-alg", ""), d.get("dh-group", "")
        self.children = [Child(c) for c in d.get("child-sas", {}).values()]


class Charon:
    """A strongSwan daemon. connections and secrets are swanctl.conf's sections of those names, as dicts."""

    root = PEERS

    def __init__(self, ns, name="charon", options=None):
        self.ns, self.name = ns, name
        self.inside = f"{ns.lab.peer_dir}/{ns.name}-{name}"  # as the daemon sees it
        self.outside = self.root + self.inside
        self.logfile = f"{self.outside}/log"
        self.socket = f"{self.outside}/vici"
        self.process = None
        os.makedirs(f"{self.outside}/swanctl", mode=0o700, exist_ok=True)
        settings = {
            "load": PLUGINS,
            "install_virtual_ip": "no",
            "filelog": {"log": {"path": f"{self.inside}/log", "flush_line": "yes", "default": 1, "enc": 1,
                                "time_format": "%T", "time_add_ms": "yes"}},
            "journal": {"default": -1},
            "plugins": {
                "vici": {"socket": f"unix://{self.inside}/vici"},
                "kernel-libipsec": {"load": "yes"},
            },
        }  # fmt: skip
        with open(f"{self.outside}/strongswan.conf", "w") as f:
            f.write(conf({"charon-systemd": merge(settings, options or {}), "swanctl": {"load": SWANCTL_PLUGINS}}))

    @property
    def env(self):
        return {"STRONGSWAN_CONF": f"{self.inside}/strongswan.conf", "SWANCTL_DIR": f"{self.inside}/swanctl"}

    def start(self, connections=None, secrets=None, timeout=10.0):
        """Run the daemon and load the configuration."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = self.ns.start(self.name, DAEMON, peer=self.root, env=self.env)
        wait_for(f"{self.name} listens", self._listening, timeout)
        if connections:
            self.load(connections, secrets or {})
        return self

    def _listening(self):
        self.process.check()
        try:
            Vici(self.socket).close()
            return True
        except OSError:
            return False

    def load(self, connections, secrets):
        self.load_text(conf({"connections": connections, "secrets": secrets}))

    def load_text(self, text):
        """Load a whole swanctl.conf."""
        with open(f"{self.outside}/swanctl/swanctl.conf", "w") as f:
            f.write(text)
        self.swanctl("--load-all")

    def swanctl(self, *argv, check=True):
        """swanctl itself, as a person would type it."""
        env = [f"{k}={v}" for k, v in self.env.items()]
        return self.ns.run("env", *env, "swanctl", *argv, "--uri", f"unix://{self.inside}/vici", peer=self.root, check=check)

    def vici(self, timeout=30.0):
        try:
            return Vici(self.socket, timeout)
        except OSError as e:
            raise LabError(f"{self.name}: vici: {e}") from None

    def call(self, command, **message):
        v = self.vici()
        try:
            return v.call(command, {k.replace("_", "-"): x for k, x in message.items()})
        finally:
            v.close()

    def sas(self):
        """Every IKE_SA with its children."""
        v = self.vici()
        try:
            return [IkeSa(n, d) for e in v.stream("list-sas", "list-sa") for n, d in e.items()]
        finally:
            v.close()

    def established(self, ike):
        return [s for s in self.sas() if s.name == ike and s.state == "ESTABLISHED"]

    def installed(self, child):
        return [c for s in self.sas() for c in s.children if c.name == child and c.state == "INSTALLED"]

    def initiate(self, child, timeout_ms=15000):
        """LabError with strongSwan's reason if the child does not come up."""
        try:
            self.call("initiate", child=child, timeout=timeout_ms, loglevel=-1)
        except ViciError as e:
            raise LabError(f"{self.name}: {e}") from None

    def terminate(self, timeout_ms=5000, **what):
        self.call("terminate", timeout=timeout_ms, loglevel=-1, **what)

    def rekey_child(self, child):
        return int(self.call("rekey", child=child).get("matches", 0))

    def rekey_ike(self, ike):
        return int(self.call("rekey", ike=ike).get("matches", 0))

    def log_text(self):
        with open(self.logfile, errors="replace") as f:
            return f.read()

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()


class RawCharon(Charon):
    """Debian 13's strongSwan: ESP in IP where no NAT is seen (a connection with encap = no)."""

    root = TRIXIE

    def __init__(self, ns, name="charon", options=None):
        raw = {"plugins": {"kernel-libipsec": {"raw_esp": "yes"}}}
        super().__init__(ns, name, merge(raw, options or {}))
