"""Lists of CPUs and nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.errors import KernelFactError
from ppobserve.kernel.numa import nodes_of_cpus, online_cpus, parse_list, possible_cpus, possible_nodes


def kernel_list(numbers: list[int]) -> str:
    """As ``bitmap_print_to_pagebuf`` writes them: runs as first-last."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) + "\n"


@given(st.sets(st.integers(0, 8191)).map(sorted))
def test_a_list_comes_back(numbers: list[int]) -> None:
    assert parse_list(kernel_list(numbers)) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"), [("0\n", [0]), ("0-3,8\n", [0, 1, 2, 3, 8]), ("\n", []), ("1,3-4,7\n", [1, 3, 4, 7])]
)
def test_lists(text: str, numbers: list[int]) -> None:
    assert parse_list(text) == numbers


def test_there_are_as_many_numbers_as_the_highest_plus_one(tmp_path: Path) -> None:
    (tmp_path / "possible").write_text("0-3,8\n")
    assert (possible_cpus(tmp_path), possible_nodes(tmp_path)) == (9, 9)


def test_the_cpus_that_run_are_those_that_are_listed(tmp_path: Path) -> None:
    (tmp_path / "online").write_text("0-1,3\n")
    assert online_cpus(tmp_path) == [0, 1, 3]
    with pytest.raises(KernelFactError, match=r"cannot read .*online"):
        online_cpus(tmp_path / "none")


def test_a_kernel_without_numa_has_one_node(tmp_path: Path) -> None:
    assert possible_nodes(tmp_path / "node") == 1


def test_nodes_that_are_kept_from_us_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "possible").mkdir()
    with pytest.raises(KernelFactError, match=r"cannot read .*possible: Is a directory"):
        possible_nodes(tmp_path)


@pytest.mark.parametrize(("text", "why"), [("", "it is empty"), ("\n", "it is empty"), ("0-x\n", "it is no list of")])
@pytest.mark.parametrize(
    ("ask", "name"), [(possible_cpus, "possible"), (possible_nodes, "possible"), (online_cpus, "online")]
)
def test_a_file_that_a_container_hides_is_a_sentence(
    ask: Callable[[Path], object], name: str, text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(KernelFactError, match=f"cannot read {tmp_path / name}: {why}"):
        ask(tmp_path)


def test_a_host_without_sysfs_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(KernelFactError, match=r"cannot read .*possible"):
        possible_cpus(tmp_path)


def test_each_cpu_is_on_the_node_that_lists_it(tmp_path: Path) -> None:
    for node, cpus in {"node0": "0-1\n", "node1": "2\n", "node11": "\n", "power": "7\n"}.items():
        (tmp_path / node).mkdir()
        (tmp_path / node / "cpulist").write_text(cpus)
    assert nodes_of_cpus(tmp_path) == {0: 0, 1: 0, 2: 1}
    assert nodes_of_cpus(tmp_path / "none") == {}
