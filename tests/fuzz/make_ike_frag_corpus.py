#!/usr/bin/env python3
"""Writes the corpus of fuzz_ike_frag: messages in fragments, in order and out of it, and each rule of RFC 7383 2.6 broken."""
import os
import random

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "ike_frag")
FORGE, LATE = 1, 2
VENDOR = 43


def f(num, total, mid=1, next_=None, words=4, what=0):
    first = VENDOR if num == 1 else 0
    return num.to_bytes(2, "big") + total.to_bytes(2, "big") + bytes([mid, first if next_ is None else next_, words, what])


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(data)


os.makedirs(HERE, exist_ok=True)
rng = random.Random(7383)
for total in (1, 2, 3, 16, 17, 40, 100, 255):
    order = list(range(1, total + 1))
    write(f"in-order-{total}", b"".join(f(i, total) for i in order))
    write(f"backwards-{total}", b"".join(f(i, total) for i in reversed(order)))
    rng.shuffle(order)
    write(f"shuffled-{total}", b"".join(f(i, total) for i in order))
    write(f"each-twice-{total}", b"".join(f(i, total) * 2 for i in order))
    write(f"one-missing-{total}", b"".join(f(i, total) for i in order[1:]))
for words in (0, 1, 64, 255):
    write(f"words-{words}", b"".join(f(i, 80, words=words) for i in range(1, 81)))
write("zero-number", f(2, 3) + f(0, 3) + f(1, 3) + f(3, 3))
write("zero-total", f(0, 0) + f(1, 0) + f(1, 1))
write("number-beyond-total", f(4, 3) + f(65535, 3) + f(1, 3))
write("total-65535", f(1, 65535) + f(65535, 65535))
write("total-256", f(1, 256) + f(256, 256))
write("total-shrinks", f(1, 4) + f(2, 3) + f(2, 4))
write("total-grows", f(1, 3) + f(2, 3) + f(1, 5) + f(3, 3) + b"".join(f(i, 5) for i in range(2, 6)))
write("type-in-a-later-one", f(1, 2) + f(2, 2, next_=VENDOR) + f(2, 2))
write("no-type-in-the-first", f(1, 2, next_=0) + f(2, 2))
write("forged-first", f(1, 2, what=FORGE) + f(1, 2) + f(2, 2))
write("forged-newer-cut", f(1, 2) + f(1, 200, what=FORGE) + f(2, 2))
write("forged-flood", f(1, 2) + f(1, 300, what=FORGE) + f(2, 2))
write("too-late", f(1, 2) + f(2, 2, what=LATE) + f(1, 2))
write("another-message", f(1, 3) + f(1, 3, mid=2) + f(2, 3) + f(3, 3))
write("flood-then-good", b"".join(f(i, 255, words=255) for i in range(2, 80)) + f(1, 1))
for n in range(12):
    write(f"random-{n}", b"".join(f(rng.randrange(0, 6), rng.randrange(0, 6), rng.randrange(2), rng.choice((0, 33, 43)),
                                    rng.randrange(256), rng.choice((0, 0, 0, FORGE, LATE))) for _ in range(40)))  # fmt: skip
