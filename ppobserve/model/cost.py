"""What our programs cost, and which level that allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppobserve.model.plan import Level

LEVELS = tuple(Level)
"""From the cheapest up."""

STALE = 20.0
"""Seconds after which a measurement no longer tells what is taken now; there is one every 5 to 15 s."""
IN_A_ROW = 2
"""Measurements above the budget before a step down: one may be a burst."""
RELIEF = 0.5
"""The part of the budget that a level may take for the next one to be tried."""
PATIENCE, MOST_PATIENCE = 300.0, 6 * 3600.0
"""Seconds without need for the present level before the next one up is tried. Doubled by each try that did not hold."""


@dataclass(frozen=True)
class Cost:
    """Runs of a program, and the CPU time that they took."""

    runs: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.runs + other.runs, self.seconds + other.seconds)

    def __mul__(self, factor: float) -> Cost:
        return Cost(self.runs * factor, self.seconds * factor)


class Metering:
    """What programs take, by totals that are measured every ten seconds or so and stand still in between: their share
    of a CPU is that from one step of the totals to the next."""

    def __init__(self) -> None:
        self.share: float | None = None
        """CPU seconds a second; None: not known, or not lately."""
        self._total: float | None = None
        self._since, self._stepped = 0.0, False

    def note(self, costs: Mapping[str, Cost], seconds: float) -> None:
        """The totals after so many more seconds; empty where nobody measures."""
        total = sum(cost.seconds for cost in costs.values()) if costs else None
        if total is None or self._total is None or total < self._total:
            self.share, self._total, self._since, self._stepped = None, total, 0.0, False
            return
        self._since += seconds
        if total > self._total:  # since when the first step counts nobody knows
            self.share = (total - self._total) / max(self._since, 1e-9) if self._stepped else None
            self._total, self._since, self._stepped = total, 0.0, True
        elif self._since > STALE:
            self.share = None


class Governor:
    """Keeps the programs' run time within a budget by choosing the level. It has no clock: every ``now`` is in seconds
    of any clock that does not jump."""

    def __init__(self, wanted: Level, budget: float, now: float) -> None:
        """*wanted* is the level when there is no need for less; *budget* is CPU seconds a second."""
        self.wanted, self.budget, self.level = wanted, budget, wanted
        self._patience, self._over = PATIENCE, 0
        self._calm_since = self._stepped_up = now
        self._tried = False

    @property
    def below(self) -> int:
        """How many levels below the wanted one we are."""
        return LEVELS.index(self.wanted) - LEVELS.index(self.level)

    def judge(self, cost: float, now: float) -> Level:
        """The level to go to, from what the present one took: CPU seconds a second."""
        self._over = self._over + 1 if cost > self.budget else 0
        if cost > RELIEF * self.budget:
            self._calm_since = now
        if self._over >= IN_A_ROW:
            return LEVELS[max(LEVELS.index(self.level) - 1, 0)]
        if self.below and now - self._calm_since >= self._patience:
            return LEVELS[LEVELS.index(self.level) + 1]
        return self.level

    def went(self, level: Level, now: float) -> None:
        """It is *level* now. A step up that had to be taken back makes us slower to try again; one that held, not."""
        if LEVELS.index(level) > LEVELS.index(self.level):
            self._tried, self._stepped_up = True, now
        elif self._tried:
            failed = now - self._stepped_up < self._patience
            self._patience, self._tried = min(2 * self._patience, MOST_PATIENCE) if failed else PATIENCE, False
        self.level, self._over, self._calm_since = level, 0, now

    def stayed(self, now: float) -> None:
        """The step could not be taken: think again after a while."""
        self._over, self._calm_since = 0, now
