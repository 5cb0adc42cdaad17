"""Network namespaces: each found once, and those that this process may not enter are counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ppobserve.kernel import netns
from ppobserve.kernel.netns import Namespaces, namespaces, sees_all_processes, visit

READY = "import sys, time; print(flush=True); time.sleep(600)"


def processes(tmp_path: Path, *names: str) -> Path:
    """A /proc of processes, each in a namespace of its own."""
    for name in names:
        (tmp_path / "proc" / name / "ns").mkdir(parents=True)
        (tmp_path / "proc" / name / "ns/net").write_text("")
        (tmp_path / "proc" / name / "net").mkdir()
        (tmp_path / "proc" / name / "net/dev").write_text("")
    return tmp_path / "proc"


def test_each_namespace_once_by_whatever_leads_into_it(tmp_path: Path) -> None:
    proc = processes(tmp_path, "self", "13")
    (proc / "11/ns").mkdir(parents=True)
    (tmp_path / "named").mkdir()
    os.link(proc / "self/ns/net", proc / "11/ns/net")
    (proc / "13/ns/net").unlink()
    (proc / "13/ns/net").symlink_to("gone")
    (tmp_path / "named/blue").write_text("")
    found = namespaces(proc, tmp_path / "named")
    assert found == Namespaces((proc / "self/ns/net", tmp_path / "named/blue"))


def test_a_namespace_that_is_gone_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "not-a-namespace").write_text("")
    gone = Namespaces((tmp_path / "gone", tmp_path / "not-a-namespace"))
    assert visit(gone, lambda inode: inode) == netns.Visit([], 0)


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Path]]:
    """Paths that the kernel keeps closed, as AppArmor's default profile of containers does."""
    closed, stat, openat = set[Path](), Path.stat, os.open

    def guarded(path: Path, **options: bool) -> os.stat_result:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    def opened(path: Path, *flags: int, **more: int) -> int:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return openat(path, *flags, **more)

    monkeypatch.setattr(Path, "stat", guarded)
    monkeypatch.setattr(os, "open", opened)
    yield closed


def test_processes_that_may_not_be_traced_are_counted_by_their_namespaces(tmp_path: Path, denied: set[Path]) -> None:
    proc = processes(tmp_path, "self", "7", "11", "13", "17")
    for name, like in (("11", "7"), ("17", "self")):
        (proc / name / "net/dev").unlink()
        os.link(proc / like / "net/dev", proc / name / "net/dev")
    denied |= {proc / name / "ns/net" for name in ("7", "11", "13", "17")}
    denied.add(proc / "13/net/dev")
    found = namespaces(proc, tmp_path / "named")
    assert found.paths == (proc / "self/ns/net",)
    alone, seven, own = str(proc / "13"), *(str(os.stat(proc / name / "net/dev").st_ino) for name in ("7", "17"))
    assert found.closed == {alone, seven, own}


def test_a_process_that_ends_before_it_is_known_is_not_counted(tmp_path: Path, denied: set[Path]) -> None:
    proc = processes(tmp_path, "self", "7")
    denied.add(proc / "7/ns/net")
    (proc / "7/net/dev").unlink()
    assert namespaces(proc, tmp_path / "named").closed == frozenset()


def test_a_namespace_that_is_entered_by_another_way_is_not_counted() -> None:
    mine = str(os.stat("/proc/self/net/dev").st_ino)
    found = Namespaces((Path("/proc/self/ns/net"),), frozenset({mine, "another"}))
    assert visit(found, lambda inode: inode) == netns.Visit([os.stat("/proc/self/ns/net").st_ino], 1)


def test_what_cannot_be_opened_any_more_is_counted(tmp_path: Path, denied: set[Path]) -> None:
    proc = processes(tmp_path, "7")
    denied.add(proc / "7/ns/net")
    assert visit(Namespaces((proc / "7/ns/net",)), lambda inode: inode) == netns.Visit([], 1)


def test_without_proc_a_named_namespace_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netns, "OWN", tmp_path / "no-proc")
    (tmp_path / "blue").write_text("")
    assert visit(Namespaces((tmp_path / "blue",)), lambda inode: inode) == netns.Visit([], 0)


@pytest.mark.parametrize("lacking", ["sys_ptrace", "sys_admin", "sys_admin,-sys_ptrace"])
def test_a_namespace_of_another_is_counted_where_a_capability_is_missing(
    lacking: str, require: Callable[..., None]
) -> None:
    """For real: a process with all capabilities in a namespace of its own, and one with fewer that looks."""
    require(os.geteuid() == 0, "not root")
    count = "from ppobserve.kernel.netns import namespaces, visit\nprint(visit(namespaces(), id).unreadable)"
    with subprocess.Popen(["unshare", "--net", sys.executable, "-c", READY], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout and other.stdout.readline()
            looking = ["setpriv", "--bounding-set", f"-{lacking}", "--inh-caps", "-all", sys.executable, "-c", count]
            without = subprocess.run(looking, capture_output=True, text=True, check=True)
            enough = subprocess.run(looking[5:], capture_output=True, text=True, check=True)
        finally:
            other.kill()
    assert int(without.stdout) > int(enough.stdout)


def test_a_pid_namespace_hides_processes(tmp_path: Path) -> None:
    assert not sees_all_processes(tmp_path)
    assert sees_all_processes(tmp_path / "no-proc")
