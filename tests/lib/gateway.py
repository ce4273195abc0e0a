"""Our gateway in a namespace: the two daemons, their config and gwctl."""

import json
import os
import shutil
import signal
import subprocess

from netlab import BUILD, LabError, wait_for

DATAPLANE = os.path.join(BUILD, "dataplane", "esplanade-dataplane")
CONTROLPLANE = os.path.join(BUILD, "controlplane", "esplanade-controlplane")
GWCTL = os.path.join(BUILD, "cli", "gwctl")


def endpoint(text):
    """(address, port) of ADDRESS:PORT or [ADDRESS]:PORT; an address alone has port 0."""
    address, _, port = text.rpartition(":")
    if text.startswith("["):
        return address.strip("[]"), int(port)
    return (address, int(port)) if text.count(":") == 1 else (text, 0)


class IkeSa:
    """One IKE_SA as we see it, in the words that strongswan.IkeSa uses."""

    def __init__(self, d):
        self.raw, self.state, self.role = d, d["state"], d["role"]
        self.spi_i, self.spi_r = d["spi_i"], d["spi_r"]
        self.remote, self.remote_port = endpoint(d["remote"])
        self.nat, self.encr, self.prf, self.dh = d["nat"], d["encr"], d["prf"], d["dh"]


class Child:
    """One CHILD_SA as we see it, in the words that strongswan.Child uses."""

    def __init__(self, d):
        self.raw, self.state = d, d["state"]
        self.spi_in, self.spi_out = d["spi_in"][2:], d["spi_out"][2:]
        self.encr, self.dh, self.selectors = d["encr"], d["dh"], d["selectors"]
        self.bytes_in, self.bytes_out = d["in"]["octets"], d["out"]["octets"]
        self.packets_in, self.packets_out = d["in"]["packets"], d["out"]["packets"]


class Gateway:
    """One gateway: its file, its run directory and its processes. config: the YAML text."""

    def __init__(self, ns, config, psk=None, name="gw"):
        self.ns, self.name = ns, name
        self.dir = os.path.join(ns.lab.dir, name)
        os.makedirs(self.dir, exist_ok=True)
        # not below the lab's folder: the name of a Unix socket has 107 octets at most
        self.run_dir = f"/run/{ns.lab.prefix}-{name}"
        os.makedirs(self.run_dir, mode=0o755, exist_ok=True)
        ns.lab.on_close(lambda: shutil.rmtree(self.run_dir, ignore_errors=True))
        self.file = os.path.join(self.dir, "gateway.yaml")
        self.dataplane = self.controlplane = None
        self.write(config, psk)

    def write(self, config, psk=None):
        with open(self.file, "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(config.replace("@DIR@", self.dir))
        if psk is not None:
            self.write_file("psk", psk)

    def write_file(self, name, text):
        """A secret's file beside the config: @DIR@/NAME there."""
        with open(os.path.join(self.dir, name), "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(text + "\n")

    def reload(self, config):
        """Another file, taken over by the running control plane."""
        self.write(config)
        self.controlplane.signal(signal.SIGHUP)

    def start(self, timeout=20.0):
        self.start_dataplane()
        self.start_controlplane()
        return self.wait_ready(timeout)

    def wait_ready(self, timeout=20.0):
        """Both answer, and the data plane has taken the tunnels."""
        wait_for("the data plane has its tunnels", self._ready, timeout)
        return self

    def start_dataplane(self):
        self.dataplane = self.ns.start("dataplane", DATAPLANE, "--config", self.file, "--run-dir", self.run_dir)

    def start_controlplane(self):
        self.controlplane = self.ns.start("controlplane", CONTROLPLANE, *(["--log-level", os.environ["ESP_LOG"]] if "ESP_LOG" in os.environ else []), "--config", self.file, "--run-dir", self.run_dir)

    def _ready(self):
        self.dataplane.check()
        self.controlplane.check()
        r = self.gwctl("show", "tunnels", "--json", check=False)
        # until the data plane has taken its tunnels, each says that it waits for that
        return r.returncode == 0 and not any("data plane" in (t["last_error"] or "") for t in rows(json.loads(r.stdout)))

    def gwctl(self, *argv, check=True, timeout=40):
        # the management socket is a file: no namespace needed
        r = subprocess.run(
            [GWCTL, "--run-dir", self.run_dir, *map(str, argv)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if check and r.returncode != 0:
            raise LabError(f"gwctl {' '.join(map(str, argv))}: code {r.returncode}: {r.stdout}{r.stderr}")
        return r

    def show(self, what, *more):
        """The rows of `gwctl show WHAT --json`."""
        return rows(json.loads(self.gwctl("show", what, *more, "--json").stdout))

    def tunnel(self, name):
        """The tunnel's row, with the sums over all SAs that it ever had."""
        return next(t for t in self.show("tunnels") if t["name"] == name)

    def drops(self):
        """Packets dropped, by reason."""
        return {r["reason"]: r["packets"] for r in self.show("drops")}

    def up(self, name, check=True, seconds=20):
        """Bring it up and wait until it is, or the attempt has failed, or for so long."""
        return self.gwctl("tunnel", name, "up", "--wait", seconds, check=check, timeout=seconds + 20)

    def down(self, name):
        return self.gwctl("tunnel", name, "down")

    def rekey_child(self, name):
        return self.gwctl("tunnel", name, "rekey")

    def rekey_ike(self, name):
        return self.gwctl("tunnel", name, "rekey", "--ike")

    def ikes(self, name):
        """The tunnel's IKE_SAs."""
        return [IkeSa(s) for s in self.show("ike-sas") if s["tunnel"] == name]

    def children(self, name):
        """The tunnel's CHILD_SAs."""
        return [Child(s) for s in self.show("child-sas") if s["tunnel"] == name]

    # -- BGP and routes

    def bgp_peer(self, name):
        """The peer's row of `show bgp summary`, or {} while there is none."""
        r = self.gwctl("show", "bgp", "summary", "--json", check=False)
        peers = rows(json.loads(r.stdout)) if r.returncode == 0 else []
        return next((p for p in peers if p["name"] == name), {})

    def bgp_neighbor(self, name):
        """The object of `show bgp neighbor`."""
        return json.loads(self.gwctl("show", "bgp", "neighbor", name, "--json").stdout)

    def bgp_state(self, name):
        return self.bgp_peer(name).get("state", "none").lower()

    def wait_bgp(self, name, state="established", timeout=20):
        try:
            wait_for(f"BGP peer {name} is {state}", lambda: self.bgp_state(name) == state, timeout, 0.1)
        except LabError as e:
            raise LabError(f"{e}: {self.bgp_peer(name)}") from None

    def bgp_paths(self, name, view="routes"):
        """{prefix: row} of a peer's routes, received-routes or advertised-routes."""
        return {r["prefix"]: r for r in self.show("bgp", "neighbor", name, view)}

    def wait_path(self, name, prefix, view="routes", timeout=15):
        return wait_for(f"{prefix} in {view} of {name}", lambda: self.bgp_paths(name, view).get(prefix), timeout, 0.1)

    def wait_no_path(self, name, prefix, view="routes", timeout=15):
        wait_for(f"no {prefix} in {view} of {name}", lambda: prefix not in self.bgp_paths(name, view), timeout, 0.1)

    def fib(self, address):
        """What the data plane's table says of an address: the object of `show fib`."""
        return json.loads(self.gwctl("show", "fib", address, "--json").stdout)

    def ways(self, address):
        """Where the data plane sends what is for an address: tunnels, neighbours, or words such as "blackhole"."""
        return sorted(leg["tunnel"] or leg["via"] or leg["kind"] for leg in self.fib(address)["legs"])

    def log_text(self):
        """What both daemons said."""
        text = ""
        for p in (self.dataplane, self.controlplane):
            if p:
                with open(p.log, errors="replace") as f:
                    text += f.read()
        return text

    def stop(self):
        """Both down in the order in which they may go; their exit codes."""
        return self.controlplane.stop(), self.dataplane.stop()


def rows(answer):
    """gwctl's JSON is a list of rows, or an object with one."""
    if isinstance(answer, dict):
        lists = [v for v in answer.values() if isinstance(v, list)]
        return lists[0] if lists else []
    return answer
