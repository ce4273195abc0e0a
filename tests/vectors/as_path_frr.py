#!/usr/bin/python3
"""Write as_path_frr.h: what FRR's as-path lists say to a table of patterns and paths.

usage: as_path_frr.py CHROOT > as_path_frr.h    (root; CHROOT has FRR: build/peers/bookworm)

bgpd runs without zebra in a network namespace of its own. A peer of the same AS, which may send any path, tells it one route per
path; then `show bgp ipv4 unicast filter-list` says which of them a list of one pattern lets through.
"""
import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time

AS, NETNS, DIR = 65001, "as-path-frr-%d" % os.getpid(), "/tmp/as-path-frr-%d" % os.getpid()

PATTERNS = [
    "_0_", "_23456_", "_65515_", "^65", "^65$", "^65515$", "^65515_", "_65515$", "^$", ".*", "^.*$", "65515", "0", "_1310[0-6][0-9]_",
    "_1310(0[0-9]|[1-6][0-9]|7[01])_", "_6449[6-9]_", "_64(49[6-9]|50[0-9]|51[01])_", "^(65010|65020)(_(65010|65020))*$",
    "^65010( 65010)*$", "^[0-9]+$", "^[0-9]+ [0-9]+$", "^([0-9]+ ){2}[0-9]+$", "^([0-9]+ ?){1,3}$", "_65010_65020_", "_65010 65020_",
    "_65010_.*_65020_", "_1310[0-6][0-9]_|_13107[0-1]_", "[{,]1[,}]", r"_\{.*\}_", r"\{1,2\}", "^[^{]*$", "_([1-9]|[1-9][0-9])_", "12076$", "[ ]12076$", "(_65010)(_65010)",
    "6551[5-7]", "_65515_12076$", "^1|2$", "^(1|2)$", "9?", "_.{5}_", "5{3}", "[^0-9 ]", "_65[0-9]*0_", "^[1-5]", ",", "}$",
]

# Numbers of a set ascend: FRR sorts them.
PATHS = [
    "", "0", "65515", "65515 12076", "65515 65010", "65515 23456", "65515 131000", "65515 131069", "65515 131071", "65515 130999",
    "65515 65552", "65515 650", "65515 65515 65010", "65010", "65010 65010", "65010 65020", "65020 65010", "65010 65010 65010", "65010 1 65020",
    "10 20 30", "1", "2", "12", "21", "1 2", "2 1", "1 2 3", "1 2 3 4", "1 2 3 4 5 6 7 8 9 10", "65", "650", "6500", "65000", "650000",
    "165", "1650", "64495", "64496", "64500", "64511", "64512", "65534", "4200000000", "4294967294", "131072", "131000",
    "130999 131000", "131000 130999", "131067", "131070", "131071", "131072 131071", "23456", "123456", "234567", "23456 1",
    "1 23456 1", "{1}", "{1,2}", "{1,2,3}", "1 {2,3}", "1 {1}", "{2} 1", "65010 {65020}", "65010 {65020,65030}", "{65010,65020}",
    "{12,21}", "{65515}", "65515 {12076,65515}", "65515 65515", "65515 65515 12076", "12076", "12076 65515", "112076", "1 12076 2",
    "65515 8074", "65515 8075", "65515 65517", "65515 65518 65519 65520", "55", "555", "5555", "15551", "9", "99", "90", "5 5 5",
    "11111 22222", "100 200 300 400 500", "65510 65520 65530", "6551", "655150", "165515", "65515 1 65515", "3356 1299 174", "174 3356 {1,2} 3",
    "7018 7018 7018 7018", "13335 {64999,65000}", "2914 4134 4538 23910", "1 1", "11 1", "1 11", "3 2 1 {3} {1,2}",
]


def segments(text):
    """A path's text as AS_PATH with 4-octet numbers."""
    out, run = b"", []
    for word in text.split():
        if not word.startswith("{"):
            run.append(int(word))
            continue
        if run:
            out += struct.pack("!BB%dI" % len(run), 2, len(run), *run)
        run = []
        as_set = [int(x) for x in word.strip("{}").split(",")]
        out += struct.pack("!BB%dI" % len(as_set), 1, len(as_set), *as_set)
    if run:
        out += struct.pack("!BB%dI" % len(run), 2, len(run), *run)
    return out


def message(kind, body):
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def attribute(flags, code, value):
    return struct.pack("!BBH", flags | 0x10, code, len(value)) + value


def update(i, path):
    attrs = attribute(0x40, 1, b"\0") + attribute(0x40, 2, segments(path)) + attribute(0x40, 3, b"\x0a\0\0\x01")
    attrs += attribute(0x40, 5, struct.pack("!I", 100))
    return message(2, struct.pack("!HH", 0, len(attrs)) + attrs + bytes([24, 10, 1, i]))


class Peer:
    """bgpd's only peer: in bgpd's namespace, so that nobody else's port is taken."""

    def __init__(self):
        self.s = socket.create_connection(("127.0.0.1", 1790), 10, ("127.0.0.2", 0))
        caps = bytes([65, 4]) + struct.pack("!I", AS) + bytes([1, 4, 0, 1, 0, 1])
        self.s.sendall(message(1, struct.pack("!BHH4s", 4, AS, 180, bytes([127, 0, 0, 2])) + bytes([len(caps) + 2, 2, len(caps)]) + caps))
        self.until(4)
        self.s.sendall(message(4, b""))
        for i, path in enumerate(PATHS):
            self.s.sendall(update(i, path))

    def until(self, kind):
        while True:
            head = self.s.recv(19, socket.MSG_WAITALL)
            length, got = struct.unpack("!HB", head[16:])
            body = self.s.recv(length - 19, socket.MSG_WAITALL) if length > 19 else b""
            if got == kind:
                return
            if got == 3:
                sys.exit("bgpd sent NOTIFICATION %s" % body.hex())


def in_chroot(root, *argv, **kw):
    return subprocess.Popen(["ip", "netns", "exec", NETNS, "chroot", root] + list(argv), **kw)


def ask(root, *command):
    argv = ["/usr/bin/vtysh", "--vty_socket", DIR]
    for c in command:
        argv += ["-c", c]
    out = in_chroot(root, *argv, stdout=subprocess.PIPE, text=True).communicate()[0]
    return out


def passing(root, filter_list):
    out = ask(root, "show bgp ipv4 unicast filter-list %s json" % filter_list)
    routes = json.loads(out).get("routes", {}) if out.strip() else {}
    return {int(p.split(".")[2]) for p in routes}


def config():
    text = "router bgp %d\n bgp router-id 127.0.0.1\n no bgp default ipv4-unicast\n" % AS
    text += " neighbor 127.0.0.2 remote-as %d\n neighbor 127.0.0.2 passive\n" % AS
    text += " address-family ipv4 unicast\n  neighbor 127.0.0.2 activate\n exit-address-family\n!\n"
    text += "bgp as-path access-list all seq 5 permit .*\n"
    for i, p in enumerate(PATTERNS):
        text += "bgp as-path access-list p%d seq 5 permit %s\n" % (i, p)
    return text


def record(root):
    here = root + DIR
    os.makedirs(here)
    os.chmod(here, 0o777)
    with open(here + "/bgpd.conf", "w", encoding="ascii") as f:
        f.write(config())
    bgpd = in_chroot(root, "/usr/lib/frr/bgpd", "-f", DIR + "/bgpd.conf", "-p", "1790", "-l", "127.0.0.1", "-Z", "-n", "-S", "-i",
                     DIR + "/pid", "--vty_socket", DIR, "--log", "file:" + DIR + "/log")
    try:
        for _ in range(100):
            try:
                subprocess.run(["ip", "netns", "exec", NETNS, sys.executable, "-c",
                                "import socket; socket.create_connection(('127.0.0.1', 1790), 1)"], check=True, stderr=subprocess.DEVNULL)
                break
            except subprocess.CalledProcessError:
                time.sleep(0.1)
        with open("/run/netns/" + NETNS, encoding="ascii") as ns:
            ctypes.CDLL(None).setns(ns.fileno(), 0x40000000)  # CLONE_NEWNET
        peer = Peer()
        for _ in range(100):
            known = passing(root, "all")
            if len(known) >= len(PATHS) - 1:  # AS 0 is malformed (RFC 7607)
                break
            time.sleep(0.1)
        version = ask(root, "show version").split("\n")[0].split("(")[0].strip()
        rows = [passing(root, "p%d" % i) for i in range(len(PATTERNS))]
        peer.s.close()
        return version, sorted(known), rows
    finally:
        bgpd.terminate()
        bgpd.wait()
        shutil.rmtree(here)


def c_text(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    root = os.path.abspath(sys.argv[1])
    subprocess.run(["ip", "netns", "add", NETNS], check=True)
    try:
        subprocess.run(["ip", "-n", NETNS, "link", "set", "lo", "up"], check=True)
        version, known, rows = record(root)
    finally:
        subprocess.run(["ip", "netns", "del", NETNS], check=True)
    if len(known) < len(PATHS) - 1:
        sys.exit("only %d of %d paths arrived" % (len(known), len(PATHS)))
    print("/* Made by as_path_frr.py with %s; do not edit. Which paths a pattern matches: a digit per path. */" % version)
    print("#pragma once\n\n/* clang-format off */")
    print("static const char *const frr_paths[] = {")
    for i in known:
        print("\t%s," % c_text(PATHS[i]))
    print("};\n\nstatic const struct {\n\tconst char *pattern, *verdicts;\n} frr_verdicts[] = {")
    for p, row in zip(PATTERNS, rows):
        print("\t{%s,\n\t \"%s\"}," % (c_text(p), "".join("1" if i in row else "0" for i in known)))
    print("};")


main()
