"""A raw TCP peer against our BGP core and sockets: every error of RFC 4271 section 6 and the malformed UPDATEs of
tests/vectors/bgp-updates.txt, checked by the octets that come back and by what is left in Adj-RIB-In.

Each case that ends its session has a peer of its own (10.7.0.0/21, AS 65000): no back-off of one is in the way of the next.
"""

import itertools
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bgp_raw as bgp  # noqa: E402
import tap  # noqa: E402
from bgp_raw import KEEPALIVE, NOTIFICATION, OPEN, REFRESH, UPDATE, Closed, message  # noqa: E402
from bgp_wire import Wire, config  # noqa: E402
from netlab import wait_for  # noqa: E402

THEIR_AS = 65000
PEERS, LIMITED, SHORT = 900, 2, 6  # the first LIMITED peers take 3 prefixes; the next SHORT ones keep 3 s
V4, V6 = "203.0.113.0/24", "2001:db8:113::/48"
V4_OCTETS, V6_OCTETS = bytes.fromhex("18cb0071"), bytes.fromhex("3020010db80113")
GOOD_MED = 77
DATA_MAX = 64  # octets of an attribute that we send back
FUZZ_BATCHES, FUZZ_BATCH = int(os.environ.get("FUZZ_BATCHES", "40")), 50  # at most 400: one peer each

ORIGIN, NEXT_HOP, MED = bytes.fromhex("40010100"), bytes.fromhex("400304c0000202"), bytes.fromhex("8004040000004d")
PATH4, PATH2 = bytes.fromhex("40020602010000fde8"), bytes.fromhex("4002040201fde8")
R6 = bytes.fromhex("800e1c00020110 20010db8000000000000000000000002 00") + V6_OCTETS


def peers():
    """Rows for bgp_wire.config()."""
    for i in range(PEERS):
        hold = "3s" if LIMITED <= i < LIMITED + SHORT else "90s"
        yield THEIR_AS, f"hold-time: {hold}" + (", max-prefix-in: 3" if i < LIMITED else "")


class Errors(Wire):
    """Gives each case that wants one a peer that was not spoken to before."""

    def __init__(self):
        super().__init__(config(peers()), lambda i: THEIR_AS)
        self.free = itertools.count(LIMITED + SHORT)

    def connect(self, index=None):
        return super().connect(next(self.free) if index is None else index)

    def session(self, wide=True, index=None, **words):
        return super().session(next(self.free) if index is None else index, wide, **words)

    def stays(self, name, c):
        """The session is up, and reads on."""
        before = self.neighbor(name)["messages_in"]["all"]
        c.send(message(REFRESH, bytes.fromhex("00010001")))
        assert self.taken(name, before + 1)["state"] == "Established"


def good(as4=True):
    """A path with a mark for each of the two prefixes that the vectors are about."""
    attrs = ORIGIN + (PATH4 if as4 else PATH2)
    return bgp.update(b"", attrs + NEXT_HOP + MED, V4_OCTETS), bgp.update(b"", R6 + attrs + MED)


def check_left(v, left):
    """What must be in Adj-RIB-In after good() and v."""
    body = v.body
    for prefix, octets in ((V4, V4_OCTETS), (V6, V6_OCTETS)):
        named = octets in body
        if v.verdict == "withdraw":
            gone = named
        else:
            gone = named and v.name in ("good-withdraw", "good-v6-withdraw", "mp-unreach-v4")
        assert (prefix not in left) == gone, f"{v.name} ({v.why}): {prefix} {'is still' if gone else 'is not'} there"
        if v.verdict == "withdraw" or not named or gone:
            assert gone or left[prefix]["med"] == GOOD_MED, f"{v.name}: {prefix} was changed"
        else:
            assert left[prefix]["med"] != GOOD_MED, f"{v.name} ({v.why}): the earlier path of {prefix} is still in force"


def malformed_ones(wire, as4, verdicts):
    """All vectors with these verdicts over one session, which stays up. Their number."""
    name, c = wire.session(as4)
    cases = [v for v in bgp.vectors() if v.as4 == as4 and v.verdict in verdicts]
    messages = wire.neighbor(name)["messages_in"]["all"]
    counted = {"malformed_withdrawn": 0, "malformed_discarded": 0}
    for v in cases:
        c.send(*good(as4), message(UPDATE, v.body))
        messages += 3
        n = wire.taken(name, messages)
        assert n["state"] == "Established", f"{v.name} ({v.why}): the session was reset: {n['changes'][0]['cause']}"
        check_left(v, wire.received(name))
        counted["malformed_withdrawn"] += v.verdict == "withdraw"
        if v.verdict == "discard":
            counted["malformed_discarded"] += v.discarded
        for key, value in counted.items():
            if v.verdict != "withdraw" or key == "malformed_withdrawn":
                assert n[key] >= value, f"{v.name} ({v.why}): {key} is {n[key]}, not {value}"
    wire.stays(name, c)
    assert wire.neighbor(name)["established"] == 1
    c.close()
    return len(cases)


def test_treat_as_withdraw_removes_the_earlier_path_and_keeps_the_session(wire):
    assert malformed_ones(wire, True, ("withdraw",)) >= 90


def test_discarded_attributes_keep_session_and_path(wire):
    assert malformed_ones(wire, True, ("discard",)) >= 25


def test_what_only_looks_wrong_is_taken(wire):
    assert malformed_ones(wire, True, ("ok",)) >= 40


def test_a_2_octet_peer_gets_the_same_verdicts(wire):
    assert malformed_ones(wire, False, ("withdraw", "discard", "ok")) >= 20


def test_resets_say_why_to_the_octet_and_take_the_paths(wire):
    cases = [v for v in bgp.vectors() if v.verdict == "reset"]
    assert len(cases) >= 55
    for v in cases:
        name, c = wire.session(v.as4)
        c.send(*good(v.as4), message(UPDATE, v.body))
        try:
            c.expect_notification(*v.error, v.data[:DATA_MAX])
        except (AssertionError, OSError, Closed) as e:
            raise AssertionError(f"{v.name} ({v.why}): {e!r}") from e
        n = wire.neighbor(name)
        assert n["state"] != "Established" and n["pfx_rcvd"] == 0 and not wire.received(name), f"{v.name}: {n}"
        c.close()


test_resets_say_why_to_the_octet_and_take_the_paths.seconds = 120

# RFC 4271 6.1: octets of a message, what comes back
HEADERS = {
    "marker, first octet": (message(KEEPALIVE, marker=b"\xfe" + b"\xff" * 15), 1, 1, ""),
    "marker, last octet": (message(KEEPALIVE, marker=b"\xff" * 15 + b"\0"), 1, 1, ""),
    "length 0": (message(KEEPALIVE, length=0), 1, 2, "0000"),
    "length 18": (message(KEEPALIVE, length=18), 1, 2, "0012"),
    "length 4097": (message(UPDATE, length=4097), 1, 2, "1001"),
    "length 65535": (message(UPDATE, length=65535), 1, 2, "ffff"),
    "OPEN of 28": (message(OPEN, length=28), 1, 2, "001c"),
    "UPDATE of 22": (message(UPDATE, bytes(3)), 1, 2, "0016"),
    "NOTIFICATION of 20": (message(NOTIFICATION, b"\6"), 1, 2, "0014"),
    "KEEPALIVE of 20": (message(KEEPALIVE, b"\0"), 1, 2, "0014"),
    "type 0": (message(0), 1, 3, "00"),
    "type 6": (message(6), 1, 3, "06"),
    "type 255": (message(255), 1, 3, "ff"),
}


def test_header_errors_in_established(wire):
    for what, (octets, code, sub, data) in HEADERS.items():
        _, c = wire.session()
        c.send(octets)
        try:
            c.expect_notification(code, sub, bytes.fromhex(data))
        except (AssertionError, OSError, Closed) as e:
            raise AssertionError(f"{what}: {e!r}") from e


def test_header_errors_before_the_open(wire):
    for what, (octets, code, sub, data) in HEADERS.items():
        _, c = wire.connect()
        c.expect(OPEN)
        c.send(octets)
        try:
            c.expect_notification(code, sub, bytes.fromhex(data))
        except (AssertionError, OSError, Closed) as e:
            raise AssertionError(f"{what}: {e!r}") from e


# RFC 4271 6.2, 6286, 6793, 7607, 5492, 9072: an OPEN, what comes back
OPENS = {
    "version 3": (bgp.open_message(THEIR_AS, version=3), 2, 1, "0004"),
    "version 5": (bgp.open_message(THEIR_AS, version=5), 2, 1, "0004"),
    "another AS": (bgp.open_message(65002), 2, 2, ""),
    "another AS by capability 65": (bgp.open_message(THEIR_AS, bgp.as4(65002)), 2, 2, ""),
    "AS 0": (bgp.open_message(0), 2, 2, ""),
    "AS 0 by capability 65": (bgp.open_message(THEIR_AS, bgp.as4(0)), 2, 2, ""),
    "identifier 0": (bgp.open_message(THEIR_AS, ident="0.0.0.0"), 2, 3, ""),
    "parameter 1": (bgp.open_message(THEIR_AS, params=bytes.fromhex("03010100")), 2, 4, ""),
    "parameter 255 inside an extended OPEN": (bgp.open_message(THEIR_AS, params=bytes.fromhex("ffff0003ff0000")), 2, 4, ""),
    "hold time 1": (bgp.open_message(THEIR_AS, hold=1), 2, 6, ""),
    "hold time 2": (bgp.open_message(THEIR_AS, hold=2), 2, 6, ""),
    "parameters run over": (bgp.open_message(THEIR_AS, params=bytes.fromhex("04020641")), 2, 0, ""),
    "a capability runs over": (bgp.open_message(THEIR_AS, params=bytes.fromhex("0402024104")), 2, 0, ""),
    "another family only": (bgp.open_message(THEIR_AS, bgp.mp(25, 70)), 2, 7, "010400010001 010400020001"),
    "capability 65 of 2 octets": (bgp.open_message(THEIR_AS, bgp.cap(65, b"\xfd\xe8")), 2, 0, ""),
    "octets behind the parameters": (bgp.open_message(THEIR_AS, params=bytes.fromhex("00020000")), 2, 0, ""),
}


def test_open_errors(wire):
    for what, (octets, code, sub, data) in OPENS.items():
        _, c = wire.connect()
        c.expect(OPEN)
        c.send(octets)
        try:
            c.expect_notification(code, sub, bytes.fromhex(data))
        except (AssertionError, OSError, Closed) as e:
            raise AssertionError(f"{what}: {e!r}") from e


def test_opens_that_are_fine(wire):
    wide = bgp.mp(1) + bgp.cap(2) + bgp.as4(THEIR_AS)
    params = struct.pack(">BBHBH", 255, 255, len(wide) + 3, 2, len(wide)) + wide
    many = b"".join(bgp.cap(200 + i, bytes(250)) for i in range(4))
    long = struct.pack(">BBHBH", 255, 255, len(many) + len(wide) + 3, 2, len(many) + len(wide)) + many + wide
    each = b"".join(struct.pack(">BB", 2, len(x)) + x for x in (bgp.mp(1), bgp.cap(2), bgp.cap(77, b"?"), bgp.as4(THEIR_AS)))
    for what, p in {"extended": params, "extended, over 255": long, "one each": bytes([len(each)]) + each, "none": b"\0"}.items():
        name, c = wire.connect()
        c.send(bgp.open_message(THEIR_AS, params=p))
        c.expect(OPEN)
        c.expect(KEEPALIVE)
        c.send(message(KEEPALIVE))
        n = wait_for(what, lambda name=name: (n := wire.neighbor(name))["state"] == "Established" and n)
        assert n["capabilities"]["as4"] == (what != "none"), what
        assert n["capabilities"]["ipv4_unicast"], what
        c.close()


# RFC 4271 6.6, 6608 3: messages that have no business in a state; the data is their type
def test_unexpected_messages(wire):
    for octets in (message(KEEPALIVE), bgp.update(), message(REFRESH, bytes.fromhex("00010001"))):
        _, c = wire.connect()
        c.expect(OPEN)
        c.send(octets)
        c.expect_notification(5, 1, octets[18:19])
    for octets in (bgp.update(), bgp.open_message(THEIR_AS), message(REFRESH, bytes.fromhex("00010001"))):
        _, c = wire.connect()
        c.expect(OPEN)
        c.send(bgp.open_message(THEIR_AS, bgp.usual_caps(THEIR_AS)))
        c.expect(KEEPALIVE)
        c.send(octets)
        c.expect_notification(5, 2, octets[18:19])
    _, c = wire.session()
    c.send(bgp.open_message(THEIR_AS, bgp.usual_caps(THEIR_AS)))
    c.expect_notification(5, 3, bytes([OPEN]))


def test_a_notification_is_not_answered(wire):
    """RFC 4271 6.4: whatever is in it."""
    for octets in (bgp.notification(6, 2, b"\x03bye"), bgp.notification(0, 0), bgp.notification(77, 3, bytes(100)),
                   bgp.notification(6, 4, b"\xffmuch too short"), bgp.notification(2, 1, b"\0\4")):  # fmt: skip
        name, c = wire.session()
        c.send(octets)
        try:
            kind, body = c.receive()
            raise AssertionError(f"{octets[19:].hex()}: {bgp.NAMES.get(kind, kind)} {body.hex()} came back")
        except Closed:
            assert wire.neighbor(name)["state"] != "Established"
    # the peer's words stand in the log, and can do no harm there
    name, c = wire.session()
    c.send(bgp.notification(6, 2, b"\x09\x1b[2J\0\"\r\nx"))
    wait_for("it is told", lambda: wire.neighbor(name)["state"] != "Established")
    with open(wire.speaker.log, "rb") as f:
        log = f.read()
    assert rb"\x1b[2J\x00" in log and b"\x1b" not in log, log[-500:]
    assert "Administrative Shutdown" in wire.neighbor(name)["last_error"]["text"]


def test_silence_for_the_hold_time(wire):
    """RFC 4271 6.5: 4/0 after the negotiated time, the least of both; KEEPALIVEs come until then."""
    _, c = wire.session(index=LIMITED, hold=90)  # ours: 3 s
    started = time.monotonic()
    c.expect_notification(4, 0)
    took = time.monotonic() - started
    assert 2.5 < took < 4.5, f"after {took:.1f} s"
    _, c = wire.session(index=LIMITED + 1, hold=3)
    for _ in range(5):  # five times a second is alive
        c.send(message(KEEPALIVE))
        c.expect(KEEPALIVE, timeout=2)
    c.close()


def test_silence_before_the_open_is_long_enough(wire):
    """RFC 4271 8.2.2: in OpenSent the hold timer is large: nobody is thrown out within 4 s."""
    _, c = wire.connect(LIMITED + 2)
    c.expect(OPEN)
    try:
        kind, body = c.receive(timeout=4)
        raise AssertionError(f"{bgp.NAMES.get(kind, kind)} {body.hex()} came")
    except socket.timeout:
        pass


def test_hold_time_0_means_no_timers(wire):
    name, c = wire.session(hold=0)
    try:
        kind, _ = c.receive(timeout=3)
        raise AssertionError(f"{bgp.NAMES.get(kind, kind)} came")
    except socket.timeout:
        pass
    n = wire.neighbor(name)
    assert (n["state"], n["hold_s"], n["keepalive_s"]) == ("Established", 0, 0), n


def test_cease(wire):
    """RFC 4271 6.7, 4486: too many prefixes; a second connection beside an Established one."""
    _, c = wire.session(index=0)
    c.send(bgp.update(b"", ORIGIN + PATH4 + NEXT_HOP, bytes.fromhex("080a 080b 080c 080d")))
    body = c.expect(NOTIFICATION, skip=(KEEPALIVE, UPDATE))
    assert body[:2] == b"\6\1", body.hex()
    assert body[2:] in (b"", struct.pack(">HBI", 1, 1, 3)), body.hex()  # 4486 4: may say of which family, and how many
    # 6.8: Established wins
    name, first = wire.session()
    index = int(name[1:])
    _, second = wire.connect(index)
    kind, body = None, b""
    try:
        while kind != NOTIFICATION:
            kind, body = second.receive()
            if kind == OPEN:
                second.send(bgp.open_message(THEIR_AS, bgp.usual_caps(THEIR_AS)))
        assert body[:2] in (b"\6\7", b"\6\5"), body.hex()
    except Closed:
        pass  # refused at once is as good
    wire.stays(name, first)
    assert wire.neighbor(name)["established"] == 1


def test_clear_says_administrative_reset(wire):
    name, c = wire.session()
    wire.speaker.ask("clear", name)
    c.expect_notification(6, 4)


def test_route_refresh_errors(wire):
    """RFC 2918, 7313 5: lengths; a family that nobody negotiated is ignored."""
    for body in ("000100", "0001000100", ""):
        _, c = wire.session()
        octets = message(REFRESH, bytes.fromhex(body))
        c.send(octets)
        c.expect_notification(7, 1, octets)
    name, c = wire.session()
    before = wire.neighbor(name)["messages_in"]["all"]
    for body in ("00190046", "00010002", "00010101", "00010201", "0001ff01"):
        c.send(message(REFRESH, bytes.fromhex(body)))
    assert wire.taken(name, before + 5)["state"] == "Established"


def test_messages_in_any_pieces(wire):
    """One octet at a time, and many messages in one segment."""
    name, c = wire.session()
    before = wire.neighbor(name)["messages_in"]["all"]
    for octet in good()[0]:
        c.send(bytes([octet]))
    many = b"".join(bgp.update(b"", ORIGIN + PATH4 + NEXT_HOP, bytes([24, 10, i, 0])) for i in range(200))
    c.send(many + message(KEEPALIVE) * 50)
    assert wire.taken(name, before + 251)["state"] == "Established"
    assert wire.neighbor(name)["pfx_rcvd"] == 201


def mutate(rng, body):
    body = bytearray(body)
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(5)
        at = rng.randrange(len(body) + 1)
        if kind == 0 and body:
            body[at % len(body)] ^= 1 << rng.randrange(8)
        elif kind == 1 and body:
            body[at % len(body)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del body[at : at + rng.randint(1, 4)]
        elif kind == 3:
            body[at:at] = rng.randbytes(rng.randint(1, 4))
        else:
            body = body[:at]
    return bytes(body[: 4096 - 19])


def test_random_updates_reset_at_most(wire):
    """A live session under mutated UPDATEs: it stays, or ends by an UPDATE Message Error (1/2 for one that is too short)."""
    rng = random.Random(int(os.environ.get("FUZZ_SEED", "1")))
    bodies = [v.body for v in bgp.vectors() if v.as4]
    pid, resets, sent = wire.speaker.pid, 0, 0
    name, c = wire.session()
    for _ in range(FUZZ_BATCHES):
        before = wire.neighbor(name)["messages_in"]["all"]
        batch = [mutate(rng, rng.choice(bodies)) for _ in range(FUZZ_BATCH)]
        sent += len(batch)
        try:
            c.send(b"".join(message(UPDATE, b) for b in batch))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has said why already
        if wire.taken(name, before + len(batch))["state"] == "Established":
            continue
        resets += 1
        try:
            body = c.expect(NOTIFICATION, skip=(KEEPALIVE, UPDATE))
            assert body[0] == 3 or body[:2] == b"\1\2", f"NOTIFICATION {body.hex()}"
        except Closed as e:
            assert "reset" in str(e), e  # our octets that it no longer read made its kernel answer RST
        c.close()
        assert wire.neighbor(name)["pfx_rcvd"] == 0
        name, c = wire.session()
    wire.speaker.check()
    assert wire.speaker.pid == pid and resets and sent == FUZZ_BATCHES * FUZZ_BATCH
    c.send(*good())
    wait_for("good paths are taken still", lambda: wire.received(name).get(V4, {}).get("med") == GOOD_MED)


def test_random_octets_end_a_session_only(wire):
    rng = random.Random(7)
    for i in range(60):
        _, c = wire.session() if i % 2 else wire.connect()
        octets = mutate(rng, rng.choice((bgp.open_message(THEIR_AS, bgp.usual_caps(THEIR_AS)), message(KEEPALIVE), good()[0],
                                         bgp.notification(6, 2, b"\3bye"), message(REFRESH, bytes(4)))))  # fmt: skip
        try:
            c.send(octets + rng.randbytes(rng.randrange(64)))
        except (BrokenPipeError, ConnectionResetError):
            pass
        c.close()
    wire.speaker.check()
    name, c = wire.session()
    wire.stays(name, c)


def test_the_end_says_administrative_shutdown(wire):
    """The last case: RFC 4486, Cease 6/2 to everybody."""
    _, c = wire.session()
    assert wire.speaker.quit() == 0
    c.expect_notification(6, 2)


if __name__ == "__main__":
    tap.main(__name__, Errors)
