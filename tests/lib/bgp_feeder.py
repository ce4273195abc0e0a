"""perf/bgp_feed in a namespace: a BGP neighbour that tells a whole table, and takes it back."""

import json
import os
import subprocess

from netlab import BUILD, LabError


class Feeder:
    """Up when it is made. table: bgp_feed's words for it; about: what it will tell (prefixes, sets, octets, withdraw_octets)."""

    def __init__(self, ns, local, peer, table, as_local=65002, as_peer=65001, hold_s=9, cpu=None, build=BUILD):
        argv = [os.path.join(build, "perf", "bgp_feed"), "--local", local, "--peer", peer, "--as", as_local, "--peer-as", as_peer,
                "--hold", hold_s, *table]  # fmt: skip
        argv = argv if cpu is None else ["taskset", "-c", cpu, *argv]
        self.popen = subprocess.Popen(ns.argv(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ns.lab.on_close(self.stop)
        self.about = self.read()

    def read(self):
        line = self.popen.stdout.readline()
        if not line:
            raise LabError(f"bgp_feed ended with code {self.popen.wait()}")
        return json.loads(line)

    def begin(self, command):
        """announce or withdraw; read() when the kernel has taken the last octet."""
        self.popen.stdin.write(command + "\n")
        self.popen.stdin.flush()

    def quit(self):
        """Ends the session. The longest silence of the peer since it was up, in seconds."""
        self.begin("quit")
        return self.read()["silence_ms"] / 1e3

    def alive(self):
        """Is the session there? It ends with it."""
        return self.popen.poll() is None

    def stop(self):
        if self.alive():
            self.popen.kill()
        self.popen.wait()
