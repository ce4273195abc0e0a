#!/usr/bin/python3
"""Writes the seeds of fuzz_ike_stateful: scripts by hand, then scripts by a fixed random sequence.

    make_ike_stateful_corpus.py DIR

An octet below 0x40 lets time pass (four times that many ms), 0x40 to 0x7f asks something of a core, 0x80 to 0xbf says
what becomes of the next datagram (two more octets: where, with what), 0xc0 to 0xff gives an old datagram again.
"""
import os
import random
import sys

CONNECT = bytes([63, 63])
EVENTS = {"rekey-child": 0, "rekey-ike": 1, "soft": 2, "hard": 3, "acquire": 4, "down": 7}
FATES = {"drop": 1, "dup": 2, "delay": 3, "change": 4, "cut": 5}


def run(ms):
    return bytes([ms // 4 & 63])


def ask(node, event):
    return bytes([0x40 | EVENTS[event] << 1 | node])


def fate(name, at=0, value=0):
    return bytes([0x80 | FATES[name], at, value])


def replay(nth, back=False):
    return bytes([0xC0 | (0x20 if back else 0) | nth])


def by_hand():
    for pfs in (b"\0", b"\1"):
        yield pfs + CONNECT
        for event in EVENTS:
            for node in (0, 1):
                yield pfs + CONNECT + ask(node, event) + run(200)
        yield pfs + CONNECT + ask(0, "rekey-child") + ask(1, "rekey-child") + run(250)
        yield pfs + CONNECT + ask(0, "rekey-ike") + ask(1, "rekey-ike") + run(250)
        yield pfs + CONNECT + ask(0, "rekey-ike") + run(8) + ask(1, "rekey-child") + run(250)
    for name in FATES:
        yield b"\0" + fate(name, 0x90, 0x55) + CONNECT
        yield b"\0" + CONNECT + fate(name, 0x21, 0xFF) + ask(0, "rekey-child") + run(250) + CONNECT
        yield b"\1" + CONNECT + fate(name, 0xD0, 0x01) + ask(1, "rekey-ike") + run(250) + CONNECT
    for nth in range(4):
        yield b"\0" + CONNECT + replay(nth) + replay(nth, True) + run(100)


def by_chance(count):
    rnd = random.Random(7296)
    for _ in range(count):
        out = bytes([rnd.randrange(2)]) + CONNECT
        for _ in range(rnd.randrange(4, 20)):
            pick = rnd.randrange(4)
            if pick == 0:
                out += run(rnd.randrange(4, 252))
            elif pick == 1:
                out += ask(rnd.randrange(2), rnd.choice(list(EVENTS)[:5]))
            elif pick == 2:
                out += fate(rnd.choice(list(FATES)), rnd.randrange(256), rnd.randrange(256))
            else:
                out += replay(rnd.randrange(16), rnd.random() < 0.5)
        yield out


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for i, script in enumerate(list(by_hand()) + list(by_chance(40))):
        with open(os.path.join(folder, f"{i:03d}"), "wb") as f:
            f.write(script)


main()
