"""What other user spaces are asked is there: pytest says nothing of a name that fits no test."""

from __future__ import annotations

import re

import pytest

from vmtest.live_tests import LIVE as FOLDER
from vmtest.userspace_tests import LIVE, ONLY

TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
OPERATORS = {"and", "not", "or"}
LEVELS = {"lean", "standard"}
"""Parameters of tests, which are left out."""


def names() -> set[str]:
    """The tests of the files that are asked, with the name of their file as pytest's -k sees it."""
    files = [FOLDER / f"test_{name}.py" for name in LIVE]
    return {f"{file.name}::{name}" for file in files for name in TEST.findall(file.read_text())}


@pytest.mark.parametrize("word", sorted(set(re.findall(r"\w+", ONLY)) - OPERATORS - LEVELS))
def test_each_word_of_the_expression_fits_a_test(word: str) -> None:
    assert any(word in name for name in names())


@pytest.mark.parametrize("file", LIVE)
def test_each_file_has_tests_that_the_expression_fits(file: str) -> None:
    words = set(re.findall(r"\w+", ONLY)) - OPERATORS - LEVELS
    assert any(word in name for name in names() if name.startswith(f"test_{file}.py") for word in words)
