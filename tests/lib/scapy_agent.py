"""Scapy as an ESP peer and as both ends of the cables. Runs in the peers' root, fed by scapy_peer.py.

One JSON object per line on stdin, one answer per line on stdout. Its interfaces have no addresses in the kernel, which so
keeps out; it answers ARP and neighbour solicitations for those that it was told.
"""

import json
import logging
import select
import socket
import struct
import sys
import time

logging.disable(logging.CRITICAL)  # scapy misses /proc in this root, and does not need it
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402
from scapy.layers.ipsec import CRYPT_ALGOS, ESP, CryptAlgo, SecurityAssociation, _ESPPlain  # noqa: E402

ETH_P_ALL = 3
links, sas = {}, {}


class Link:
    """One interface: frames in and out, ARP answered."""

    def __init__(self, ifname, mac, addresses):
        self.mac, self.addresses = bytes.fromhex(mac.replace(":", "")), {octets(a) for a in addresses}
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.bind((ifname, ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.setblocking(False)
        self.frames = []

    def read(self):
        while True:
            try:
                frame, origin = self.sock.recvfrom(65536)
            except BlockingIOError:
                return
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            if frame[12:14] == b"\x08\x06":
                self.arp(frame)
            elif frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 135:
                self.neighbour(frame)
            else:
                self.frames.append(frame)

    def arp(self, frame):
        kind, mac, sender, target = frame[20:22], frame[22:28], frame[28:32], frame[38:42]
        if kind == b"\0\1" and target in self.addresses and sender != target:
            self.sock.send(mac + self.mac + frame[12:20] + b"\0\2" + self.mac + target + mac + sender)

    def neighbour(self, frame):
        """RFC 4861 7.2.4. Its address is the source's business, so an unspecified one gets no answer here."""
        source, target = frame[22:38], frame[62:78]
        if target not in self.addresses or not any(source):
            return
        body = b"\x60\0\0\0" + target + b"\2\1" + self.mac
        icmp = b"\x88\0\0\0" + body
        total = sum(struct.unpack("!28H", target + source + struct.pack("!LL", len(icmp), 58) + icmp[:16]))
        total += sum(struct.unpack("!8H", icmp[16:]))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        icmp = icmp[:2] + struct.pack("!H", ~total & 0xFFFF) + icmp[4:]
        head = b"\x60\0\0\0" + struct.pack("!HBB", len(icmp), 58, 255) + target + source
        self.sock.send(frame[6:12] + self.mac + b"\x86\xdd" + head + icmp)


def octets(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def packet_of(raw):
    return IPv6(raw) if raw[0] >> 4 == 6 else IP(raw)


def pump(seconds, enough=lambda: False):
    """Read all links until enough(), or for this long."""
    end = time.monotonic() + seconds
    while not enough():
        left = end - time.monotonic()
        if left <= 0:
            return
        ready = select.select([k.sock for k in links.values()], [], [], min(left, 0.2))[0]
        for link in links.values():
            if link.sock in ready:
                link.read()


def op_open(o):
    links[o["name"]] = Link(o["ifname"], o["mac"], o["addresses"])


def op_tx(o):
    """frames of a link, sent in order."""
    for frame in o["frames"]:
        links[o["name"]].sock.send(bytes.fromhex(frame))


def op_rx(o):
    """What came: at least n frames, or all within ms. They are taken."""
    link = links[o["name"]]
    pump(o["ms"] / 1000, lambda: len(link.frames) >= o["n"])
    frames, link.frames = link.frames, []
    return [f.hex() for f in frames]


class Gmac(CryptAlgo):
    """RFC 4543, which scapy has not: the payload, its IV and the padding are AAD, and there is no text."""

    def __init__(self):
        super().__init__("AES-GMAC", cipher=None, mode=None, block_size=1, iv_size=8, icv_size=16, salt_size=4)

    def check_key(self, key):
        pass

    def encrypt(self, sa, esp, key, icv_size=None, esn_en=False, esn=0):
        data = esp.iv + esp.data_for_encryption()
        aad = struct.pack("!LL", esp.spi, esp.seq) + data
        return ESP(spi=esp.spi, seq=esp.seq, data=data + AESGCM(key).encrypt(sa.crypt_salt + esp.iv, b"", aad))

    def decrypt(self, sa, esp, key, icv_size=None, esn_en=False, esn=0):
        data, icv = esp.data[:-16], esp.data[-16:]
        AESGCM(key).decrypt(sa.crypt_salt + data[:8], icv, struct.pack("!LL", esp.spi, esp.seq) + data)
        return _ESPPlain(
            spi=esp.spi, seq=esp.seq, iv=data[:8], data=data[8 : -2 - data[-2]], padlen=data[-2], nh=data[-1], icv=icv
        )  # fmt: skip


CRYPT_ALGOS["AES-GMAC"] = Gmac()


def op_sa(o):
    """name spi key (with salt) [crypt] [auth auth_key] [src dst] [sport dport] [esn]: the peer's half of an SA."""
    more = {"esn_en": bool(o.get("esn"))}
    if o.get("src"):
        header = IPv6 if ":" in o["src"] else IP
        more["tunnel_header"] = header(src=o["src"], dst=o["dst"], **{"hlim" if header is IPv6 else "ttl": o.get("ttl", 64)})
    if o.get("sport"):
        more["nat_t_header"] = UDP(sport=o["sport"], dport=o["dport"])
    if o.get("auth"):
        more.update(auth_algo=o["auth"], auth_key=bytes.fromhex(o["auth_key"]))
    key = bytes.fromhex(o["key"]) or None
    sas[o["name"]] = SecurityAssociation(ESP, spi=o["spi"], crypt_algo=o.get("crypt", "AES-GCM"), crypt_key=key, **more)


def op_encrypt(o):
    """A whole inner packet to a whole outer one, by scapy alone."""
    sa = sas[o["sa"]]
    packet = sa.encrypt(packet_of(bytes.fromhex(o["packet"])), seq_num=o.get("seq"), esn=o.get("high", 0))
    if UDP in packet:  # scapy counts its header only
        packet[UDP].len = len(bytes(packet[UDP]))
    return bytes(packet).hex()


def op_decrypt(o):
    """A whole outer packet to the inner one, by scapy alone: ICV, padding and next header are right, or it says so."""
    packet = packet_of(bytes.fromhex(o["packet"]))
    return bytes(sas[o["sa"]].decrypt(packet)).hex()


def op_look(o):
    """The fields of our ESP (from the SPI to the ICV's end), which must authenticate."""
    sa = sas[o["sa"]]
    raw = bytes.fromhex(o["esp"])
    esp = ESP(raw)
    plain = sa.crypt_algo.decrypt(sa, esp, sa.crypt_key)
    # scapy takes the padding off at the wrong end; the text itself tells
    text = sa.crypt_algo.cipher(sa.crypt_key).decrypt(sa.crypt_salt + raw[8:16], raw[16:], raw[:8])
    return {
        "spi": esp.spi, "seq": esp.seq, "iv": raw[8:16].hex(), "text": text.hex(), "padlen": plain.padlen, "nh": plain.nh,
    }  # fmt: skip


def op_seal(o):
    """ESP around any text: inner, pad (its octets), padlen and nh are as told, right or wrong."""
    sa = sas[o["sa"]]
    pad = bytes.fromhex(o["pad"])
    plain = _ESPPlain(
        spi=o.get("spi", sa.spi), seq=o["seq"], iv=struct.pack("!Q", o.get("iv", o["seq"])),
        data=bytes.fromhex(o["inner"]), padding=pad, padlen=o.get("padlen", len(pad)), nh=o.get("nh", 4),
    )  # fmt: skip
    return bytes(sa.crypt_algo.encrypt(sa, plain, sa.crypt_key)).hex()


def serve():
    """Answer until stdin ends; ARP is answered in between."""
    buffer = b""
    ops = {name[3:]: call for name, call in globals().items() if name.startswith("op_")}
    while True:
        socks = {link.sock: link for link in links.values()}
        ready = select.select([0, *socks], [], [])[0]
        for sock in ready:
            if sock in socks:
                socks[sock].read()
        if 0 not in ready:
            continue
        data = sys.stdin.buffer.raw.read(1 << 20)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            o = json.loads(line)
            try:
                answer = {"result": ops[o["op"]](o)}
            except Exception as e:  # the test decides what it means
                answer = {"error": f"{type(e).__name__}: {e}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


serve()
