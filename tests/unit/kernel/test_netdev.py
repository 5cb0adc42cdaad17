"""Pools that the kernel lists: what each says, and what becomes of namespaces that can't be asked."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from ppobserve.kernel import netdev, netlink, netns
from ppobserve.kernel.netdev import ListedPool, PoolLister

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

    def visit(paths: list[Path], look: object) -> list[list[ListedPool]]:
        listed.append(now[0])
        return [[ListedPool(7, NS)] for _ in paths]

    monkeypatch.setattr(netdev.netns, "visit", visit)
    lister = PoolLister(lambda: looked.append(now[0]) or [Path("one"), Path("two")])
    for moment in (100.0, 100.1, 101.0, 109.0, 111.0):
        now[0] = moment
        assert [pool.id for pool in lister.pools()] == [7, 7]
    assert (looked, listed) == ([100.0, 111.0], [100.0, 101.0, 109.0, 111.0])


def test_each_namespace_once_by_whatever_leads_into_it(tmp_path: Path) -> None:
    for name in ("self/ns", "11/ns", "13/ns"):
        (tmp_path / "proc" / name).mkdir(parents=True)
    (tmp_path / "named").mkdir()
    (tmp_path / "proc/self/ns/net").write_text("")
    os.link(tmp_path / "proc/self/ns/net", tmp_path / "proc/11/ns/net")
    (tmp_path / "proc/13/ns/net").symlink_to("gone")
    (tmp_path / "named/blue").write_text("")
    found = netns.namespaces(tmp_path / "proc", tmp_path / "named")
    assert found == [tmp_path / "proc/self/ns/net", tmp_path / "named/blue"]


def test_a_namespace_that_is_gone_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "not-a-namespace").write_text("")
    assert netns.visit([tmp_path / "gone", tmp_path / "not-a-namespace"], lambda inode: inode) == []
