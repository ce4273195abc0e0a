"""strongSwan's management protocol (vici): commands and streamed events over a Unix socket. Standard library only."""

import socket
import struct

CMD_REQUEST, CMD_RESPONSE, CMD_UNKNOWN, EVENT_REGISTER, EVENT_UNREGISTER, EVENT_CONFIRM, EVENT_UNKNOWN, EVENT = range(8)
SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)


class ViciError(Exception):
    """The daemon refused a command, or the connection broke."""


def encode(message):
    """A message of str, list and dict values as bytes."""
    out = bytearray()
    for key, value in message.items():
        name = bytes([len(key)]) + key.encode()
        if isinstance(value, dict):
            out += bytes([SECTION_START]) + name + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            out += bytes([LIST_START]) + name
            for item in value:
                item = str(item).encode()
                out += bytes([LIST_ITEM]) + struct.pack("!H", len(item)) + item
            out += bytes([LIST_END])
        else:
            value = str(value).encode()
            out += bytes([KEY_VALUE]) + name + struct.pack("!H", len(value)) + value
    return bytes(out)


def decode(data):
    """Bytes as a message: str, list and dict values."""
    root, pos = {}, 0
    stack, items = [root], None

    def name():
        nonlocal pos
        n = data[pos]
        pos += 1 + n
        return data[pos - n:pos].decode(errors="replace")

    def text():
        nonlocal pos
        (n,) = struct.unpack_from("!H", data, pos)
        pos += 2 + n
        return data[pos - n:pos].decode(errors="replace")

    while pos < len(data):
        kind = data[pos]
        pos += 1
        if kind == SECTION_START:
            stack.append(stack[-1].setdefault(name(), {}))
        elif kind == SECTION_END:
            stack.pop()
        elif kind == KEY_VALUE:
            key = name()
            stack[-1][key] = text()
        elif kind == LIST_START:
            items = stack[-1].setdefault(name(), [])
        elif kind == LIST_ITEM:
            items.append(text())
        elif kind == LIST_END:
            items = None
        else:
            raise ViciError(f"element of unknown type {kind}")
    return root


class Vici:
    """One connection to a charon daemon. Not for several threads at once."""

    def __init__(self, path, timeout=30.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def _read(self, n):
        out = b""
        while len(out) < n:
            part = self.socket.recv(n - len(out))
            if not part:
                raise ViciError("the daemon closed the connection")
            out += part
        return out

    def _send(self, kind, name, message=None):
        body = bytes([kind, len(name)]) + name.encode() + (encode(message) if message else b"")
        self.socket.sendall(struct.pack("!I", len(body)) + body)

    def _receive(self):
        (n,) = struct.unpack("!I", self._read(4))
        body = self._read(n)
        if body[0] == EVENT:
            return EVENT, decode(body[2 + body[1]:])
        return body[0], decode(body[1:])

    def call(self, command, message=None):
        """The response of a command; ViciError if it did not succeed."""
        self._send(CMD_REQUEST, command, message)
        kind, answer = self._receive()
        if kind != CMD_RESPONSE:
            raise ViciError(f"{command}: not known to the daemon")
        if answer.get("success", "yes") != "yes":
            raise ViciError(f"{command}: {answer.get('errmsg', 'failed')}")
        return answer

    def stream(self, command, event, message=None):
        """The events that a command sends before its response."""
        self._send(EVENT_REGISTER, event)
        kind, _ = self._receive()
        if kind != EVENT_CONFIRM:
            raise ViciError(f"event {event}: not known to the daemon")
        self._send(CMD_REQUEST, command, message)
        events = []
        kind, answer = self._receive()
        while kind == EVENT:
            events.append(answer)
            kind, answer = self._receive()
        self._send(EVENT_UNREGISTER, event)
        while self._receive()[0] != EVENT_CONFIRM:
            pass
        return events
