"""Send UDP rubbish to an IPsec gateway: rubbish.py ADDRESS. The same bytes every time."""

import random
import socket
import struct
import sys

from ikeinit import request


def datagrams(rng):
    """(port, bytes) of everything that is wrong in some way."""
    for n in range(100):  # ESP with SPIs that nobody has, of every length near the least
        yield 4500, struct.pack("!II", rng.randrange(1 << 8, 1 << 32), n) + rng.randbytes(n)
    for n in range(16):  # ESP too short for anything
        yield 4500, b"\x12\x34\x56\x78"[: min(n, 4)] + bytes(max(0, n - 4))
    yield 4500, b"\xff"  # a keepalive
    whole = request()
    for n in range(0, len(whole), 3):  # IKE cut short, on both ports
        yield 500, whole[:n]
        yield 4500, bytes(4) + whole[:n]
    for _ in range(200):  # IKE with octets changed
        b = bytearray(request())
        for _ in range(rng.randrange(1, 6)):
            b[rng.randrange(len(b))] = rng.randrange(256)
        yield 500, bytes(b)
    for version in (0x10, 0x21, 0x30, 0xFF):  # other versions
        yield 500, whole[:17] + bytes([version]) + whole[18:]
    for length in (0, 27, 28, 0xFFFF, 0xFFFFFFFF):  # lying lengths
        yield 500, whole[:24] + struct.pack("!I", length) + whole[28:]
    for exchange in (0, 33, 35, 36, 37, 43, 255):  # exchanges that nobody began
        yield 500, whole[:18] + bytes([exchange]) + whole[19:]
        yield 4500, bytes(4) + rng.randbytes(16) + whole[16:18] + bytes([exchange]) + whole[19:]
    yield 500, rng.randbytes(1400)
    yield 500, b""


def main(address):
    rng = random.Random(4303)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for port, data in datagrams(rng):
            s.sendto(data, (address, port))


if __name__ == "__main__":
    main(sys.argv[1])
