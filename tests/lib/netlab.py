"""A laboratory of network namespaces: links, processes and their end.

Everything that a Lab makes is named after it and goes when it is closed: at exit, on an exception, on SIGINT, SIGTERM
and SIGHUP. What a killed run left behind is swept by the next one. Programs enter a namespace by nsenter and not by
`ip netns exec`, which remounts / and so fails in a plain chroot. Standard library only; needs root.
"""

import atexit
import ctypes
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("ESP_BUILD", os.path.join(TOP, "build")))
PEERS = os.path.abspath(os.environ.get("ESP_PEERS", os.path.join(TOP, "build", "peers", "bookworm")))
TRIXIE = PEERS if PEERS == "/" else os.path.join(os.path.dirname(PEERS), "trixie")
NETNS_DIR = "/run/netns"
PREFIX = "esp"  # of every namespace: esp<pid>-<name>

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """Something of the laboratory did not work; the text says what."""


def wait_for(what, condition, timeout=10.0, interval=0.05):
    """Poll condition() until it returns something true, and return that. LabError after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise LabError(f"not within {timeout:g} s: {what}")
        time.sleep(interval)


def tail(path, lines=15):
    """The last lines of a file, or '' when there is none."""
    try:
        with open(path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])
    except OSError:
        return ""


class Process:
    """A program that runs until it is stopped. Its output is in the file log, or in a pipe (stdout)."""

    def __init__(self, name, argv, log=None, env=None, stdout=None, detach=False):
        self.name, self.argv, self.log = name, argv, log

        def child():
            os.setsid()
            if not detach:
                _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

        out = open(log, "ab") if log else subprocess.DEVNULL
        self.popen = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stdout if stdout is not None else out,
            stderr=out,
            env={**os.environ, **(env or {})},
            preexec_fn=child,
            text=True,
        )
        if log:
            out.close()

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def check(self):
        """LabError with the end of its log if it has ended."""
        if not self.alive():
            end = tail(self.log) if self.log else ""
            raise LabError(f"{self.name} ended with code {self.popen.returncode}: {' '.join(self.argv)}\n{end}")

    def wait(self, timeout):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} did not end within {timeout:g} s") from None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, timeout=5.0):
        """SIGTERM, then SIGKILL after timeout. The exit code; negative: the signal that ended it."""
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.returncode


class Namespace:
    """One network namespace of a Lab."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.full = f"{lab.prefix}-{name}"
        self.path = os.path.join(NETNS_DIR, self.full)

    def argv(self, argv, peer=False):
        """The command that runs argv in this namespace; peer: in the peers' root too (True, or the root's path)."""
        enter = ["nsenter", f"--net={self.path}", "--"]
        if peer:
            enter += ["chroot", PEERS if peer is True else peer]
        return enter + [str(a) for a in argv]

    def run(self, *argv, peer=False, check=True, timeout=20, stdin=None):
        """Run to the end; a CompletedProcess with stdout and stderr as text."""
        r = subprocess.run(
            self.argv(argv, peer),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and r.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: code {r.returncode}\n{r.stdout}{r.stderr}")
        return r

    def start(self, name, *argv, peer=False, env=None, stdout=None):
        """A Process in this namespace that ends with the lab."""
        p = Process(
            f"{self.name}/{name}",
            self.argv(argv, peer),
            log=self.lab.log(f"{self.name}-{name}"),
            env=env,
            stdout=stdout,
            detach=self.lab.detach,
        )
        self.lab.processes.append(p)
        return p

    def sysctl(self, key, value):
        path = "/proc/sys/" + key.replace(".", "/")
        self.run("sh", "-c", f'echo "{value}" > {path}')

    def address(self, ifname, *addresses):
        for a in addresses:
            self.run("ip", "address", "add", a, "dev", ifname)

    def route(self, *words):
        self.run("ip", "route", "replace", *words)

    def nft(self, rules):
        return self.run("nft", "-f", "-", peer=True, stdin=rules)

    def mac(self, ifname):
        """The interface's link address. (/sys shows the namespace that mounted it, not ours.)"""
        out = self.run("ip", "-o", "link", "show", "dev", ifname).stdout
        return re.search(r"link/ether (\S+)", out).group(1)

    def ping(self, address, count=1, interval=0.2, timeout=2, source=None, size=None):
        """(sent, received, round trips in ms by sequence number) of ping."""
        argv = ["ping", "-n", "-c", count, "-i", interval, "-W", timeout]
        argv += ["-I", source] if source else []
        argv += ["-s", size] if size is not None else []
        r = self.run(*argv, address, peer=True, check=False, timeout=count * interval + timeout + 10)
        return ping_result(r.stdout)

    def pings(self, address, timeout=0.3):
        """Whether one echo comes back."""
        return self.ping(address, timeout=timeout)[1] == 1


def ping_result(text):
    m = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    if not m:
        raise LabError(f"ping said: {text.strip()[-300:] or 'nothing'}")
    rtt = {int(s): float(t) for s, t in re.findall(r"icmp_seq=(\d+) .*?time=([\d.]+) ms", text)}
    return int(m.group(1)), int(m.group(2)), rtt


class Lab:
    """Namespaces, links and processes that end together. Use it as a context manager.

    detach: its processes may outlive this one, which leave() then makes true; otherwise they die with it, even by
    SIGKILL.
    """

    def __init__(self, detach=False):
        if os.geteuid() != 0:
            raise LabError("network namespaces need root")
        sweep()
        self.detach = detach
        self.prefix = f"{PREFIX}{os.getpid()}"
        self.dir = os.path.join(BUILD, "run", self.prefix)
        self.peer_dir = os.path.join("/tmp", self.prefix)  # seen from inside the peers' root
        self.namespaces, self.processes, self.closers = {}, [], []
        self.closed = False
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir, mode=0o755)
        atexit.register(self.close)
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, self._signalled)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def _signalled(self, number, _frame):
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
        print(f"\ninterrupted (signal {number}): cleaning up", file=sys.stderr, flush=True)
        self.close()
        os._exit(128 + number)

    def log(self, name):
        return os.path.join(self.dir, f"{name}.log")

    def ns(self, name, forward=False):
        """A new namespace with its loopback up."""
        n = Namespace(self, name)
        self.namespaces[name] = n
        host("ip", "netns", "add", n.full)
        n.run("ip", "link", "set", "lo", "up")
        n.sysctl("net.ipv4.ip_forward", int(forward))
        # silence what would disturb counts on the links
        n.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        n.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        return n

    def veth(self, a, a_if, b, b_if, a_addr=None, b_addr=None, mtu=1500):
        """A cable between two namespaces, up, offloads off: what one end sends is what the other end sees."""
        host("ip", "link", "add", a_if, "mtu", mtu, "netns", a.full, "type", "veth",
             "peer", "name", b_if, "mtu", mtu, "netns", b.full)  # fmt: skip
        for n, ifname, addr in ((a, a_if, a_addr), (b, b_if, b_addr)):
            n.run("ethtool", "-K", ifname, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
            n.run("ip", "link", "set", ifname, "up")
            if addr:
                n.address(ifname, addr)

    def on_close(self, call):
        """call() when the lab closes, before its processes are stopped; last registered first."""
        self.closers.append(call)

    def leave(self):
        """Leave everything up when this process ends; sweep(kept=True) removes it."""
        self.closed = True
        os.makedirs(_kept(self.prefix))

    def close(self):
        """End the processes (last started first) and remove the namespaces. Twice is fine."""
        if self.closed:
            return
        self.closed = True
        for call in reversed(self.closers):
            try:
                call()
            except Exception as e:  # the rest must be cleaned all the same
                print(f"# on closing: {e}", file=sys.stderr)
        for p in reversed(self.processes):
            p.signal(signal.SIGTERM)
        deadline = time.monotonic() + 3
        for p in reversed(self.processes):
            try:
                p.popen.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
        for n in self.namespaces.values():
            subprocess.run(["ip", "netns", "del", n.full], capture_output=True, check=False)
        for root in (PEERS, TRIXIE):
            shutil.rmtree(root + self.peer_dir, ignore_errors=True)


def host(*argv):
    """Run on the host; LabError with what it said if it fails."""
    r = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if r.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: {r.stderr.strip()}")
    return r.stdout


def pids_in(namespace):
    """Processes whose network namespace is the one of this name."""
    try:
        want = os.stat(os.path.join(NETNS_DIR, namespace)).st_ino
    except OSError:
        return []
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino == want:
                found.append(int(pid))
        except OSError:
            continue
    return found


def remove(prefix):
    """End what runs in the namespaces of one lab and remove them. Returns how many there were."""
    names = [n for n in _namespaces() if n.startswith(prefix + "-")]
    for name in names:
        for pid in pids_in(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    for path in [f"{PEERS}/tmp/{prefix}", f"{TRIXIE}/tmp/{prefix}", *glob.glob(f"/run/{prefix}-*")]:
        shutil.rmtree(path, ignore_errors=True)
    return len(names)


def _namespaces():
    try:
        return sorted(os.listdir(NETNS_DIR))
    except OSError:
        return []


def sweep(kept=False):
    """Remove the labs whose process is gone; kept: also those that were left up on purpose."""
    found = 0
    for prefix in {n.split("-")[0] for n in _namespaces() if re.match(PREFIX + r"\d+-", n)}:
        if os.path.exists("/proc/" + prefix[len(PREFIX):]) or (os.path.exists(_kept(prefix)) and not kept):
            continue
        found += remove(prefix)
    return found


def _kept(prefix):
    """The folder that says that a lab was left up on purpose; remove() takes it away with the others of that name."""
    return f"/run/{prefix}-kept"


if __name__ == "__main__":
    # python3 tests/lib/netlab.py clean: for `make clean`
    if sys.argv[1:] == ["clean"]:
        count = sweep(kept=True)
        if count:
            print(f"{'clean':<10} {count} namespaces of earlier runs removed")
    else:
        sys.exit("usage: netlab.py clean")
