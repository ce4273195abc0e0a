"""A bare IKE_SA_INIT request (RFC 7296 1.2), for exchanges that are begun and never finished.

    ikeinit.py ADDRESS COUNT     send COUNT of them from COUNT ports, without waiting for answers
"""

import os
import socket
import struct
import sys

SA, KE, NONCE = 33, 34, 40
ENCR, PRF, DH = 1, 2, 4
AES_GCM_16, HMAC_SHA2_384, X25519 = 20, 6, 31


def payload(next_type, body):
    return struct.pack("!BBH", next_type, 0, 4 + len(body)) + body


def transform(last, kind, number, key_bits=0):
    attribute = struct.pack("!HH", 0x800E, key_bits) if key_bits else b""
    return struct.pack("!BBHBBH", 0 if last else 3, 0, 8 + len(attribute), kind, 0, number) + attribute


def request():
    """AES-256-GCM, PRF SHA2-384, x25519 with a public value and a nonce at random."""
    transforms = transform(False, ENCR, AES_GCM_16, 256) + transform(False, PRF, HMAC_SHA2_384) + transform(True, DH, X25519)
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    body = payload(KE, proposal)
    body += payload(NONCE, struct.pack("!HH", X25519, 0) + os.urandom(32))
    body += payload(0, os.urandom(32))
    return os.urandom(8) + bytes(8) + struct.pack("!BBBBII", SA, 0x20, 34, 0x08, 0, 28 + len(body)) + body


def half_open(ns, address, count=1):
    """Begin count exchanges with address from a namespace."""
    ns.run(sys.executable, os.path.abspath(__file__), address, count)


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(request(), (sys.argv[1], 500))
