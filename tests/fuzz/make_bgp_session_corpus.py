#!/usr/bin/python3
"""Writes the seeds of fuzz_bgp_session: scripts by hand, then scripts by a fixed random sequence.

    make_bgp_session_corpus.py DIR

An octet's low three bits: 0 time, 1-2 TCP, 3-4 a message, 5 a spoilt one, 6 raw octets, 7 a wish; its high five bits: how.
"""
import os
import random
import sys

SPANS = (0, 1, 200, 1000, 5000, 30000, 90000, 480000)
OPEN, KEEPALIVE, UPDATE, REFRESH, NOTIFICATION = 0, 1, 2, 4, 5
CLEAR, WAY, ORIGINATE, NEXTHOP, CONFIG, SHUTDOWN = 0, 1, 2, 3, 4, 6
# AS 65010, hold 90, a high identifier, four octets, IPv4; and what the second peer says
GOOD, GOOD_6 = 0x01 | 0x40, 0x40 | 0x80


def op(low, how):
    return bytes([how << 3 | low])


def time(ms):
    return op(0, SPANS.index(ms))


def connected(conn):
    return op(1, conn)


def accept(peer):
    return op(1, 3 << 2 | peer)


def closed(conn):
    return op(1, 5 << 2 | conn)


def room(sixteens):
    return op(1, 6 << 2) + bytes([sixteens])


def writable():
    return op(1, 7 << 2)


def message(conn, kind, *rest):
    return op(3, conn) + bytes([kind, *rest])


def spoilt(conn, at, value, kind, *rest, cut=False):
    return op(5, conn | (4 if cut else 0)) + bytes([kind, *rest, at, value])


def ask(what, value):
    return op(7, what) + bytes([value])


def up(conn=0, how=GOOD):
    return connected(conn) + message(conn, OPEN, how) + message(conn, KEEPALIVE)


def by_hand():
    announce = message(0, UPDATE, 0x10, 5, 1, 2, 3, 4, 5, 6)
    yield up()
    yield up() + announce
    yield up() + announce + message(0, UPDATE, 0x08, 2, 1, 2, 3)
    yield up() + message(0, UPDATE, 0x04)
    yield up(1, GOOD_6) + message(1, UPDATE, 0x11, 1, 0, 0)
    yield up() + up(1, GOOD_6) + announce + message(1, UPDATE, 0x30, 5, 1, 2, 3, 4, 5, 6) + ask(NEXTHOP, 0x1A) + closed(0)
    for span in SPANS[2:]:
        yield up() + time(span)
        yield connected(0) + time(span)
        yield accept(0) + time(span)
    yield accept(0) + connected(0) + message(0, OPEN, GOOD) + message(2, OPEN, GOOD)
    yield accept(0) + connected(0) + message(2, OPEN, GOOD) + message(0, OPEN, GOOD)
    yield accept(0) + accept(0) + message(2, OPEN, GOOD) + message(2, KEEPALIVE)
    yield up() + accept(0) + message(2, OPEN, GOOD)
    for kind in (OPEN, KEEPALIVE, UPDATE, REFRESH, NOTIFICATION):
        for state in (connected(0), connected(0) + message(0, OPEN, GOOD), up()):
            yield state + message(0, kind, 1, 1, 1)
    for at in range(0, 256, 16):
        yield connected(0) + spoilt(0, at, 0xFF, OPEN, GOOD)
        yield up() + spoilt(0, at, 0x41, UPDATE, 0x10, 2, 1, 2, 3) + announce
    yield up() + spoilt(0, 128, 0, UPDATE, 0x10, 2, 1, 2, 3, cut=True) + message(0, KEEPALIVE)
    yield ask(ORIGINATE, 2) + ask(ORIGINATE, 3) + up() + room(1) + ask(CLEAR, 2) + time(1000) + writable()
    yield ask(ORIGINATE, 2) + room(0) + connected(0) + message(0, OPEN, GOOD) + time(480000)
    yield up() + announce + room(0) + ask(ORIGINATE, 2) + time(90000) + time(90000)
    for value in (0, 2, 16, 32, 64, 128, 0xFF, 0xC0):
        yield up() + announce + ask(CONFIG, value) + time(1000) + ask(CONFIG, value ^ 0x40) + announce
    for value in (0, 1, 2, 3):
        yield up() + ask(CLEAR, value) + time(1000)
        yield up() + ask(WAY, value) + time(90000) + ask(WAY, 2 | value)
    yield up() + announce + ask(SHUTDOWN, 0x5A) + time(1000)
    yield connected(0) + op(6, 0) + b"\xff" * 16 + b"\x00\x13\x04" + b"\xff" * 19


def by_chance(count):
    rnd = random.Random(4271)
    for _ in range(count):
        out = b""
        for _ in range(rnd.randrange(6, 40)):
            pick = rnd.randrange(9)
            conn = rnd.randrange(4)
            if pick < 2:
                out += up(conn, rnd.choice((GOOD, GOOD_6)))
            elif pick == 2:
                out += time(rnd.choice(SPANS))
            elif pick == 3:
                out += rnd.choice((accept(conn & 1), closed(conn), connected(conn), room(rnd.randrange(8)), writable()))
            elif pick < 6:
                out += message(conn, UPDATE, rnd.randrange(256), rnd.randrange(4), *(rnd.randrange(8) for _ in range(5)))
            elif pick == 6:
                out += spoilt(conn, rnd.randrange(256), rnd.randrange(256), rnd.randrange(6), rnd.randrange(256))
            elif pick == 7:
                out += ask(rnd.choice((CLEAR, WAY, ORIGINATE, NEXTHOP, CONFIG)), rnd.randrange(256))
            else:
                out += message(conn, rnd.choice((KEEPALIVE, REFRESH, NOTIFICATION)), rnd.randrange(4), 1, 1)
        yield out


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for i, script in enumerate([*by_hand(), *by_chance(60)]):
        with open(os.path.join(sys.argv[1], f"{i:03}"), "wb") as f:
            f.write(script)


main()
