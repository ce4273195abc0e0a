"""Two sites (topo.py) whose ends prove themselves with certificates."""

import os

import pki
from strongswan import SWANCTL_PLUGINS, Charon, PLUGINS, merge
from topo import ID_A, ID_B, PEER, Bench, peer_connections

# keys as PKCS #8, and the hashes' announcement
MORE_PLUGINS = " pkcs1 pkcs8 curve25519 gmp revocation"


class CertCharon(Charon):
    """strongSwan with files for swanctl: {folder: {name: text}}."""

    def files(self, files):
        for folder, texts in files.items():
            path = f"{self.outside}/swanctl/{folder}"
            os.makedirs(path, mode=0o700, exist_ok=True)
            for name, text in texts.items():
                with open(f"{path}/{name}", "w") as f:
                    f.write(text)


class CertBench(Bench):
    """Bench.fresh() with certificates: certs() before up()."""

    def __init__(self):
        super().__init__(peer=CertCharon)

    def certs(self, ours, theirs, root, **how):
        """Both ends running. ours, theirs: certificates (lists: with intermediates behind); how: crl (PEM), our_id, their_id (text or
        None), tunnel (our keys), ike (strongSwan's), options (strongSwan's), root_here (what we believe instead of root)."""
        ours, theirs = [x if isinstance(x, list) else [x] for x in (ours, theirs)]
        self.stop()
        self.starts += 1
        our_id, their_id = how.get("our_id", ID_A), how.get("their_id", ID_B)
        crl = ", crl: [@DIR@/crl.pem], crl-strict: true" if "crl" in how else ""
        tunnel = {
            "local": f"{{port: wan0, id: '{our_id}'}}" if our_id else "{port: wan0}",
            "remote": f"{{address: {PEER}, id: '{their_id}'}}",
            "auth": f"{{cert: @DIR@/own.pem, key: @DIR@/own.key, ca: @DIR@/ca.pem{crl}}}",
        }
        self.peer = self._charon(theirs, root, how, our_id or ours[0].cert.subject.rfc4514_string({}), their_id)
        self.gw = self._gateway(ours, how.get("root_here", root), {**tunnel, **how.get("tunnel", {})}, how)
        return self.gw, self.peer

    def _gateway(self, ours, root, tunnel, how):
        from gateway import Gateway
        from topo import gateway_yaml

        gw = Gateway(self.net.gw, gateway_yaml(tunnel), None, f"gw{self.starts}")
        gw.write_file("own.pem", "".join(c.pem() for c in ours))
        gw.write_file("own.key", ours[0].key_pem())
        gw.write_file("ca.pem", root.pem())
        if "crl" in how:
            gw.write_file("crl.pem", how["crl"])
        return gw.start()

    def _charon(self, theirs, root, how, our_id, their_id):
        options = {"delete_rekeyed_delay": 1, "load": PLUGINS + MORE_PLUGINS, **how.get("options", {})}
        charon = CertCharon(self.net.peer, f"charon{self.starts}", options)
        conf = f"{charon.outside}/strongswan.conf"
        with open(conf) as f:
            text = f.read().replace(SWANCTL_PLUGINS, SWANCTL_PLUGINS + MORE_PLUGINS)
        with open(conf, "w") as f:
            f.write(text)
        charon.files(
            {
                "x509": {"own.pem": theirs[0].pem()},
                "private": {"own.key": theirs[0].key_pem()},
                "x509ca": {"root.pem": root.pem(), **{f"mid{i}.pem": c.pem() for i, c in enumerate(theirs[1:])}},
            }
        )
        ike = {
            "send_cert": "always",
            "local": {"auth": "pubkey", "certs": "own.pem", "id": f'"{their_id}"'},
            "remote": {"auth": "pubkey", "id": f'"{our_id}"'},
        }
        return charon.start(peer_connections(self.net.peer_address, merge(ike, how.get("ike", {}))), {})


def pair(kind, root, **more):
    """Certificates of one kind for both ends."""
    return (
        pki.Cert(kind, f"C=DE, O=Example, CN={ID_A}", root, names=[pki.dns(ID_A)], **more),
        pki.Cert(kind, f"C=DE, O=Example, CN={ID_B}", root, names=[pki.dns(ID_B)], **more),
    )
