#!/usr/bin/env python3
"""Writes the corpus of fuzz_path_regex: patterns that people use, and odd ones, each with a path."""
import os
import random

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "path_regex")
PATTERNS = r"""
_0_
_23456_
_65515_
^65
^65515$
^65515_
_65515$
^$
.*
^.*$
_1310[0-6][0-9]_
_1310(0[0-9]|[1-6][0-9]|7[01])_
^(65010|65020)(_(65010|65020))*$
^65010(_65010)*$
_6451[2-9]_|_645[2-9][0-9]_|_64[6-9][0-9][0-9]_|_65[0-4][0-9][0-9]_
[^0-9]65
^[0-9]+$
^[0-9]+( [0-9]+)?$
^([0-9]+ ){2}[0-9]+$
^([0-9]+ ){1,3}[0-9]+$
^([0-9]+ ){2,}
(^| )650(1|2)0( |$)
\{1,2\}
_\{.*\}_
[{,]1[,}]
()
(|1)
1||2
(1*)*
((1|2)*3)+
1?2?3?$
_*
(_1)+_
a
1{
1{2
1{2,1}
1{,2}3
1{0}2
(1{3}){3}
(1{9}){9}{9}{9}
{1}
*1
^*
$+
(1
1)
[
[]
[]1]
[^]1]
[0-
[9-0]
[_]
[[.1.]]
\1
\_
\.
1\
\\
-
[+-9]
[1-]
1**
1+*?
""".strip("\n").split("\n")
PATHS = ["", "65515", "65515 12076", "65515 65010", "65515 23456", "65515 131000", "65515 131069", "10 20 30", "65010 65010",
         "65010 {1,2}", "{1,2} 3", "0", "1", "111111111", "12 {3} 45"]


def main():
    rnd = random.Random(1)
    os.makedirs(HERE, exist_ok=True)
    for i, p in enumerate(PATTERNS):
        with open(os.path.join(HERE, "%03d" % i), "w", encoding="ascii") as f:
            f.write(p + "\n" + rnd.choice(PATHS))
    with open(os.path.join(HERE, "long"), "w", encoding="ascii") as f:
        f.write("(" * 40 + "1" + ")" * 40)
    with open(os.path.join(HERE, "too-long"), "w", encoding="ascii") as f:
        f.write("1" * 513)
    with open(os.path.join(HERE, "many-states"), "w", encoding="ascii") as f:
        f.write("1.{12}\n" + "1011001110001111 " * 12)


main()
