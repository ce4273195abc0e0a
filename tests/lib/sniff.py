"""Count the frames of one interface that hold a marker: sniff.py IFNAME MARKER (text, or 0x and octets in hex)

Prints `ready` once it listens; ends at SIGTERM with one line of JSON: frames seen, frames with the marker, ESP-in-UDP
frames, BGP's frames (TCP 179) with their TTLs by source address, and frames that the kernel had to drop (a count with
drops proves nothing). An interface without link header (TUN) will do.
"""

import json
import signal
import socket
import struct
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
TCP_RST = 0x04
SO_RCVBUFFORCE = 33
ARPHRD_NONE = 0xFFFE


done = False


def stop(_number, _frame):
    """No exception: Python 3.11 lets one that arrives at the loop's jump back pass the loop's own `except`."""
    global done
    done = True


def ipv4_of(frame, hatype):
    """The IPv4 packet in a frame, or None."""
    if hatype != ARPHRD_NONE:
        frame = frame[14:] if frame[12:14] == b"\x08\x00" else b""
    return frame if len(frame) >= 20 and frame[0] >> 4 == 4 else None


def is_esp_in_udp(ip):
    """To or from UDP port 4500, with first four octets that are not zero? RFC 3948 2.1"""
    at = (ip[0] & 15) * 4
    if ip[9] != 17 or len(ip) < at + 12:
        return False
    return 4500 in struct.unpack_from("!HH", ip, at) and ip[at + 8:at + 12] != b"\0\0\0\0"


def is_bgp(ip):
    at = (ip[0] & 15) * 4
    return ip[9] == 6 and len(ip) >= at + 20 and 179 in struct.unpack_from("!HH", ip, at)


def main(ifname, marker):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    s.bind((ifname, 0))
    s.settimeout(0.1)
    frames = marked = esp = bgp = 0
    ttls = {}
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while not done:
        try:
            frame, address = s.recvfrom(65536)
        except socket.timeout:
            continue
        frames += 1
        marked += marker in frame
        ip = ipv4_of(frame, address[3])
        esp += ip is not None and is_esp_in_udp(ip)
        if ip is not None and is_bgp(ip):
            bgp += 1
            # a reset for a connection that is no more comes from the kernel, which knows no TTL for it
            if not ip[(ip[0] & 15) * 4 + 13] & TCP_RST:
                ttls.setdefault(socket.inet_ntoa(ip[12:16]), set()).add(ip[8])
    drops = struct.unpack("II", s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    counts = {"frames": frames, "marked": marked, "esp": esp, "bgp": bgp, "drops": drops}
    print(json.dumps({**counts, "ttls": {a: sorted(t) for a, t in ttls.items()}}), flush=True)


if __name__ == "__main__":
    word = sys.argv[2]
    main(sys.argv[1], bytes.fromhex(word[2:]) if word.startswith("0x") else word.encode())
