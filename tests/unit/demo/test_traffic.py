"""Where the sender goes, and for how long."""

from __future__ import annotations

import pytest

from demo import traffic
from demo.traffic import CHUNK_BYTES, Sent, cpus_to_visit, send
from ppobserve.lab.veth import Transfer


@pytest.mark.parametrize(
    ("nodes", "cpus"),
    [
        ({0: 0, 1: 1}, [0, 1]),
        ({0: 0, 1: 0, 2: 1, 3: 1}, [0, 2]),
        ({0: 1, 1: 0, 2: 0}, [0, 1]),
        ({0: 0, 1: 1, 2: 2}, [0, 1]),
        ({0: 0, 1: 0, 2: 0}, [0, 1]),
        ({3: 0}, [3]),
        ({}, []),
    ],
)
def test_the_sender_visits_two_nodes_where_there_are_two(nodes: dict[int, int], cpus: list[int]) -> None:
    assert cpus_to_visit(nodes) == cpus


class Lab:
    """In the place of a veth pair: each transfer takes a second."""

    def __init__(self) -> None:
        self.visited: list[int | None] = []

    def send(self, nbytes: int, cpu: int | None) -> Transfer:
        self.visited.append(cpu)
        return Transfer(nbytes, 1.0)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(traffic, "VISIT_SECONDS", 0.0)
    return Lab()


def test_it_moves_after_each_visit_until_it_is_enough(lab: Lab) -> None:
    assert send(lab, [0, 1], lambda sent: sent.seconds >= 5) == Sent(5 * CHUNK_BYTES, 5.0)
    assert lab.visited == [0, 1, 0, 1, 0]


def test_without_cpus_to_choose_from_it_stays_where_it_is(lab: Lab) -> None:
    send(lab, [], lambda sent: sent.seconds >= 2)
    assert lab.visited == [None, None]
