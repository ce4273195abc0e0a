#!/usr/bin/python3
"""Writes the seed inputs of the BGP fuzz targets: corpus/bgp_open, corpus/bgp_update, corpus/bgp_msg.

OPENs as FRR, BIRD, OpenBGPD and Azure send them (from the RFCs' formats), the UPDATEs of tests/vectors, then each with one thing
wrong. The files are committed; run this after a change here or in the vectors.
"""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import bgp_raw as bgp  # noqa: E402

# the first octet of bgp_update's and bgp_msg's inputs: how the session codes things
AS4, V4, V6, SETS, CHECK = 1, 2, 4, 8, 16


def params(*caps, wide=False):
    if wide:
        body = b"".join(struct.pack(">BH", 2, len(c)) + c for c in caps)
        return struct.pack(">BBH", 255, 255, len(body)) + body
    body = b"".join(struct.pack(">BB", 2, len(c)) + c for c in caps)
    return struct.pack(">B", len(body)) + body


def opens():
    caps = {"v4": bgp.mp(1), "v6": bgp.mp(2), "refresh": bgp.cap(2), "as4": bgp.as4(65000), "as4_big": bgp.as4(4200000000),
            "as4_zero": bgp.as4(0), "gr": bgp.cap(64, bytes.fromhex("00780001018000020180")), "err": bgp.cap(70),
            "fqdn": bgp.cap(73, b"\x04edge\x03lan"), "add_path": bgp.cap(69, bytes.fromhex("00010103")), "ext": bgp.cap(6),
            "llgr": bgp.cap(71, bytes.fromhex("00010100000e10")), "enhe": bgp.cap(5, bytes.fromhex("000100010002")),
            "role": bgp.cap(9, b"\x03"), "vpn": bgp.mp(1, 128), "cisco": bgp.cap(128), "long": bgp.cap(254, bytes(255)),
            "as4_short": bgp.cap(65, b"\0\1"), "mp_long": bgp.cap(1, bytes(5)), "refresh_long": bgp.cap(2, b"\0"),
            "over": b"\x41\x08\0\0"}  # fmt: skip
    out = {"none": params()}
    for name, c in caps.items():
        out[f"one_{name}"] = params(c) if len(c) < 256 else params(c, wide=True)
        out[f"wide_{name}"] = params(c, wide=True)
    frr = ("v4", "refresh", "as4", "ext", "err", "gr", "fqdn", "llgr")
    out["frr"] = params(*(caps[c] for c in frr))
    out["bird"] = params(b"".join(caps[c] for c in ("v4", "v6", "refresh", "ext", "gr", "as4", "err", "llgr")))
    out["azure"] = params(caps["v4"], caps["refresh"], caps["as4"])
    out["many_wide"] = params(*([caps["long"]] * 15), wide=True)
    full = params(caps["v4"], caps["as4"])
    for n in range(1, len(full)):
        out[f"cut_{n}"] = full[:n]
    out["length_long"] = bytes([full[0] + 1]) + full[1:]
    out["length_short"] = bytes([full[0] - 1]) + full[1:]
    out["length_255"] = b"\xff" + full[1:]
    out["auth"] = b"\x03\x01\x01\x00"
    out["param_255_inside"] = b"\xff\xff\x00\x03\xff\x00\x00"
    fixed = struct.pack(">BHHI", 4, 65000, 90, 0xC0000202)
    seeds = {f"p_{name}": fixed + p for name, p in out.items()}
    for name, f in {"version_3": (3, 65000, 90, 1), "as_0": (4, 0, 90, 1), "as_trans": (4, 23456, 90, 1), "hold_0": (4, 1, 0, 1),
                    "hold_1": (4, 1, 1, 1), "hold_2": (4, 1, 2, 1), "hold_max": (4, 1, 65535, 1), "id_0": (4, 1, 90, 0),
                    "id_max": (4, 1, 90, 0xFFFFFFFF)}.items():  # fmt: skip
        seeds[f"f_{name}"] = struct.pack(">BHHI", *f) + out["azure"]
    seeds["short"] = fixed
    return seeds


def updates():
    out = {}
    for v in bgp.vectors():
        flags = V4 | V6 | (AS4 if v.as4 else 0)
        out[v.name] = bytes([flags]) + v.body
        if v.verdict == "ok" and ("path" in v.name or "set" in v.name):
            out[f"{v.name}-sets"] = bytes([flags | SETS]) + v.body
    good = next(v for v in bgp.vectors() if v.name == "good").body
    for flags in (0, AS4, V4, V6, AS4 | CHECK | V4, SETS | V4):
        out[f"good-{flags:02x}"] = bytes([flags]) + good
    # a path of two segments of 255, large everything
    path = b"".join(b"\2\xff" + struct.pack(">255I", *range(k, k + 255)) for k in (1, 70000))
    attrs = (bytes.fromhex("40010100") + struct.pack(">BBH", 0x50, 2, len(path)) + path + bytes.fromhex("400304c0000202")
             + struct.pack(">BBH", 0xD0, 8, 800) + bytes(range(200)) * 4)  # fmt: skip
    out["long"] = bytes([AS4 | V4]) + struct.pack(">HH", 0, len(attrs)) + attrs + bytes.fromhex("18cb0071")
    many = b"".join(bytes([0xC0, code, 1, code]) for code in range(255, 40, -1))
    attrs = bytes.fromhex("40010100 40020602010000fde8 400304c0000202") + many
    out["many-unknown"] = bytes([AS4 | V4]) + struct.pack(">HH", 0, len(attrs)) + attrs + bytes.fromhex("18cb0071")
    return out


def messages():
    out = {}
    for name, body in list(opens().items())[::3]:
        out[f"open-{name}"] = bytes([0]) + bgp.message(bgp.OPEN, body)
    for name, body in list(updates().items())[::8]:
        out[f"update-{name}"] = body[:1] + bgp.message(bgp.UPDATE, body[1:])
    for code in range(9):
        for sub in range(0, 12, 3):
            out[f"notification-{code}-{sub}"] = b"\0" + bgp.notification(code, sub)
    out["shutdown"] = b"\0" + bgp.notification(6, 2, b"\x05hello")
    out["shutdown-utf8"] = b"\0" + bgp.notification(6, 4, b"\x06\xe2\x82\xac\0\x1b\x07")
    out["shutdown-longest"] = b"\0" + bgp.notification(6, 2, b"\xff" + b"x" * 255)
    out["shutdown-lies"] = b"\0" + bgp.notification(6, 2, b"\xffhello")
    out["keepalive"] = b"\0" + bgp.message(bgp.KEEPALIVE)
    out["keepalive-long"] = b"\0" + bgp.message(bgp.KEEPALIVE, b"\0")
    for name, body in {"v4": "00010001", "v6": "00020001", "borr": "00010101", "eorr": "00010201", "short": "000100",
                       "long": "0001000100", "none": ""}.items():  # fmt: skip
        out[f"refresh-{name}"] = b"\0" + bgp.message(bgp.REFRESH, bytes.fromhex(body))
    out["marker"] = b"\0" + bgp.message(bgp.KEEPALIVE, marker=bytes(16))
    for length in (0, 18, 20, 4096, 4097, 65535):
        out[f"length-{length}"] = b"\0" + bgp.message(bgp.KEEPALIVE, length=length)
    for kind in (0, 6, 255):
        out[f"type-{kind}"] = b"\0" + bgp.message(kind)
    return out


def write(target, inputs):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    for stale in set(os.listdir(folder)) - set(inputs):
        os.unlink(os.path.join(folder, stale))
    for name, octets in inputs.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(octets)
    print(target, len(inputs))


write("bgp_open", opens())
write("bgp_update", updates())
write("bgp_msg", messages())
