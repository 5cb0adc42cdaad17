"""Generic netlink, as far as a dump of one family takes it.

Source: the kernel's include/uapi/linux/netlink.h and genetlink.h, Documentation/userspace-api/netlink/intro.rst.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping

NETLINK_GENERIC = 16
_REQUEST, _DUMP = 0x1, 0x300
_ERROR, _DONE = 2, 3
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 0x10, 3, 1, 2
_HEADER, _GENERIC = struct.Struct("=IHHII"), struct.Struct("=BBH")
_RECEIVE_BYTES = 65536

Attributes = Mapping[int, bytes]
"""Payloads by attribute type, flags left out; of a type that comes twice, the last."""


def open_socket() -> socket.socket:
    """A socket in the network namespace of the calling thread: dumps through it show that namespace."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)


def family(channel: socket.socket, name: str) -> int:
    """The number of a family; 0 for one that this kernel does not have."""
    wanted = name.encode() + b"\0"
    try:
        replies = list(_ask(channel, _CONTROL, _GET_FAMILY, _REQUEST, attribute(_FAMILY_NAME, wanted)))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return 0
        raise
    return number(replies[0].get(_FAMILY_ID, b"")) if replies else 0


def dump(channel: socket.socket, of: int, command: int) -> list[Attributes]:
    """Everything that a family lists in answer to *command*. OSError as the kernel says it."""
    return list(_ask(channel, of, command, _REQUEST | _DUMP, b""))


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute: length, type, payload, padded to four bytes."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def attributes(payload: bytes) -> Attributes:
    """The attributes of a message; one that is cut short, and all behind it, are left out."""
    found = {}
    while len(payload) >= 4:
        length, kind = struct.unpack_from("=HH", payload)
        if not 4 <= length <= len(payload):
            break
        found[kind & 0x3FFF] = payload[4:length]
        payload = payload[length + -length % 4 :]
    return found


def number(payload: bytes) -> int:
    """An unsigned number of whatever width the kernel chose for it (uint: four or eight bytes); 0 for none."""
    return int.from_bytes(payload, "little" if _LITTLE else "big")


_LITTLE = struct.pack("=H", 1)[0] == 1


def _ask(channel: socket.socket, kind: int, command: int, flags: int, payload: bytes) -> Iterator[Attributes]:
    body = _GENERIC.pack(command, 1, 0) + payload
    channel.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body)
    more = True
    while more:
        more = bool(flags & _DUMP)
        for answered, message in _messages(channel.recv(_RECEIVE_BYTES)):
            if answered == _DONE:
                return
            if answered == _ERROR:
                _raise(message)
            yield attributes(message[_GENERIC.size :])


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of every message in what was received; one that is cut short ends it."""
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            return
        yield kind, data[_HEADER.size : length]
        data = data[length + -length % 4 :]


def _raise(message: bytes) -> None:
    (code,) = struct.unpack_from("=i", message)
    raise OSError(-code, os.strerror(-code))
