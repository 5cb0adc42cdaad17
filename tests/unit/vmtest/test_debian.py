"""What apt is asked, with shells in the place of its commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vmtest import debian
from vmtest.debian import MirrorError, Suite, mirror

MADISON = "linux-image-amd64 | 7.3.4-1~bpo13+1 | http://mirror/debian trixie-backports/main amd64 Packages"
DEPENDS = {
    "linux-image-amd64=6.1.176-1": "Depends: linux-image-6.1.0-50-amd64",
    "linux-image-6.1.0-50-amd64": "Depends: kmod",
    "linux-image-amd64=7.3.4-1": "Depends: linux-image-7.3.4+deb13-amd64",
    "linux-image-7.3.4+deb13-amd64": (
        "Depends: linux-base-7.3.4+deb13-amd64\nDepends: linux-binary-7.3.4+deb13-amd64\n"
        "Depends: linux-modules-7.3.4+deb13-amd64\nDepends: initramfs-tools"
    ),
}


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite whose mirror is made of shells; what they were called with is in calls."""
    debian.architecture.cache_clear()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PPOBSERVE_MIRROR", "http://mirror/debian")
    program(tmp_path, "dpkg", "echo amd64")
    program(tmp_path, "apt-get", f'echo "$*" >> {tmp_path}/calls')
    answers = "\n".join(f"*'{package}') echo '{answer}' ;;" for package, answer in DEPENDS.items())
    program(tmp_path, "apt-cache", f"case \"$*\" in *madison*) echo '{MADISON}' ;;\n{answers}\nesac")
    return Suite("trixie-backports", tmp_path / "suite")


def program(folder: Path, name: str, shell: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{shell}\n")
    path.chmod(0o755)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_a_suite_has_sources_and_lists_of_its_own(suite: Suite, tmp_path: Path) -> None:
    assert suite.versions() == ["7.3.4-1~bpo13+1"]
    source = (suite.folder / "sources.list").read_text()
    assert source == f"deb [signed-by={debian.KEYRING}] http://mirror/debian trixie-backports main\n"
    (update,) = calls(tmp_path)
    for option in (
        f"-oDir::Etc::SourceList={suite.folder}/sources.list",
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::State::Lists={suite.folder}/lists",
        "-oAcquire::Check-Valid-Until=false",
    ):
        assert option in update.split()


def test_lists_are_updated_once_a_day(suite: Suite, tmp_path: Path) -> None:
    suite.versions(), suite.versions()
    assert len(calls(tmp_path)) == 1
    os.utime(suite.folder / "updated", (1, 1))
    suite.versions()
    assert len(calls(tmp_path)) == 2


def test_lists_that_failed_are_asked_for_again(suite: Suite, tmp_path: Path) -> None:
    program(tmp_path, "apt-get", "echo 'W: slow' >&2; echo 'E: It does not have a Release file.' >&2; exit 100")
    for _ in range(2):
        with pytest.raises(MirrorError, match=r"^suite trixie-backports: It does not have a Release file\.$"):
            suite.versions()


@pytest.mark.parametrize(
    ("version", "packages"),
    [
        ("6.1.176-1", ["linux-image-6.1.0-50-amd64"]),
        ("7.3.4-1", [f"linux-{part}-7.3.4+deb13-amd64" for part in ("base", "binary", "modules")]),
    ],
)
def test_an_image_may_be_split(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, packages: list[str]
) -> None:
    monkeypatch.setattr(debian, "unpack", lambda folder: None)
    suite.fetch(version, tmp_path)
    assert [call.split()[-1] for call in calls(tmp_path)] == packages


def test_an_image_that_depends_on_none_is_a_sentence(suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match=r"suite trixie-backports: linux-image 4\.1 depends on no image"):
        suite.fetch("4.1", tmp_path)


def test_where_apt_is_missing_that_is_said(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MirrorError, match="apt-get is not installed"):
        suite.versions()


def test_the_mirror_is_the_first_of_apt_that_is_no_security_mirror(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert mirror() == "http://mirror/debian"
    monkeypatch.delenv("PPOBSERVE_MIRROR")
    uris = [f"'http://{host}/dists/x/InRelease' file 0" for host in ("m/debian-security", "m/debian", "other/debian")]
    program(tmp_path, "apt-get", "\n".join(f'echo "{uri}"' for uri in uris))
    assert mirror() == "http://m/debian"
    program(tmp_path, "apt-get", "true")
    with pytest.raises(MirrorError, match="set PPOBSERVE_MIRROR"):
        mirror()


def test_packages_are_laid_out_as_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules may be in usr/lib, and vmlinuz beside them."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program(tmp_path, "dpkg", 'mkdir -p "$3/usr/lib/modules/7.3"; touch "$3/usr/lib/modules/7.3/vmlinuz"')
    program(tmp_path, "depmod", f'echo "$*" > {tmp_path}/depmod-ran')
    (folder := tmp_path / "half").mkdir()
    (folder / "linux-image.deb").touch()
    debian.unpack(folder)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["root/boot/vmlinuz-7.3", "root/lib/modules/7.3/vmlinuz"]
    assert (tmp_path / "depmod-ran").read_text() == f"-b {folder}/root 7.3\n"
