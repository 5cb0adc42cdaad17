"""Pools that the kernel lists: what each says, and what becomes of namespaces that can't be asked."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ppobserve.kernel import netdev, netlink
from ppobserve.kernel.netdev import ListedPool, PoolLister
from ppobserve.kernel.netns import Namespaces, Visit

NS = 4026531840
LISTED = [
    {1: struct.pack("=I", 7), 2: struct.pack("=I", 3), 3: struct.pack("=I", 8193), 4: struct.pack("=I", 1021)},
    {1: struct.pack("=I", 11), 4: struct.pack("=I", 64), 6: struct.pack("=Q", 1 << 33)},
    {2: struct.pack("=I", 3)},  # without an id it is nobody's
]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "family", lambda channel, name: 20)
    monkeypatch.setattr(netlink, "dump", lambda channel, of, command: LISTED)
    monkeypatch.setattr(netdev, "device_name", lambda channel, ifindex: "eth0" if ifindex == 3 else "")
    monkeypatch.setattr(netdev, "_driver", lambda channel, name: "virtio_net" if name else "")


def test_what_a_pool_says_of_itself(kernel: None) -> None:
    assert netdev.list_pools(NS) == [
        ListedPool(7, NS, 3, "eth0", "virtio_net", 8193, 1021),
        ListedPool(11, NS, inflight=64, detached_at=1 << 33),
    ]


def test_a_kernel_without_the_family_lists_nothing(kernel: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "family", lambda channel, name: 0)
    assert netdev.list_pools(NS) == []


def test_a_kernel_that_refuses_lists_nothing(kernel: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[netlink.Attributes]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(netlink, "dump", refuse)
    assert netdev.list_pools(NS) == []


def test_namespaces_are_looked_for_now_and_then_and_pools_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looked, listed = [100.0], [], []
    monkeypatch.setattr(netdev.time, "monotonic", lambda: now[0])

    def visit(found: Namespaces, look: object) -> Visit[list[ListedPool]]:
        listed.append(now[0])
        return Visit([[ListedPool(7, NS)] for _ in found.paths], len(found.closed) + len(listed))

    monkeypatch.setattr(netdev.netns, "visit", visit)
    found = Namespaces((Path("one"), Path("two")), frozenset({"three"}))
    lister = PoolLister(lambda: looked.append(now[0]) or found)
    for moment in (100.0, 100.1, 101.0, 109.0, 111.0):
        now[0] = moment
        assert [pool.id for pool in lister.pools()] == [7, 7]
        assert lister.netns_unreadable == 1 + len(listed)
    assert (looked, listed) == ([100.0, 111.0], [100.0, 101.0, 109.0, 111.0])
