"""A DNS server for tests: A and AAAA from a file that may change while it runs. python3 dns_server.py ADDRESS FILE

FILE is JSON: {"name": ["192.0.2.1", "2001:db8::1"]}; null for a name: SERVFAIL. A name that is not there: NXDOMAIN.
"""

import ipaddress
import json
import socket
import struct
import sys


def question(msg):
    """(name, type, octets of the question)"""
    labels, at = [], 12
    while msg[at]:
        labels.append(msg[at + 1 : at + 1 + msg[at]].decode("ascii", "replace"))
        at += 1 + msg[at]
    qtype = struct.unpack("!H", msg[at + 1 : at + 3])[0]
    return ".".join(labels).lower(), qtype, msg[12 : at + 5]


def answer(msg, records):
    """RFC 1035 4.1: the reply to one question."""
    name, qtype, asked = question(msg)
    known, rows = name in records, records.get(name)
    code = 0 if rows is not None else 2 if known else 3
    want = {1: 4, 28: 6}.get(qtype)
    found = [a for a in map(ipaddress.ip_address, rows or []) if a.version == want]
    out = msg[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0) + asked
    for a in found:
        out += struct.pack("!HHHIH", 0xC00C, qtype, 1, 1, len(a.packed)) + a.packed
    return out


def main(address, path):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))
    while True:
        msg, peer = s.recvfrom(4096)
        try:
            with open(path) as f:
                s.sendto(answer(msg, json.load(f)), peer)
        except (IndexError, ValueError, struct.error):
            pass  # not a question


if __name__ == "__main__":
    main(*sys.argv[1:])
