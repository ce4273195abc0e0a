"""BIRD 2 in the peers' root and in a namespace, with a socket and a file of its own."""

import os
import re

from netlab import PEERS, LabError, wait_for


class Bird:
    """One BIRD. config: the text of bird.conf."""

    def __init__(self, ns, config="", name="bird"):
        self.ns, self.name, self.config = ns, name, config
        self.inside = f"{ns.lab.peer_dir}/{ns.name}-{name}"  # as the daemon sees it
        self.outside = PEERS + self.inside
        self.logfile = f"{self.outside}/log"
        self.process = None
        os.makedirs(self.outside, mode=0o755, exist_ok=True)

    def start(self, config=None, timeout=10.0):
        if config is not None:
            self.config = config
        self.write()
        ctl = f"{self.outside}/ctl"
        if os.path.exists(ctl):
            os.unlink(ctl)
        argv = ["bird", "-f", "-c", f"{self.inside}/bird.conf", "-s", f"{self.inside}/ctl", "-P", f"{self.inside}/pid"]
        self.process = self.ns.start(self.name, *argv, peer=True)

        def ready():
            self.process.check()
            return os.path.exists(ctl) and "Daemon is up and running" in self.birdc("show status", check=False)

        wait_for(f"{self.name} answers", ready, timeout)
        return self

    def write(self):
        with open(f"{self.outside}/bird.conf", "w") as f:
            f.write(f'log "{self.inside}/log" all;\n{self.config}')

    def birdc(self, command, check=True):
        """What birdc says to a command."""
        r = self.ns.run("birdc", "-s", f"{self.inside}/ctl", *command.split(), peer=True, check=check)
        return r.stdout

    def configure(self, config):
        """Another configuration while it runs."""
        self.config = config
        self.write()
        said = self.birdc("configure")
        if "Reconfigured" not in said and "Reconfiguration in progress" not in said:
            raise LabError(f"{self.name}: {said}")

    # -- what the tests ask

    def session(self, protocol):
        """{word: text} of `show protocols all`: state, info, neighbor capabilities and so on."""
        text = self.birdc(f"show protocols all {protocol}", check=False)
        d = {k.strip(): v.strip() for k, v in re.findall(r"^ +([^:\n]+): +(.*)$", text, re.M)}
        d["text"] = text
        return d

    def state(self, protocol):
        return self.session(protocol).get("BGP state", "none")

    def established(self, protocol):
        return self.state(protocol) == "Established"

    def wait_established(self, protocol, timeout=20):
        try:
            wait_for(f"{self.name}: {protocol} is established", lambda: self.established(protocol), timeout, 0.1)
        except LabError as e:
            raise LabError(f"{e}:\n{self.session(protocol)['text']}") from None

    def path(self, prefix, protocol=None):
        """{attribute: text} of the best route to exactly that prefix (from one protocol, if named), or None."""
        text = self.birdc(f"show route all for {prefix}" + (f" protocol {protocol}" if protocol else ""), check=False)
        block = re.search(r"^" + re.escape(prefix) + r"\s+(?:unicast|unreachable)(.*?)(?=^\S|^\s{8,}\S+ \[|\Z)", text, re.M | re.S)
        if not block:
            return None
        return dict(re.findall(r"^\s+BGP\.(\w+): ?(.*)$", block.group(1), re.M))

    def has(self, prefix, protocol=None):
        return self.path(prefix, protocol) is not None

    def wait_path(self, prefix, timeout=15, protocol=None):
        return wait_for(f"{self.name} has {prefix}", lambda: self.path(prefix, protocol), timeout, 0.1)

    def wait_gone(self, prefix, timeout=15):
        wait_for(f"{self.name} has no {prefix}", lambda: not self.has(prefix), timeout, 0.1)

    # -- its life

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()

    def log_text(self):
        try:
            with open(self.logfile, errors="replace") as f:
                return f.read()
        except OSError:
            return ""
