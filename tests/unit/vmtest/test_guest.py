"""The guest runner, with a shell in the place of vng."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from vmtest import guest

LIMIT = 4.0
"""Seconds in which a shell says something, also where the CPUs are busy."""


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`boot(shell)`: a guest whose console is the output of *shell*, with $SCRIPT to run in it."""

    def boot(shell: str, command: str = "true", limit: float = 20.0) -> int:
        monkeypatch.setattr(
            guest, "vng", lambda kernel, script, results, **how: ["env", f"SCRIPT={script}", "bash", "-c", shell]
        )
        return guest.boot(Path("vmlinuz-1"), command, tmp_path, kvm=False, prefix="1 | ", limit=limit)

    return boot


def test_status_and_output_come_back(boot, capsys):
    assert boot('eval "$SCRIPT"', "echo one; echo two >&2; exit 3") == 3
    assert capsys.readouterr().out == "1 | one\n1 | two\n"


def test_output_comes_while_the_guest_runs(boot, capsys):
    with pytest.raises(guest.GuestError):
        boot('eval "$SCRIPT"', "echo early; sleep 30", limit=LIMIT)
    assert capsys.readouterr().out == "1 | early\n"


def test_a_guest_that_hangs_is_ended_with_its_children(boot, tmp_path):
    with pytest.raises(guest.GuestError, match=r"(?s)vmlinuz-1 in a guest did not finish within 4 s.*Kernel panic"):
        boot(f"echo Kernel panic; sleep 30 & echo $! > {tmp_path}/child; wait", limit=LIMIT)
    child = int((tmp_path / "child").read_text())
    assert gone(child)


def test_a_guest_that_is_ended_leaves_no_file(boot, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with pytest.raises(guest.GuestError, match=r"made one in .*/tmp/vmtest-"):
        boot("mktemp > /dev/null; echo made one in $TMPDIR; sleep 30", limit=0.6)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_guest_that_dies_says_so(boot):
    with pytest.raises(guest.GuestError, match=r"(?s)ended early \(vng: 7\).*no qemu"):
        boot("echo no qemu; exit 7")


def test_a_status_that_was_not_written_out_is_none(boot, tmp_path):
    with pytest.raises(guest.GuestError, match=r"ended early \(vng: 1\)"):
        boot(f"touch {tmp_path}/status; exit 1")


@pytest.fixture
def kernel(tmp_path):
    """A kernel with one module, and the root of another user space."""
    module = tmp_path / "kernel/lib/modules/7.3/veth.ko"
    module.parent.mkdir(parents=True)
    module.write_text("code")
    (tmp_path / "root/usr/lib/modules").mkdir(parents=True)
    return tmp_path / "kernel/boot/vmlinuz-7.3"


def test_modules_that_were_half_copied_are_not_taken_for_all(kernel, tmp_path, monkeypatch):
    def killed(source: str, target: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(guest, "_link", killed)
        guest._other_root(tmp_path / "root", kernel, tmp_path / "results")
    guest._other_root(tmp_path / "root", kernel, tmp_path / "results")
    assert (tmp_path / "root/usr/lib/modules/7.3/veth.ko").read_text() == "code"
    assert [path.name for path in (tmp_path / "root/usr/lib/modules").iterdir()] == ["7.3"]


def test_two_guests_that_copy_modules_at_once_both_have_them(kernel, tmp_path, monkeypatch):
    link, modules = guest._link, tmp_path / "root/usr/lib/modules"

    def beside_another(source: str, target: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(guest, "_link", link)
            guest._other_root(tmp_path / "root", kernel, tmp_path / "results")
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(guest, "_link", beside_another)
        guest._other_root(tmp_path / "root", kernel, tmp_path / "results")
    assert (modules / "7.3/veth.ko").read_text() == "code"
    assert [path.name for path in modules.iterdir()] == ["7.3"]


def gone(pid: int) -> bool:
    """Whether a process has ended, waiting a little; one that nobody has reaped yet has."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False
