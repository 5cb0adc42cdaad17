"""The pools that the kernel itself lists, in every network namespace: netdev netlink, since 6.8.

Source: Documentation/netlink/specs/netdev.yaml (kernel commit 950ab53b77ab, "net: page_pool: implement GET in the
netlink API", 6.8). Idle pools are in it; those whose driver names no device (veth, test_run, vmxnet3) are not.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from ppobserve.errors import KernelFactError
from ppobserve.kernel import ethtool, netlink, netns

FAMILY = "netdev"
PAGE_POOL_GET, PAGE_POOL_STATS_GET = 5, 9
_ID, _IFINDEX, _NAPI_ID, _INFLIGHT, _DETACH_TIME = 1, 2, 3, 4, 6
_SIOCGIFNAME = 0x8910

NAMESPACES_SECONDS = 10.0
"""How long a list of namespaces is believed: reading /proc takes milliseconds on a host of many processes."""
LIST_SECONDS = 0.5
"""How long a list of pools is: what it alone knows is idle."""


@dataclass(frozen=True)
class ListedPool:
    """One pool as the kernel lists it; zeros and empty strings for what it does not say."""

    id: int
    netns: int
    ifindex: int = 0
    netdev: str = ""
    driver: str = ""
    napi: int = 0
    inflight: int = 0
    detached_at: int | None = None
    """When its driver destroyed it, in seconds of CLOCK_BOOTTIME; None: it is in use."""


class PoolLister:
    """Asks in each namespace. What can't be asked is left out: a kernel before 6.8, a namespace that is gone."""

    def __init__(self, find: Callable[[], netns.Namespaces] = netns.namespaces) -> None:
        self._find = find
        self._namespaces = netns.Namespaces()
        self._pools: tuple[ListedPool, ...] = ()
        self.netns_unreadable = 0
        """Namespaces that this process may not enter, as of the last list."""
        self._found_at = self._listed_at = float("-inf")

    def pools(self) -> tuple[ListedPool, ...]:
        """Every pool that the kernel lists, in all namespaces."""
        now = time.monotonic()
        if now - self._found_at > NAMESPACES_SECONDS:
            self._found_at, self._namespaces = now, self._find()
        if now - self._listed_at > LIST_SECONDS:
            visit = netns.visit(self._namespaces, list_pools)
            self._pools = tuple(pool for pools in visit.seen for pool in pools)
            self.netns_unreadable = visit.unreadable
            self._listed_at = time.monotonic()
        return self._pools


def list_pools(inode: int) -> list[ListedPool]:
    """The pools of the calling thread's namespace, which has that inode number; none where nobody can tell."""
    try:
        with netlink.open_socket() as channel:
            family = netlink.family(channel, FAMILY)
            listed = netlink.dump(channel, family, PAGE_POOL_GET) if family else []
            return [_pool(each, inode, channel) for each in listed if _ID in each]
    except OSError:
        return []


# Attributes of the statistics, by their names in the specification with "-" for "_".
STATISTICS = {
    8: "alloc_fast",
    9: "alloc_slow",
    10: "alloc_slow_high_order",
    11: "alloc_empty",
    12: "alloc_refill",
    13: "alloc_waive",
    14: "recycle_cached",
    15: "recycle_cache_full",
    16: "recycle_ring",
    17: "recycle_ring_full",
    18: "recycle_released_ref",
}
_INFO = 1


def page_pool_statistics() -> dict[int, dict[str, int]]:
    """The kernel's own counters by pool id, in the calling thread's namespace; {} without CONFIG_PAGE_POOL_STATS."""
    try:
        with netlink.open_socket() as channel:
            family = netlink.family(channel, FAMILY)
            listed = netlink.dump(channel, family, PAGE_POOL_STATS_GET) if family else []
    except OSError:
        return {}
    return {
        netlink.number(netlink.attributes(each[_INFO])[_ID]): {
            name: netlink.number(each.get(kind, b"")) for kind, name in STATISTICS.items()
        }
        for each in listed
    }


def _pool(listed: netlink.Attributes, inode: int, channel: socket.socket) -> ListedPool:
    ifindex = netlink.number(listed.get(_IFINDEX, b""))
    name = device_name(channel, ifindex)
    return ListedPool(
        id=netlink.number(listed[_ID]),
        netns=inode,
        ifindex=ifindex,
        netdev=name,
        driver=_driver(channel, name),
        napi=netlink.number(listed.get(_NAPI_ID, b"")),
        inflight=netlink.number(listed.get(_INFLIGHT, b"")),
        detached_at=netlink.number(listed[_DETACH_TIME]) if _DETACH_TIME in listed else None,
    )


def device_name(channel: socket.socket, ifindex: int) -> str:
    """The device's name in the namespace of any socket; empty for one that is not there."""
    try:
        reply = fcntl.ioctl(channel, _SIOCGIFNAME, struct.pack("16si20x", b"", ifindex))
    except OSError:
        return ""
    return reply[:16].partition(b"\0")[0].decode(errors="replace")


def _driver(channel: socket.socket, name: str) -> str:
    try:
        return ethtool.driver(channel, name) if name else ""
    except KernelFactError:
        return ""
