"""Azure's default with strongSwan, from both ends. All suites and groups are in long_strongswan_suites.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suites  # noqa: E402
import tap  # noqa: E402
from topo import Bench  # noqa: E402

suites.cases(("azures_default",), globals(), rekey=False)

if __name__ == "__main__":
    tap.main(__name__, Bench)
