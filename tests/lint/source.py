"""What the checks share: which files there are, and C source without its comments and strings."""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOMS = ("base", "ring", "config", "bgp", "controlplane/ike", "controlplane", "dataplane", "cli", "perf", "tests")
PRODUCT = ("base/", "ring/", "config/", "bgp/", "controlplane/", "dataplane/", "cli/")


def files(*endings):
    """Paths from the root of all files that are, or could be, committed; with one of these endings."""
    r = subprocess.run(
        ["git", "-C", TOP, "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = sorted(set(r.stdout.split("\0")) - {""}) if r.returncode == 0 else _walk()
    return [n for n in names if (not endings or n.endswith(endings)) and os.path.isfile(os.path.join(TOP, n))]


def _walk():
    """Without git (a tar of the source): everything but build folders."""
    names = []
    for folder, subs, found in os.walk(TOP):
        rel = os.path.relpath(folder, TOP)
        subs[:] = [s for s in subs if s not in (".git", "__pycache__") and not (rel == "." and s.startswith("build"))]
        names += [os.path.normpath(os.path.join(rel, f)) for f in found]
    return sorted(names)


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def room(name):
    """The room a file lives in, or None: the longest that fits."""
    return next((r for r in sorted(ROOMS, key=len, reverse=True) if name.startswith(r + "/")), None)


_TOKENS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def code(text, strings=False):
    """The text with comments (and, unless asked for, the insides of strings) blanked; lines stay where they are."""

    def blank(m):
        s = m.group(0)
        if s[0] == "/":
            return re.sub(r"[^\n]", " ", s)
        return s if strings else s[0] + " " * (len(s) - 2) + s[-1]

    return _TOKENS.sub(blank, text)


def functions(text):
    """(name, first line, last line) of each function of C source in our style: its braces stand in column 0."""
    found, start, name = [], None, None
    lines = code(text).split("\n")
    for i, line in enumerate(lines, 1):
        if line.startswith("{") and start is None:
            head = " ".join(lines[max(0, i - 12) : i - 1])
            calls = re.findall(r"(\w+)\s*\((?:[^()]|\([^()]*\))*\)\s*(?:MUST_USE|UNUSED)?\s*$", head)
            start, name = i, calls[-1] if calls else "?"
        elif line.startswith("}") and start is not None:
            found.append((name, start, i))
            start = None
    return found


def report(findings, warnings=()):
    """Print them and end: 1 if there are findings."""
    for w in warnings:
        print(f"warning: {w}")
    for f in findings:
        print(f)
    sys.exit(1 if findings else 0)
