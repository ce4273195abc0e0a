#!/usr/bin/python3
"""Write the corpora of fuzz_cert and fuzz_id: certificates, CRLs, keys, AUTH data, names; whole, cut and lying.

Keys are made anew each time, so the files differ from run to run in what nobody compares.
"""

import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import pki  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402

CHAIN, SIGNATURE, FILE, NAMES = range(4)
CERT = 37


def write(target, name, data):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def payloads(bodies):
    """A chain of CERT payloads."""
    out = b""
    for i, b in enumerate(bodies):
        out += struct.pack(">BBH", CERT if i + 1 < len(bodies) else 0, 0, 4 + len(b)) + b
    return out


def der(cert):
    return cert.cert.public_bytes(serialization.Encoding.DER)


def certs():
    root = pki.Cert("p256", "CN=root", ca=True)
    mid = pki.Cert("p384", "CN=mid", root, ca=True)
    n = 0
    for kind in pki.KINDS:
        end = pki.Cert(kind, f"C=DE, O=x, CN={kind}", mid, names=[pki.dns("node-0"), pki.email("a@b.c")])
        d = der(end)
        for bodies in (
            [b"\4" + d],
            [b"\4" + d, b"\4" + der(mid), b"\4" + der(root)],
            [b"\4" + d[:-9]],
            [b"\4" + d + b"\0"],
            [b"\4" + d[:100] + b"\xff" + d[101:], b"\x0c" + b"h" * 20 + b"http://x/"],
        ):
            write("cert", f"chain-{n:02}", bytes([CHAIN]) + payloads(bodies))
            n += 1
        for i, text in enumerate((end.pem(), end.key_pem(), end.pem() + mid.pem(), end.key_pem()[:-40])):
            write("cert", f"file-{kind}-{i}", bytes([FILE]) + text.encode())
        write("cert", f"file-{kind}-der", bytes([FILE]) + d)
    write("cert", "chain-many", bytes([CHAIN]) + payloads([b"\4\x30\0"] * 30))
    write("cert", "chain-empty", bytes([CHAIN]) + payloads([b"\4"]))
    write("cert", "file-crl", bytes([FILE]) + root.crl([mid]).encode())
    write("cert", "file-words", bytes([FILE]) + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def signatures():
    aids = [
        "300d06092a864886f70d01010b0500",
        "300a06082a8648ce3d040302",
        "300506032b6570",
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0609"
        "6086480165030402010500a203020120",
        "300d06092a864886f70d01010a3000",
    ]
    n = 0
    for key in range(7):
        for aid in aids:
            a = bytes.fromhex(aid)
            for size in (0, 64, 256):
                if (n := n + 1) % 3 == 0:
                    write("cert", f"sig-{n:03}", bytes([SIGNATURE, key, 14, len(a)]) + a + bytes(size))
        for method, size in ((1, 256), (9, 64), (10, 96), (11, 132), (14, 1)):
            write("cert", f"sig-{key}-{method}", bytes([SIGNATURE, key | 0x80, method]) + b"\x5a" * size)


def rdn(oid, tag, value):
    pair = bytes([6, len(oid)]) + oid + bytes([tag, len(value)]) + value
    pair = bytes([0x30, len(pair)]) + pair
    return bytes([0x31, len(pair)]) + pair


def names():
    cn = b"\x55\4\3"
    inner = [
        rdn(cn, 0x0C, b"x"),
        rdn(cn, 0x13, b"X "),
        rdn(b"\x55\4\6", 0x13, b"DE") + rdn(cn, 0x0C, "ü,+\"\\".encode()),
        rdn(cn, 0x0C, b"\x1b[31m\n`id`"),
        rdn(cn, 0x1E, b"\0x\0y"),
        rdn(b"\x2a\3\4", 0x0C, b"x"),
        rdn(cn, 0x0C, b""),
    ]
    ders = [bytes([0x30, len(i)]) + i for i in inner]
    ders += [b"", b"\x30", b"\x30\x80", b"\x30\x82\xff", b"\x30\x0b" + inner[0][:-1], b"\x30\x81\x05" + inner[0][:5], b"\x30\0"]
    for i, a in enumerate(ders):
        write("id", f"der-{i:02}", b"\0" + a)
        b = ders[(i + 1) % len(ders)]
        write("cert", f"names-{i:02}", bytes([NAMES, len(a)]) + a + b)
        write("cert", f"same-{i:02}", bytes([NAMES, len(a)]) + a + a)


def words():
    texts = """192.0.2.1|2001:db8::1|gw.example.net|@10.0.0.1|ops@example.net|key:0102ff|key:|key:1|dn:3000|dn:300b3109300706035504030c00
CN=x|C=DE, O=Example, CN=gw|c = de , o = A B , cn= x|CN=a\\,b|CN=a\\2Cb|CN=\\C3\\BC|CN=ü|CN=|=x|CN|CN=x,|,CN=x|CN=x,,O=y|CN=a+O=b
CN="a"|CN=a\\|CN=a\\x|CN=a\\ |E=a@b.c|emailAddress=ü|DC=example, DC=net|UID=7, OU=x, L=y, ST=z, SN=a, GN=b, title=t, street=s
serialNumber=1|serialNumber=ü|CN=\\00|CN=\\FF|CN=#04020102|XX=y|a=b@c|CN=x@y.z|any||-x|.x|x y|a@@b|1.2.3.4=x|C=D_E"""
    for i, t in enumerate(texts.replace("\n", "|").split("|")):
        write("id", f"text-{i:02}", b"\1" + t.encode())
    write("id", "text-long", b"\1CN=" + b"x" * 300)
    write("id", "text-longest", b"\1CN=" + b"x" * 243)


if __name__ == "__main__":
    certs()
    signatures()
    names()
    words()
