"""The tables' layout: what the kernel side is asserted to have, and how many nodes fit."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest

from ppobserve.probe import abi
from ppobserve.probe.source import bpf_folder

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


@pytest.mark.parametrize(
    ("cpus", "nodes", "told_apart"),
    [(1, 1, 1), (4, 2, 2), (256, 8, 8), (360, 32, 16), (512, 32, 12), (2048, 32, 3), (8192, 64, 1)],
)
def test_nodes_told_apart(cpus: int, nodes: int, told_apart: int) -> None:
    assert abi.nodes_told_apart(cpus, nodes) == told_apart


@pytest.mark.parametrize("cpus", [1, 2, 361, 1024, 2048, 8192])
def test_more_cpus_never_tell_more_nodes_apart(cpus: int) -> None:
    assert 1 <= abi.nodes_told_apart(cpus + 1, 64) <= abi.nodes_told_apart(cpus, 64)
