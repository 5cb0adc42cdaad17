"""What /metrics says of a device, beside what the kernel says."""

from __future__ import annotations

import pytest

from demo.counters import mismatches_by_node, pairs, parse_ethtool, series_of, total

WHOSE = 'driver="veth",napi="",netdev="ppv1",netns="7",pool="3"'
EXPOSITION = f"""\
# TYPE ppobserve_refill_batch_pages histogram
ppobserve_refill_batch_pages_bucket{{{WHOSE},le="0.0"}} 5.0
ppobserve_refill_batch_pages_bucket{{{WHOSE},le="+Inf"}} 45.0
ppobserve_refill_batch_pages_count{{{WHOSE}}} 45.0
ppobserve_refill_batch_pages_sum{{{WHOSE}}} 900.0
# TYPE ppobserve_refill_misses counter
ppobserve_refill_misses_total{{{WHOSE},cause="ring_empty"}} 2.0
ppobserve_refill_misses_total{{{WHOSE},cause="numa"}} 3.0
# TYPE ppobserve_numa_mismatch_pages counter
ppobserve_numa_mismatch_pages_total{{{WHOSE},page_node="0",wanted_node="1"}} 11.0
ppobserve_numa_mismatch_pages_total{{{WHOSE},page_node="1",wanted_node="0"}} 13.0
# TYPE ppobserve_slow_refills counter
ppobserve_slow_refills_total{{{WHOSE}}} 26.0
ppobserve_slow_refills_total{{driver="veth",napi="",netdev="ppv1",netns="8",pool="4"}} 1000.0
# TYPE ppobserve_pages_returned counter
ppobserve_pages_returned_total{{{WHOSE},reason="ring_full"}} 640.0
ppobserve_pages_returned_total{{{WHOSE},reason="numa"}} 24.0
"""
ETHTOOL = """\
NIC statistics:
     peer_ifindex: 2
     rx_queue_0_xdp_packets: 9
     rx_pp_alloc_fast: 4000
     rx_pp_alloc_slow: 26
     rx_pp_alloc_empty: 2
     rx_pp_alloc_refill: 40
     rx_pp_alloc_waive: 24
     rx_pp_recycle_ring_full: 640
"""


def test_lines_are_of_one_device_in_one_namespace() -> None:
    series = series_of(EXPOSITION, "ppv1", 7)
    assert total(series, "ppobserve_slow_refills_total") == 26
    assert series_of(EXPOSITION, "ppv0", 7) == []


def test_what_is_not_counted_has_no_total() -> None:
    assert total(series_of(EXPOSITION, "ppv1", 8), "ppobserve_numa_mismatch_pages_total") is None


def test_mismatches_are_of_nodes() -> None:
    assert mismatches_by_node(series_of(EXPOSITION, "ppv1", 7)) == {("0", "1"): 11, ("1", "0"): 13}


def test_the_same_events_are_equal() -> None:
    found = pairs(series_of(EXPOSITION, "ppv1", 7), parse_ethtool(ETHTOOL))
    assert [(pair.kernel_name, pair.ours, pair.kernel) for pair in found] == [
        ("alloc_refill", 40, 40),
        ("alloc_empty", 2, 2),
        ("alloc_waive", 24, 24),
        ("alloc_slow", 26, 26),
        ("recycle_ring_full", 640, 640),
    ]
    assert not any(pair.apart for pair in found)


@pytest.mark.parametrize(
    ("name", "apart", "wrong"),
    [
        ("alloc_refill", 1, True),
        ("alloc_empty", 1, True),
        ("alloc_waive", 1, True),
        ("alloc_slow", 1, True),
        ("recycle_ring_full", 2, False),
        ("recycle_ring_full", 3, True),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_differs_is_found(name: str, apart: int, wrong: bool, sign: int) -> None:
    kernel = parse_ethtool(ETHTOOL)
    kernel[f"rx_pp_{name}"] += sign * apart
    found = pairs(series_of(EXPOSITION, "ppv1", 7), kernel)
    assert [(pair.kernel_name, pair.apart, pair.is_wrong) for pair in found if pair.apart] == [(name, apart, wrong)]


def test_a_kernel_without_counters_has_nothing_to_differ_from() -> None:
    found = pairs(series_of(EXPOSITION, "ppv1", 7), parse_ethtool("no stats available\n"))
    assert {pair.kernel for pair in found} == {None}
    assert not any(pair.apart for pair in found)


def test_what_ppobserve_does_not_count_here_has_nothing_to_differ_from() -> None:
    found = pairs(series_of(EXPOSITION, "ppv1", 8), parse_ethtool(ETHTOOL))
    assert [pair.kernel_name for pair in found if pair.ours is not None] == ["alloc_slow"]
    assert [pair.kernel_name for pair in found if pair.is_wrong] == ["alloc_slow"]
