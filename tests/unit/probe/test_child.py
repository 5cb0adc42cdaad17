"""The loader child, whatever becomes of it: a reply or a sentence, and neither process nor descriptor left behind."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ppobserve.errors import LoaderError
from ppobserve.probe import child
from ppobserve.probe.child import ask

CHANNEL = "import json, os, socket, sys, time; channel = socket.socket(fileno=int(sys.argv[1])); "
READ = CHANNEL + "request = json.load(sys.stdin); "


def acting(code: str) -> tuple[str, ...]:
    """A child that runs *code* in place of the loader."""
    return (sys.executable, "-I", "-S", "-c", code)


def descriptors() -> set[tuple[str, str]]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
        except FileNotFoundError:
            continue  # the one that listed the folder
    return found


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_the_request_arrives_and_the_reply_comes_back() -> None:
    reply, fds = ask(
        {"text": "int x;"}, 30, acting(READ + "channel.send(json.dumps({'fds': [request['text']]}).encode())")
    )
    assert (reply["fds"], fds) == (["int x;"], [])


def test_no_folder_for_temporary_files_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp", "gettempdir"):
        monkeypatch.setattr(tempfile, name, refuse)
    reply, _ = ask({}, 30, acting(READ + "print('words', flush=True); channel.send(b'{}')"))
    assert reply["log"] == "words"


@pytest.mark.parametrize("refused", ["before 6.3", "vm.memfd_noexec=2"])
def test_files_in_memory_suit_kernels_with_and_without_a_seal_against_execution(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    create, sealed = os.memfd_create, 0x8

    def memfd_create(name: str, flags: int = os.MFD_CLOEXEC) -> int:
        if refused == "before 6.3" and flags & sealed:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if refused != "before 6.3" and not flags & sealed:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return create(name, flags & ~sealed)

    monkeypatch.setattr(os, "memfd_create", memfd_create)
    assert ask({"n": 7}, 30, acting(READ + "channel.send(json.dumps(request).encode())"))[0]["n"] == 7


def test_a_kernel_that_gives_no_file_in_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(LoaderError, match=r"cannot make a file in memory .*Too many open files"):
        ask({}, 30, acting(READ))


def test_descriptors_arrive() -> None:
    code = READ + 'r, w = os.pipe(); os.write(w, b\'97\'); socket.send_fds(channel, [b\'{"fds": ["r", "w"]}\'], [r, w])'
    reply, fds = ask({}, 30, acting(code))
    assert reply["fds"] == ["r", "w"]
    assert os.read(fds[0], 7) == b"97"
    for fd in fds:
        os.close(fd)


def test_descriptors_are_not_passed_on_to_programs_that_this_process_starts() -> None:
    _, fds = ask({}, 30, acting(READ + 'socket.send_fds(channel, [b\'{"fds": ["in"]}\'], [0])'))
    assert [os.get_inheritable(fd) for fd in fds] == [False]
    os.close(fds[0])


def test_an_error_comes_with_the_last_lines_that_the_child_wrote() -> None:
    code = READ + (
        "print(*range(97), sep='\\n', file=sys.stderr, flush=True); "
        "channel.send(json.dumps({'error': 'no', 'kind': 'refused'}).encode())"
    )
    reply, _ = ask({}, 30, acting(code))
    assert (reply["error"], reply["kind"]) == ("no", "refused")
    assert reply["log"].split() == [str(line) for line in range(85, 97)]


@pytest.mark.parametrize(
    ("code", "how", "fix"),
    [
        ("raise SystemExit(7)", "exit status 7", ""),
        (READ + "raise SystemExit(7)", "exit status 7", ""),
        (READ + "os.abort()", "signal 6", ""),
        (READ + "os.kill(os.getpid(), 9)", "signal 9", "a memory limit of 256 MiB or more: compiling takes 110 MiB"),
    ],
)
def test_a_crash_is_a_sentence_that_says_how(code: str, how: str, fix: str) -> None:
    with pytest.raises(LoaderError, match=rf"ended without an answer \({how}\)") as caught:
        ask({"text": "x" * 99991}, 30, acting(code))
    assert caught.value.fix == fix


def test_a_crash_tells_what_the_child_said() -> None:
    with pytest.raises(LoaderError) as caught:
        ask({}, 30, acting(READ + "raise RuntimeError('out of memory')"))
    assert "RuntimeError: out of memory" in caught.value.because


def test_a_program_that_cannot_be_started_is_a_sentence() -> None:
    with pytest.raises(LoaderError, match="cannot start the BCC loader"):
        ask({}, 30, ["/nonexistent/python3"])


@pytest.mark.parametrize("reply", [b"Segmentation fault", b"[1, 2]", b"7", b"{", b"\xff\xfe"])
def test_garbage_is_a_sentence(reply: bytes) -> None:
    with pytest.raises(LoaderError, match="answered with something else than a reply"):
        ask({}, 30, acting(READ + f"channel.send({reply!r})"))


def test_descriptors_that_come_with_garbage_are_closed() -> None:
    with pytest.raises(LoaderError):
        ask({}, 30, acting(READ + "socket.send_fds(channel, [b'{'], [0, 1])"))


@pytest.mark.parametrize("code", [READ, CHANNEL])
@pytest.mark.parametrize("size", [7, 499979])
def test_a_child_that_hangs_is_ended(tmp_path: Path, code: str, size: int) -> None:
    """Also one that never reads a request that is larger than a pipe."""
    note = tmp_path / "pid"
    hanging = code + f"open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(LoaderError, match="did not finish within"):
        ask({"text": "x" * size}, 0.3, acting(hanging))
    assert not note.exists() or not os.path.exists(f"/proc/{note.read_text()}")


def test_a_child_that_waits_for_a_cpu_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says that it had none for an hour."""
    monkeypatch.setattr(child, "_PROC", tmp_path)
    begin = child._start

    def start(*arguments: Any) -> Any:
        process = begin(*arguments)
        (tmp_path / str(process.pid)).mkdir()
        (tmp_path / str(process.pid) / "schedstat").write_text("1009 3600000000000 7\n")
        return process

    monkeypatch.setattr(child, "_start", start)
    reply, _ = ask({}, 0.1, acting(READ + "time.sleep(1); channel.send(b'{\"late\": 1}')"))
    assert reply["late"] == 1


@pytest.mark.parametrize("text", ["", "x y z", "7"])
def test_a_kernel_that_does_not_tell_who_waits_for_a_cpu_is_no_error(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_PROC", tmp_path)
    assert child._waited(1009) == 0
    (tmp_path / "1009").mkdir()
    (tmp_path / "1009/schedstat").write_text(text)
    assert child._waited(1009) == 0


def test_the_folder_that_ppobserve_is_started_in_is_no_source_of_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child runs as root: a json.py in a foreign folder must not be what it imports."""
    (tmp_path / "json.py").write_text("raise SystemExit('foreign code')")
    monkeypatch.chdir(tmp_path)
    reply, _ = ask(
        {}, 30, (sys.executable, "-S", "-c", READ + "channel.send(json.dumps({'cwd': os.getcwd()}).encode())")
    )
    assert reply["cwd"] == "/"
