"""The host's end of scapy_agent.py and of ringctl: programs that are asked in lines of JSON."""

import json
import os
import queue
import subprocess
import threading

from netlab import BUILD, TOP, LabError, PEERS

RINGCTL = os.path.join(BUILD, "tests", "lib", "ringctl")


class Lines:
    """A program that answers lines with lines. Reading it never blocks longer than was said."""

    def __init__(self, name, argv, log):
        self.name = name
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "ab"))
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.popen.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def write(self, o):
        try:
            self.popen.stdin.write(json.dumps(o).encode() + b"\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            raise LabError(f"{self.name} has ended") from None

    def next(self, timeout):
        """The next line, or None when there is none in time."""
        try:
            o = self.lines.get(timeout=timeout)
        except queue.Empty:
            return None
        if o is None:
            self.lines.put(None)
            raise LabError(f"{self.name} has ended with code {self.popen.wait()}")
        return o

    def close(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Scapy(Lines):
    """The agent, in a namespace and the peers' root."""

    def __init__(self, ns):
        with open(os.path.join(TOP, "tests", "lib", "scapy_agent.py")) as f:
            script = f.read()
        argv = ["nsenter", f"--net={ns.path}", "--", "chroot", PEERS, "/usr/bin/python3", "-c", script]
        super().__init__("scapy", argv, ns.lab.log("scapy"))
        ns.lab.on_close(self.close)

    def ask(self, op, **o):
        self.write({"op": op, **o})
        answer = self.next(30)
        if answer is None:
            raise LabError(f"scapy: {op}: no answer")
        if "error" in answer:
            raise LabError(f"scapy: {op}: {answer['error']}")
        return answer["result"]


class Refused(Exception):
    """The data plane's NACK, or ringctl's own refusal."""


class Rings(Lines):
    """A control plane by hand: ringctl on a run directory."""

    def __init__(self, lab, run_dir):
        super().__init__("ringctl", [RINGCTL, run_dir], lab.log("ringctl"))
        self.events = []
        self.hello = None
        lab.on_close(self.close)

    def ask(self, cmd, timeout=15, **o):
        """The line that answers; events that come before it are kept."""
        self.write({"cmd": cmd, **o})
        while True:
            answer = self.next(timeout)
            if answer is None:
                raise LabError(f"ringctl: {cmd}: no answer")
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Refused(f"{cmd}: {answer['error']}")
            else:
                return answer

    def attach(self, **o):
        self.hello = self.ask("attach", timeout=o.get("ms", 10000) / 1000 + 5, **o)["done"]
        return self.hello

    def event(self, timeout=5, **want):
        """The first event with these fields, waited for; it is taken out."""
        for i, e in enumerate(self.events):
            if all(e.get(k) == v for k, v in want.items()):
                return self.events.pop(i)
        while True:
            e = self.next(timeout)
            if e is None:
                raise LabError(f"no event {want}")
            if all(e.get(k) == v for k, v in want.items()):
                return e
            self.events.append(e)

    def do(self, cmd, **o):
        """A command over a ring: its ACK, or Refused."""
        seq = self.ask(cmd, **o)["sent"]
        e = self.event(seq=seq, type=cmd)
        if e["event"] != "ack":
            raise Refused(f"{cmd}: {os.strerror(-e['status'])}")
        return e

    def counters(self):
        return self.ask("counters")["done"]
