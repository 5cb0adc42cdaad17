"""Other user spaces, without making one: what they are, when one is made again, and why one cannot be had."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vmtest import chroot, pythons, userspaces
from vmtest.debian import MirrorError
from vmtest.guest import TOP, TREE
from vmtest.userspaces import Userspace, UserspaceMissing, find

STATUS = """Package: python3-bpfcc
Status: install ok installed
Source: bpfcc
Version: 0.31.0+ds-7

Package: python3-yaml
Version: 6.0.2-1+b2
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of user spaces in an empty cache."""
    monkeypatch.setenv("PPOBSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(userspaces, "tools", lambda: ["pytest>=8"])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path / "userspaces"


def make(userspace: Userspace) -> None:
    """A root with a Python and a BCC, as far as they are looked at."""
    for folder in ("usr/bin", "var/lib/dpkg"):
        (userspace.root / folder).mkdir(parents=True)
    (userspace.root / "usr/bin/python3").symlink_to("python3.13")
    (userspace.root / "var/lib/dpkg/status").write_text(STATUS)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The suites that were made, in their order."""
    suites: list[str] = []

    def _make(userspace: Userspace) -> None:
        suites.append(userspace.suite)
        make(userspace)

    monkeypatch.setattr(userspaces, "_make", _make)
    return suites


def test_a_root_is_made_once_and_says_what_it_has(cache: Path, made: list[str]) -> None:
    one = find("trixie")
    assert (one.root.parent.parent, one.name, one.python, one.bcc) == (cache, "Debian 13", "3.13", "0.31")
    assert (find("trixie"), made) == (one, ["trixie"])


def test_another_root_is_made_of_other_packages_and_the_first_one_may_be_in_use(
    made: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = find("trixie")
    monkeypatch.setattr(userspaces, "PACKAGES", (*userspaces.PACKAGES, "strace"))
    assert find("trixie") != one
    assert (one.root.exists(), made) == (True, ["trixie", "trixie"])


def test_a_half_made_root_is_not_one_and_is_removed(cache: Path, made: list[str]) -> None:
    half = find("sid").root.parent
    half.rename(half.parent / f".half-{half.name}")
    find("sid")
    assert made == ["sid", "sid"]
    assert sorted(path.name for path in cache.iterdir()) == [".lock", half.name]


def test_what_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(userspace: Userspace) -> None:
        make(userspace)
        raise UserspaceMissing("the mirror is down")

    monkeypatch.setattr(userspaces, "_make", fail)
    with pytest.raises(UserspaceMissing, match="the mirror is down"):
        find("sid")
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_only_root_makes_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UserspaceMissing, match="only root can make one"):
        find("trixie")


def test_an_unknown_suite_is_answered_with_those_there_are() -> None:
    with pytest.raises(UserspaceMissing, match="slink is no user space: give one of trixie, sid, bullseye"):
        find("slink")


def test_without_a_mirror_it_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise MirrorError("apt has no Debian mirror configured: set PPOBSERVE_MIRROR")

    monkeypatch.setattr(userspaces, "mirror", none)
    with pytest.raises(UserspaceMissing, match="no user space sid: apt has no Debian mirror configured"):
        find("sid")


def test_the_last_words_of_what_failed_are_the_reason() -> None:
    with pytest.raises(UserspaceMissing, match="exit status 3\nno space left"):
        userspaces.run("sh", "-c", "echo no space left >&2; exit 3")
    with pytest.raises(UserspaceMissing, match="no-such-tool is not installed"):
        userspaces.run("no-such-tool")


def test_what_is_needed_is_what_the_project_says() -> None:
    assert [line.split(">")[0] for line in userspaces.requirements()] == ["prometheus-client", "pyyaml"]
    named = [re.split("[<>=]", line)[0] for line in userspaces.tools()]
    assert named == sorted(userspaces.TOOLS)


def test_a_command_in_another_root_gets_its_words_whole(tmp_path: Path) -> None:
    results = tmp_path / "results of it"
    words = chroot.command(tmp_path / "root", "echo 'a  b'; exit 3", results)
    assert (tmp_path / "root" / TREE).is_dir()
    assert (tmp_path / "root" / results.relative_to("/")).is_dir()
    enter = words.index(chroot.ENTER)
    assert words[:3] == [sys.executable, "-m", "vmtest.chroot"]
    assert words[enter + 2 : enter + 6] == [str(tmp_path / "root"), str(TOP), "", str(results)]
    inside = subprocess.run(["sh", "-c", words[-1].replace(f"/{TREE}", "/")], capture_output=True, text=True)
    assert (inside.returncode, inside.stdout) == (3, "a  b\n")


def test_a_python_that_this_machine_lacks_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(cache))
    monkeypatch.setattr("shutil.which", lambda name: "/bin/false")  # as a shim of pyenv is
    with pytest.raises(UserspaceMissing, match=r"no Python 3\.10 on PATH or of pyenv"):
        pythons.find("3.10")
