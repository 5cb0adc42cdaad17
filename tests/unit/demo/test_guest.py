"""The steps on the way into a guest, and hosts that cannot have one; scripts stand in for the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from demo import guest
from demo.guest import NoGuest, series, show
from vmtest.kernels import Kernel, KernelMissing

SCRIPTS = {"setup": "echo installed", "vm": "echo @booted"}
KERNEL = Kernel("newest", "7.3.4-1~bpo13+1", Path("/cache/boot/vmlinuz-7.3.4+deb13-amd64"))
TOUR = "echo '@booted emulated'; echo '@attached level standard by fentry'; echo '== Traffic'; echo numbers; exit 1"

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """`tree(vm="exit 1")`: a tree with scripts that do that; returns where results go."""

    def make(**changes: str) -> Path:
        for name, does in {**SCRIPTS, **changes}.items():
            script = tmp_path / "scripts" / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(f"#!/bin/sh\n{does}\n")
            script.chmod(0o755)
        return tmp_path

    monkeypatch.setattr(guest, "TOP", tmp_path)
    monkeypatch.setattr(guest, "find", lambda _: KERNEL)
    monkeypatch.setattr(guest, "compile_dir", lambda *_, **__: True)
    return make


def test_a_line_a_step_and_then_what_the_tour_prints(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(tree(vm=TOUR), Path("recording")) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["packages", "kernel", "boot", "compile"]
    assert [line.split(" s   ")[1] for line in lines[1:4]] == [
        "7.3.4+deb13-amd64",
        "emulated",
        "level standard by fentry",
    ]
    assert lines[4:] == ["== Traffic", "numbers"]


@pytest.mark.parametrize(
    ("script", "does", "says"),
    [
        (
            "setup",
            "echo Install these: qemu >&2; exit 1",
            "its packages cannot be installed:\nInstall these: qemu",
        ),
        ("vm", "exit 1", "the guest ended early:\nits console is in "),
        ("vm", "echo @booted; echo no BTF; exit 1", "the guest ended early:\nno BTF"),
    ],
)
def test_a_host_that_cannot_have_one(tree: Tree, script: str, does: str, says: str) -> None:
    with pytest.raises(NoGuest) as error:
        show(tree(**{script: does}), Path("recording"))
    assert str(error.value).startswith(says)
    assert "scripts/" not in str(error.value)


def missing(_: str) -> NoReturn:
    raise KernelMissing("no kernel newest: suite trixie-backports: no network")


def test_a_host_without_a_kernel_for_it(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guest, "find", missing)
    monkeypatch.setattr(guest, "version_of", missing)
    with pytest.raises(NoGuest, match="no kernel newest"):
        show(tree(), Path("recording"))
    with pytest.raises(NoGuest, match="no kernel newest"):
        series()
    assert capsys.readouterr().out.endswith("kernel    \n")


def test_the_series_is_that_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "version_of", lambda _: KERNEL.version)
    assert series() == "7.3"


def test_a_guest_that_hangs_is_ended(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "LIMIT_SECONDS", 0.3)
    with pytest.raises(NoGuest, match="ended early"):
        show(tree(vm="echo @booted; exec sleep 60"), Path("recording"))
