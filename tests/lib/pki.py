"""Certificates, keys and CRLs made at test time, with Debian's python3-cryptography (not with what our gateway links)."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

KINDS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
NAMES = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}


def _now():
    return datetime.datetime.utcnow()


def _name(text):
    """ "C=DE, O=x, CN=y" """
    pairs = (part.strip().split("=", 1) for part in text.split(","))
    return x509.Name([x509.NameAttribute(NAMES[k], v) for k, v in pairs])


class Cert:
    """A certificate with its key; by: the issuer (None: itself)."""

    def __init__(self, kind, subject, by=None, ca=False, names=(), days=(-1, 30)):
        self.key = KINDS[kind]()
        self.by = by or self
        now = _now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(subject) if by is None else by.cert.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days[0]))
            .not_valid_after(now + datetime.timedelta(days[1]))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.by.key.public_key()), critical=False
            )
        )
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        usage.update(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca)
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        self.cert = builder.sign(self.by.key, self.by._hash())

    def _hash(self):
        return None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()

    def pem(self):
        return self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def crl(self, revoked=(), days=(-1, 30)):
        """This authority's CRL, PEM."""
        now = _now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.cert.subject)
            .last_update(now + datetime.timedelta(days[0]))
            .next_update(now + datetime.timedelta(days[1]))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for r in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(r.cert.serial_number).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, self._hash()).public_bytes(serialization.Encoding.PEM).decode()


def dns(name):
    return x509.DNSName(name)


def email(name):
    return x509.RFC822Name(name)
