#!/usr/bin/python3
"""Our gateway in a guest, its ports two virtio-net PCI devices that DPDK drives itself: UIO, hugepages, physical addresses.

    site-a           guest (left)                right            site-b
    10.1.0.10 --- pci 0000:00:xx | pci 203.0.113.1 --- 203.0.113.2 wan | lan --- 10.2.0.10
"""

import contextlib
import glob
import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import CONTROLPLANE, DATAPLANE, GWCTL, Gateway, rows  # noqa: E402
from guest import Guest  # noqa: E402
from netlab import Lab, host, wait_for  # noqa: E402

PSK = "correct horse battery staple"
NET_A, NET_B = "10.1.0.0/24", "10.2.0.0/24"
HOST_A, HOST_B = "10.1.0.10", "10.2.0.10"
OPT, PAGES = "/opt/esplanade", 320
RUN = f"{OPT}/run"
SIZES = "max-sas: 256, max-routes: 1024, max-routes6: 1024"


def config(name, wan_dev, lan_dev, wan, peer, lan, here, there, start, psk, more=""):
    return f"""
gateway: {{name: {name}}}
dataplane: {{workers: 1, {SIZES}{more}}}
ports:
  wan0: {{device: "{wan_dev}", addresses: [{wan}/24]}}
  lan0: {{device: "{lan_dev}", addresses: [{lan}/24]}}
routes:
  - {{to: {there}, tunnel: link}}
tunnels:
  link:
    local: {{port: wan0}}
    remote: {{address: {peer}}}
    auth: {{psk-file: {psk}}}
    ike: {{proposals: [aes256gcm16-prfsha384-x25519]}}
    esp: {{proposals: [aes256gcm16-x25519]}}
    selectors: [{{local: {here}, remote: {there}}}]
    start: {start}
"""


def libraries(*programs):
    """What they are linked with, and DPDK's drivers for this."""
    found = set()
    for p in programs:
        for line in host("ldd", p).splitlines():
            words = line.split("=>")
            if len(words) == 2 and words[1].strip().startswith("/"):
                found.add(words[1].split()[0])
    return found


def pack(folder):
    """Programs, libraries and drivers for the guest, which has none of them."""
    drivers = glob.glob("/usr/lib/*/dpdk/pmds-*")[0]  # where EAL looks for them
    for sub in ("bin", "lib", "drivers"):
        os.makedirs(os.path.join(folder, sub))
    for p in (DATAPLANE, CONTROLPLANE, GWCTL):
        shutil.copy(p, os.path.join(folder, "bin"))
    names = [f"librte_{n}.so." for n in ("bus_pci", "bus_vdev", "mempool_ring", "net_virtio")]
    plugins = [f for f in glob.glob(f"{drivers}/*.so.*") for n in names if os.path.basename(f).startswith(n) and re.fullmatch(r".*\.so\.[0-9]+", f)]
    for p in plugins:  # links: a driver that is there as two files registers itself twice
        os.symlink(f"{OPT}/lib/{os.path.basename(p)}", os.path.join(folder, "drivers", os.path.basename(p) + ".0"))
    for p in {*plugins, *libraries(DATAPLANE, CONTROLPLANE, GWCTL, *plugins)}:
        if not os.path.basename(p).startswith(("libc.so", "ld-linux", "libm.so")):
            shutil.copy(p, os.path.join(folder, "lib"))
    return drivers


class Site:
    def __init__(self, lab):
        self.lab = lab
        self.a, self.ns, self.right_ns, self.b = (lab.ns(n) for n in ("site-a", "left", "right", "site-b"))
        lab.veth(self.a, "eth0", self.ns, "lan", f"{HOST_A}/24")
        lab.veth(self.b, "eth0", self.right_ns, "lan", f"{HOST_B}/24")
        lab.veth(self.ns, "wan", self.right_ns, "wan")
        self.a.route("default", "via", "10.1.0.1")
        self.b.route("default", "via", "10.2.0.1")
        self.right = Gateway(
            self.right_ns,
            config("right", "af_packet:wan", "af_packet:lan", "203.0.113.2", "203.0.113.1", "10.2.0.1", NET_B, NET_A, "respond-only", "@DIR@/psk"),
            PSK, "right",
        )  # fmt: skip
        folder = os.path.join(lab.dir, "pack")
        drivers = pack(folder)
        self.guest = Guest(self.ns, memory=1280, cards=2, modules=["uio_pci_generic", "tun"], disks=[folder])
        self.guest.boot("wan", "lan")
        g = self.guest
        g.run("mkdir", "-p", OPT, drivers)
        g.run("mount", "-o", "rw", "/dev/vdb", OPT)
        g.run("mount", "--bind", f"{OPT}/drivers", drivers)
        g.run("mkdir", "-p", RUN)
        self.env = {"LD_LIBRARY_PATH": f"{OPT}/lib", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        if "LOCALHACK" in os.environ:
            self.env["LOCALHACK"] = "1"
        # eth0 and eth1, in the order of the cards
        self.pci = [os.path.basename(os.path.dirname(g.run("readlink", "-f", f"/sys/class/net/eth{i}/device").stdout.strip())) for i in (0, 1)]
        g.write(f"{OPT}/psk", PSK + "\n")

    def write(self, devices, more=""):
        text = config("left", *devices, "203.0.113.1", "203.0.113.2", "10.1.0.1", NET_A, NET_B, "always", f"{OPT}/psk", more)
        self.guest.write(f"{OPT}/gateway.yaml", text)

    def check(self, *devices, more=""):
        """What the data plane says of these devices: (code, text)."""
        self.write(devices, more)
        r = self.guest.run(f"{OPT}/bin/esplanade-dataplane", "--config", f"{OPT}/gateway.yaml", "--run-dir", RUN, "--check", check=False, env=self.env)
        return r.returncode, r.stdout + r.stderr

    def bind(self):
        for address in self.pci:
            dev = f"/sys/bus/pci/devices/{address}"
            script = f"echo uio_pci_generic >{dev}/driver_override; echo {address} >{dev}/driver/unbind; echo {address} >/sys/bus/pci/drivers_probe"
            self.guest.run("sh", "-c", script)

    def start(self):
        self.pids = [
            self.guest.start(f"{OPT}/bin/{p}", "--config", f"{OPT}/gateway.yaml", "--run-dir", RUN, log=f"/run/{p}.log", env=self.env)
            for p in ("esplanade-dataplane", "esplanade-controlplane")
        ]

    def log(self, name="esplanade-dataplane"):
        return self.guest.read(f"/run/{name}.log")

    def show(self, what):
        r = self.guest.run(f"{OPT}/bin/gwctl", "--run-dir", RUN, "show", what, "--json", check=False, env=self.env)
        return rows(json.loads(r.stdout)) if r.returncode == 0 else []

    def ends(self):
        return "".join(self.log(p)[-3000:] for p in ("esplanade-dataplane", "esplanade-controlplane"))

    explain = ends


@contextlib.contextmanager
def site():
    with Lab() as lab:
        yield Site(lab)


def test_a_device_of_the_kernel_is_refused_with_the_cure(s):
    a, b = s.pci
    code, text = s.check(f"pci:{a}", f"pci:{b}")
    assert code == 1, text
    assert f"port wan0: PCI device {a} is bound to the kernel's driver virtio-pci" in text, text
    assert f"driverctl set-override {a} vfio-pci (or dpdk-devbind.py -b vfio-pci {a})" in text, text


def test_what_is_not_there_or_no_network_device_is_refused(s):
    code, text = s.check("pci:0000:77:00.0", f"pci:{s.pci[1]}")
    assert code == 1 and "there is no PCI device 0000:77:00.0; network devices: 0000:00:0" in text, text
    assert all(a in text for a in s.pci), text
    code, text = s.check("pci:0000:00:00.0", f"pci:{s.pci[1]}")
    assert code == 1 and "PCI device 0000:00:00.0 is no network device" in text, text


def test_uio_without_hugepages_is_refused(s):
    s.bind()
    devices = [f"pci:{a}" for a in s.pci]
    code, text = s.check(*devices)
    assert code == 1 and "is bound to a UIO driver, which needs hugepages: write " in text, text
    s.guest.run("sh", "-c", f"echo {PAGES} >/proc/sys/vm/nr_hugepages")
    code, text = s.check(*devices, more=", hugepages: false")
    assert code == 1 and "and remove hugepages: false" in text, text
    code, text = s.check(*devices)
    assert code == 0, text


def test_it_starts_and_says_what_it_drives(s):
    s.write([f"pci:{a}" for a in s.pci])
    s.right.start()
    s.start()
    wait_for("the data plane runs", lambda: "event=running" in s.log() or not s.guest.alive(s.pids[0]), 240, 1)
    assert "event=running" in s.log(), s.log()
    ports = wait_for("both ports are up", lambda: [p for p in s.show("ports") if p["up"]][1:] and s.show("ports"), 60, 0.5)
    assert [(p["driver"], p["rx_queues"], p["mac"]) for p in ports] == [("net_virtio", 1, m) for m in s.guest.macs], ports


def test_a_tunnel_and_its_traffic(s):
    wait_for("a ping passes", lambda: s.a.pings(HOST_B, 1), 90, 0.2)
    sent, got, _ = s.a.ping(HOST_B, count=100, interval=0.02, timeout=5, size=1300)
    assert sent == got == 100, (sent, got, s.show("drops"))
    sent, got, _ = s.b.ping(HOST_A, count=100, interval=0.02, timeout=5)
    assert sent == got == 100, (sent, got, s.show("drops"))
    assert all(p["errors"] == 0 and p["missed"] == 0 for p in s.show("ports")), s.show("ports")


def test_nothing_of_it_stays(s):
    """Fault F7: in-memory hugepages leave no file, even after a kill; the next start finds them free."""
    s.guest.signal(s.pids[0], 9)
    wait_for("it is dead", lambda: not s.guest.alive(s.pids[0]), 20, 0.2)
    free = s.guest.run("cat", "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").stdout.strip()
    assert free == str(PAGES), free
    s.guest.signal(s.pids[1])
    wait_for("both are gone", lambda: not s.guest.alive(s.pids[1]), 20, 0.2)
    s.start()
    wait_for("a ping passes again", lambda: s.a.pings(HOST_B, 1), 240, 0.5)


for case in (test_it_starts_and_says_what_it_drives, test_a_tunnel_and_its_traffic, test_nothing_of_it_stays):
    case.seconds = 300


if __name__ == "__main__":
    tap.main(__name__, site)
