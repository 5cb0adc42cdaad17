"""The Python versions: stated once, meant everywhere, and what an older one is told."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ppobserve.cli import OLDEST

TOP = Path(__file__).parent.parent
FIRST = ("ppobserve/__init__.py", "ppobserve/cli/__init__.py")
"""What is imported before the version is looked at."""
EARLIER = """
import sys
sys.version_info = (3, {minor}, 2)
import ppobserve.cli
"""


def found(pattern: str, path: str) -> list[str]:
    return re.findall(pattern, (TOP / path).read_text(), re.MULTILINE)


def test_the_oldest_version_is_the_same_everywhere() -> None:
    oldest = ".".join(map(str, OLDEST))
    assert found(r'^requires-python = ">=([\d.]+)"$', "pyproject.toml") == [oldest]
    assert found(r'^python_version = "([\d.]+)"$', "pyproject.toml") == [oldest]
    assert found(r'^target-version = "(.+)"$', "pyproject.toml") == [f"py{oldest.replace('.', '')}"]
    assert found(r"python3 \(>= ([\d.]+)\)", "deploy/debian/control") == [oldest, oldest]
    assert found(r"Python ([\d.]+) or later", "README.md") == [oldest]


def test_versions_without_a_gap_are_classified() -> None:
    minors = [int(minor) for minor in found(r"Python :: 3\.(\d+)\"", "pyproject.toml")]
    assert minors == list(range(OLDEST[1], max(minors) + 1))


@pytest.mark.parametrize("path", FIRST)
def test_older_versions_can_read_what_refuses_them(path: str) -> None:
    ast.parse((TOP / path).read_text(), feature_version=(3, 7))


def test_an_older_version_is_refused_in_one_sentence() -> None:
    refused = subprocess.run(
        [sys.executable, "-c", EARLIER.format(minor=OLDEST[1] - 1)], cwd=TOP, capture_output=True, text=True
    )
    sentence = f"ppobserve needs Python 3.{OLDEST[1]} or later; this is 3.{OLDEST[1] - 1} ({sys.executable})\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", sentence)
