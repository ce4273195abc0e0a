#!/usr/bin/python3
"""Writes the seed inputs of the IKE fuzz targets: corpus/ike_parse, corpus/ike_inner, corpus/ike_sa_ts.

Messages as real peers send them (strongSwan's and Azure's shapes, from RFC 7296's formats), then each with one thing wrong.
The files are committed; run this after a change here.
"""
import hashlib
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
SPI_I, SPI_R = 0x1F2E3D4C5B6A7988, 0x8877665544332211
SA, KE, IDI, IDR, CERT, CERTREQ, AUTH, NONCE, NOTIFY, DELETE, VENDOR, TSI, TSR, SK, CP, EAP = range(33, 49)
SKF = 53


def rnd(n, seed):
    return b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(n // 32 + 1))[:n]


def chain(payloads, first_next=0):
    """[(type, body[, critical])] -> (first type, octets)"""
    out = b""
    for i, p in enumerate(payloads):
        nxt = payloads[i + 1][0] if i + 1 < len(payloads) else first_next
        crit = 0x80 if len(p) > 2 and p[2] else 0
        out += struct.pack(">BBH", nxt, crit, 4 + len(p[1])) + p[1]
    return (payloads[0][0] if payloads else 0), out


def msg(payloads, exchange=34, flags=8, mid=0, spi_r=0, spi_i=SPI_I, version=0x20, delta=0, sk_next=0):
    first, body = chain(payloads, sk_next)
    return struct.pack(">QQBBBBII", spi_i, spi_r, first, version, exchange, flags, mid, 28 + len(body) + delta) + body


def transform(t, i, bits=None, attrs=b"", more=True):
    if bits is not None:
        attrs = struct.pack(">HH", 0x800E, bits) + attrs
    return struct.pack(">BBHBBH", 3 if more else 0, 0, 8 + len(attrs), t, 0, i) + attrs


def proposal(num, proto, transforms, spi=b"", more=False):
    body = b"".join(transform(*t, more=k + 1 < len(transforms)) for k, t in enumerate(transforms))
    return struct.pack(">BBHBBBB", 2 if more else 0, 0, 8 + len(spi) + len(body), num, proto, len(spi),
                       len(transforms)) + spi + body


def sa(proto, sets, spi=b""):
    return b"".join(proposal(i + 1, proto, s, spi, i + 1 < len(sets)) for i, s in enumerate(sets))


GCM = [(1, 20, 256), (1, 20, 128), (2, 6), (2, 5), (4, 31), (4, 19), (4, 14)]
CBC = [(1, 12, 256), (1, 12, 128), (3, 12), (3, 2), (2, 5), (2, 2), (4, 31), (4, 14), (4, 2)]
ESP = [(1, 20, 256), (5, 0)]
ESP_PFS = [(1, 20, 256), (1, 20, 128), (4, 31), (4, 14), (5, 1), (5, 0)]
AZURE = [[(1, c, b), (3, i), (2, p), (4, d)] for c, b in ((12, 256), (12, 128), (3, None)) for i, p in ((12, 5), (2, 2))
         for d in (2, 14, 20)] + [[(1, 20, 256), (2, 6), (4, d)] for d in (14, 19, 20)]
ESP_SPI = bytes.fromhex("c1a2b3c4")


def notify(t, data=b"", proto=0, spi=b""):
    return (NOTIFY, struct.pack(">BBH", proto, len(spi), t) + spi + data)


def ke(group, n, seed=1):
    return (KE, struct.pack(">HH", group, 0) + rnd(n, seed))


def ts_v4(lo, hi, proto=0, plo=0, phi=65535):
    return struct.pack(">BBHHH", 7, proto, 16, plo, phi) + bytes(lo) + bytes(hi)


def ts_v6(lo, hi, proto=0, plo=0, phi=65535):
    return struct.pack(">BBHHH", 8, proto, 40, plo, phi) + lo + hi


def ts(*sel, n=None):
    return struct.pack(">B3x", len(sel) if n is None else n) + b"".join(sel)


NATT = [notify(16388, rnd(20, 7)), notify(16389, rnd(20, 8))]
SUPP = [notify(16430), notify(16431, bytes.fromhex("0001000200030004")), notify(16406)]
TS_NET1 = ts(ts_v4([10, 1, 0, 0], [10, 1, 255, 255]))
TS_NET2 = ts(ts_v4([192, 168, 2, 0], [192, 168, 2, 255]))
TS_ANY = ts(ts_v4([0] * 4, [255] * 4))
TS_BOTH = ts(ts_v4([0] * 4, [255] * 4), ts_v6(bytes(16), bytes([255] * 16)))
TS_PACKET = ts(ts_v4([10, 1, 0, 5], [10, 1, 0, 5], 6, 4000, 4000), ts_v4([10, 1, 0, 0], [10, 1, 0, 255]))
ID_FQDN = bytes([2, 0, 0, 0]) + b"gw.example.net"


def parse_inputs():
    init = [(SA, sa(1, [GCM])), ke(31, 32), (NONCE, rnd(32, 2))] + NATT
    good = {
        "init_request": msg(init + SUPP),
        "init_request_strongswan": msg([(SA, sa(1, [CBC, GCM])), ke(31, 32), (NONCE, rnd(32, 3))] + NATT + SUPP),
        "init_request_azure": msg([(SA, sa(1, AZURE)), ke(2, 128), (NONCE, rnd(48, 4))] + NATT +
                                  [(VENDOR, rnd(20, 5)), (VENDOR, b"MS NT5 ISAKMPOAKLEY\0\0\0\x09"), (VENDOR, rnd(16, 6))]),
        "init_request_modp": msg([(SA, sa(1, [GCM])), ke(14, 256), (NONCE, rnd(256, 2))] + NATT),
        "init_request_ecp": msg([(SA, sa(1, [GCM])), ke(19, 64), (NONCE, rnd(16, 2))]),
        "init_response": msg([(SA, sa(1, [[(1, 20, 256), (2, 6), (4, 31)]])), ke(31, 32), (NONCE, rnd(32, 9))] + NATT +
                             [(CERTREQ, b"\4")], flags=0x20, spi_r=SPI_R),
        "init_cookie_reply": msg([notify(16390, rnd(33, 1))], flags=0x20),
        "init_with_cookie": msg([notify(16390, rnd(33, 1))] + init),
        "init_invalid_ke": msg([notify(17, b"\0\x13")], flags=0x20),
        "init_no_proposal": msg([notify(14)], flags=0x20),
        "init_version_reply": msg([notify(5, b"\x02")], flags=0x20),
        "auth_request": msg([(SK, rnd(8 + 200 + 16, 1))], 35, 8, 1, SPI_R, sk_next=IDI),
        "auth_response": msg([(SK, rnd(8 + 150 + 16, 2))], 35, 0x20, 1, SPI_R, sk_next=IDR),
        "auth_clear_failure": msg([notify(24)], 35, 0x20, 1, SPI_R),
        "child_request": msg([(SK, rnd(8 + 300 + 16, 3))], 36, 8, 2, SPI_R, sk_next=SA),
        "info_empty": msg([(SK, rnd(8 + 1 + 16, 4))], 37, 0, 0, SPI_R),
        "info_delete": msg([(SK, rnd(8 + 9 + 16, 5))], 37, 8, 3, SPI_R, sk_next=DELETE),
        "fragment": msg([(53, struct.pack(">HH", 1, 2) + rnd(100, 6))], 35, 8, 1, SPI_R, sk_next=0),
        "ikev1_main_mode": struct.pack(">QQBBBBII", SPI_I, 0, 1, 0x10, 2, 0, 0, 84) + rnd(56, 1),
        "ikev1_payloads_in_v2": msg([(t, rnd(8, t)) for t in range(1, 14)]),
        "unknown_payload": msg([(200, rnd(5, 1))] + init),
        "unknown_critical": msg([(200, rnd(5, 1), True)] + init),
        "known_critical": msg([(SA, sa(1, [GCM]), True), ke(31, 32), (NONCE, rnd(32, 2), True)]),
        "empty_chain": msg([], 37, 8, 5, SPI_R),
        "vendors_64": msg([(VENDOR, b"")] * 64),
        "vendors_65": msg([(VENDOR, b"")] * 65),
        "notifies_many": msg([notify(16384 + i) for i in range(40)]),
        "clear_then_sk": msg([notify(16430), (SK, rnd(60, 1))], 37, 8, 6, SPI_R, sk_next=NOTIFY),
        "sk_not_last": msg([(SK, rnd(60, 1)), notify(16430)], 37, 8, 6, SPI_R),
        "sk_empty": msg([(SK, b"")], 37, 8, 6, SPI_R),
        "sk_short": msg([(SK, rnd(24, 1))], 37, 8, 6, SPI_R),
        "sk_exact": msg([(SK, rnd(25, 1))], 37, 8, 6, SPI_R),
        "group_1025": msg([(SA, sa(1, [[(1, 20, 256), (2, 6), (4, 1025)]])), ke(1025, 32), (NONCE, rnd(32, 2))]),
        "id_in_clear": msg([(IDI, bytes([11, 0, 0, 0]) + rnd(521, 1))], 35, 8, 1, SPI_R),
        "reserved_bits": msg(init, flags=0xFF, version=0x2F),
    }
    m = good["init_request"]
    bad = {
        "length_short": msg(init, delta=-1),
        "length_long": msg(init, delta=1),
        "length_huge": msg(init, delta=0xF0000000),
        "spi_zero": msg(init, spi_i=0),
        "version_0": msg(init, version=0),
        "version_3": msg(init, version=0x30),
        "keepalive": b"\xff",
        "marker": bytes(4),
        "nothing": b"",
        "header_27": m[:27],
        "header_only": m[:28],
        "cut_in_sa": m[:60],
        "cut_last": m[:-1],
        "trailing": m + b"\0",
        "payload_len_0": m[:30] + b"\0\0" + m[32:],
        "payload_len_3": m[:30] + b"\0\3" + m[32:],
        "payload_len_ffff": m[:30] + b"\xff\xff" + m[32:],
        "next_loops": msg([(NOTIFY, struct.pack(">BBH", 0, 0, 1))])[:28] + bytes([NOTIFY, 0, 0, 4]) * 3,
        "notify_truncated": msg([(NOTIFY, b"\0\0\x40")]),
        "natt_19": msg([notify(16388, rnd(19, 1)), notify(16389, rnd(21, 1))]),
        "natt_twice": msg([notify(16388, rnd(20, 1)), notify(16388, rnd(20, 2)), notify(16389, rnd(20, 1))]),
        "nonce_15": msg([(NONCE, rnd(15, 1))]),
        "nonce_257": msg([(NONCE, rnd(257, 1))]),
        "skf_first": msg([(SKF, b"\0\1\0\2" + rnd(60, 1))], 35, mid=1, spi_r=2, sk_next=35),
        "skf_later": msg([(SKF, b"\0\2\0\2" + rnd(60, 2))], 35, mid=1, spi_r=2),
        "skf_numbers_0": msg([(SKF, bytes(4) + rnd(60, 3))], 35, mid=1, spi_r=2),
        "skf_numbers_cut": msg([(SKF, b"\0\1\0")], 35, mid=1, spi_r=2),
        "skf_empty": msg([(SKF, b"\0\1\0\1")], 35, mid=1, spi_r=2),
        "skf_behind_others": msg([notify(40000)] * 63 + [(SKF, b"\0\1\0\1" + rnd(60, 4))], 35, mid=1, spi_r=2),
        "skf_behind_too_many": msg([notify(40000)] * 65 + [(SKF, b"\0\1\0\1" + rnd(60, 4))], 35, mid=1, spi_r=2),
        "skf_before_another": msg([(SKF, b"\0\1\0\1" + rnd(60, 5)), notify(40000)], 35, mid=1, spi_r=2),
    }
    return {**good, **bad}


def inner_inputs():
    auth = (AUTH, bytes([2, 0, 0, 0]) + rnd(48, 1))
    child = [(SA, sa(3, [ESP], ESP_SPI)), (TSI, TS_NET1), (TSR, TS_NET2)]
    c = {
        "auth_request": [(IDI, ID_FQDN), notify(16384), (IDR, bytes([1, 0, 0, 0, 203, 0, 113, 10])), auth] + child +
                        [notify(16394), notify(16395)],
        "auth_response": [(IDR, bytes([1, 0, 0, 0, 203, 0, 113, 10])), auth] + child,
        "auth_request_cp": [(IDI, ID_FQDN), auth, (CP, bytes([1, 0, 0, 0]) + struct.pack(">HH", 1, 0) +
                                                   struct.pack(">HH", 3, 4) + bytes(4))] + child,
        "auth_request_cert": [(IDI, bytes([9, 0, 0, 0]) + bytes.fromhex("300d310b3009060355040613024445")),
                              (CERT, b"\4" + rnd(200, 1)), (CERTREQ, b"\4" + rnd(20, 2)), auth] + child,
        "auth_eap": [(IDI, ID_FQDN), (EAP, bytes([1, 1, 0, 5, 1]))],
        "auth_failed": [notify(24)],
        "child_request": [(SA, sa(3, [ESP_PFS], ESP_SPI)), (NONCE, rnd(32, 1)), ke(31, 32), (TSI, TS_NET1), (TSR, TS_NET2)],
        "child_rekey": [notify(16393, b"", 3, ESP_SPI), (SA, sa(3, [ESP_PFS], ESP_SPI)), (NONCE, rnd(32, 1)), ke(31, 32),
                        (TSI, TS_NET1), (TSR, TS_NET2)],
        "ike_rekey": [(SA, sa(1, [GCM], rnd(8, 1))), (NONCE, rnd(32, 1)), ke(31, 32)],
        "child_refused": [notify(14)], "ts_refused": [notify(38)], "temporary": [notify(43)],
        "no_child": [notify(44, b"", 3, ESP_SPI)], "no_more": [notify(35)],
        "delete_child": [(DELETE, struct.pack(">BBH", 3, 4, 1) + ESP_SPI)],
        "delete_two": [(DELETE, struct.pack(">BBH", 3, 4, 2) + ESP_SPI + rnd(4, 1))],
        "delete_ike": [(DELETE, struct.pack(">BBH", 1, 0, 0))],
        "delete_1000": [(DELETE, struct.pack(">BBH", 3, 4, 1000) + rnd(4000, 1))],
        "delete_lying": [(DELETE, struct.pack(">BBH", 3, 4, 3) + ESP_SPI)],
        "delete_spi_8": [(DELETE, struct.pack(">BBH", 3, 8, 1) + rnd(8, 1))],
        "delete_protocol_0": [(DELETE, struct.pack(">BBH", 0, 4, 1) + ESP_SPI)],
        "delete_all_kinds": [(DELETE, struct.pack(">BBH", 2, 4, 1) + ESP_SPI), (DELETE, struct.pack(">BBH", 3, 4, 1) + ESP_SPI),
                             (DELETE, struct.pack(">BBH", 1, 0, 0))],
        "rekey_protocol_0": [notify(16393, b"", 0, ESP_SPI)], "rekey_protocol_1": [notify(16393, b"", 1, ESP_SPI)],
        "rekey_spi_0": [notify(16393, b"", 3)], "rekey_spi_3": [notify(16393, b"", 3, b"abc")],
        "rekey_spi_8": [notify(16393, b"", 3, rnd(8, 1))],
        "mobike": [notify(16396), notify(16397, bytes([10, 0, 0, 1])), notify(16400)] + NATT,
        "transport": [notify(16391)] + child, "ipcomp": [notify(16387, rnd(3, 1))] + child,
        "id_256": [(IDI, bytes([11, 0, 0, 0]) + rnd(256, 1))], "id_257": [(IDI, bytes([11, 0, 0, 0]) + rnd(257, 1))],
        "id_521": [(IDI, bytes([2, 0, 0, 0]) + rnd(521, 1))],
        "id_shell": [(IDI, bytes([2, 0, 0, 0]) + b"`id`$(id);\n%n%s\x1b[31m\0")],
        "id_type_0": [(IDI, bytes([0, 0, 0, 0]) + b"x")], "id_empty": [(IDI, bytes([2, 0, 0, 0]))],
        "id_dn_short": [(IDI, bytes([9, 0, 0, 0, 0x30]))], "id_v6": [(IDR, bytes([5, 0, 0, 0]) + rnd(16, 1))],
        "id_v4_long": [(IDR, bytes([1, 0, 0, 0]) + rnd(5, 1))],
        "auth_empty": [(AUTH, bytes([2, 0, 0, 0]))], "auth_method_14": [(AUTH, bytes([14, 0, 0, 0]) + rnd(100, 1))],
        "ts_none": [(TSI, ts()), (TSR, ts())], "ts_255": [(TSI, ts(ts_v4([0] * 4, [255] * 4), n=255))],
        "ts_both": [(TSI, TS_BOTH), (TSR, TS_BOTH)], "ts_packet": [(TSI, TS_PACKET), (TSR, TS_PACKET)],
        "ts_backwards": [(TSI, ts(ts_v4([10, 0, 0, 2], [10, 0, 0, 1])))],
        "ts_opaque": [(TSI, ts(ts_v4([10, 0, 0, 1], [10, 0, 0, 1], 50, 65535, 0)))],
        "ts_type_9": [(TSI, ts(struct.pack(">BBHI", 9, 0, 8, 1)))], "ts_len_0": [(TSI, ts(struct.pack(">BBH", 7, 0, 0)))],
        "cp_reply": [(CP, bytes([2, 0, 0, 0]) + struct.pack(">HH", 1, 4) + bytes(4))],
        "cp_lying": [(CP, bytes([1, 0, 0, 0]) + struct.pack(">HH", 1, 400))],
        "unknown": [(200, b"x"), (100, b"")], "unknown_critical": [(200, b"x", True)],
        "payloads_64": [notify(16384)] * 64, "payloads_65": [notify(16384)] * 65,
        "sk_in_sk": [(SK, rnd(40, 1))], "two_sa": child + child, "keepalive_like": [(VENDOR, b"\xff")],
    }
    out = {k: bytes([chain(v)[0]]) + chain(v)[1] for k, v in c.items()}
    out["empty"] = b"\0"
    out["said_but_empty"] = bytes([NOTIFY])
    out["trailing"] = out["delete_ike"] + b"\0"
    return out


def sa_ts_inputs():
    out = {}
    sets = {"gcm": [GCM], "cbc_gcm": [CBC, GCM], "azure": AZURE, "single": [[(1, 20, 256), (2, 6), (4, 31)]],
            "gcm_hmac": [[(1, 20, 256), (3, 12), (2, 6), (4, 31)]], "integ_none": [[(1, 20, 256), (3, 0), (2, 6), (4, 31)]],
            "no_dh": [[(1, 20, 256), (2, 6)]], "dh_none": [[(1, 20, 256), (2, 6), (4, 0)]],
            "no_keylen": [[(1, 20), (2, 6), (4, 31)]], "keylen_192": [[(1, 20, 192), (2, 6), (4, 31)]],
            "type_6": [[(1, 20, 256), (2, 6), (4, 31), (6, 35)]], "type_0": [[(0, 0), (1, 20, 256)]],
            "type_255": [[(255, 65535, 65535)]], "empty_set": [[]], "private": [[(1, 1024, 256), (2, 1024), (4, 1025)]]}
    for name, s in sets.items():
        out["ike_" + name] = b"\x10" + sa(1, s)
        out["ike8_" + name] = b"\x00" + sa(1, s, rnd(8, 1))
    out["ike_no_dh_flag"] = b"\x94" + sa(1, [[(1, 20, 256), (2, 6), (4, 31)]])
    esp = {"plain": [ESP], "pfs": [ESP_PFS], "pfs_none": [ESP_PFS + [(4, 0)]], "esn_only": [[(1, 20, 256), (5, 1)]],
           "no_esn": [[(1, 20, 256)]], "cbc": [[(1, 12, 256), (3, 12), (5, 0)]], "null": [[(1, 11), (3, 12), (5, 0)]],
           "ah": [[(3, 12), (5, 0)]]}
    for i, (name, s) in enumerate(esp.items()):
        out["esp_" + name] = bytes([0x02 | (i & 3) << 2 | 0x10]) + sa(3, s, ESP_SPI)
        out["esp_spi0_" + name] = b"\x02" + sa(3, s, bytes(4))
    base = sa(1, [GCM])
    out["sa_prop_len_0"] = b"\0" + base[:2] + b"\0\0" + base[4:]
    out["sa_transform_len_0"] = b"\0" + base[:10] + b"\0\0" + base[12:]
    out["sa_count_255"] = b"\0" + base[:7] + b"\xff" + base[8:]
    out["sa_number_2"] = b"\0" + base[:4] + b"\2" + base[5:]
    out["sa_tlv_attr"] = b"\0" + struct.pack(">BBHBBBB", 0, 0, 20, 1, 1, 0, 1) + struct.pack(">BBHBBHHH", 0, 0, 12, 1, 0, 20, 14, 0)
    out["sa_spi_3"] = b"\0" + sa(1, [GCM], b"abc")
    pairs = {"nets": (TS_NET2, TS_NET1), "any": (TS_ANY, TS_ANY), "both": (TS_BOTH, TS_BOTH), "packet": (TS_NET2, TS_PACKET),
             "range": (ts(ts_v4([192, 168, 0, 1], [192, 168, 255, 254])), ts(ts_v4([10, 0, 0, 1], [10, 255, 255, 254]))),
             "swapped": (TS_NET1, TS_NET2), "none": (ts(), ts()), "cut": (TS_NET1[:9], TS_NET2),
             "many": (ts(*[ts_v4([192, 168, i, 1], [192, 168, i, 254]) for i in range(100)]),
                      ts(*[ts_v4([10, i, 0, 0], [10, i, 3, 3]) for i in range(100)])),
             "ports": (ts(ts_v4([0] * 4, [255] * 4, 6, 80, 90)), ts(ts_v4([172, 16, 0, 0], [172, 17, 0, 0], 6, 1, 65535))),
             "protocols": (ts(ts_v4([192, 168, 0, 0], [192, 168, 0, 9], 6), ts_v4([192, 168, 0, 0], [192, 168, 0, 9], 17)),
                           ts(ts_v4([10, 0, 0, 0], [10, 0, 0, 9], 6), ts_v4([10, 0, 0, 0], [10, 0, 0, 9], 17))),
             "v6": (ts(ts_v6(bytes(16), bytes([255] * 16))),
                    ts(ts_v6(bytes.fromhex("20010db8") + bytes(11) + b"\1", bytes.fromhex("20010db8") + b"\xff" * 11 + b"\xfe")))}
    for name, (i, r) in pairs.items():
        out["ts_" + name] = b"\1" + struct.pack(">H", len(i)) + i + r
    out["ts_len_lies"] = b"\1\xff\xff" + TS_ANY
    out["nothing"] = b""
    return out


def write(target, inputs):
    folder = os.path.join(HERE, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    for name, octets in inputs.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(octets)
    print(target, len(inputs))


write("ike_parse", parse_inputs())
write("ike_inner", inner_inputs())
write("ike_sa_ts", sa_ts_inputs())
