"""What runs in other user spaces: `starts()` has everything of the tier, for a Schedule.

tests/live, as much as hangs on Python and BCC, on the host's kernel and in a guest whose root it is; and tests/unit.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vmtest import chroot, older_bcc, pythons
from vmtest.guest import TOP
from vmtest.live_tests import READ_ONLY, pytest_command
from vmtest.schedule import Start
from vmtest.userspaces import SUITES, Userspace, find

KERNEL = "newest"
LIVE = ("attach", "counts", "frames", "commands")
"""tests/live/test_NAME.py"""
ONLY = "(every_hook or counts_equal or took_it_gave or commands) and not lean and not standard"
"""One level, and each rung once for itself and once for counts: an emulated CPU takes half a minute to compile one."""
OLDER_BCC = "bullseye"
"""The suite that has it."""
IN_GUEST = tuple(name for name in LIVE if name != "attach")
"""What counts has attached: a guest does not do it twice."""
UNIT = ("-m", "pytest", "-q", *READ_ONLY, "tests/unit")
NO_SCREEN = "--ignore=tests/unit/ui/screen"
"""The pictures of the screen hang on Textual's version: the host's Python draws them, and the newest."""


def starts() -> Iterator[tuple[str, Start]]:
    """Name and start of each, the longest first."""
    yield from ((f"{suite}-{KERNEL}", live_in_guest(suite)) for suite in SUITES)
    yield from ((f"{suite}-host", live_on_host(suite)) for suite in SUITES)
    yield f"{OLDER_BCC}-host", live_with_older_bcc
    yield from ((f"{suite}-unit", unit(suite)) for suite in SUITES)
    yield from ((f"python{version}-unit", unit_by(version)) for version in pythons.VERSIONS)


def live_in_guest(suite: str) -> Start:
    """Under another kernel, which is newest's."""

    def start(results: Path) -> tuple[list[str], None]:
        root = compiled(find(suite)).root
        inside = ["python3", "-B", "-m", "vmtest.live_tests", str(results), "--only", ONLY, "--tests", *IN_GUEST]
        guest = ["-m", "vmtest.guest", "--results", str(results), "--root", str(root), KERNEL, shlex.join(inside)]
        return [sys.executable, *guest], None

    return start


def live_on_host(suite: str) -> Start:
    """Under the host's kernel, which must be able to do what PPOBSERVE_EXPECT lists."""

    def start(results: Path) -> tuple[list[str], None]:
        expected = os.environ.get("PPOBSERVE_EXPECT", "tracepoint")
        command = ["python3", *pytest_command(LIVE, results, ONLY)[1:]]
        return in_root(compiled(find(suite)), [f"PPOBSERVE_EXPECT={expected}", *command], results), None

    return start


def live_with_older_bcc(results: Path) -> tuple[list[str], None]:
    """The same, by the oldest Python and a BCC that is as old."""
    found = older_bcc.environment(find(OLDER_BCC))
    variables = {**found, "PPOBSERVE_EXPECT": os.environ.get("PPOBSERVE_EXPECT", "tracepoint")}
    command = [str(pythons.find(pythons.VERSIONS[0])), *pytest_command(LIVE, results, ONLY)[1:]]
    return logged(["env", *(f"{name}={value}" for name, value in variables.items()), *command], results), None


def unit(suite: str) -> Start:
    """tests/unit, by the Python of a suite."""
    screen = () if suite == list(SUITES)[-1] else (NO_SCREEN,)
    return lambda results: (in_root(find(suite), ["python3", "-B", *UNIT, *screen, _junit(results)], results), None)


def unit_by(version: str) -> Start:
    """tests/unit, by a Python of this machine."""
    words = [*UNIT, NO_SCREEN]
    return lambda results: (logged([str(pythons.find(version)), "-B", *words, _junit(results)], results), None)


def in_root(userspace: Userspace, words: Sequence[str], results: Path) -> list[str]:
    """The command line that runs *words* in a user space, on this kernel. Its log is among the results."""
    return chroot.command(
        userspace.root, _script(["env", "HYPOTHESIS_STORAGE_DIRECTORY=/tmp", *words], results), results
    )


def logged(words: Sequence[str], results: Path) -> list[str]:
    """The command line that runs *words* here. Its log is among the results."""
    return ["sh", "-c", _script(words, results)]


def _script(words: Sequence[str], results: Path) -> str:
    return f"exec {shlex.join(words)} > {shlex.quote(str(results / 'log'))} 2>&1"


def _junit(results: Path) -> str:
    return f"--junitxml={results / 'junit.xml'}"


def compiled(userspace: Userspace) -> Userspace:
    """The same, when its Python has compiled ppobserve: the tree is read-only there, and an emulated CPU is slow."""
    compile_all = chroot.command(userspace.root, "python3 -m compileall -q ppobserve", writable=True)
    subprocess.run(compile_all, cwd=TOP, check=True)
    return userspace
