"""BPF_PROG_LOAD where the kernel says no: what the verifier wrote, and what is tried again."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Callable

import pytest

from ppobserve.kernel import bpf, programs

CODE = programs.returning(0)
_LOG_LEVEL, _LOG_SIZE, _LOG_AT = 24, 28, 32


class Verifier:
    """Stands for bpf(2): one answer a call, an fd or an error number, and a log for those who bring room for it."""

    def __init__(self, answers: list[int], log: bytes) -> None:
        self.answers, self.log = answers, log
        self.rooms: list[int] = []

    def __call__(self, command: int, attr: bytes, what: str) -> int:
        assert command == bpf.PROG_LOAD
        level, room, at = struct.unpack_from("<IIQ", attr, _LOG_LEVEL)
        self.rooms.append(room if level else 0)
        answer = self.answers.pop(0)
        if answer >= 0:
            return answer
        if level and -answer != errno.ENOSPC:
            ctypes.memmove(at, self.log, len(self.log))
        raise bpf.BpfError(what, -answer)


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Verifier]:
    def install(*answers: int, log: str = "") -> Verifier:
        fake = Verifier(list(answers), log.encode() + b"\0")
        monkeypatch.setattr(programs, "bpf", fake)
        return fake

    return install


def load() -> int:
    return programs.load(programs.TYPE_TRACING, CODE, "refill_exit", attach=programs.ATTACH_FEXIT, btf_id=97)


def test_what_the_verifier_takes_at_once_is_verified_once_and_without_a_log(
    verifier: Callable[..., Verifier],
) -> None:
    fake = verifier(7)
    assert load() == 7
    assert fake.rooms == [0]


LOG = """0: R1=ctx() R10=fp0
3: (79) r3 = *(u64 *)(r1 +0)
invalid bpf_context access off=0 size=8
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_the_verifier_s_reason_is_in_the_error_and_not_its_statistics(verifier: Callable[..., Verifier]) -> None:
    verifier(-errno.EACCES, -errno.EACCES, log=LOG)
    with pytest.raises(bpf.BpfError, match="cannot load BPF program refill_exit: Permission denied") as caught:
        load()
    assert caught.value.because == "invalid bpf_context access off=0 size=8"
    assert caught.value.log == LOG
    assert caught.value.errno == errno.EACCES


def test_a_log_that_does_not_fit_is_given_more_room(verifier: Callable[..., Verifier]) -> None:
    fake = verifier(-errno.EACCES, -errno.ENOSPC, -errno.EACCES, log=LOG)
    with pytest.raises(bpf.BpfError) as caught:
        load()
    assert caught.value.because == "invalid bpf_context access off=0 size=8"
    assert fake.rooms == sorted(set(fake.rooms)) and len(fake.rooms) == 3


def test_a_log_that_never_fits_leaves_the_first_refusal(verifier: Callable[..., Verifier]) -> None:
    verifier(-errno.EACCES, -errno.ENOSPC, -errno.ENOSPC)
    with pytest.raises(bpf.BpfError, match="Permission denied") as caught:
        load()
    assert caught.value.because == ""


def test_a_program_that_the_kernel_takes_at_the_second_try_is_loaded(verifier: Callable[..., Verifier]) -> None:
    verifier(-errno.EPERM, 7)
    assert load() == 7


def test_a_signal_in_the_midst_is_no_refusal(verifier: Callable[..., Verifier]) -> None:
    fake = verifier(-errno.EAGAIN, -errno.EAGAIN, 7)
    assert load() == 7
    assert fake.rooms == [0, 0, 0]


def test_a_program_is_named_by_its_hook_as_far_as_the_kernel_keeps_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    monkeypatch.setattr(programs, "bpf", lambda command, attr, what: asked.append(attr) or 7)
    programs.load(programs.TYPE_TRACING, CODE, "release_retry_entry", attach=programs.ATTACH_FENTRY, btf_id=97)
    assert asked[0][48:64] == b"release_retry_e\0"
    assert struct.unpack_from("<I", asked[0], 68)[0] == programs.ATTACH_FENTRY
    assert struct.unpack_from("<I", asked[0], 108)[0] == 97
