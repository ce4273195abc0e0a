"""gwctl top on a terminal of 100 columns: one frame a second, a load that shows, a control plane that goes and comes, q."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from gateway import GWCTL  # noqa: E402
from netlab import wait_for  # noqa: E402
from topo import HOST_B, Bench, Pings  # noqa: E402


class Screen:
    """A program on a pseudo terminal of 30 lines and 100 columns; frames are what it drew between two moves to the top."""

    def __init__(self, *argv):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], [str(a) for a in argv])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            self.text += data.decode(errors="replace")

    def frames(self):
        return [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", f) for f in self.text.split("\x1b[H")[1:-1]]

    def seen(self, pattern, since=0):
        return any(re.search(pattern, f) for f in self.frames()[since:])

    def key(self, key):
        os.write(self.fd, key.encode())

    def end(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_top_on_a_terminal(bench):
    gw, _ = bench.fresh()
    bench.up()
    screen = Screen(GWCTL, "--run-dir", gw.run_dir, "top")
    pings = Pings(bench.net.a, HOST_B, 400, 0.005)
    wait_for("a rate", lambda: screen.seen(r"site-b .* up .*AES-GCM-16-256 +0\.[1-9]"), 10)
    wait_for("cycles", lambda: screen.seen(r"encrypt \d+ .*= \d+"), 10)
    pings.stop()
    wait_for("a worker's load", lambda: screen.seen(r"worker 0: +\d+% busy"), 5)
    # the control plane goes and comes back: top says so and goes on
    gw.controlplane.kill()
    wait_for("words about it", lambda: screen.seen("trying again"), 10)
    gw.start_controlplane()
    gw.wait_ready()
    n = len(screen.frames())
    wait_for("frames again", lambda: screen.seen("tunnels [01]/1 up", n), 10)
    screen.key("q")
    assert screen.end() == 0
    wide = [line for f in screen.frames() for line in f.splitlines() if len(line) > 100]
    assert not wide, wide
    assert "\x1b[?1049h" in screen.text and screen.text.rstrip().endswith("\x1b[?1049l")


def test_top_into_a_pipe(bench):
    gw, _ = bench.fresh()
    bench.up()
    text = gw.gwctl("top", "--count", 2).stdout
    assert text.count("tunnels 1/1 up") == 2 and "\x1b" not in text, text
    gw.controlplane.stop()
    r = gw.gwctl("top", check=False)
    assert r.returncode == 1 and "esplanade-controlplane" in r.stderr, r
    assert gw.gwctl("top", "--interval", 0, check=False).returncode == 2


if __name__ == "__main__":
    tap.main(__name__, Bench)
