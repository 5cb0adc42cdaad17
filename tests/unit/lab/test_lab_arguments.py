"""The command line of ``ppobserve lab``: sizes, rounds, what it prints, what it refuses."""

from __future__ import annotations

import argparse
import json
import os
import signal
from itertools import islice

import pytest

from ppobserve.cli import interrupt, lab, values
from ppobserve.errors import UsageError
from ppobserve.lab.veth import End


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    lab.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("1500", 1500), ("4K", 4096), ("10M", 10 << 20), ("10m", 10 << 20), ("2G", 2 << 30), ("1T", 1 << 40)],
)
def test_sizes(text: str, expected: int) -> None:
    assert values.size(text) == expected


@pytest.mark.parametrize("text", ["", "M", "0", "0M", "-1", "1.5M", "10MB", "ten", "1 M"])
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a positive number"):
        values.size(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="seconds"):
        values.duration(text)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["udp"],
        ["veth", "--seconds", "1", "--bytes", "1"],
        ["veth", "--cpus", "0,,1"],
        ["veth", "--cpus", "all"],
        ["veth", "--rounds", "0"],
        ["frames", "--count", "1", "--seconds", "1"],
        ["frames", "--cpu", "-1"],
    ],
)
def test_wrong_arguments_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*words)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seconds", "1"], [None]),
        (["--bytes", "10M", "--cpus", "0,1"], [0, 1]),
        (["--bytes", "10M", "--cpus", "0,1", "--rounds", "3"], [0, 1, 0]),
        (["--rounds", "2"], [None, None]),
        (["--cpus", "4,2"], [4, 2, 4, 2, 4]),
        ([], [None] * 5),
    ],
)
def test_the_sender_visits_the_cpus_in_turn(words: list[str], expected: list[int | None]) -> None:
    assert list(islice(lab.visits(parse("veth", *words)), 5)) == expected


@pytest.mark.parametrize(
    "words", [["veth", "--cpus", "0,99999"], ["veth", "--receiver-cpu", "99999"], ["frames", "--cpu", "99999"]]
)
def test_an_unknown_cpu_is_refused_before_anything_is_made(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="cannot run on CPU 99999"):
        lab.run(parse(*words))
    assert capsys.readouterr().out == ""


def test_the_first_interrupt_asks_to_stop_and_the_second_insists() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupt.until_interrupted() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_round_is_one_line() -> None:
    line = lab.round_line(2, lab.Round(1, 500_000_000, 2.0))
    assert line.split() == ["2", "1", "500000000", "2.000", "2.000"]
    assert lab.round_line("total", lab.Round(None, 0, 0.0)).split() == ["total", "any", "0", "0.000", "0.000"]


def test_a_total_is_only_for_several_rounds() -> None:
    once = lab.Round(0, 7, 1.0)
    assert lab.total_lines([once]) == []
    assert [line.split()[2] for line in lab.total_lines([once, once])] == ["14"]
    assert len(lab.total_lines([])) == 1


def test_counters_stand_side_by_side() -> None:
    kernel = {"ppv0": {"rx_pp_alloc_fast": 3}, "ppv1": {"rx_pp_alloc_fast": 2**63, "rx_pp_alloc_waive": 64}}
    lines = lab.kernel_lines(kernel)
    assert [line.split() for line in lines] == [
        ["ppv0", "ppv1"],
        ["rx_pp_alloc_fast", "3", str(2**63)],
        ["rx_pp_alloc_waive", "0", "64"],
    ]
    assert all(len(line) < 80 for line in lines)


def test_a_kernel_without_counters_is_said_once() -> None:
    assert lab.kernel_lines({"ppv0": {}, "ppv1": {}}) == [
        "This kernel keeps no page_pool counters (CONFIG_PAGE_POOL_STATS is off)."
    ]


def test_the_document_has_totals_rounds_and_devices() -> None:
    rounds = [lab.Round(0, 3, 0.5), lab.Round(1, 4, 0.25)]
    document = lab.veth_document([End("ppv0", 2, 4026532177, 4711)], rounds, {"ppv0": {}})
    assert json.loads(json.dumps(document)) == {
        "bytes": 7,
        "seconds": 0.75,
        "rounds": [{"cpu": 0, "bytes": 3, "seconds": 0.5}, {"cpu": 1, "bytes": 4, "seconds": 0.25}],
        "devices": [{"device": "ppv0", "ifindex": 2, "netns": 4026532177}],
        "kernel": {"ppv0": {}},
    }


def test_frames_are_summed_up_in_a_line() -> None:
    assert lab.frames_line(1_000_003, 4, 0.25) == "1000003 frames, 4 pools, 0.250 seconds, 250.0 ns a frame"
    assert lab.frames_line(0, 0, 0.0).endswith("0.0 ns a frame")
