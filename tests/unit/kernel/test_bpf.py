"""bpf(2) where the kernel says no: what is tried again, and what is not."""

from __future__ import annotations

import ctypes
import errno
import resource
from collections.abc import Callable

import pytest

from ppobserve.kernel import bpf

INFINITY = resource.RLIM_INFINITY


class Kernel:
    """Answers bpf(2): an error number is one, anything else an fd."""

    def __init__(self, *answers: OSError | int) -> None:
        self.answers = list(answers)

    def syscall(self, *_: object) -> int:
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            ctypes.set_errno(answer.errno or 0)
            return -1
        return answer


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kernel]:
    """A kernel with answers, and a limit that can be lifted or not; nothing of this process is changed."""

    def install(*answers: OSError | int, limit: int = 65536, allowed: bool = True) -> Kernel:
        limits = [limit]

        def lift(_: int, wanted: tuple[int, int]) -> None:
            if not allowed:
                raise ValueError("not allowed to raise maximum limit")
            limits[0] = wanted[0]

        monkeypatch.setattr(bpf.resource, "getrlimit", lambda _: (limits[0], limits[0]))
        monkeypatch.setattr(bpf.resource, "setrlimit", lift)
        made = Kernel(*answers)
        monkeypatch.setattr(bpf, "_libc", made)
        return made

    return install


EPERM, EINVAL = OSError(errno.EPERM, ""), OSError(errno.EINVAL, "")


def test_a_map_that_locked_memory_has_no_room_for_is_tried_again_without_limit(kernel: Callable[..., Kernel]) -> None:
    fake = kernel(EPERM, 7, EPERM)
    assert bpf.create_array(8) == 7
    with pytest.raises(bpf.BpfError, match="cannot create a BPF map: Operation not permitted"):
        bpf.create_array(8)
    assert fake.answers == []


@pytest.mark.parametrize(
    ("answer", "limit", "allowed"), [(EINVAL, 65536, True), (EPERM, INFINITY, True), (EPERM, 65536, False)]
)
def test_what_more_room_does_not_help_is_not_tried_again(
    kernel: Callable[..., Kernel], answer: OSError, limit: int, allowed: bool
) -> None:
    fake = kernel(answer, 7, limit=limit, allowed=allowed)
    with pytest.raises(bpf.BpfError):
        bpf.create_array(8)
    assert fake.answers == [7]


def test_another_command_is_not_about_room(kernel: Callable[..., Kernel]) -> None:
    fake = kernel(EPERM, 7)
    with pytest.raises(bpf.BpfError):
        bpf.update(3, b"key", b"value")
    assert fake.answers == [7]


@pytest.mark.parametrize(("answers", "has"), [((EINVAL,), False), ((EPERM, EINVAL), False)])
def test_a_kernel_that_refuses_a_ring_buffer_has_none(
    kernel: Callable[..., Kernel], answers: tuple[OSError, ...], has: bool
) -> None:
    kernel(*answers)
    assert bpf.has_ring_buffer() is has
