"""A live source that measures what it costs, and steps down a level where that is more than its budget.

A step attaches the other level while the present one goes on counting, takes over every pool and what was counted of
it, and lets go of the former programs. What happens between the last reading of the former and the first of the new
ones, about a millisecond, is not counted; no series goes down.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from ppobserve.errors import HostError
from ppobserve.model.cost import Governor
from ppobserve.model.handover import Handover, carried, take_over
from ppobserve.model.plan import Level, Plan
from ppobserve.model.snapshot import HookState, Snapshot
from ppobserve.source.live import Live
from ppobserve.source.meter import Meter

EVERY = 10.0
"""Seconds between two measurements, one of them at a random moment in each: traffic may have a beat."""


class Budgeted:
    """What ``serve`` reads. *start* attaches a level; *say* takes sentences for the log.

    *budget* is CPU seconds a second; None: measure only. Any thread may read.
    """

    def __init__(
        self, live: Live, start: Callable[[Level], Live], budget: float | None, say: Callable[[str], None]
    ) -> None:
        self._live, self._start, self._say = live, start, say
        self._meter, self._carry = Meter(), Handover()
        self._governor = Governor(live.plan.level, budget, time.monotonic()) if budget else None
        self._former: Mapping[str, HookState] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._troubled = ""

    @property
    def plan(self) -> Plan:
        """What is attached now."""
        return self._live.plan

    def read(self) -> Snapshot:
        """All pools now, with what former programs had counted."""
        with self._lock:
            snapshot, self._carry = carried(self._live.read(), self._carry)
            hooks = after(self._former, snapshot.hooks)
        below = self._governor.below if self._governor else 0
        return replace(snapshot, costs=self._meter.totals(), levels_below=below, hooks=hooks)

    def watch(self) -> None:
        """Measure, and keep the budget, from a thread of its own until ``close``."""
        threading.Thread(target=self._watch, name="cost", daemon=True).start()

    def _watch(self) -> None:
        while not self._stop.wait(EVERY * random.uniform(0.5, 1.5)):
            try:
                self.look()
            except HostError as error:
                if not self._stop.is_set():
                    self._trouble(str(error), str(error))

    def _trouble(self, kind: str, what: str) -> None:
        """Say it once, not every ten seconds."""
        if kind != self._troubled:
            self._troubled = kind
            self._say(what)

    def look(self) -> None:
        """Measure once, and change the level if that is due."""
        cost = self._meter.measure(self._live.programs(), self._stop)
        governor = self._governor
        if not governor or self._stop.is_set():
            return
        level = governor.judge(cost, time.monotonic())
        if level is not governor.level:
            self._step(governor, level, cost)
        elif cost <= governor.budget:
            self._troubled = ""
        elif level is Level.LEAN:
            self._trouble("lean", f"{_over(governor, cost)}: there is no level below")

    def _step(self, governor: Governor, level: Level, cost: float) -> None:
        """Another level; the present one stays if that does not attach."""
        self._say(f"{_over(governor, cost)}: going to level {level.value}")
        try:
            new = self._start(level)
            try:
                old = self._take_over(new)
            except HostError:
                new.close()
                raise
        except HostError:
            governor.stayed(time.monotonic())
            raise
        old.close()
        governor.went(level, time.monotonic())

    def _take_over(self, new: Live) -> Live:
        """Go on with *new* programs, which are attached like the present ones; gives those that are to be closed."""
        with self._lock:
            if self._stop.is_set():
                return new
            old, names = self._live, new.adopt(self._live)
            names = {ours: self._carry.names.get(name, name) for ours, name in names.items()}
            last = self.read()
            self._carry, self._former = take_over(last, new.read(), names), last.hooks
            self._live = new
            return old

    def close(self) -> None:
        """Detach everything."""
        self._stop.set()
        with self._lock:
            self._live.close()


def _over(governor: Governor, cost: float) -> str:
    return f"level {governor.level.value} takes {cost:.2%} of a CPU, the budget is {governor.budget:.2%}"


def after(former: Mapping[str, HookState], hooks: Mapping[str, HookState]) -> dict[str, HookState]:
    """*hooks*, with what those of *former* programs missed; a hook that is gone is no longer wanted."""
    gone = {name: HookState(False, hook.missed, wanted=False) for name, hook in former.items()}
    return gone | {
        name: replace(hook, missed=hook.missed + former[name].missed) if name in former else hook
        for name, hook in hooks.items()
    }
