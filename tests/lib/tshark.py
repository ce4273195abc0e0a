"""tshark as the independent decoder of IKEv2 and ESP: a capture, and what it makes of it with the keys of a build that tells them.

The keys come from a control plane built with -Dkeylog=true (controlplane/ike/keylog.h).
"""

import os
import shutil
import subprocess

from netlab import PEERS, LabError

# IANA's transform ids in tshark's words; ESP: the ICV's length is the integrity algorithm's or stands in the name
IKE_ENCR = {
    (3, 0): "3DES [RFC2451]", (12, 128): "AES-CBC-128 [RFC3602]", (12, 192): "AES-CBC-192 [RFC3602]", (12, 256): "AES-CBC-256 [RFC3602]",
    (20, 128): "AES-GCM-128 with 16 octet ICV [RFC5282]", (20, 192): "AES-GCM-192 with 16 octet ICV [RFC5282]",
    (20, 256): "AES-GCM-256 with 16 octet ICV [RFC5282]",
}  # fmt: skip
IKE_INTEG = {0: "NONE [RFC4306]", 2: "HMAC_SHA1_96 [RFC2404]", 12: "HMAC_SHA2_256_128 [RFC4868]", 13: "HMAC_SHA2_384_192 [RFC4868]",
             14: "HMAC_SHA2_512_256 [RFC4868]"}  # fmt: skip
ESP_ENCR = {3: "TripleDES-CBC [RFC2451]", 11: "NULL", 12: "AES-CBC [RFC3602]", 20: "AES-GCM with 16 octet ICV [RFC4106]"}
ESP_INTEG = {0: "NULL", 2: "HMAC-SHA-1-96 [RFC2404]", 12: "HMAC-SHA-256-128 [RFC4868]", 13: "HMAC-SHA-384-192 [RFC4868]",
             14: "HMAC-SHA-512-256 [RFC4868]"}  # fmt: skip
CIPHER_LEN = {3: lambda bits: 24, 11: lambda bits: 0, 12: lambda bits: bits // 8, 20: lambda bits: bits // 8 + 4}


class Capture:
    """tcpdump on an interface of a namespace, until stop(); the file is in the peers' root."""

    def __init__(self, ns, ifname, name="capture"):
        self.inside = f"{ns.lab.peer_dir}/{name}.pcap"
        self.path = PEERS + self.inside
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        os.chmod(os.path.dirname(self.path), 0o777)
        self.process = ns.start(
            f"tcpdump-{name}", "tcpdump", "-i", ifname, "-U", "--immediate-mode", "-B", "8192", "-Z", "root", "-w", self.inside, peer=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def started(self):
        return os.path.exists(self.path) and os.path.getsize(self.path) >= 24

    def stop(self):
        self.process.stop()
        return self


def tables(keylog):
    """The two -o arguments that give tshark the keys of a keylog file."""
    ike, esp = [], []
    with open(keylog) as f:
        for words in map(str.split, f):
            if words[0] == "ike":
                spi_i, spi_r, encr, bits, ei, er, integ, ai, ar = words[1:]
                blank = lambda x: "" if x == "-" else x
                ike.append([spi_i, spi_r, ei, er, IKE_ENCR[int(encr), int(bits)], blank(ai), blank(ar), IKE_INTEG[int(integ)]])
            else:
                src, dst, spi, encr, bits, integ, keymat = words[1:]
                n = 2 * CIPHER_LEN[int(encr)](int(bits))
                family = "IPv6" if ":" in src else "IPv4"
                key, auth = keymat[:n], keymat[n:]
                esp.append([family, src, dst, "0x" + spi, ESP_ENCR[int(encr)], "0x" + key if key else "", ESP_INTEG[int(integ)],
                            "0x" + auth if auth else ""])  # fmt: skip
    return ike, esp


def decode(capture, keylog, fields, display="esp or isakmp"):
    """Rows of a capture's packets, a dict of the fields each; every ICV is checked."""
    ike, esp = tables(keylog)
    home = PEERS + os.path.dirname(capture.inside) + "/home"
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home + "/.config/wireshark")
    for name, rows in (("ikev2_decryption_table", ike), ("esp_sa", esp)):
        with open(f"{home}/.config/wireshark/{name}", "w") as f:
            f.writelines(",".join(f'"{x}"' if name == "esp_sa" or i in (4, 7) else x for i, x in enumerate(row)) + "\n" for row in rows)
    argv = ["chroot", PEERS, "env", f"HOME={home[len(PEERS):]}", "tshark", "-n", "-r", capture.inside, "-Y", display, "-T", "fields",
            "-E", "separator=/t", "-E", "occurrence=a", "-o", "esp.enable_encryption_decode:TRUE",
            "-o", "esp.enable_authentication_check:TRUE", "-o", "esp.enable_null_encryption_decode_heuristic:FALSE"]  # fmt: skip
    for field in fields:
        argv += ["-e", field]
    r = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    if r.returncode:
        raise LabError(f"tshark: {r.stderr}")
    return [dict(zip(fields, line.split("\t"))) for line in r.stdout.splitlines()]
