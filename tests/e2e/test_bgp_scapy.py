"""What we send, read by scapy and octet by octet: raw peers of AS 65000 and 65003 tell us, others of AS 65002 (4 octets) and 65004
(2 octets) hear it. And what scapy builds, read by us."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bgp_raw as bgp  # noqa: E402
import tap  # noqa: E402
from bgp_raw import KEEPALIVE, NOTIFICATION, OPEN, UPDATE, message  # noqa: E402
from bgp_wire import OUR_AS, US, Wire, config  # noqa: E402
from netlab import TOP, wait_for  # noqa: E402

TELLER, SECOND, HEARER, OLD = range(4)
AS_OF = (65000, 65003, 65002, 65004)
BIG = 4200000000
CASES = 3  # each has four peers of its own: TELLER ...

PREFIXES = bytes.fromhex("100a01 110a0280 200a030303")
# ORIGIN EGP; 65000 4200000000 65010; NEXT_HOP; MED 7; LOCAL_PREF; ATOMIC; AGGREGATOR of AS 4200000000; communities; extended; an unknown
# transitive one (99) and an unknown one that is not (98); large
PATH = bytes.fromhex("40020e 0203 0000fde8 fa56ea00 0000fdf2")
RICH = (
    bytes.fromhex("40010101") + PATH + bytes.fromhex("400304c0000202 80040400000007 40050400000064 400600 c00708fa56ea00c0000207"
    "c00808fde80001fde80002 c010080002fde800000001 80620101 c063020102 c0200c0000fde80000000100000002")
)  # fmt: skip


def context():
    return Wire(config([(AS_OF[i % 4], "hold-time: 90s") for i in range(4 * CASES)]), lambda i: AS_OF[i % 4])


def scapy(wire, *messages):
    with open(os.path.join(TOP, "tests", "lib", "bgp_scapy.py")) as f:
        source = f.read()
    asked = json.dumps({"read": [m.hex() for m in messages]})
    return json.loads(wire.ns.run("python3", "-c", source, peer=True, stdin=asked, timeout=60).stdout)


def whole(kind, body):
    return message(kind, body)


def attributes(body):
    """{code: (flags, value)} of an UPDATE's body, in order; the NLRI behind them."""
    withdrawn = int.from_bytes(body[:2], "big")
    rest = body[2 + withdrawn :]
    n = int.from_bytes(rest[:2], "big")
    list_, nlri, out = rest[2 : 2 + n], rest[2 + n :], {}
    while list_:
        flags, code = list_[0], list_[1]
        head = 4 if flags & 0x10 else 3
        length = int.from_bytes(list_[2:head], "big")
        assert code not in out, f"attribute {code} twice"
        out[code] = (flags & 0xEF, list_[head : head + length])
        list_ = list_[head + length :]
    assert list(out) == sorted(out), f"not in ascending order: {list(out)}"
    return out, nlri


def tell(wire, octets):
    """Both hearers' UPDATE bodies for what the teller says."""
    _, told = wire.session(TELLER)
    _, new = wire.session(HEARER)
    _, old = wire.session(OLD, wide=False)
    told.send(octets)
    bodies = [c.expect(UPDATE, skip=(KEEPALIVE,)) for c in (new, old)]
    told.close()
    return bodies


def test_rich_attributes_pass_as_the_rfcs_say(wire):
    new, old = tell(wire, bgp.update(b"", RICH, PREFIXES))
    a, nlri = attributes(new)
    assert sorted(nlri) == sorted(PREFIXES)
    assert a[1] == (0x40, b"\1")
    assert a[2] == (0x40, bytes.fromhex("0204 0000fde9 0000fde8 fa56ea00 0000fdf2")), a[2]
    assert a[3][1] in (bytes.fromhex("c0000201"), bytes.fromhex("c0000202")), a[3]
    assert 5 not in a, "LOCAL_PREF went to an external peer"
    assert 4 not in a, "MED went on to another AS (4271 5.1.4)"
    assert a[6] == (0x40, b"")
    assert a[7] == (0xC0, bytes.fromhex("fa56ea00c0000207"))
    assert a[8] == (0xC0, bytes.fromhex("fde80001fde80002"))
    assert a[16] == (0xC0, bytes.fromhex("0002fde800000001"))
    assert a[32] == (0xC0, bytes.fromhex("0000fde80000000100000002"))
    assert a[99] == (0xE0, b"\1\2"), "an unknown transitive attribute passes with its Partial bit set (4271 5)"
    assert 98 not in a and 17 not in a and 18 not in a
    a, _ = attributes(old)
    assert a[2] == (0x40, bytes.fromhex("0204 fde9 fde8 5ba0 fdf2")), a[2]
    assert a[17] == (0xC0, bytes.fromhex("0204 0000fde9 0000fde8 fa56ea00 0000fdf2")), a[17]
    assert a[7] == (0xC0, bytes.fromhex("5ba0c0000207")) and a[18] == (0xC0, bytes.fromhex("fa56ea00c0000207"))
    seen = scapy(wire, whole(UPDATE, new))["read"][0]
    by_code = {x["code"]: x.get("value") for x in seen["attributes"]}
    assert sorted(seen["nlri"]) == ["10.1.0.0/16", "10.2.128.0/17", "10.3.3.3/32"], seen
    assert by_code[1] == 1 and by_code[2] == [[2, [OUR_AS, 65000, BIG, 65010]]], by_code
    assert by_code[8] == [0xFDE80001, "fde80002"], by_code


def test_our_open_and_notification_are_read(wire):
    _, c = wire.connect(4 + SECOND)
    first = whole(OPEN, c.expect(OPEN))
    c.send(bgp.open_message(1))
    last = whole(NOTIFICATION, c.expect(NOTIFICATION))
    o, n = scapy(wire, first, last)["read"]
    assert (o["version"], o["my_as"], o["hold"], o["id"], o["len"]) == (4, OUR_AS, 90, US, len(first)), o
    assert (n["code"], n["sub"], n["data"]) == (2, 2, ""), n


def test_what_scapy_builds_is_taken(wire):
    first, second = (bytes.fromhex(m) for m in scapy(wire)["built"])
    name, c = wire.session(8 + TELLER)
    c.send(first)
    rows = wait_for("four prefixes", lambda: len(r := wire.received(name)) == 4 and r)
    assert sorted(rows) == ["0.0.0.0/0", "10.1.0.0/16", "10.2.128.0/17", "10.3.3.3/32"], rows
    row = rows["10.1.0.0/16"]
    assert (row["as_path"], row["origin"], row["next_hop"]) == (f"65000 {BIG} 65010", "EGP", "192.0.2.2"), row
    assert (row["med"], row["communities"]) == (4294967295, "no-export"), row
    c.send(second)
    wait_for("three prefixes", lambda: sorted(wire.received(name)) == ["0.0.0.0/0", "10.1.0.0/16", "10.2.128.0/17"])
    assert wire.neighbor(name)["malformed_discarded"] == 0


if __name__ == "__main__":
    tap.main(__name__, context)
