"""IKE and ESP suites, each with strongSwan and from both ends: the rows of test_strongswan_suites.py and long_strongswan_suites.py."""

from netlab import wait_for
from topo import CHILD, TUNNEL

# our proposals (IKE, ESP), strongSwan's, what strongSwan then says: cipher, integrity, PRF and group of IKE; cipher of ESP
SUITES = {
    "cbc256_sha256_modp2048": ("aes256-sha256-modp2048", "aes256-sha256", "AES_CBC-256", "HMAC_SHA2_256_128",
                               "PRF_HMAC_SHA2_256", "MODP_2048", "AES_CBC-256"),
    "cbc192_sha384_ecp384": ("aes192-sha384-ecp384", "aes192-sha384", "AES_CBC-192", "HMAC_SHA2_384_192",
                             "PRF_HMAC_SHA2_384", "ECP_384", "AES_CBC-192"),
    "cbc128_sha512_ecp521": ("aes128-sha512-ecp521", "aes128-sha512", "AES_CBC-128", "HMAC_SHA2_512_256",
                             "PRF_HMAC_SHA2_512", "ECP_521", "AES_CBC-128"),
    "cbc128_sha256_ecp256": ("aes128-sha256-ecp256", "aes128-sha256-ecp256", "AES_CBC-128", "HMAC_SHA2_256_128",
                             "PRF_HMAC_SHA2_256", "ECP_256", "AES_CBC-128"),
    "chacha_x448": ("chacha20poly1305-prfsha256-x448", "chacha20poly1305", "CHACHA20_POLY1305", "",
                    "PRF_HMAC_SHA2_256", "CURVE_448", "CHACHA20_POLY1305"),
    "gcm192_modp3072": ("aes192gcm16-prfsha512-modp3072", "aes192gcm16", "AES_GCM_16-192", "", "PRF_HMAC_SHA2_512",
                        "MODP_3072", "AES_GCM_16-192"),
    "gcm128_modp4096": ("aes128gcm16-prfsha384-modp4096", "aes128gcm16-modp4096", "AES_GCM_16-128", "",
                        "PRF_HMAC_SHA2_384", "MODP_4096", "AES_GCM_16-128"),
    "gcm256_modp6144": ("aes256gcm16-prfsha384-modp6144", "aes256gcm16", "AES_GCM_16-256", "", "PRF_HMAC_SHA2_384",
                        "MODP_6144", "AES_GCM_16-256"),
    "gcm256_modp8192": ("aes256gcm16-prfsha384-modp8192", "aes256gcm16", "AES_GCM_16-256", "", "PRF_HMAC_SHA2_384",
                        "MODP_8192", "AES_GCM_16-256"),
    "cbc256_sha1_modp1024": ("aes256-sha1-modp1024", "aes256-sha1", "AES_CBC-256", "HMAC_SHA1_96", "PRF_HMAC_SHA1",
                             "MODP_1024", "AES_CBC-256"),
    "3des_sha1_modp1024": ("3des-sha1-modp1024", "3des-sha1", "3DES_CBC", "HMAC_SHA1_96", "PRF_HMAC_SHA1", "MODP_1024",
                           "3DES_CBC"),
    # Microsoft's default for a connection without a policy of its own
    "azures_default": ("AES256-SHA1-DHGroup2", "AES256-SHA256", "AES_CBC-256", "HMAC_SHA1_96", "PRF_HMAC_SHA1",
                       "MODP_1024", "AES_CBC-256"),
}  # fmt: skip
AZURE_PEER = ("aes256-sha1-modp1024", "aes256-sha256")


def _azure(name):
    if name != "azures_default":
        return {}, {}
    # the rest of the default: 3600 s and 102400000 KB, no PFS
    return {"esp": "{proposals: [AES256-SHA256], lifetime: 3600s, lifetime-bytes: 102400000KB}"}, {
        "life_time": "3600s", "life_bytes": str(102400000 * 1024)}  # fmt: skip


def case_of(name, by_us, rekey):
    ike, esp, encr, integ, prf, dh, esp_encr = SUITES[name]
    peer_ike, peer_esp = AZURE_PEER if name == "azures_default" else (ike, esp)
    ours, theirs = _azure(name)

    def case(bench):
        legacy = ", legacy: true" if "sha1" in peer_ike or "3des" in peer_ike else ""
        tunnel = {"ike": f"{{proposals: [{ike}]{legacy}}}", "esp": f"{{proposals: [{esp}]}}"}
        bench.fresh({**tunnel, **ours}, {"proposals": peer_ike}, {"esp_proposals": peer_esp, **theirs})
        bench.up(by_us)
        bench.traffic()
        (sa,) = bench.peer.sas()
        got = (sa.encr, sa.integ, sa.prf, sa.dh, sa.children[0].encr)
        assert got == (encr, integ, prf, dh, esp_encr), got
        assert sa.initiator != by_us
        (our,) = bench.gw.ikes(TUNNEL)
        assert our.role == ("initiator" if by_us else "responder") and our.state == "established"
        warned = bench.gw.log_text().count("event=weak-algorithm")
        assert bool(legacy) == bool(warned), f"{warned} warnings of weak algorithms"
        if not rekey:
            return
        before = bench.spis()[1][0]
        if by_us:
            bench.gw.rekey_child(TUNNEL)
        else:
            bench.peer.rekey_child(CHILD)
        wait_for("a new child alone", lambda: bench.settled() and not bench.spis()[1][0] & before, 20, 0.1)
        bench.traffic()

    return case


def cases(names, into, rekey=True):
    """A test for each suite and each end that begins. rekey: a child rekey too, which takes some seconds."""
    for name in names:
        into[f"test_we_begin_with_{name}"] = case_of(name, True, rekey)
        into[f"test_peer_begins_with_{name}"] = case_of(name, False, rekey)
