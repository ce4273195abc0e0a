"""Sessions with FRR 8.4 and BIRD 2: both roles, keys, TTLs, families, old speakers, and what a session then carries."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap  # noqa: E402
from bgplab import AS_BIRD, AS_FRR, AS_GW, BIRD, BIRD_NET, FRR, FRR_LO, FRR_NET, GW_B, GW_F, LO, Edge, Sniffer  # noqa: E402
from bgplab import bird_conf, edge_yaml, frr_conf, octets, peer_yaml  # noqa: E402
from netlab import LabError, wait_for  # noqa: E402

BIG_AS = 4200000010  # has no 2-octet form
AS_TRANS = 23456


def peers(frr=None, bird=None):
    return peer_yaml("frr", FRR, AS_FRR, **(frr or {})) + peer_yaml("bird", BIRD, AS_BIRD, **(bird or {}))


def carries(edge):
    """Each learns the other's network through us, and echoes follow."""
    path = edge.bird.wait_path(FRR_NET)
    assert octets(path["as_path"]) == [AS_GW, AS_FRR], path
    assert path["next_hop"] == GW_B, path
    path = edge.frr.wait_path(BIRD_NET)
    assert octets(path["aspath"]["string"]) == [AS_GW, AS_BIRD], path
    assert path["nexthops"][0]["ip"] == GW_F, path
    edge.crosses()


def test_we_connect_and_the_peers_wait(edge):
    edge.fresh(edge_yaml(peers({"connect": "active"}, {"connect": "active"})), frr_conf(lines=["passive"]),
               bird_conf(lines="passive on;"))  # fmt: skip
    assert edge.frr.neighbor(GW_F)["portLocal"] == 179, "FRR did not take our connection but made one"
    carries(edge)


def test_the_peers_connect_and_we_wait(edge):
    edge.fresh(edge_yaml(peers({"connect": "passive"}, {"connect": "passive"})), frr_conf(), bird_conf())
    n = edge.frr.neighbor(GW_F)
    assert n["portForeign"] == 179 and n["portLocal"] != 179, (n["portLocal"], n["portForeign"])
    carries(edge)


def test_both_connect_and_one_session_stays(edge):
    edge.both()
    carries(edge)
    assert edge.frr.flaps(GW_F)[0] == 1, f"{edge.frr.flaps(GW_F)}: the session came up more than once"


def test_both_ends_tell_the_same_of_a_session(edge):
    gw = edge.both(originate="10.11.0.0/24")
    carries(edge)
    for name, remote_as, address in (("frr", AS_FRR, FRR), ("bird", AS_BIRD, BIRD)):
        ours = gw.bgp_peer(name)
        assert (ours["address"], ours["as"], ours["state"]) == (address, remote_as, "Established"), ours
    n = edge.frr.neighbor(GW_F)
    assert n["remoteRouterId"] == LO and n["remoteAs"] == AS_GW
    assert n["bgpTimerHoldTimeMsecs"] == 9000 and n["bgpTimerKeepAliveIntervalMsecs"] == 3000
    capabilities = n["neighborCapabilities"]
    assert capabilities["4byteAs"] == "advertisedAndReceived" and "Received" in capabilities["routeRefresh"], capabilities
    family = n["addressFamilyInfo"]["ipv4Unicast"]
    ours = gw.bgp_peer("frr")
    # 10.60/24 and the originated 10.11/24 to FRR; 10.50/24 from it, and ours back, which have our AS in their paths
    wait_for("the counts agree", lambda: counts_agree(edge), 10)
    assert (ours["pfx_sent"], ours["pfx_accepted"]) == (2, 1), ours
    assert family["acceptedPrefixCounter"] == 2, family
    text = gw.gwctl("show", "bgp", "summary").stdout
    assert f"BGP router ID {LO}, local AS number {AS_GW}" in text, text
    assert "Total number of neighbors 2" in text, text
    text = gw.gwctl("show", "bgp", "neighbor", "frr", "routes").stdout
    for words in ("Status codes", "Origin codes", "*> " + FRR_NET, f"{AS_FRR} i", "Total number of prefixes 1"):
        assert words in text, f"{words!r} is not in:\n{text}"
    text = gw.gwctl("show", "bgp", "neighbor", "frr", "advertised-routes").stdout
    assert GW_F in text and "Total number of prefixes 2" in text, text


def counts_agree(edge):
    ours = edge.gw.bgp_peer("frr")
    theirs = edge.frr.json("show bgp ipv4 unicast summary")["peers"][GW_F]
    return (ours["pfx_sent"], ours["pfx_rcvd"]) == (theirs["pfxRcd"], theirs["pfxSnt"])


def test_ttl_is_1_to_a_direct_peer(edge):
    edge.stop()
    sniffer = Sniffer(edge.frr_ns, "eth0")
    edge.fresh(edge_yaml(peers()), frr_conf(), bird_conf())
    carries(edge)
    counts = sniffer.stop()
    assert counts["ttls"][GW_F] == [1], counts


def test_gtsm_takes_255_and_nothing_less(edge):
    edge.stop()
    sniffer = Sniffer(edge.frr_ns, "eth0")
    both = {"ttl-security": 1}
    edge.fresh(edge_yaml(peers(both, both)), frr_conf(lines=["ttl-security hops 1"]), bird_conf(lines="ttl security on;"))
    carries(edge)
    counts = sniffer.stop()
    assert counts["ttls"][GW_F] == [255], counts
    # FRR with TTL 1 is not listened to, BIRD goes on
    edge.fresh(edge_yaml(peers(both, both)), frr_conf(), bird_conf(lines="ttl security on;"), wait=False)
    edge.bird.wait_established("up")
    never(edge, "a session without its TTL")


def never(edge, what, seconds=4):
    """FRR gets no session although it tries (it says so in its state) for some seconds."""
    try:
        wait_for(what, lambda: edge.frr.established(GW_F) or edge.gw.bgp_state("frr") == "established", seconds, 0.2)
    except LabError:
        return
    raise LabError(f"there is {what}")


def test_md5_of_both_roles(edge):
    for role in ("active", "passive"):
        edge.fresh(
            edge_yaml(peers({"connect": role, "password-file": "@DIR@/key"}, {"connect": role, "password": '"bird song"'})),
            frr_conf(lines=["password a-key-of-FRR"]),
            bird_conf(lines='password "bird song";'),
            key="a-key-of-FRR",
        )
        carries(edge)


def test_md5_of_the_wrong_key_or_of_none(edge):
    for frr_lines in (["password another"], []):
        edge.fresh(
            edge_yaml(peers({"password": '"a-key"'}, {"password": '"bird song"'})), frr_conf(lines=frr_lines),
            bird_conf(lines='password "bird song";'), wait=False,
        )  # fmt: skip
        edge.bird.wait_established("up")
        never(edge, f"a session although FRR has {frr_lines or 'no key'}")
        text = edge.gw.gwctl("show", "bgp", "neighbor", "frr").stdout
        assert "`password` the same at both ends" in " ".join(text.split()), text
    assert "a-key" not in edge.gw.log_text() + edge.gw.gwctl("show", "bgp", "neighbor", "frr").stdout


def test_session_from_a_loopback_address(edge):
    frr = frr_conf(peer=LO, lines=["ebgp-multihop 2", f"update-source {FRR_LO}"], extra=f"ip route {LO}/32 {GW_F}")
    ours = peer_yaml("frr", FRR_LO, AS_FRR, source=LO, multihop=2)
    gw = edge.fresh(
        edge_yaml(ours + peer_yaml("bird", BIRD, AS_BIRD), routes=f"  - {{to: {FRR_LO}/32, via: {FRR}}}\n"), frr, bird_conf(),
        wait=False,
    )  # fmt: skip
    gw.wait_bgp("frr")
    n = edge.frr.neighbor(LO)
    assert n["hostForeign"] == LO and n["hostLocal"] == FRR_LO, (n["hostLocal"], n["hostForeign"])
    # the next hop is the loopback, which FRR resolves by its static route; BIRD's answers come back by it
    path = edge.frr.wait_path(BIRD_NET)
    assert path["nexthops"][0]["ip"] == LO, path
    edge.bird.wait_path(FRR_NET)
    edge.crosses()


def test_ipv6_routes_over_an_ipv4_session(edge):
    for ns in (edge.frr_ns, edge.bird_ns):
        ns.sysctl("net.ipv6.conf.all.disable_ipv6", 0)
        ns.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        ns.sysctl("net.ipv6.conf.eth0.accept_dad", 0)
    edge.frr_ns.address("eth0", "2001:db8:11::2/64")
    edge.bird_ns.address("eth0", "2001:db8:12::2/64")
    frr = frr_conf() + (
        f"ipv6 route 2001:db8:50::/48 blackhole\nrouter bgp {AS_FRR}\n address-family ipv6 unicast\n"
        f"  network 2001:db8:50::/48\n  neighbor {GW_F} activate\n"
        " exit-address-family\nexit\n"
    )
    bird = bird_conf(
        lines="ipv6 { import all; export where source = RTS_STATIC; next hop address 2001:db8:12::2; };",
        extra="protocol static nets6 { ipv6; route 2001:db8:60::/48 blackhole; }",
    )
    both = {"families": "[ipv4, ipv6]"}
    gw = edge.fresh(edge_yaml(peers(both, both)), frr, bird)
    for name, prefix, hop in (("frr", "2001:db8:50::/48", "2001:db8:11::2"), ("bird", "2001:db8:60::/48", "2001:db8:12::2")):
        row = gw.wait_path(name, prefix, "received-routes")
        assert row["next_hop"] == hop and not row["best"], row  # nothing here forwards by it
    carries(edge)  # and IPv4 beside it
    gw.gwctl("bgp", "clear", "frr", "soft")
    edge.frr.configure(f"router bgp {AS_FRR}", "address-family ipv6 unicast", "no network 2001:db8:50::/48")
    gw.wait_no_path("frr", "2001:db8:50::/48", "received-routes")
    assert edge.frr.flaps(GW_F) == (1, 0)


def test_family_that_one_side_lacks_is_not_used(edge):
    both = {"families": "[ipv4, ipv6]"}
    edge.fresh(edge_yaml(peers(both, both)), frr_conf(), bird_conf())
    carries(edge)


def test_old_speakers_of_2_octet_as_numbers(edge):
    """RFC 6793: our AS is AS_TRANS to them, the true path goes in AS4_PATH, and theirs is merged."""
    bird = bird_conf(
        remote_as=0, lines="enable as4 off;", networks=[],
        statics=f"route {BIRD_NET} blackhole {{ bgp_path.prepend(4200000099); }};",
    )  # fmt: skip
    edge.fresh(edge_yaml(peers(), our_as=BIG_AS), frr_conf(remote_as=BIG_AS), bird)
    row = edge.gw.wait_path("bird", BIRD_NET)
    assert octets(row["as_path"]) == [AS_BIRD, 4200000099], row
    path = edge.frr.wait_path(BIRD_NET)
    assert octets(path["aspath"]["string"]) == [BIG_AS, AS_BIRD, 4200000099], path
    path = edge.bird.wait_path(FRR_NET)
    # BIRD merges what AS4_PATH says: the true AS is there
    assert octets(path["as_path"]) == [BIG_AS, AS_FRR], path
    edge.crosses()


def test_old_frr_without_capabilities(edge):
    """FRR sends an OPEN without any capability: IPv4 unicast and 2-octet AS numbers it is (RFC 4271, 6793)."""
    bird = bird_conf(networks=[], statics=f"route {BIRD_NET} blackhole {{ bgp_path.prepend(4200000099); }};", remote_as=BIG_AS)
    # AS_TRANS comes first then, which FRR 10 takes for somebody else unless told
    frr = frr_conf(remote_as=BIG_AS, lines=["dont-capability-negotiate"])
    frr = frr.replace(" address-family", f" no neighbor {GW_F} enforce-first-as\n address-family", 1)
    edge.fresh(edge_yaml(peers(), our_as=BIG_AS), frr, bird)
    edge.bird.wait_path(FRR_NET)
    path = edge.frr.wait_path(BIRD_NET)
    # FRR 8.4 leaves AS4_PATH alone then: what it shows is the 2-octet path as it came
    assert octets(path["aspath"]["string"]) == [AS_TRANS, AS_BIRD, AS_TRANS], path
    edge.crosses()


def test_no_policy_no_routes(edge):
    """RFC 8212, and the words that say why."""
    gw = edge.fresh(edge_yaml(peers({"import": None, "export": None})), frr_conf(), bird_conf())
    row = gw.wait_path("frr", FRR_NET, "received-routes")
    assert not row["verdict"]["accepted"] and "olicy" in row["verdict"]["reason"], row
    wait_for("BIRD's network is accepted", lambda: BIRD_NET in gw.bgp_paths("bird"), 10)
    assert not gw.bgp_paths("frr") and not gw.bgp_paths("frr", "advertised-routes")
    assert not edge.frr.has(BIRD_NET) and not edge.bird.has(FRR_NET)
    assert "olicy" in gw.gwctl("show", "bgp", "summary").stdout


if __name__ == "__main__":
    tap.main(__name__, Edge)
