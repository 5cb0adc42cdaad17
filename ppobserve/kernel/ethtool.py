"""What a network driver counts about itself: ``ethtool -S``, without the program.

Source: the kernel's include/uapi/linux/ethtool.h; the ioctl looks in the network namespace of the calling thread.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct

from ppobserve.errors import KernelFactError

SIOCETHTOOL = 0x8946
GDRVINFO, GSTRINGS, GSTATS, GSSET_INFO = 0x03, 0x1B, 0x1D, 0x37
STATS_SET = 1
NAME_BYTES = 32

_IFNAMSIZ = 16
_DRIVER_INFO_BYTES = 192  # after the command
# The kernel writes as many entries as the driver has at that moment; a queue added since we asked must find room.
_SLACK = 256


def statistics(device: str) -> dict[str, int]:
    """Every statistic of the driver of *device* by its name, {} when the driver has none.

    KernelFactError when this namespace has no such device.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        count = set_size(_ask(control, device, struct.pack("=IIQ", GSSET_INFO, 0, 1 << STATS_SET), room=4))
        if not count:
            return {}
        room = count + _SLACK
        strings = _ask(control, device, struct.pack("=III", GSTRINGS, STATS_SET, count), room=room * NAME_BYTES)
        values = _ask(control, device, struct.pack("=II", GSTATS, count), room=room * 8)
    return dict(zip(parse_names(strings), parse_values(values), strict=False))


def page_pool_statistics(device: str) -> dict[str, int]:
    """The kernel's own page_pool counters of *device* (``rx_pp_*``), {} without CONFIG_PAGE_POOL_STATS."""
    return only_page_pool(statistics(device))


def driver(control: socket.socket, device: str) -> str:
    """The name of the device's driver (``struct ethtool_drvinfo``), empty where it has none to tell."""
    reply = _ask(control, device, struct.pack("=I", GDRVINFO), room=_DRIVER_INFO_BYTES)
    return reply[4:36].partition(b"\0")[0].decode(errors="replace")


def only_page_pool(numbers: dict[str, int]) -> dict[str, int]:
    """The page_pool part of *numbers*, under the names that the kernel gives it (net/core/page_pool.c, pp_stats)."""
    return {name: value for name, value in numbers.items() if name.startswith("rx_pp_")}


def set_size(reply: bytes) -> int:
    """How many statistics ``struct ethtool_sset_info`` announces: 0 when the driver left the set's bit unset."""
    mask, count = struct.unpack_from("=8xQI", reply)
    return int(count) if mask & 1 << STATS_SET else 0


def parse_names(reply: bytes) -> list[str]:
    """The names in ``struct ethtool_gstrings``: NUL-padded, 32 bytes each."""
    (count,) = struct.unpack_from("=8xI", reply)
    names = (reply[12 + at * NAME_BYTES :][:NAME_BYTES] for at in range(count))
    return [name.partition(b"\0")[0].decode(errors="replace") for name in names]


def parse_values(reply: bytes) -> list[int]:
    """The numbers in ``struct ethtool_stats``, in the order of the names."""
    (count,) = struct.unpack_from("=4xI", reply)
    return list(struct.unpack_from(f"=8x{count}Q", reply))


def _ask(control: socket.socket, device: str, command: bytes, *, room: int) -> bytes:
    """Put *command* and *room* empty bytes before the driver; returns them as it left them (zeros if it cannot)."""
    buffer = ctypes.create_string_buffer(command, len(command) + room)
    name = os.fsencode(device)
    if len(name) >= _IFNAMSIZ:
        raise KernelFactError(f"cannot read statistics of {device}: a device name has at most {_IFNAMSIZ - 1} bytes")
    try:
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", name, ctypes.addressof(buffer)))
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return bytes(len(buffer))
        raise KernelFactError(f"cannot read statistics of {device}: {error.strerror}") from error
    return buffer.raw
