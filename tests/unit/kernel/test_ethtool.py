"""Replies of the SIOCETHTOOL ioctl as bytes, and lo, which every namespace has and which has no statistics."""

from __future__ import annotations

import struct

import pytest

from ppobserve.errors import KernelFactError
from ppobserve.kernel import ethtool


def strings(*names: bytes, spare: int = 0) -> bytes:
    """``struct ethtool_gstrings``, with room behind it that the kernel left alone."""
    table = b"".join(name.ljust(ethtool.NAME_BYTES, b"\0") for name in names)
    return struct.pack("=III", ethtool.GSTRINGS, ethtool.STATS_SET, len(names)) + table + bytes(spare)


def values(*numbers: int, spare: int = 0) -> bytes:
    """``struct ethtool_stats``, with room behind it."""
    return struct.pack(f"=II{len(numbers)}Q", ethtool.GSTATS, len(numbers), *numbers) + bytes(spare)


def test_a_set_has_the_size_that_the_driver_announces() -> None:
    assert ethtool.set_size(struct.pack("=IIQI", ethtool.GSSET_INFO, 0, 1 << ethtool.STATS_SET, 21)) == 21


def test_a_set_that_the_driver_does_not_know_is_empty() -> None:
    assert ethtool.set_size(struct.pack("=IIQI", ethtool.GSSET_INFO, 0, 0, 21)) == 0
    assert ethtool.set_size(bytes(20)) == 0


def test_names_end_at_their_nul_or_at_32_bytes() -> None:
    longest = b"n" * ethtool.NAME_BYTES
    assert ethtool.parse_names(strings(b"rx_pp_alloc_slow", longest, b"", spare=64)) == [
        "rx_pp_alloc_slow",
        "n" * 32,
        "",
    ]


def test_values_are_unsigned_and_only_as_many_as_announced() -> None:
    assert ethtool.parse_values(values(0, 2**64 - 1, 7, spare=16)) == [0, 2**64 - 1, 7]


def test_an_untouched_reply_is_no_names_and_no_values() -> None:
    assert ethtool.parse_names(bytes(12)) == []
    assert ethtool.parse_values(bytes(8)) == []


def test_only_page_pool_counters_are_kept() -> None:
    numbers = {"rx_queue_0_drops": 1, "rx_pp_alloc_waive": 2, "peer_ifindex": 3, "rx_pp_recycle_ring_full": 5}
    assert ethtool.only_page_pool(numbers) == {"rx_pp_alloc_waive": 2, "rx_pp_recycle_ring_full": 5}


def test_a_device_without_statistics_has_none() -> None:
    assert ethtool.statistics("lo") == {}
    assert ethtool.page_pool_statistics("lo") == {}


@pytest.mark.parametrize("device", ["nosuchdevice0", "name_of_16_bytes"])
def test_a_device_that_does_not_exist_is_an_error(device: str) -> None:
    with pytest.raises(KernelFactError, match=f"^cannot read statistics of {device}: "):
        ethtool.statistics(device)
