"""The dashboards: as built, and by the rules of Grafana's dashboard-linter, which are kept here in Python."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "dashboards"
NAMES = ("host", "fleet", "exporter")
DASHBOARDS = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in NAMES}

Dashboard = dict[str, Any]
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")
UNITS = {"short", "cps", "percentunit", "s", "none", "bytes"}


def panels(dashboard: Dashboard) -> Iterator[Dashboard]:
    """Every panel that is no row."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries(dashboard: Dashboard) -> Iterator[tuple[Dashboard, str]]:
    """Every query, with its panel."""
    return ((panel, target["expr"]) for panel in panels(dashboard) for target in panel.get("targets", []))


def variables(dashboard: Dashboard) -> dict[str, Dashboard]:
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


Complaints = Iterator[str]


def template_datasource(dashboard: Dashboard) -> Complaints:
    source = variables(dashboard).get("datasource", {})
    if (source.get("type"), source.get("query"), source.get("label")) != ("datasource", "prometheus", "Data source"):
        yield "no variable 'datasource' of Prometheus data sources"


def template_job_and_instance(dashboard: Dashboard) -> Complaints:
    for name in ("job", "instance"):
        found = variables(dashboard).get(name, {})
        expected = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
        expected["datasource"] = {"type": "prometheus", "uid": "${datasource}"}
        if expected != {key: found.get(key) for key in expected}:
            yield f"variable {name!r} is not as it should be"


def template_on_time_change_reload(dashboard: Dashboard) -> Complaints:
    for name, variable in variables(dashboard).items():
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield f"variable {name!r} is not asked for anew when the time range changes"


def panel_datasource(dashboard: Dashboard) -> Complaints:
    for panel in panels(dashboard):
        for owner in (panel, *panel.get("targets", [])):
            if owner.get("datasource", {}).get("uid") != "${datasource}":
                yield f"{panel['title']}: not of the chosen data source"


def panel_title_description(dashboard: Dashboard) -> Complaints:
    for panel in panels(dashboard):
        if not panel.get("title") or len(panel.get("description", "")) < 10:
            yield f"{panel.get('title')}: no title or no description"


def panel_units(dashboard: Dashboard) -> Complaints:
    for panel in panels(dashboard):
        if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
            yield f"{panel['title']}: no unit"


def panel_targets(dashboard: Dashboard) -> Complaints:
    for panel in panels(dashboard):
        if not panel.get("targets"):
            yield f"{panel['title']}: no query"


def target_job_and_instance(dashboard: Dashboard) -> Complaints:
    """A recorded series of the whole fleet has no instance."""
    for panel, expression in queries(dashboard):
        selectors = SELECTOR.findall(expression)
        if not selectors:
            yield f"{panel['title']}: a query of nothing"
        for name, matchers in selectors:
            wanted = {'job=~"$job"'} if name.startswith("job:") else {'job=~"$job"', 'instance=~"$instance"'}
            if wanted - set(matchers.split(",")):
                yield f"{panel['title']}: {name} of every host"


def target_selects(dashboard: Dashboard) -> Complaints:
    """A metric without braces would be of every host, and not seen by the rule above."""
    for panel, expression in queries(dashboard):
        if re.search(r"(?<![:\w\"])(?:[a-z_]+:)?ppobserve_[a-z_:0-9]+(?![\w{:])", expression):
            yield f"{panel['title']}: {expression} has a metric without a selector"


def target_rate_interval(dashboard: Dashboard) -> Complaints:
    for panel, expression in queries(dashboard):
        if set(re.findall(r"\[([^\]]*)\]", expression)) - {"$__rate_interval"}:
            yield f"{panel['title']}: a window of its own"


def target_counter_aggregation(dashboard: Dashboard) -> Complaints:
    for panel, expression in queries(dashboard):
        for counter in re.finditer(r"\w+_(?:total|bucket|sum|count)\{", expression):
            if not re.search(r"\b(?:rate|irate|increase)\($", expression[: counter.start()]):
                yield f"{panel['title']}: {counter[0]} without a rate"


AGGREGATED = re.compile(r"(?:sum|count|min|max|avg)(?: by \(([^)]*)\) )?\(")


def target_bounded(dashboard: Dashboard) -> Complaints:
    """A line for each of ten thousand hosts is too many. The dashboard of a host opens with one."""
    if dashboard["uid"] == "ppobserve-host":
        return
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            grouped = AGGREGATED.match(target["expr"])
            by = grouped[1] or "" if grouped else target["expr"]
            if target.get("range") and "instance" in by and not re.match(r"(?:top|bottom)k\(", target["expr"]):
                yield f"{panel['title']}: a line for every host"


def uneditable(dashboard: Dashboard) -> Complaints:
    if dashboard.get("editable") is not False:
        yield "can be edited, and the change lost"


def linked(dashboard: Dashboard) -> Complaints:
    (link,) = dashboard["links"]
    if not (link["tags"] == dashboard["tags"] == ["ppobserve"] and link["includeVars"] and link["keepTime"]):
        yield "no links to the others"


def laid_out(dashboard: Dashboard) -> Complaints:
    """Nothing on top of another thing, and nothing past the right edge."""
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        x, y, w, h = (panel["gridPos"].get(side, 0) for side in "xywh")
        if x + w > 24:
            yield f"{panel['title']}: past the edge"
        for cell in ((column, line) for column in range(x, x + w) for line in range(y, y + h)):
            if other := taken.setdefault(cell, panel["title"]) != panel["title"]:
                yield f"{panel['title']}: on top of {other}"


RULES: tuple[Callable[[Dashboard], Complaints], ...] = (
    template_datasource,
    template_job_and_instance,
    template_on_time_change_reload,
    panel_datasource,
    panel_title_description,
    panel_units,
    panel_targets,
    target_job_and_instance,
    target_selects,
    target_rate_interval,
    target_counter_aggregation,
    target_bounded,
    uneditable,
    linked,
    laid_out,
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_dashboard_keeps_the_rule(rule: Callable[[Dashboard], Complaints], name: str) -> None:
    assert list(rule(DASHBOARDS[name])) == []


def first_query(dashboard: Dashboard) -> Dashboard:
    return next(panels(dashboard))["targets"][0]


BROKEN: dict[Callable[[Dashboard], Complaints], Callable[[Dashboard], Any]] = {
    template_datasource: lambda d: variables(d)["datasource"].update(label="Source"),
    template_job_and_instance: lambda d: variables(d)["instance"].update(multi=False),
    template_on_time_change_reload: lambda d: variables(d)["job"].update(refresh=1),
    panel_datasource: lambda d: first_query(d)["datasource"].update(uid="abc"),
    panel_title_description: lambda d: next(panels(d)).update(description=""),
    panel_units: lambda d: next(panels(d))["fieldConfig"]["defaults"].pop("unit"),
    panel_targets: lambda d: next(panels(d)).update(targets=[]),
    target_job_and_instance: lambda d: first_query(d).update(expr='up{job=~"$job"}'),
    target_selects: lambda d: first_query(d).update(expr="sum(ppobserve_pools_tracked)"),
    target_rate_interval: lambda d: first_query(d).update(expr="rate(x_total{}[5m])"),
    target_counter_aggregation: lambda d: first_query(d).update(expr='sum(ppobserve_pages_held_total{job=~"$job"})'),
    target_bounded: lambda d: (
        d.update(uid="ppobserve-fleet"),
        first_query(d).update(expr='up{instance=~"$instance"}'),
    ),
    uneditable: lambda d: d.update(editable=True),
    linked: lambda d: d["links"][0].update(tags=[]),
    laid_out: lambda d: next(panels(d))["gridPos"].update(w=24),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_dashboard_that_breaks_the_rule_is_found(rule: Callable[[Dashboard], Complaints]) -> None:
    broken = copy.deepcopy(DASHBOARDS["host"])
    BROKEN[rule](broken)
    assert list(rule(broken))


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_its_source_makes(name: str, require: Callable[..., None]) -> None:
    try:
        from dashboards.build import text
    except ImportError:
        require(False, "grafana-foundation-sdk needs Python 3.11")
    assert text(name) == (FOLDER / f"{name}.json").read_text(), "run python -m dashboards.build"


def test_a_click_leads_to_a_dashboard_that_is_there() -> None:
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}
    assert len(uids) == len(NAMES)
    text = "".join((FOLDER / f"{name}.json").read_text() for name in NAMES)
    assert set(re.findall(r"/d/([\w-]+)\?", text)) == {"ppobserve-host"} <= uids
