"""Every query of every panel, asked of a real Prometheus: none is empty."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bench.prometheus import eventually
from tests.e2e.conftest import Watch
from tests.test_dashboards import DASHBOARDS, NAMES, panels, variables

STANDS_FOR = {"$__rate_interval": "10s", "$job": ".+", "$instance": ".+", "$netdev": ".*"}


def filled_in(text: str) -> str:
    for variable, value in STANDS_FOR.items():
        text = text.replace(variable, value)
    assert "$" not in text, text
    return text


def asked(watch: Watch, target: dict[str, Any]) -> dict[str, Any]:
    """What Prometheus answers to a query as Grafana would put it: now, or over the last seconds."""
    query = filled_in(target["expr"])
    return in_range(watch, query) if target.get("range") else watch.prometheus.get("/api/v1/query", query=query)


def in_range(watch: Watch, query: str) -> dict[str, Any]:
    now = time.time()
    return watch.prometheus.get("/api/v1/query_range", query=query, start=f"{now - 15}", end=f"{now}", step="1")


def numbers(answer: dict[str, Any]) -> list[float]:
    """The values of every series, NaN left out."""
    assert answer["status"] == "success", answer
    series = answer["data"]["result"]
    values = [float(value) for each in series for _, value in each.get("values", [each.get("value")])]
    return [value for value in values if value == value]


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_is_empty(name: str, watch: Watch) -> None:
    empty = [
        f"{panel['title']}: {target['expr']}"
        for panel in panels(DASHBOARDS[name])
        for target in panel["targets"]
        if not eventually(lambda target=target: numbers(asked(watch, target)))
    ]
    assert empty == []


def without_zero(target: dict[str, Any]) -> dict[str, Any]:
    """The query without what answers where there is nothing: a wrong name would not be noticed."""
    return {**target, "expr": target["expr"].removesuffix(" or vector(0)")}


def has_data(watch: Watch, panel: dict[str, Any]) -> bool:
    return any(numbers(asked(watch, without_zero(target))) for target in panel["targets"])


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_has_nothing_but_a_zero_that_is_always_there(name: str, watch: Watch) -> None:
    """The hosts that are watched have every fault, so there is something to count."""
    shown = list(panels(DASHBOARDS[name]))
    assert [panel["title"] for panel in shown if not eventually(lambda panel=panel: has_data(watch, panel))] == []
    queries = [target for panel in shown for target in panel["targets"]]
    assert not any("vector(" in without_zero(target)["expr"] for target in queries)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_has_values(name: str, watch: Watch) -> None:
    for variable in variables(DASHBOARDS[name]).values():
        if variable["type"] == "query":
            selector, label = filled_in(variable["query"]).removeprefix("label_values(").rstrip(")").rsplit(", ", 1)
            answer = watch.prometheus.get(f"/api/v1/label/{label}/values", **{"match[]": selector})
            assert answer["data"], variable["query"]
