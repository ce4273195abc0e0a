"""BGP by hand (RFC 4271): messages as octets, the vectors of tests/vectors/bgp-updates.txt, and a speaker on a TCP socket that sends
what it is told and waits for what comes back."""

import os
import re
import socket
import struct
import time
from collections import namedtuple

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VECTORS = os.path.join(TOP, "tests", "vectors", "bgp-updates.txt")
MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = range(1, 6)
NAMES = {OPEN: "OPEN", UPDATE: "UPDATE", NOTIFICATION: "NOTIFICATION", KEEPALIVE: "KEEPALIVE", REFRESH: "ROUTE-REFRESH"}
AS_TRANS = 23456


def message(kind, body=b"", length=None, marker=MARKER):
    return marker + struct.pack(">HB", 19 + len(body) if length is None else length, kind) + body


def cap(code, value=b""):
    return struct.pack(">BB", code, len(value)) + value


def mp(afi, safi=1):
    return cap(1, struct.pack(">HBB", afi, 0, safi))


def as4(number):
    return cap(65, struct.pack(">I", number))


def open_message(number, caps=None, hold=90, ident="192.0.2.2", version=4, params=None):
    """caps: octets of capabilities, in one parameter; params: the optional parameters themselves, with their length octet."""
    if params is None:
        params = b"\0" if not caps else struct.pack(">BBB", len(caps) + 2, 2, len(caps)) + caps
    mine = number if number < 65536 else AS_TRANS
    return message(OPEN, struct.pack(">BHH", version, mine, hold) + socket.inet_aton(ident) + params)


def usual_caps(number):
    return mp(1) + mp(2) + cap(2) + as4(number)


def update(withdrawn=b"", attributes=b"", nlri=b""):
    return message(UPDATE, struct.pack(">H", len(withdrawn)) + withdrawn + struct.pack(">H", len(attributes)) + attributes + nlri)


def notification(code, sub, data=b""):
    return message(NOTIFICATION, bytes((code, sub)) + data)


# ---- the vectors ----

Vector = namedtuple("Vector", "name why verdict discarded as4 error data body")


def _octets(text, names, mark):
    out = b""
    for word in re.findall(r"\$\w+|[][]|[0-9a-f]{2}\*\d+|[0-9a-f]{2}|\S", text):
        if word in "[]":
            mark.append(len(out))
        elif word[0] == "$":
            out += _octets(names[word[1:]], names, mark)
        elif "*" in word:
            out += bytes.fromhex(word[:2]) * int(word[3:])
        else:
            out += bytes.fromhex(word)
    return out


def _row(line, names):
    verdict, error, session, withdrawn, attributes, nlri, name = (c.strip() for c in line.split("|", 6))
    verdict, _, discarded = verdict.partition(":")
    mark = []
    if session == "raw":
        body = _octets(withdrawn, names, [])
    else:
        w, a, n = _octets(withdrawn, names, []), _octets(attributes, names, mark), _octets(nlri, names, [])
        body = struct.pack(">H", len(w)) + w + struct.pack(">H", len(a)) + a + n
    data = b""
    code, _, rest = error.partition(" ")
    if rest == "[]":
        data = a[mark[0] : mark[1]]
    elif rest:
        data = _octets(rest, names, [])
    name, _, why = name.partition(": ")
    return Vector(name, why, verdict, int(discarded or (verdict == "discard")), session != "as2",
                  None if code == "-" else tuple(int(x) for x in code.split("/")), data, body)  # fmt: skip


def vectors(path=VECTORS):
    names, rows = {}, []
    with open(path) as f:
        for line in f:
            line = line.strip()
            if line.startswith("$"):
                name, _, text = line[1:].partition("=")
                names[name.strip()] = text.strip()
            elif line and not line.startswith("#"):
                rows.append(_row(line, names))
    return rows


# ---- a speaker ----


class Closed(Exception):
    """The other side has closed the connection."""


class Speaker:
    """One connection. It never sends anything of its own accord but what keepalive() is called for."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""

    @classmethod
    def connect(cls, address, source=None, port=179, timeout=5.0):
        end = time.monotonic() + timeout
        while True:
            sock = socket.socket()
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if source:
                    sock.bind((source, 0))
                sock.connect((address, port))
                return cls(sock)
            except (ConnectionRefusedError, ConnectionResetError):
                sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def close(self):
        self.sock.close()

    def send(self, *octets):
        self.sock.sendall(b"".join(octets))

    def receive(self, timeout=5.0):
        """(type, body) of the next message; Closed, or socket.timeout."""
        end = time.monotonic() + timeout
        while True:
            if len(self.buf) >= 19:
                length, kind = struct.unpack(">HB", self.buf[16:19])
                if len(self.buf) >= length:
                    body, self.buf = self.buf[19:length], self.buf[length:]
                    return kind, body
            left = end - time.monotonic()
            if left <= 0:
                raise socket.timeout("nothing came")
            self.sock.settimeout(left)
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError as e:
                raise Closed("reset") from e
            if not got:
                raise Closed("end of the stream")
            self.buf += got

    def expect(self, kind, timeout=5.0, skip=()):
        """Body of the next message, which is of this type; types in skip may come before it."""
        while True:
            got, body = self.receive(timeout)
            if got == kind:
                return body
            if got not in skip:
                raise AssertionError(f"{NAMES.get(got, got)} {body.hex()} came, not {NAMES[kind]}")

    def expect_notification(self, code, sub, data=b"", skip=(KEEPALIVE, UPDATE, REFRESH), timeout=5.0):
        """Exactly this NOTIFICATION, then the end of the connection."""
        body = self.expect(NOTIFICATION, timeout, skip)
        want = bytes((code, sub)) + data
        assert body == want, f"NOTIFICATION {body.hex()}, not {want.hex()}"
        try:
            kind, body = self.receive(timeout)
        except Closed:
            return
        raise AssertionError(f"{NAMES.get(kind, kind)} {body.hex()} came behind a NOTIFICATION")

    def establish(self, number, caps=None, **words):
        """OPEN and KEEPALIVE in both directions; the body of the OPEN that came."""
        self.send(open_message(number, usual_caps(number) if caps is None else caps, **words))
        theirs = self.expect(OPEN)
        self.expect(KEEPALIVE)
        self.send(message(KEEPALIVE))
        return theirs
