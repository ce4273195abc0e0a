"""A machine of its own under qemu (no KVM): Debian's kernel with its own ESP (XFRM), strongSwan and libreswan in its root.

tools/guest makes its parts. Its network card is a tap in a namespace of the lab; the tests speak to it over a virtio serial port
(tests/guest/agent.py), so nothing of the network is needed for that. What it writes to its disk is gone when it ends.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from netlab import TOP, LabError, host, tail, wait_for

GUEST = os.path.join(TOP, "build", "peers", "guest")
QEMU = "qemu-system-x86_64"
BOOT_SECONDS = 120


class Guest:
    """ns: where its taps are made. cards: how many; they are eth0, eth1 ... in the guest, NAME0, NAME1 ... in the namespace."""

    def __init__(self, ns, name="guest", memory=512, cards=1, modules=(), cmdline="", qemu=(), disks=()):
        self.ns, self.name, self.memory, self.modules, self.cmdline = ns, name, memory, list(modules), cmdline
        self.dir = os.path.join(ns.lab.dir, f"{ns.name}-{name}")
        os.makedirs(self.dir, exist_ok=True)
        self.console = os.path.join(self.dir, "console")
        self.taps = [f"{name}{i}" for i in range(cards)]
        self.macs = [f"52:54:00:12:{len(ns.lab.processes) & 255:02x}:{i + 1:02x}" for i in range(cards)]
        self.extra, self.disks = list(qemu), list(disks)
        self.answers, self.lock, self.next_id = {}, threading.Condition(), 1
        self.up = self.sock = self.process = None

    def boot(self, *uplinks, timeout=BOOT_SECONDS):
        """Start it and wait for its agent. uplinks: interfaces of the namespace that the cards are bridged to, in order."""
        if not os.path.exists(os.path.join(GUEST, "root.img")):
            raise LabError("no guest: run tools/guest make")
        for tap in self.taps:
            self.ns.run("ip", "tuntap", "add", tap, "mode", "tap")
            self.ns.run("ethtool", "-K", tap, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
            self.ns.run("ip", "link", "set", tap, "up")
        for uplink, tap in zip(uplinks, self.taps):
            bridge = f"br-{tap}"
            self.ns.run("ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            self.ns.run("ip", "address", "flush", "dev", uplink)
            for i in (uplink, tap):
                self.ns.run("ip", "link", "set", i, "master", bridge)
            self.ns.run("ip", "link", "set", bridge, "up")
        self.process = self.ns.start(self.name, *self._argv())
        path = os.path.join(self.dir, "agent")
        wait_for("qemu's socket", lambda: self.process.check() or os.path.exists(path), 10)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        threading.Thread(target=self._reader, daemon=True).start()
        try:
            wait_for("the guest's agent", lambda: self.process.check() or self.up, timeout, 0.1)
        except LabError as e:
            raise LabError(f"{e}\n{tail(self.console, 15)}") from None
        return self

    def _argv(self):
        root = os.path.join(GUEST, "root.img")
        argv = [QEMU, "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(self.memory), "-nographic",
                "-nodefaults", "-no-reboot", "-kernel", os.path.join(GUEST, "vmlinuz"), "-initrd", os.path.join(GUEST, "initrd.gz"),
                "-append", f"console=ttyS0 quiet panic=-1 modules={','.join(['virtio_net', *self.modules])} {self.cmdline}".strip(),
                "-serial", f"file:{self.console}", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self.dir}/agent,server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=agent",
                "-drive", f"file={root},format=raw,if=virtio,snapshot=on"]  # fmt: skip
        for i, folder in enumerate(self.disks):
            argv += ["-drive", f"file={self._image(i, folder)},format=raw,if=virtio,snapshot=on"]
        for i, (tap, mac) in enumerate(zip(self.taps, self.macs)):
            argv += ["-netdev", f"tap,id=n{i},ifname={tap},script=no,downscript=no",
                     "-device", f"virtio-net-pci,netdev=n{i},mac={mac},csum=off,guest_csum=off,gso=off,host_tso4=off,host_tso6=off,"
                     f"guest_tso4=off,guest_tso6=off,mrg_rxbuf=on"]  # fmt: skip
        return argv + self.extra

    def _image(self, i, folder):
        """An ext4 image of a folder: /dev/vdb and on."""
        path = os.path.join(self.dir, f"disk{i}.img")
        size = int(host("du", "-sm", folder).split()[0]) + 32
        host("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", folder, path, f"{size}M")
        return path

    def _reader(self):
        rest = b""
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                with self.lock:
                    self.answers[None] = True
                    self.lock.notify_all()
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                a = json.loads(line)
                with self.lock:
                    if a.get("ready"):
                        self.up = True
                    self.answers[a["id"]] = a
                    self.lock.notify_all()

    def _ask(self, seconds, **what):
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 1
        self.sock.sendall(json.dumps({"id": number, **what}).encode() + b"\n")
        deadline = time.monotonic() + seconds
        with self.lock:
            while number not in self.answers:
                left = deadline - time.monotonic()
                if left <= 0 or None in self.answers:
                    raise LabError(f"{self.name}: no answer to {str(what)[:120]}\n{tail(self.console, 15)}")
                self.lock.wait(left)
            a = self.answers.pop(number)
        if "error" in a:
            raise LabError(f"{self.name}: {str(what)[:120]}: {a['error']}")
        return a

    def run(self, *argv, check=True, timeout=60, stdin=None, env=None):
        """Run in the guest, to the end: a CompletedProcess."""
        argv = [str(x) for x in argv]
        a = self._ask(timeout + 10, run=argv, timeout=timeout, stdin=stdin, env=env or {})
        r = subprocess.CompletedProcess(argv, a["code"], a["out"], a["err"])
        if check and r.returncode:
            raise LabError(f"{self.name}: {' '.join(argv)}: code {r.returncode}\n{r.stdout}{r.stderr}")
        return r

    def start(self, *argv, log, env=None):
        """Start in the guest; its pid."""
        return self._ask(30, start=[str(x) for x in argv], log=log, env=env or {})["pid"]

    def alive(self, pid):
        return self._ask(30, alive=pid)["alive"]

    def signal(self, pid, number=signal.SIGTERM):
        self._ask(30, signal=pid, number=int(number))

    def write(self, path, text, mode=0o600):
        data = text if isinstance(text, bytes) else text.encode()
        self._ask(60, write=path, data=base64.b64encode(data).decode(), mode=mode)

    def read(self, path):
        return base64.b64decode(self._ask(60, read=path)["data"]).decode(errors="replace")

    def stop(self):
        if self.process:
            self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
