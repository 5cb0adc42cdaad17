"""The tables' layout: what the kernel side is asserted to have, and how many nodes fit."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

from ppobserve.probe import abi
from ppobserve.probe.program_text import bpf_folder

MEMBER = re.compile(r"^\t(?:u64|u32|s32|char) (\w+)(?:\[|;)", re.MULTILINE)


def members(struct: str) -> list[str]:
    """The members of a struct of bpf/abi.h, in their order."""
    text = (Path(bpf_folder()) / "abi.h").read_text()
    (body,) = re.findall(rf"^struct {struct} {{$(.*?)^}};$", text, re.MULTILINE | re.DOTALL)
    return MEMBER.findall(body)


@pytest.mark.parametrize(
    ("name", "struct"),
    [("pool", abi.Pool), ("ledger", abi.Ledger), ("slot", abi.slot_type(2)), ("kept", abi.kept_type(2))],
)
def test_every_member_of_the_kernel_side_is_mirrored_and_asserted(name: str, struct: type[ctypes.Structure]) -> None:
    mirrored = [field[0] for field in struct._fields_]
    assert mirrored == members(name)
    asserted = re.findall(rf"__builtin_offsetof\(struct {name}, (\w+)\) == (\d+),", abi.assertions(2))
    assert [(field, int(at)) for field, at in asserted] == [(each, getattr(struct, each).offset) for each in mirrored]
    assert f"sizeof(struct {name}) == {ctypes.sizeof(struct)}," in abi.assertions(2)


def test_an_assertion_that_fails_names_the_two_files() -> None:
    lines = abi.assertions(2).splitlines()
    assert all(line.endswith('"bpf/abi.h and ppobserve/probe/abi.py differ");') for line in lines)


@pytest.mark.parametrize(("nodes", "cells"), [(1, 4), (2, 9), (16, 289)])
def test_a_slot_has_a_cell_for_each_pair_of_nodes_and_the_unknown_one(nodes: int, cells: int) -> None:
    assert ctypes.sizeof(abi.slot_type(nodes)) == 8 * (27 + cells)


@pytest.mark.parametrize(("nodes", "told_apart"), [(0, 1), (1, 1), (2, 2), (16, 16), (17, 16), (64, 16)])
def test_nodes_told_apart(nodes: int, told_apart: int) -> None:
    assert abi.nodes_told_apart(nodes) == told_apart


@pytest.mark.parametrize(
    ("cpus", "stretch", "cells"),
    [
        (1, 1, 1),
        (2, 1, 2),
        (32, 1, 32),
        (33, 2, 34),
        (100, 4, 100),
        (360, 12, 360),
        (8191, 256, 8192),
        (8192, 256, 8192),
    ],
)
def test_no_more_than_thirty_two_stretches_reach_every_cpu(cpus: int, stretch: int, cells: int) -> None:
    defines = abi.Tables(cpus=cpus, nodes=2).defines()
    assert (defines["FOLD_STRETCH"], defines["CELLS"]) == (stretch, cells)
    assert cpus <= cells <= stretch * abi.FOLDS and cells % stretch == 0
