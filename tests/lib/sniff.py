"""Count the frames of one interface that hold a marker: sniff.py IFNAME MARKER

Prints `ready` once it listens; ends at SIGTERM with one line of JSON: frames seen, frames with the marker, ESP-in-UDP
frames, and frames that the kernel had to drop (a count with drops proves nothing).
"""

import json
import signal
import socket
import struct
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33


class Done(Exception):
    """SIGTERM has come."""


def stop(_number, _frame):
    raise Done


def is_esp_in_udp(frame):
    """An IPv4 frame to or from UDP port 4500 whose first four octets are not zero. RFC 3948 2.1"""
    if len(frame) < 46 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return False
    at = 14 + (frame[14] & 15) * 4
    ports = struct.unpack_from("!HH", frame, at)
    return 4500 in ports and len(frame) >= at + 12 and frame[at + 8:at + 12] != b"\0\0\0\0"


def main(ifname, marker):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    s.bind((ifname, 0))
    s.settimeout(0.2)
    frames = marked = esp = 0
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    try:
        while True:
            try:
                frame = s.recv(65536)
            except socket.timeout:
                continue
            frames += 1
            marked += marker in frame
            esp += is_esp_in_udp(frame)
    except Done:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    drops = struct.unpack("II", s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    print(json.dumps({"frames": frames, "marked": marked, "esp": esp, "drops": drops}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].encode())
