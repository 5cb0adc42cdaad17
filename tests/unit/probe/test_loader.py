"""What the loader child says of a program that the kernel does not take. No BCC is needed for that."""

from __future__ import annotations

import errno

import pytest

from ppobserve.kernel import bpf, perf, programs
from ppobserve.probe import loader

ITEM = {"kind": "kprobe", "function": "slow_entry", "event": "page_pool_slow"}
KINDS = [
    (errno.EMFILE, "exhausted"),
    (errno.ENFILE, "exhausted"),
    (errno.ENOMEM, "exhausted"),
    (errno.EPERM, "refused"),
    (errno.EINVAL, "refused"),
]


class Compiled:
    """Stands for BCC's BPF class."""

    def dump_func(self, function: bytes) -> bytes:
        return programs.returning(0)


@pytest.mark.parametrize(("number", "kind"), KINDS)
def test_a_program_that_is_not_loaded(number: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise bpf.BpfError("cannot load BPF program slow_entry", number, "R1 is not a pointer")

    monkeypatch.setattr(programs, "load", refuse)
    with pytest.raises(loader._Refused, match=r"^cannot load slow_entry, the kprobe of page_pool_slow: ") as caught:
        loader._load(Compiled(), ITEM, {})
    assert caught.value.kind == kind
    assert str(caught.value).endswith("R1 is not a pointer")


@pytest.mark.parametrize(("number", "kind"), KINDS)
def test_a_program_that_is_not_attached(number: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, "why")

    monkeypatch.setattr(perf, "open_kprobe", refuse)
    with pytest.raises(loader._Refused, match=r"^cannot attach kprobe to page_pool_slow: ") as caught:
        loader._attach(-1, ITEM)
    assert caught.value.kind == kind
