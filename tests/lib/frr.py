"""FRR in the peers' root and in a namespace: zebra, staticd and bgpd with sockets and files of their own.

The configuration is one frr.conf, loaded by `vtysh -b` as on any FRR host. Since FRR 10 static routes are configured through
mgmtd, whose sockets have no option of their own: they are in the folder of a path space (-N).
"""

import json
import os
import pwd

from netlab import PEERS, LabError, wait_for

BIN = "/usr/lib/frr"
RUN = "/run/frr"
DAEMONS = ("zebra", "staticd", "bgpd")
# needs /proc/sys, which the peers' root does not have; the namespaces forward no IPv6 anyway
NOT_HERE = ("no ipv6 forwarding",)


def _ids():
    """uid and gid of FRR's user in the peers' root: its daemons drop to it."""
    with open(os.path.join(PEERS, "etc", "passwd")) as f:
        for line in f:
            fields = line.split(":")
            if fields[0] == "frr":
                return int(fields[2]), int(fields[3])
    raise LabError("no user frr in the peers' root: tools/peers make")


class Frr:
    """One FRR. config: the text of frr.conf."""

    def __init__(self, ns, config="", name="frr"):
        self.ns, self.name, self.config = ns, name, config
        self.inside = f"{ns.lab.peer_dir}/{ns.name}-{name}"  # as the daemons see it
        self.outside = PEERS + self.inside
        self.logfile = f"{self.outside}/log"
        self.processes = {}
        self.daemons, self.sockets = DAEMONS, ["--vty_socket", self.inside]
        os.makedirs(self.outside, mode=0o755, exist_ok=True)
        os.chown(self.outside, *_ids())
        if os.path.exists(f"{PEERS}{BIN}/mgmtd"):
            self._take_space(f"{ns.lab.prefix}-{ns.name}-{name}")

    def _take_space(self, space):
        """A path space that is our own folder."""
        link = f"{PEERS}{RUN}/{space}"
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(self.inside, link)
        self.ns.lab.on_close(lambda: os.unlink(link))
        self.daemons, self.sockets = ("mgmtd", *DAEMONS), ["-N", space]

    def start(self, config=None, timeout=15.0):
        """Run the daemons and load the configuration."""
        if config is not None:
            self.config = config
        self.write("vtysh.conf", "")
        self.write("frr.conf", self.config)
        for name in self.daemons:
            self._start(name, timeout)
        self._load()
        return self

    def write(self, name, text):
        path = os.path.join(self.outside, name)
        with open(path, "w") as f:
            f.write(text)
        os.chown(path, *_ids())

    def _start(self, daemon, timeout):
        vty = os.path.join(self.outside, f"{daemon}.vty")
        if os.path.exists(vty):
            os.unlink(vty)
        argv = [
            f"{BIN}/{daemon}", "-i", f"{self.inside}/{daemon}.pid", "-z", f"{self.inside}/zserv.api",
            *self.sockets, "-P", "0", "--log", f"file:{self.inside}/log",
        ]  # fmt: skip
        if "mgmtd" not in self.daemons or daemon in ("zebra", "bgpd"):
            argv += ["-f", "/dev/null"]  # the others read no file of their own since FRR 10
        p = self.processes[daemon] = self.ns.start(f"{self.name}-{daemon}", *argv, peer=True)

        def ready():
            p.check()
            # the name appears when it is bound, which is before it listens
            r = self.vtysh("show version", check=False, daemon=daemon) if os.path.exists(vty) else None
            return r is not None and "FRRouting" in r

        wait_for(f"{self.name}: {daemon} answers", ready, timeout)

    def _load(self):
        argv = ["vtysh", "--vty_socket", self.inside, "--config_dir", self.inside, "-b"]
        r = self.ns.run(*argv, peer=True, check=False)
        refused = [line for line in (r.stdout + r.stderr).splitlines() if line.startswith(("line ", "% Can't open"))]
        refused = [line for line in refused if not line.endswith(NOT_HERE)]
        if refused:
            raise LabError(f"{self.name} does not take its configuration: {refused}")

    def vtysh(self, *commands, check=True, daemon=None):
        """What vtysh says to the commands, in one session."""
        argv = ["vtysh", "--vty_socket", self.inside, "--config_dir", self.inside]
        argv += ["-d", daemon] if daemon else []
        for c in commands:
            argv += ["-c", c]
        r = self.ns.run(*argv, peer=True, check=False)
        if check and (r.returncode or r.stdout.lstrip().startswith("%")):
            raise LabError(f"{self.name}: vtysh {commands}: {r.stdout}{r.stderr}")
        return r.stdout

    def configure(self, *lines):
        """Type lines in configuration mode."""
        said = self.vtysh("configure terminal", *lines)
        if "%" in said:
            raise LabError(f"{self.name}: {lines}: {said}")

    def json(self, command):
        text = self.vtysh(command + " json")
        try:
            return json.loads(text)
        except ValueError:
            raise LabError(f"{self.name}: {command} json: {text[:300]}") from None

    # -- what the tests ask

    def neighbor(self, address):
        """bgpd's view of one neighbour; {} when it has none of that address."""
        return self.json(f"show bgp neighbors {address}").get(address, {})

    def state(self, address):
        return self.neighbor(address).get("bgpState", "none")

    def established(self, address):
        return self.state(address) == "Established"

    def wait_established(self, address, timeout=20):
        try:
            wait_for(f"{self.name} has a session with {address}", lambda: self.established(address), timeout, 0.1)
        except LabError as e:
            n = self.neighbor(address)
            raise LabError(f"{e}: {n.get('bgpState')}, last reset: {n.get('lastResetDueTo')}") from None

    def flaps(self, address):
        """(sessions that came up, sessions that were lost) with a neighbour."""
        n = self.neighbor(address)
        return n.get("connectionsEstablished", 0), n.get("connectionsDropped", 0)

    def routes(self, family="ipv4"):
        """{prefix: paths} of the BGP table."""
        return self.json(f"show bgp {family} unicast").get("routes", {})

    def path(self, prefix, family="ipv4"):
        """The best path of one prefix: bgpd's JSON, or None."""
        d = self.json(f"show bgp {family} unicast {prefix}")
        return next((p for p in d.get("paths", []) if p.get("bestpath", {}).get("overall")), None)

    def has(self, prefix, family="ipv4"):
        return self.path(prefix, family) is not None

    def wait_path(self, prefix, timeout=15, family="ipv4"):
        return wait_for(f"{self.name} has {prefix}", lambda: self.path(prefix, family), timeout, 0.1)

    def wait_gone(self, prefix, timeout=15, family="ipv4"):
        wait_for(f"{self.name} has no {prefix}", lambda: not self.has(prefix, family), timeout, 0.1)

    # -- its life

    def kill(self):
        """Every daemon at once, by SIGKILL: nobody says goodbye."""
        for p in self.processes.values():
            p.kill()

    def stop(self):
        for name in reversed(self.daemons):
            if name in self.processes:
                self.processes[name].stop()

    def log_text(self):
        try:
            with open(self.logfile, errors="replace") as f:
                return f.read()
        except OSError:
            return ""
