"""What the dashboards are put together from: variables, links, and panels that have a unit and say what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

TAG = "ppobserve"
DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

HOST = 'job=~"$job",instance=~"$instance"'
"""Every query names the hosts that were chosen."""
DEVICE = f'{HOST},netdev=~"$netdev"'
POOL = "job, instance, netns, netdev, pool"

PAGES, PER_SECOND, SHARE, SECONDS, NUMBER, BYTES = "short", "cps", "percentunit", "s", "none", "bytes"
"""Units, as Grafana calls them. It has none for pages."""

Query = tuple[str, str]
"""PromQL, and what a series of it is called."""


@dataclass(frozen=True)
class Panel:
    """One panel: how it is drawn, what it says, and what it asks."""

    draw: Callable[[], Any]
    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    width: int = 12
    height: int = 8
    instant: bool = False
    limits: tuple[float, ...] = ()
    """Where green ends, and where yellow does."""
    link: str = ""
    """The dashboard that a row of a table leads to, for its host."""


def dashboard(name: str, title: str, description: str, *more: QueryVariable, every_host: bool = True) -> Dashboard:
    """An empty dashboard with the variables that all have, and links to the others.

    One that is not of every host opens with one: ten thousand are too many lines.
    """
    made = Dashboard(title).uid(f"ppobserve-{name}").description(description).tags([TAG]).readonly()
    made.time("now-1h", "now").refresh("1m").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
    made.with_variable(variable("job", "Job", "label_values(ppobserve_build_info, job)", ".+"))
    hosts = 'label_values(ppobserve_build_info{job=~"$job"}, instance)'
    instance = variable("instance", "Instance", hosts, ".+")
    for each in (instance if every_host else instance.include_all(False).current(models.VariableOption()), *more):
        made.with_variable(each)
    link = DashboardLink("ppobserve").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return made.link(link.include_vars(True).keep_time(True))


def variable(name: str, label: str, query: str, every: str) -> QueryVariable:
    """A variable with many values, all of them at first, asked for anew when the time range changes."""
    made = QueryVariable(name).label(label).query(query).datasource(DATASOURCE).multi(True).include_all(True)
    made.all_value(every).current(models.VariableOption(True, ["All"], ["$__all"]))
    return made.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)


def row(made: Dashboard, title: str, *panels: Panel) -> None:
    """A row of panels."""
    made.with_row(Row(title))
    for panel in panels:
        made.with_panel(_built(panel))


def _built(panel: Panel) -> Any:
    drawn = panel.draw().title(panel.title).description(panel.description).unit(panel.unit).datasource(DATASOURCE)
    drawn.span(panel.width).height(panel.height)
    for place, (expression, legend) in enumerate(panel.queries):
        drawn.with_target(_query(panel, place, expression, legend))
    if panel.limits:
        drawn.thresholds(_thresholds(panel.limits))
    if panel.link:
        drawn.override_by_name("instance", [models.DynamicConfigValue("links", [_link_to(panel.link)])])
        drawn.with_transformation(models.DataTransformerConfig(id_val="organize", options=_ORGANIZED))
    return drawn


_ORGANIZED = {"excludeByName": {"Time": True, "job": True, "__name__": True}, "renameByName": {"Value": "value"}}


def _query(panel: Panel, place: int, expression: str, legend: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + place))
    made.datasource(DATASOURCE)
    if panel.draw is a_table:
        return made.instant().format(PromQueryFormat.TABLE)
    if panel.draw is buckets:
        made.format(PromQueryFormat.HEATMAP)
    return made.instant() if panel.instant else made.range()


def _link_to(name: str) -> dict[str, Any]:
    kept = "${datasource:queryparam}&${job:queryparam}&var-instance=${__value.raw}&${__url_time_range}"
    return {"title": "This host", "url": f"/d/ppobserve-{name}?{kept}"}


def _thresholds(limits: tuple[float, ...]) -> ThresholdsConfig:
    colors = ("yellow", "red") if len(limits) == 2 else ("red",)
    steps = [models.Threshold(None, "green"), *map(models.Threshold, limits, colors)]
    return ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def lines() -> timeseries.Panel:
    """Lines over time, the greatest first in the legend."""
    drawn = timeseries.Panel().line_width(1).fill_opacity(5).min(0).show_points(common.VisibilityMode.NEVER)
    legend = VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
    legend.placement(common.LegendPlacement.BOTTOM).show_legend(True).sort_by("Last *").sort_desc(True)
    tooltip = VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    return drawn.legend(legend).tooltip(tooltip)


def signed_lines() -> timeseries.Panel:
    """Lines that may be below zero."""
    return lines().axis_centered_zero(True).min(None)


def stacked() -> timeseries.Panel:
    """Areas that add up to the whole."""
    return lines().fill_opacity(30).stacking(StackingConfig().mode(common.StackingMode.NORMAL))


def buckets() -> heatmap.Panel:
    """A histogram over time; its buckets are the series."""
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Viridis").steps(64)
    axis = heatmap.YAxisConfig().unit(PAGES).axis_placement(common.AxisPlacement.LEFT)
    return heatmap.Panel().calculate(False).color(color).y_axis(axis).show_legend().show_tooltip()


def hosts_by() -> heatmap.Panel:
    """How many hosts are in which range, over time; a query a range."""
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("YlOrRd").steps(64)
    return heatmap.Panel().calculate(False).color(color).show_legend().show_tooltip()


def number() -> stat.Panel:
    """One number, and what it was."""
    last = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(last).graph_mode(common.BigValueGraphMode.AREA)


def bars() -> bargauge.Panel:
    """The greatest, as bars."""
    last = ReduceDataOptions().calcs(["lastNotNull"])
    drawn = bargauge.Panel().reduce_options(last).orientation(common.VizOrientation.HORIZONTAL).min(0)
    return drawn.display_mode(common.BarGaugeDisplayMode.GRADIENT)


def a_table() -> table.Panel:
    """A row a series."""
    return table.Panel().show_header(True).cell_height(common.TableCellHeight.SM)
