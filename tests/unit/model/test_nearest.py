"""What someone meant who mistyped a name."""

from __future__ import annotations

import pytest

from ppobserve.model.nearest import nearest, question

NAMES = ("check", "top", "trace", "NETDEV", "--level")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("chek", "check"),
        ("Trace", "trace"),
        ("tpo", "top"),
        ("netdv", "NETDEV"),
        ("--lvel", "--level"),
        ("--event", ""),
        ("", ""),
    ],
)
def test_the_nearest_name(word: str, name: str) -> None:
    assert nearest(word, NAMES) == name
    assert question(word, NAMES) == (f"; did you mean {name!r}?" if name else "")
