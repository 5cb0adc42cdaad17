"""Events as lines."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from ppobserve.model.plan import Level, Rung
from ppobserve.model.trace import KINDS, Dropped, Event, Kind, Selection, trace_plan
from ppobserve.ui.trace import WIDTH, dropped_line, header, lines, summary, what
from tests.unit.factories import plan

LONG = Event(
    time_ns=1_795_642_911_339_971_227,
    kind=Kind.UPDATE_NID,
    cpu=255,
    node=15,
    pid=4_194_303,
    comm="a_thread_called",
    pool="ffff888012345678",
    netdev="enp129s0f1np1v7",
    netns=4_026_531_840,
    ifindex=10**6,
    napi=8193,
    nid=12,
    page_node=15,
    wanted_node=14,
    reason="referenced",
    pages=64,
)


@pytest.mark.parametrize("rung", Rung)
def test_a_terminal_of_80_columns_is_enough(rung: Rung) -> None:
    told = trace_plan(plan(Level.STANDARD, rung), Selection())
    text = "\n".join([header(told, Selection(), wide=False), *(lines(of(kind), wide=False) for kind in KINDS)])
    assert max(map(len, text.split("\n"))) <= WIDTH


def of(kind: Kind, **changes: Any) -> Event:
    return replace(LONG, kind=kind, **changes)


def test_a_line_names_the_nodes() -> None:
    event = of(Kind.MISMATCH, pool="23", cpu=3, node=1, page_node=0, wanted_node=1, netdev="eth0", comm="swapper/3")
    moment = time.strftime("%H:%M:%S", time.localtime(LONG.time_ns // 10**9))
    words = lines(event, wide=False).split()
    assert words == [f"{moment}.339", "3", "1", "mismatch", "23", "eth0", "0", "1", "swapper/3"]
    assert lines(event, wide=True).split()[0] == f"{moment}.339971"


def test_wide_clips_nothing() -> None:
    text = lines(LONG, wide=True)
    assert all(each in text for each in (LONG.pool, LONG.netdev, LONG.comm, str(LONG.netns), str(LONG.pid)))


def test_of_a_long_name_the_narrow_line_keeps_the_end() -> None:
    assert "…45678" in lines(LONG, wide=False)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (of(Kind.MISMATCH), ""),
        (of(Kind.RETURN), "referenced"),
        (of(Kind.SLOW), "64 pages"),
        (of(Kind.SLOW, pages=None), ""),
        (of(Kind.CREATE), "nid 12"),
        (of(Kind.CREATE, nid=-1), "any node"),
        (of(Kind.DESTROY, pages=0), ""),
        (of(Kind.DESTROY, pages=29), "29 out"),
        (of(Kind.UPDATE_NID), "12 to 14"),
        (of(Kind.UPDATE_NID, nid=-1, wanted_node=None), "any to -"),
    ],
)
def test_what_an_event_says(event: Event, said: str) -> None:
    assert what(event) == said


def test_a_stack_begins_at_the_kernel_s_own_functions() -> None:
    glue = ("0xffffffffc0026184", "bpf_prog_6deef7357e7b4530_f+0x1", "bpf_trace_run3+0xf7")
    event = replace(LONG, stack=(*glue, "page_pool_return_netmem+0x2b", "0xffffffffc1", "napi_poll+0x1"))
    below = lines(event, wide=False).split("\n")[1:]
    assert below == ["    page_pool_return_netmem+0x2b", "    0xffffffffc1", "    napi_poll+0x1"]


def test_a_stack_of_addresses_alone_is_shown() -> None:
    event = replace(LONG, stack=("0x1", "0x2"))
    assert lines(event, wide=False).split("\n")[1:] == ["    0x1", "    0x2"]


def test_a_name_that_steers_a_terminal_is_harmless() -> None:
    assert "\x1b" not in lines(replace(LONG, comm="\x1b[2J", netdev="\x1b[1m", stack=("\x1b",)), wide=True)


def test_what_was_dropped_is_always_said() -> None:
    assert summary(1, Dropped()) == "1 event shown, 0 over the limit, 0 lost"
    assert summary(1009, Dropped(limited=12345, lost=7)) == "1,009 events shown, 12,345 over the limit, 7 lost"
    assert summary(3, Dropped(skipped=1234)) == "3 events shown, 0 over the limit, 0 lost, 1,234 skipped by the kernel"
    assert dropped_line(Dropped(limited=3)) == "-- 3 over the limit, 0 lost so far --"


def test_the_header_says_what_is_not_seen_and_why() -> None:
    told = trace_plan(plan(Level.STANDARD, Rung.TRACEPOINT), Selection())
    text = " ".join(header(told, Selection(limit=0), wide=False).split())
    assert text.startswith("Tracing mismatch, slow, return, destroy, update_nid by tracepoint. Ctrl-C to end.")
    assert "not seen here: create: a new pool passes no tracepoint" in text
    assert "at most 1000 a second on each CPU" in " ".join(header(told, Selection(), wide=False).split())
