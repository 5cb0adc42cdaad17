"""What `make demo` shows of this kernel: all of it that the kernel has, in 80 columns, and true."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.need import lacking
from ppobserve.kernel.numa import nodes_of_cpus
from ppobserve.model.features import Features
from ppobserve.model.span import Span, span_of
from ppobserve.source.recorded import open_recording

TOP = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.usefixtures("veth")


@dataclass(frozen=True)
class Tour:
    """What it printed and recorded."""

    text: str
    span: Span


@pytest.fixture(scope="module")
def tour(live: None, tmp_path_factory: pytest.TempPathFactory) -> Tour:
    recording = tmp_path_factory.mktemp("tour") / "recording.jsonl.gz"
    command = [sys.executable, "-m", "demo.tour", recording]
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    with closing(open_recording(recording)) as recorded:
        return Tour(done.stdout, span_of(recorded.snapshots(len(recorded))))


def test_it_fits_a_terminal(tour: Tour) -> None:
    assert max(map(len, tour.text.splitlines())) < 80


def test_ppobserve_and_the_kernel_count_the_same(tour: Tour, require: Callable[..., None]) -> None:
    require("ethtool -S" in tour.text, "the kernel keeps no page_pool statistics", capability="stats")
    assert tour.text.count(" equal ") >= 4  # a page or two may differ in ring_full; more, and it would have failed


def test_the_sender_meets_pages_of_both_nodes(tour: Tour, features: Features, require: Callable[..., None]) -> None:
    require(features.nodes > 1, "one NUMA node", capability="numa")
    table = tour.text.split("wanted on 1\n")[1].splitlines()[:2]
    pages = [[word.replace(",", "") for word in row.split()[3:]] for row in table]
    assert int(pages[0][1]) + int(pages[1][0]) > 0


def test_what_was_recorded_says_whether_a_guest_is_needed(tour: Tour, features: Features) -> None:
    refuses = all(features.refusals.get(rung) for rung in ("fentry", "kprobe"))
    lacks = lacking(tour.span, nodes_of_cpus())
    assert ("refuses function hooks" in lacks, "has one NUMA node" in lacks) == (refuses, features.nodes == 1)
    assert "has no page_pool in veth" not in lacks
