"""Scapy's opinion of BGP messages: runs in the peers' root, once. JSON on stdin: {"read": [hex, ...]}; on stdout {"read": [what scapy
sees], "built": [messages that scapy made, hex]}."""

import json
import logging
import sys

logging.disable(logging.CRITICAL)  # scapy misses /proc in this root, and does not need it
from scapy.contrib import bgp  # noqa: E402
from scapy.packet import Raw  # noqa: E402

bgp.bgp_module_conf.use_2_bytes_asn = False


def segments(path):
    return [[s.segment_type, list(s.segment_value)] for s in path.segments]


def raw(p):
    """Octets behind what scapy took for the first element."""
    return bytes(p[Raw].load).hex() if Raw in p else ""


def attribute(a):
    v = a.attribute
    code = a.type_code
    out = {"code": code, "flags": int(a.type_flags)}
    if code == 1:
        out["value"] = v.origin
    elif code == 2:
        out["value"] = segments(v)
    elif code == 3:
        out["value"] = v.next_hop
    elif code == 4:
        out["value"] = v.med
    elif code == 8:
        out["value"] = [v.community, raw(a)]
    elif code == 17:
        out["value"] = segments(v)
    return out


def read(octets):
    p = bgp.BGPHeader(octets)
    out = {"type": p.type, "len": p.len}
    if p.type == 1:
        o = p.payload
        out.update(version=o.version, my_as=o.my_as, hold=o.hold_time, id=o.bgp_id, opt=o.opt_param_len)
    elif p.type == 2:
        u = p.payload
        out.update(
            withdrawn=[n.prefix for n in u.withdrawn_routes or []],
            attributes=[attribute(a) for a in u.path_attr or []],
            nlri=[n.prefix for n in u.nlri or []],
        )
    elif p.type == 3:
        out.update(code=p.payload.error_code, sub=p.payload.error_subcode, data=bytes(p.payload.data or b"").hex())
    elif p.type == 5:
        out.update(afi=p.payload.afi, safi=p.payload.safi)
    return out


def attr(flags, code, value):
    return bgp.BGPPathAttr(type_flags=flags, type_code=code, attribute=value)


def built():
    """UPDATEs of AS 65000 for 10.1.0.0/16 and others; test_bgp_scapy.py knows what is in them."""
    path = bgp.BGPPAAS4BytesPath(
        segments=[bgp.BGPPAAS4BytesPath.ASPathSegment(segment_type=2, segment_value=[65000, 4200000000, 65010])]
    )
    common = [
        attr(0x40, 1, bgp.BGPPAOrigin(origin=1)),
        attr(0x40, 2, path),
        attr(0x40, 3, bgp.BGPPANextHop(next_hop="192.0.2.2")),
    ]
    more = [
        attr(0x80, 4, bgp.BGPPAMultiExitDisc(med=4294967295)),
        attr(0x40, 6, bgp.BGPPAAtomicAggregate()),
        attr(0xC0, 8, bgp.BGPPACommunity(community=0xFFFFFF01)),
    ]
    nlri = [bgp.BGPNLRI_IPv4(prefix=p) for p in ("10.1.0.0/16", "10.2.128.0/17", "10.3.3.3/32", "0.0.0.0/0")]
    messages = [
        bgp.BGPHeader(type=2) / bgp.BGPUpdate(path_attr=common + more, nlri=nlri),
        bgp.BGPHeader(type=2) / bgp.BGPUpdate(withdrawn_routes=[bgp.BGPNLRI_IPv4(prefix="10.3.3.3/32")]),
    ]
    return [bytes(m).hex() for m in messages]


asked = json.load(sys.stdin)
print(json.dumps({"read": [read(bytes.fromhex(m)) for m in asked["read"]], "built": built()}))
