#!/usr/bin/python3
"""Runs in the guest: does what tests/lib/guest.py asks for, a JSON object a line over a virtio serial port.

{"id", "run": [argv], "stdin", "timeout"} -> {"id", "code", "out", "err"}; {"id", "start": [argv], "log": path, "env": {}} -> {"id",
"pid"}; {"id", "signal": pid, "number"}; {"id", "alive": pid} -> {"id", "alive"}; {"id", "write": path, "data": base64, "mode"};
{"id", "read": path} -> {"id", "data": base64}. What fails: {"id", "error"}.
"""

import base64
import glob
import json
import os
import subprocess
import threading
import time

started = {}


def port():
    """The port named `agent`; its device may come a moment later."""
    while True:
        for name in glob.glob("/sys/class/virtio-ports/*/name"):
            with open(name) as f:
                if f.read().strip() == "agent":
                    return "/dev/" + name.split("/")[-2]
        time.sleep(0.05)


def run(q):
    try:
        r = subprocess.run(q["run"], input=q.get("stdin") or "", capture_output=True, text=True, errors="replace",
                           timeout=q.get("timeout", 60), env={**os.environ, **q.get("env", {})}, check=False)  # fmt: skip
        return {"code": r.returncode, "out": r.stdout, "err": r.stderr}
    except subprocess.TimeoutExpired as e:
        return {"code": -1, "out": (e.stdout or b"").decode(errors="replace"), "err": f"took longer than {e.timeout} s"}


def start(q):
    log = open(q["log"], "ab")
    p = subprocess.Popen(q["start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                         env={**os.environ, **q.get("env", {})})  # fmt: skip
    started[p.pid] = p
    return {"pid": p.pid}


def write(q):
    os.makedirs(os.path.dirname(q["write"]) or "/", exist_ok=True)
    fd = os.open(q["write"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, q.get("mode", 0o600))
    with os.fdopen(fd, "wb") as f:
        f.write(base64.b64decode(q["data"]))
    return {}


def read(q):
    with open(q["read"], "rb") as f:
        return {"data": base64.b64encode(f.read()).decode()}


def signal(q):
    started[q["signal"]].send_signal(q["number"])
    return {}


ACTIONS = {
    "run": run, "start": start, "write": write, "read": read, "signal": signal,
    "alive": lambda q: {"alive": started[q["alive"]].poll() is None},
}  # fmt: skip


def answer(q, out, lock):
    try:
        a = next(f for k, f in ACTIONS.items() if k in q)(q)
    except Exception as e:
        a = {"error": f"{type(e).__name__}: {e}"}
    data = json.dumps({"id": q.get("id"), **a}).encode() + b"\n"
    with lock:
        while data:  # the port takes 32 KB at a time
            data = data[out.write(data) or 0 :]


def main():
    with open(port(), "r+b", buffering=0) as f:
        lock, rest = threading.Lock(), b""
        f.write(b'{"id": 0, "ready": true}\n')
        while True:
            data = f.read(65536)
            if not data:  # nobody has the other end open
                time.sleep(0.05)
                continue
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                # each by itself: one that takes long keeps nobody waiting
                threading.Thread(target=answer, args=(json.loads(line), f, lock), daemon=True).start()


main()
