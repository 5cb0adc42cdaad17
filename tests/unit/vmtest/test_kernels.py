"""Roles and series to kernels, on a mirror of our own."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vmtest import kernels
from vmtest.debian import ASK_AGAIN_SECONDS, MirrorError, newest
from vmtest.kernels import KernelMissing, find, version_of

TODAY = {
    "bullseye": "5.10.223-1",
    "bookworm": "6.1.176-1",
    "bookworm-backports": "6.12.95-1~bpo12+1",
    "trixie": "6.12.117-1",
    "trixie-backports": "7.3.4-1~bpo13+1",
    "sid": "7.2.13-1",
}


@dataclass
class Mirror:
    """What it has, by suite, and what it was asked."""

    suites: dict[str, str] = field(default_factory=lambda: dict(TODAY))
    fetched: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    """It has its lists, but no packages."""

    def suite(self, name: str, folder: Path) -> Suite:
        return Suite(name, self)


@dataclass(frozen=True)
class Suite:
    name: str
    mirror: Mirror

    def versions(self) -> list[str]:
        self.mirror.asked.append(self.name)
        if self.name not in self.mirror.suites:
            raise MirrorError(f"suite {self.name}: it does not have a Release file.")
        return [self.mirror.suites[self.name]]

    def fetch(self, version: str, folder: Path) -> None:
        if self.mirror.broken:
            raise MirrorError(f"suite {self.name}: 404 Not Found")
        self.mirror.fetched.append(version)
        boot = folder / "root/boot"
        boot.mkdir(parents=True)
        (boot / f"vmlinuz-{version.split('-')[0]}-amd64").touch()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    mirror = Mirror()
    monkeypatch.setenv("PPOBSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "Suite", mirror.suite)
    return mirror


def a_day_later() -> None:
    """The mirror may be asked again."""
    before = time.time() - ASK_AGAIN_SECONDS - 1
    for note in (kernels.cache() / "names").iterdir():
        os.utime(note, (before, before))


@pytest.mark.parametrize(("role", "suite"), kernels.ROLES.items())
def test_a_role_is_what_its_suite_has(mirror: Mirror, role: str, suite: str) -> None:
    kernel = find(role)
    assert (kernel.name, kernel.version) == (role, TODAY[suite])
    assert kernel.vmlinuz.exists() and kernel.vmlinuz.is_relative_to(kernels.cache() / TODAY[suite])
    assert mirror.asked == [suite]


def test_a_series_is_the_newest_of_all_suites(mirror: Mirror) -> None:
    assert find("6.12").version == "6.12.117-1"
    assert find("7.2").version == "7.2.13-1"
    del mirror.suites["trixie"]
    a_day_later()
    assert find("6.12").version == "6.12.95-1~bpo12+1"


def test_a_suite_that_is_gone_fails_alone(mirror: Mirror) -> None:
    del mirror.suites["bullseye"]
    with pytest.raises(KernelMissing, match=r"no kernel oldest: suite bullseye: it does not have a Release file\."):
        find("oldest")
    assert find("oldstable").version == TODAY["bookworm"]
    assert find("7.3").version == TODAY["trixie-backports"]


def test_what_is_cached_is_not_asked_for_again_within_a_day(mirror: Mirror) -> None:
    first = find("stable")
    assert find("stable") == first
    assert (mirror.asked, mirror.fetched) == (["trixie"], ["6.12.117-1"])


def test_a_newer_kernel_is_fetched_the_next_day_and_the_old_one_stays(mirror: Mirror) -> None:
    old = find("stable")
    mirror.suites["trixie"] = "6.12.121-1"
    assert find("stable") == old
    a_day_later()
    assert find("stable").version == "6.12.121-1"
    assert old.vmlinuz.exists()  # a guest may run on it


@pytest.mark.parametrize("how", ["offline", "the package is gone"])
def test_the_cached_kernel_serves_where_the_mirror_does_not(
    mirror: Mirror, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    old = find("stable")
    a_day_later()
    if how == "offline":
        mirror.suites.clear()
    else:
        mirror.suites["trixie"], mirror.broken = "6.12.121-1", True
    assert find("stable") == old
    assert "stable stays 6.12.117-1, which is cached: suite trixie: " in capsys.readouterr().err
    assert not list(kernels.cache().glob(".half-*"))


def test_offline_a_series_is_found_in_the_cache_of_a_role(mirror: Mirror) -> None:
    find("stable")
    mirror.suites.clear()
    assert find("6.12").version == "6.12.117-1"


def test_a_cache_that_was_removed_is_fetched_again(mirror: Mirror) -> None:
    find("stable").vmlinuz.unlink()
    assert find("stable").vmlinuz.exists()
    assert mirror.fetched == ["6.12.117-1"] * 2


def test_the_version_is_known_before_it_is_fetched(mirror: Mirror) -> None:
    assert version_of("stable") == "6.12.117-1"
    assert mirror.fetched == []
    find("stable")
    mirror.suites.clear()
    assert version_of("stable") == "6.12.117-1"
    a_day_later()
    assert version_of("stable") == "6.12.117-1"
    with pytest.raises(KernelMissing, match="no kernel oldest: suite bullseye"):
        version_of("oldest")


def test_a_role_without_a_kernel_and_a_name_that_is_none(mirror: Mirror) -> None:
    with pytest.raises(KernelMissing, match=r"give a role \(oldest, .*\) or a series such as 6\.12"):
        find("stretch")
    with pytest.raises(KernelMissing, match=r"no kernel 4\.19: the mirror has no linux-image of that series"):
        find("4.19")


def test_one_suite_that_is_gone_does_not_hide_a_series_of_another(mirror: Mirror) -> None:
    del mirror.suites["bullseye"]
    assert find("6.1").version == TODAY["bookworm"]


def test_versions_are_in_debian_s_order() -> None:
    assert newest(["6.12.9-1", "6.12.117-1~bpo12+1", "6.12.117-1", "6.12.95-1"]) == "6.12.117-1"


def test_the_command_prints_a_path_or_says_why_not(
    mirror: Mirror, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["kernels", "stable"])
    assert kernels.main() == 0
    assert capsys.readouterr().out.endswith("/6.12.117-1/root/boot/vmlinuz-6.12.117-amd64\n")
    monkeypatch.setattr("sys.argv", ["kernels", "oldest"])
    mirror.suites.clear()
    assert kernels.main() == 1
    assert "no kernel oldest: suite bullseye" in capsys.readouterr().err
