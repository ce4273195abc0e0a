#!/usr/bin/python3
"""Numbered datagrams of several flows, and their echo.

    flows.py echo N                         send back what comes to UDP ports 7000 .. 7000+N-1, from the address it came to
    flows.py send COUNT RATE SRC:SPORT:DST ...   flow I goes to port 7000+I; prints what came back as JSON
"""

import json
import os
import select
import signal
import socket
import struct
import sys
import time

PORT, SIZE, WINDOW = 7000, 200, 400
IP_PKTINFO = 8


def open_socket(addr, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
    s.bind((addr, port))
    s.setblocking(False)
    return s


def echo(n):
    """One thread: the order in which it answers is the order in which it hears."""
    poll, by_fd = select.poll(), {}
    for i in range(n):
        s = open_socket("", PORT + i)
        s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        by_fd[s.fileno()] = s
        poll.register(s, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            s = by_fd[fd]
            while True:
                try:
                    data, anc, _, peer = s.recvmsg(2048, 64)
                except BlockingIOError:
                    break
                # in_pktinfo: interface, source to send from, destination that it had
                dst = anc[0][2][8:12]
                s.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4s", 0, dst, b"\0" * 4))], 0, peer)


def send(count, rate, flows):
    socks, state = [], []
    for i, f in enumerate(flows):
        src, sport, dst = f.split(":")
        s = open_socket(src, int(sport))
        s.connect((dst, PORT + i))
        socks.append(s)
        state.append({"next": 0, "seen": set(), "reordered": 0, "twice": 0})
    began, sent, received, total = time.monotonic(), 0, 0, count * len(flows)
    last = began
    while received < total and time.monotonic() - last < 5:
        due = min(total, int((time.monotonic() - began) * rate), received + WINDOW if received else WINDOW)
        while sent < due:
            i, n = sent % len(flows), sent // len(flows)
            socks[i].send(struct.pack("!I", n).ljust(SIZE, b"."))
            sent += 1
        for s in select.select(socks, [], [], 0.001)[0]:
            st = state[socks.index(s)]
            while True:
                try:
                    n = struct.unpack("!I", s.recv(2048)[:4])[0]
                except BlockingIOError:
                    break
                received, last = received + 1, time.monotonic()
                st["reordered"] += n < st["next"]
                st["twice"] += n in st["seen"]
                st["seen"].add(n)
                st["next"] = max(st["next"], n + 1)
    seen = sum(len(s["seen"]) for s in state)
    print(json.dumps({"sent": sent, "received": received, "lost": total - seen, "seconds": round(time.monotonic() - began, 1),
                      "reordered": sum(s["reordered"] for s in state), "twice": sum(s["twice"] for s in state)}))  # fmt: skip


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # or the kernel's queues reorder what it sends
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if sys.argv[1] == "echo":
        echo(int(sys.argv[2]))
    else:
        send(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
