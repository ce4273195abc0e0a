#!/usr/bin/python3
"""A data plane that lies costs the control plane a connection: it lives, answers gwctl, and takes the next one."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from gateway import Gateway  # noqa: E402
from netlab import BUILD, Lab, wait_for  # noqa: E402
from topo import PSK, gateway_yaml  # noqa: E402

HOSTILE = os.path.join(BUILD, "tests", "lib", "hostile_dp")
ROUNDS = 12


class Bench:
    def __enter__(self):
        self.lab = Lab()
        self.ns = self.lab.ns("gateway")
        other = self.lab.ns("far")
        self.lab.veth(self.ns, "wan", other, "wanp")
        self.lab.veth(self.ns, "lan", other, "lanp")
        self.gw = Gateway(self.ns, gateway_yaml(start="always"), PSK)
        return self

    def __exit__(self, *exc):
        self.lab.close()


def rounds(b, seed):
    p = b.ns.start(f"hostile{seed}", HOSTILE, b.gw.run_dir, ROUNDS, seed)
    answered = 0
    while p.alive():
        r = b.gw.gwctl("show", "tunnels", "--json", check=False, timeout=10)
        b.gw.controlplane.check()
        answered += r.returncode == 0 and isinstance(json.loads(r.stdout), (list, dict))
    assert p.wait(1) == 0, p.log
    said = open(p.log).read()
    attached, refused = said.count("attached"), said.count("refused")
    assert attached + refused == ROUNDS and refused >= ROUNDS // 3 - 1 and attached >= ROUNDS // 2, said
    assert answered > 0
    b.gw.controlplane.check()


def test_noise_lies_and_impossible_indexes_are_survived(b):
    b.gw.start_controlplane()
    for seed in (1, 2, 3, 4) if os.environ.get("ESP_LONG") else (1,):
        rounds(b, seed)


def test_the_next_honest_one_is_taken(b):
    b.gw.start_dataplane()
    wait_for("gwctl shows its worker, and no more", lambda: len(b.gw.show("workers")) == 1, 20)
    wait_for("the tunnel is known to it", lambda: [t["name"] for t in b.gw.show("tunnels")] == ["site-b"], 5)
    b.gw.controlplane.check()


test_noise_lies_and_impossible_indexes_are_survived.seconds = 120

if __name__ == "__main__":
    tap.main(__name__, Bench)
