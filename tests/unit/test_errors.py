"""An error is one to three lines for an operator, and an exit status."""

from __future__ import annotations

import pytest

from ppobserve.errors import ConfigError, HostError, PpobserveError, UsageError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (HostError("no"), "no"),
        (HostError("no", because="so"), "no\n  so"),
        (HostError("no", fix="do it"), "no\n  try: do it"),
        (HostError("no", because="so", fix="do it"), "no\n  so\n  try: do it"),
    ],
)
def test_what_because_and_fix_are_lines(error: PpobserveError, text: str) -> None:
    assert str(error) == text


def every_error(of: type[PpobserveError] = PpobserveError) -> list[type[PpobserveError]]:
    return [of, *(error for inner in of.__subclasses__() for error in every_error(inner))]


def test_a_wrong_command_line_exits_2_and_a_host_that_refuses_1() -> None:
    assert ConfigError in every_error(UsageError)
    assert {error.exit_status for error in every_error(UsageError)} == {2}
    assert {error.exit_status for error in every_error(HostError)} == {1}
