"""Branches in machine code: where they go, for both machines that we read."""

from __future__ import annotations

import struct

import pytest

from ppobserve.kernel import machine_code

START = 0xFFFFFFFF81000100
NOP = b"\x90"


def x86(opcode: int, at: int, target: int) -> bytes:
    """A call (E8) or jump (E9) that stands *at* bytes into the function."""
    return struct.pack("<Bi", opcode, target - (START + at + 5))


def arm(opcode: int, at: int, target: int) -> bytes:
    """A B (5) or BL (37)."""
    return struct.pack("<I", opcode << 26 | (target - START - at) // 4 & 0x3FFFFFF)


@pytest.mark.parametrize("opcode", [0xE8, 0xE9])
@pytest.mark.parametrize("target", [START - 0x1235, START + 0x101, START + 0x7FFFF000])
def test_calls_and_jumps_of_x86(opcode: int, target: int) -> None:
    code = NOP * 7 + x86(opcode, 7, target) + NOP * 11
    assert target in machine_code.branches(code, START, "x86_64")


@pytest.mark.parametrize("opcode", [0b000101, 0b100101])
@pytest.mark.parametrize("target", [START - 0x1234, START + 0x104, START + 0x7FFFFFC])
def test_branches_of_arm(opcode: int, target: int) -> None:
    code = bytes(12) + arm(opcode, 12, target) + bytes(20)
    assert target in machine_code.branches(code, START, "aarch64")


def test_code_without_a_branch_goes_nowhere_and_a_cut_one_is_none() -> None:
    call = x86(0xE8, 3, START + 0x101)
    assert list(machine_code.branches(NOP * 64, START, "x86_64")) == []
    assert list(machine_code.branches(NOP * 3 + call[:-1], START, "x86_64")) == []
    assert list(machine_code.branches(bytes(64) + b"\x94", START, "aarch64")) == []


def test_a_machine_that_nobody_taught_us_branches_nowhere() -> None:
    assert list(machine_code.branches(x86(0xE8, 0, START), START, "s390x")) == []
