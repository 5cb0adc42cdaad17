"""What `make` alone shows, and what set-up says to someone who only wanted the demo."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
SETUP = (TOP / "scripts/setup").read_text()


def made(*words: str) -> str:
    """What make prints."""
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60, check=True).stdout


def test_make_alone_shows_every_target_a_line_each() -> None:
    lines = made().splitlines()
    phony = re.search(r"^\.PHONY: ((?:\\\n|.)+)$", (TOP / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert sorted(line.split()[1] for line in lines) == sorted(phony[1].replace("\\\n", "").split())
    assert all(line.startswith("make ") and len(line.split()) > 2 and len(line) < 80 for line in lines)
    assert made("help").splitlines() == lines


def test_lint_looks_at_every_shell_script() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    paths = [TOP / name for name in tracked.stdout.splitlines()]
    shebangs = {path for path in paths if path.is_file() and re.match(rb"#!.*\b(ba|da)?sh\b", path.read_bytes()[:80])}
    recipe = re.search(r"shellcheck \$\$\((.+)\)$", (TOP / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    found = subprocess.run(["bash", "-c", recipe[1]], cwd=TOP, capture_output=True, text=True, timeout=60, check=True)
    assert {TOP / name for name in found.stdout.splitlines()} >= shebangs != set()


@pytest.mark.parametrize(
    ("command", "status", "shown"),
    [("echo a; echo b >&2", 0, ""), ("echo a; echo b >&2; exit 3", 1, "a\nb\n"), ("exit 3", 1, "\n")],
)
def test_what_set_up_runs_is_heard_only_if_it_fails(command: str, status: int, shown: str) -> None:
    function = re.search(r"^quietly\(\) \{.*?^\}$", SETUP, re.MULTILINE | re.DOTALL)
    assert function
    shell = ["bash", "-c", f'set -e\n{function[0]}\nquietly sh -c "$1"', "bash", command]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", shown)


GUEST = {"iproute2", "qemu", "busybox", "kmod", "ethtool", "apt", "dpkg"}


@pytest.mark.parametrize(
    ("purpose", "wanted"),
    [("guest", GUEST), ("test", {*GUEST, "bpftrace", "groff", "mandoc", "zsh", "fish"})],
)
def test_set_up_without_apt_names_all_that_it_takes(tmp_path: Path, purpose: str, wanted: set[str]) -> None:
    for program in ("bash", "dirname", "head"):
        (tmp_path / program).symlink_to(shutil.which(program) or "/")
    setup = [TOP / "scripts/setup", purpose]
    done = subprocess.run(setup, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Install these and try again: ")
    assert wanted <= set(done.stderr.split())


def test_set_up_runs_every_installer_quietly() -> None:
    """pip's warnings about its index took a screen, and the demo was below it."""
    installers = [line.strip() for line in SETUP.splitlines() if re.search(r"-m pip |apt-get .*(update|install)", line)]
    assert len(installers) >= 3
    assert all(line.startswith("quietly ") for line in installers), installers


def test_set_up_speaks_without_naming_its_script() -> None:
    said = re.findall(r'(?:echo|die) "([^"]+)"', SETUP)
    assert len(said) > 5
    assert not [line for line in said if re.match("[a-z]+:", line)]
