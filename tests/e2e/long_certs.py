"""Certificates with strongSwan: every kind of key and signature, both roles, chains, identities, and what must be refused."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import pki  # noqa: E402
import tap  # noqa: E402
from certlab import CertBench, pair  # noqa: E402
from netlab import LabError, wait_for  # noqa: E402
from topo import CHILD, PSK, TUNNEL, peer_connections, peer_secrets  # noqa: E402

ROOT = pki.Cert("p256", "C=DE, O=Example, CN=root", ca=True)


def both_roles(bench, scheme=None):
    """Up from either end, with traffic; scheme: what strongSwan's log calls our signature."""
    for by_us in (True, False):
        bench.up(by_us)
        bench.traffic(3)
        bench.gw.down(TUNNEL)
        bench.wait_empty()
    if scheme:
        text = bench.peer.log_text()
        assert f"with {scheme}" in text, [x for x in text.splitlines() if "successful" in x]


def refused_here(bench, *words):
    """What strongSwan begins, we refuse, with these words in our log."""
    try:
        bench.peer.initiate(CHILD, 6000)
    except LabError:
        pass
    else:
        raise AssertionError("the peer's attempt succeeded")
    wait_for("our log says why", lambda: all(w in bench.gw.log_text() for w in words), 3)
    assert "AUTH_FAILED" in bench.peer.log_text()
    assert not bench.gw.children(TUNNEL)
    r = bench.gw.up(TUNNEL, check=False, seconds=4)
    assert r.returncode == 1, r.stdout
    assert any(w in r.stdout + r.stderr + bench.error() for w in words), r.stdout + r.stderr + bench.error()
    assert not bench.gw.children(TUNNEL)


def test_rsa_pss(bench):
    bench.certs(*pair("rsa", ROOT), ROOT, options={"rsa_pss": "yes"})
    both_roles(bench, "RSA_EMSA_PSS_SHA2_256")


def test_rsa_pkcs1(bench):
    """strongSwan signs by PKCS #1 of its own accord; we answer alike, and begin with it for old peers."""
    bench.certs(*pair("rsa3072", ROOT), ROOT, tunnel={"ike": "{proposals: [aes256gcm16-prfsha384-x25519], legacy: true}"})
    both_roles(bench, "RSA_EMSA_PKCS1_SHA2_256")


def test_rsa_without_rfc7427(bench):
    """Method 1, whose hash is SHA1 where the tunnel is for old peers."""
    bench.certs(
        *pair("rsa", ROOT),
        ROOT,
        tunnel={"ike": "{proposals: [aes256gcm16-prfsha384-x25519], legacy: true}"},
        options={"signature_authentication": "no"},
    )
    both_roles(bench)


def test_p256(bench):
    bench.certs(*pair("p256", ROOT), ROOT)
    both_roles(bench, "ECDSA_WITH_SHA256_DER")


def test_p384(bench):
    bench.certs(*pair("p384", ROOT), ROOT)
    both_roles(bench, "ECDSA_WITH_SHA384_DER")


def test_p521(bench):
    bench.certs(*pair("p521", ROOT), ROOT)
    both_roles(bench, "ECDSA_WITH_SHA512_DER")


def test_ecdsa_without_rfc7427(bench):
    """RFC 4754's methods."""
    bench.certs(*pair("p256", ROOT), ROOT, options={"signature_authentication": "no"})
    both_roles(bench, "ECDSA-256 signature")


def test_ed25519(bench):
    bench.certs(*pair("ed25519", ROOT), ROOT)
    both_roles(bench, "ED25519")


def test_chain_with_intermediates_at_both_ends(bench):
    mid = pki.Cert("p384", "C=DE, O=Example, CN=mid", ROOT, ca=True)
    ours, theirs = pair("rsa", mid)
    bench.certs([ours, mid], [theirs, mid], ROOT)
    both_roles(bench)


def test_missing_intermediate(bench):
    mid = pki.Cert("p384", "C=DE, O=Example, CN=mid", ROOT, ca=True)
    ours, theirs = pair("p256", ROOT)[0], pair("p256", mid)[1]
    bench.certs(ours, theirs, ROOT)
    refused_here(bench, "missing intermediate")


def test_pubkey_constraints_of_the_peer(bench):
    """strongSwan asks for ECDSA with SHA2-384 from us, and gets no other."""
    bench.certs(*pair("p384", ROOT), ROOT, ike={"remote": {"auth": "ike:ecdsa-sha384"}})
    both_roles(bench, "ECDSA_WITH_SHA384_DER")


def test_revoked(bench):
    ours, theirs = pair("p256", ROOT)
    bench.certs(ours, theirs, ROOT, crl=ROOT.crl([theirs]))
    refused_here(bench, "revoked")


def test_not_revoked(bench):
    ours, theirs = pair("p256", ROOT)
    bench.certs(ours, theirs, ROOT, crl=ROOT.crl([ours]))
    both_roles(bench)


def test_stale_crl(bench):
    ours, theirs = pair("p256", ROOT)
    bench.certs(ours, theirs, ROOT, crl=ROOT.crl([], (-9, -2)))
    refused_here(bench, "CRL has expired")


def test_expired(bench):
    ours, _ = pair("p256", ROOT)
    _, theirs = pair("p256", ROOT, days=(-9, -2))
    bench.certs(ours, theirs, ROOT)
    refused_here(bench, "certificate has expired")


def test_another_authority(bench):
    other = pki.Cert("p256", "C=DE, O=Example, CN=root", ca=True)
    ours, theirs = pair("p256", ROOT)
    bench.certs(ours, theirs, ROOT, root_here=other)
    refused_here(bench, "peer")


def test_email_as_identity(bench):
    ours = pki.Cert("p256", "CN=a", ROOT, names=[pki.email("a@site.example")])
    theirs = pki.Cert("p256", "CN=b", ROOT, names=[pki.email("b@site.example")])
    bench.certs(ours, theirs, ROOT, our_id="a@site.example", their_id="b@site.example")
    both_roles(bench)


def test_subjects_as_identities(bench):
    ours = pki.Cert("p256", "C=DE, O=Example, CN=gw a", ROOT)
    theirs = pki.Cert("p256", "C=DE, O=Example, CN=gw b", ROOT)
    bench.certs(ours, theirs, ROOT, our_id="C=DE, O=Example, CN=gw a", their_id="C=DE, O=Example, CN=gw b")
    both_roles(bench)


def test_a_bad_certificate_changes_nothing_at_a_reload(bench):
    ours, theirs = pair("p256", ROOT)
    gw, _ = bench.certs(ours, theirs, ROOT)
    bench.up()
    gw.write_file("own.key", theirs.key_pem())
    r = gw.gwctl("config", "check", gw.file, check=False)
    assert r.returncode == 1 and "is not that of the certificate" in r.stderr, r.stderr
    with open(gw.file) as f:
        gw.reload(f.read())
    wait_for("the reload is refused", lambda: "event=reload-refused" in gw.log_text(), 5)
    bench.traffic(3)
    assert bench.settled()


def test_the_peer_has_a_psk(bench):
    bench.certs(*pair("p256", ROOT), ROOT)
    bench.peer.load(peer_connections(bench.net.peer_address), peer_secrets(PSK))
    try:
        bench.peer.initiate(CHILD, 6000)
    except LabError:
        pass
    else:
        raise AssertionError("the peer's attempt succeeded")
    wait_for("our log says why", lambda: "set both ends to one method" in bench.gw.log_text(), 3)


if __name__ == "__main__":
    tap.main(__name__, CertBench)
