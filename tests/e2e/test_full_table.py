"""A whole Internet table over TCP, through both daemons, into the forwarding table; and either of them dies.

    lo 8.8.8.8  feed  10.11.0.2 --- 10.11.0.1 lan0 | gateway | lan1 10.12.0.1 --- 10.12.0.2  host
"""

import json
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgp_feeder import Feeder  # noqa: E402
from gateway import Gateway  # noqa: E402
from mrt_table import TABLE, Table, text  # noqa: E402
from netlab import Lab, wait_for  # noqa: E402
from topo import Pings  # noqa: E402

OURS, FEED = "10.11.0.1", "10.11.0.2"
HOST, FAR = "10.12.0.2", "8.8.8.8"  # FAR: in a recorded prefix
AS_OURS, AS_FEED = 4200000001, 4200000002  # 65001 stands in some recorded paths
HOLD_S = 9
LOOKUPS = 4000
PAGE = 2000
OWN_NETS = ("10.11.0.", "10.12.0.")
CONFIG = f"""\
gateway: {{name: full-table}}
dataplane: {{workers: 1, max-routes: 700000}}
ports:
  lan0: {{device: "af_packet:lan0", addresses: [{OURS}/24]}}
  lan1: {{device: "af_packet:lan1", addresses: [10.12.0.1/24]}}
bgp:
  as: {AS_OURS}
  peers:
    feed: {{address: {FEED}, as: {AS_FEED}, import: any, connect: passive, hold-time: {HOLD_S}s}}
policies:
  any: [{{permit: {{}}}}]
"""


class Questions:
    """The management socket, without a process for each question."""

    def __init__(self, gw):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(f"{gw.run_dir}/control.sock")
        self.file = self.sock.makefile("rb")

    def ask(self, what, **more):
        q = json.dumps({"op": "show", "what": what, **more}).encode()
        self.sock.sendall(struct.pack("!I", len(q)) + q)
        answer = json.loads(self.file.read(struct.unpack("!I", self.file.read(4))[0]))
        assert answer["ok"], answer
        return answer["data"]


class Internet:
    """The gateway, the neighbour, and what shall come out."""

    def __enter__(self):
        self.table = Table()
        self.rng = random.Random(2015)
        self.lab = lab = Lab()
        self.gw_ns, self.feed_ns, self.host_ns = lab.ns("gateway"), lab.ns("feed"), lab.ns("host")
        lab.veth(self.gw_ns, "lan0", self.feed_ns, "eth0", None, f"{FEED}/24")
        lab.veth(self.gw_ns, "lan1", self.host_ns, "eth0", None, f"{HOST}/24")
        self.feed_ns.address("lo", f"{FAR}/32")
        self.feed_ns.route("10.12.0.0/24", "via", OURS)
        self.host_ns.route("default", "via", "10.12.0.1")
        self.gw = Gateway(self.gw_ns, CONFIG)
        self.gw.start_dataplane()
        self.gw.start_controlplane()
        self.wait_answers()
        wait_for("the first echo", lambda: self.host_ns.pings(FEED), 10)
        self.session()
        return self

    def __exit__(self, *exc):
        self.lab.close()

    def wait_answers(self, timeout=20):
        wait_for("the data plane answers", lambda: self.gw.gwctl("show", "fib", FAR, check=False).returncode == 0, timeout)

    def session(self):
        self.feeder = Feeder(self.feed_ns, FEED, OURS, ["--mrt", TABLE], AS_FEED, AS_OURS, HOLD_S)

    def routes(self):
        """How many the data plane has."""
        r = self.gw.gwctl("show", "fib", FAR, "--json", check=False)
        return json.loads(r.stdout)["routes"] if r.returncode == 0 else -1

    def wait_routes(self, count, timeout=40):
        """Seconds until the data plane had so many."""
        begin = time.monotonic()
        wait_for(f"{count} routes in the data plane", lambda: self.routes() == count, timeout, 0.02)
        return time.monotonic() - begin

    def lookups_are_right(self, table):
        """Where the data plane sends what is for some thousand addresses."""
        q = Questions(self.gw)
        for addr in self.table.sample(self.rng, LOOKUPS):
            a = text(addr)
            if a.startswith(OWN_NETS):
                continue
            said, want = q.ask("fib", address=a), table.match(addr) if table else None
            assert (said["prefix"] if said["found"] else None) == want, f"{a}: {said}, not {want}"
            if want:
                assert [leg["via"] for leg in said["legs"]] == [FEED], f"{a}: {said}"

    def nothing_lost(self, pings):
        sent, received = pings.stop()
        assert sent > 50 and sent == received, f"{received} of {sent} came back: {self.gw.drops()}"

    def explain(self):
        return "our log:\n" + "".join(self.gw.log_text().splitlines(True)[-25:])


def note(words):
    print(f"# {words}", flush=True)


def test_the_table_arrives_and_nothing_else_suffers(net):
    """Both, hosts' traffic and keepalives, go on while it flows."""
    n = net.table.count
    assert n == net.feeder.about["prefixes"] > 500000
    pings = Pings(net.host_ns, FEED, count=100000)
    wait_for("echoes", lambda: net.gw.drops() is not None)
    net.feeder.begin("announce")
    note(f"{n} routes in the data plane after {net.wait_routes(n):.2f} s")
    net.feeder.read()
    peer = net.gw.bgp_peer("feed")
    assert peer["pfx_rcvd"] == peer["pfx_accepted"] == n, peer
    totals = Questions(net.gw).ask("bgp-summary")["totals"]
    assert totals["prefixes"] == totals["paths"] == n, totals
    net.lookups_are_right(net.table)
    assert net.host_ns.pings(FAR), "no echo by a learned route"
    net.nothing_lost(pings)


def test_pages_of_the_table_are_shown_in_order(net):
    """From any prefix on: the ones behind it, none left out."""
    order, q = sorted((addr, n) for n in range(33) for addr in net.table.lens[n]), Questions(net.gw)
    for start in [0, len(order) - 100, *net.rng.sample(range(len(order) - PAGE), 8)]:
        rows = q.ask("routes", max=PAGE, after="{}/{}".format(text(order[start][0]), order[start][1]))["rows"]
        shown = [r["prefix"] for r in rows if r["owner"] == "bgp"]
        assert all(r["state"] == "installed" for r in rows), [r for r in rows if r["state"] != "installed"][:3]
        assert shown == ["{}/{}".format(text(a), n) for a, n in order[start + 1 : start + 1 + len(shown)]], start
        assert len(shown) >= min(PAGE - 2, len(order) - start - 1), (start, len(shown))  # two networks are the ports' own


def test_the_data_plane_dies(net):
    """The session outlives it, and it gets all routes again."""
    net.gw.dataplane.kill()
    begin = time.monotonic()
    net.gw.start_dataplane()
    net.wait_answers()
    back = time.monotonic() - begin
    net.wait_routes(net.table.count)
    note(f"the data plane answers after {back:.2f} s and has all routes after {time.monotonic() - begin:.2f} s")
    wait_for("an echo by a learned route", lambda: net.host_ns.pings(FAR), 10)
    net.lookups_are_right(net.table)
    assert net.feeder.alive() and net.gw.bgp_state("feed") == "established"


def test_the_control_plane_dies(net):
    """Learned routes forward all the while; it learns the table again, and nothing of the former is left or missing."""
    pings = Pings(net.host_ns, FAR, count=100000)
    swept = net.gw.log_text().count("event=former-routes-swept")
    net.gw.controlplane.kill()
    wait_for("the neighbour sees it", lambda: not net.feeder.alive(), HOLD_S + 5)
    net.gw.start_controlplane()
    net.wait_answers()
    assert net.routes() == net.table.count
    net.session()
    net.feeder.begin("announce")
    net.feeder.read()
    wait_for("the former routes are swept", lambda: net.gw.log_text().count("event=former-routes-swept") > swept, 20)
    net.wait_routes(net.table.count, 5)
    assert net.gw.bgp_peer("feed")["pfx_accepted"] == net.table.count
    net.lookups_are_right(net.table)
    net.nothing_lost(pings)


def test_all_of_it_goes(net):
    pings = Pings(net.host_ns, FEED, count=100000)
    net.feeder.begin("withdraw")
    note(f"no route in the data plane after {net.wait_routes(0):.2f} s")
    net.feeder.read()
    net.lookups_are_right(None)
    net.nothing_lost(pings)
    time.sleep(HOLD_S / 3 + 0.5)  # a keepalive without load at least
    silence = net.feeder.quit()
    note(f"the longest silence of ours was {silence:.2f} s; a keepalive is due every {HOLD_S / 3:.0f} s")
    assert silence <= HOLD_S / 3 + 0.5, silence


if __name__ == "__main__":
    tap.main(__name__, Internet)
