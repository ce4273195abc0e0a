"""Our BGP core and its sockets as a process of their own (tests/lib/bgp_speaker.c), asked over a pipe."""

import json
import os
import select
import subprocess

from netlab import BUILD, LabError, tail


class BgpSpeaker:
    """One bgp_speaker in a namespace of a lab; it ends with the lab. peers: {name: (address, source)} in place of the file's."""

    def __init__(self, ns, text, name="speaker", level="bgp=debug", peers=None):
        self.ns, self.name = ns, name
        self.log = ns.lab.log(f"{ns.name}-{name}")
        self.path = os.path.join(ns.lab.dir, f"{name}.yaml")
        self._write(text)
        words = [os.path.join(BUILD, "tests", "lib", "bgp_speaker"), "--config", self.path, "--log-level", level]
        for peer, (address, source) in (peers or {}).items():
            words += ["--peer", f"{peer}={address},{source}"]
        argv = ns.argv(words)
        with open(self.log, "ab") as err:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True, bufsize=1, preexec_fn=os.setsid
            )
        ns.lab.on_close(self.kill)
        self.ask("summary")

    def _write(self, text):
        with open(self.path, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:  # it may hold a password
            f.write(text)

    @property
    def pid(self):
        return self.popen.pid

    def check(self):
        if self.popen.poll() is not None:
            raise LabError(f"{self.name} ended with code {self.popen.returncode}\n{tail(self.log, 40)}")

    def ask(self, *words, timeout=20):
        """The answer to one command."""
        try:
            self.popen.stdin.write(" ".join(map(str, words)) + "\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            self.popen.wait(5)
            self.check()
        if not select.select([self.popen.stdout], [], [], timeout)[0]:
            raise LabError(f"{self.name} does not answer {words}")
        line = self.popen.stdout.readline()
        if not line:
            self.popen.wait(20)
            self.check()
        answer = json.loads(line)
        if "error" in answer:
            raise LabError(f"{self.name}: {' '.join(map(str, words))}: {answer['error']}")
        return answer

    def config(self, text):
        self._write(text)
        return self.ask("config", self.path)

    def quit(self):
        """Its exit code."""
        self.popen.stdin.write("quit\n")
        self.popen.stdin.flush()
        return self.popen.wait(20)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()
