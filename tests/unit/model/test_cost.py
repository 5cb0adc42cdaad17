"""Which level a budget allows, measurement by measurement."""

from __future__ import annotations

from ppobserve.model.cost import MOST_PATIENCE, PATIENCE, Cost, Governor
from ppobserve.model.plan import Level

BUDGET, EVERY = 0.005, 10.0
LEAN, STANDARD, FULL = Level


class Day:
    """Measures every ten seconds, and always takes the step that is due."""

    def __init__(self, wanted: Level = FULL) -> None:
        self.now, self.steps = 1000.0, list[tuple[float, Level]]()
        self.governor = Governor(wanted, BUDGET, self.now)

    def measure(self, cost: float, times: int = 1) -> Level:
        for _ in range(times):
            self.now += EVERY
            level = self.governor.judge(cost, self.now)
            if level is not self.governor.level:
                self.steps.append((self.now, level))
                self.governor.went(level, self.now)
        return self.governor.level


def test_within_the_budget_nothing_happens() -> None:
    assert Day().measure(BUDGET, times=1009) is FULL


def test_a_burst_is_borne_and_what_lasts_is_not() -> None:
    day = Day()
    assert day.measure(100 * BUDGET) is FULL
    assert day.measure(BUDGET) is FULL
    assert day.measure(1.01 * BUDGET, times=2) is STANDARD
    assert day.governor.below == 1


def test_step_by_step_down_to_the_lowest_and_no_further() -> None:
    day = Day()
    assert day.measure(1.0, times=2) is STANDARD
    assert day.measure(1.0, times=2) is LEAN
    assert day.measure(1.0, times=1009) is LEAN
    assert (day.governor.below, len(day.steps)) == (2, 2)


def test_up_again_when_it_was_calm_for_long_enough_but_never_above_what_was_asked_for() -> None:
    day = Day(STANDARD)
    day.measure(1.0, times=2)
    calm = int(PATIENCE / EVERY)
    assert day.measure(BUDGET / 2, times=calm - 1) is LEAN
    assert day.measure(BUDGET / 2) is STANDARD
    assert day.measure(0.0, times=1009) is STANDARD
    assert day.governor.below == 0


def test_what_is_more_than_half_the_budget_is_not_calm() -> None:
    day = Day()
    day.measure(1.0, times=2)
    assert day.measure(0.6 * BUDGET, times=1009) is STANDARD
    day.measure(0.4 * BUDGET, times=int(PATIENCE / EVERY) - 1)
    day.measure(0.6 * BUDGET)
    assert day.measure(0.4 * BUDGET, times=int(PATIENCE / EVERY) - 1) is STANDARD


def test_each_try_that_does_not_hold_makes_the_next_one_later() -> None:
    day = Day(STANDARD)
    for _ in range(10):
        day.measure(1.0, times=2)
        while day.measure(0.0) is LEAN:
            pass
    waits = [up - down for (down, _), (up, _) in zip(day.steps[::2], day.steps[1::2], strict=True)]
    assert waits[:4] == [PATIENCE, 2 * PATIENCE, 4 * PATIENCE, 8 * PATIENCE]
    assert waits[-1] == MOST_PATIENCE


def test_a_try_that_held_makes_the_next_one_soon_again() -> None:
    day = Day(STANDARD)
    for _ in range(3):
        day.measure(1.0, times=2)
        while day.measure(0.0) is LEAN:
            pass
    day.measure(0.0, times=int(MOST_PATIENCE / EVERY))
    day.measure(1.0, times=2)
    assert day.measure(0.0, times=int(PATIENCE / EVERY)) is STANDARD


def test_a_step_that_could_not_be_taken_is_thought_over() -> None:
    governor = Governor(FULL, BUDGET, 0.0)
    governor.judge(1.0, 10.0)
    assert governor.judge(1.0, 20.0) is STANDARD
    governor.stayed(20.0)
    assert governor.judge(1.0, 30.0) is FULL
    assert (governor.judge(1.0, 40.0), governor.below) == (STANDARD, 0)


def test_costs_add_up() -> None:
    assert Cost(3, 0.5) + Cost(5, 0.25) * 2 == Cost(13, 1.0)
