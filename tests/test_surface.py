"""What is promised in words exists: metrics and labels in README, docs and dashboards, and the package's names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ppobserve
from ppobserve.model.metrics import POOL_LABELS, TABLE, Metric
from scripts import hooks_page, numa_page

TOP = Path(__file__).parent.parent
FOLDERS = {"docs": "*.md", "dashboards": "*.json", "deploy": "*.y*ml", "tests/rules": "*.yml"}
TEXTS = [TOP / "README.md", *(path for folder, kind in FOLDERS.items() for path in sorted((TOP / folder).rglob(kind)))]

NAMED = re.compile(r"(?<![:\w])ppobserve_[a-z_]*[a-z]\b(?:\\?\{([^}]*)\})?")
RECORDED = re.compile(r"\b[a-z_]+:ppobserve_[a-z_]+:[a-z0-9_]+")
GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right) ?\(([a-z_, ]*)\)")
EVERY_SERIES_HAS = {"instance", "job", "le"}
ALERTS_HAVE = {"alertname", "severity"}
EVERY_LABEL = {
    *POOL_LABELS,
    *ALERTS_HAVE,
    *EVERY_SERIES_HAS,
    *(label for metric in TABLE.values() for label in metric.labels),
}
NO_METRIC = re.compile(r"(- name: |uid\W+)ppobserve_\w+")
"""Names of rule groups."""


def named_in(text: str) -> list[tuple[str, set[str]]]:
    """The metrics in a text, each with the labels in braces behind it."""
    return [
        (found[0].partition("{")[0], set(re.findall(r"(\w+)\s*(?:=|,|$)", found[1] or "")))
        for found in NAMED.finditer(NO_METRIC.sub("", text))
    ]


def records() -> set[str]:
    """The series that recording rules make."""
    return set(re.findall(r"record: (\S+)", (TOP / "deploy/prometheus/recording.yml").read_text()))


def metric_called(name: str) -> Metric | None:
    """The metric that has samples of this name."""
    names = {metric.full_name: metric for metric in TABLE.values()}
    histogram = names.get(re.sub(r"_(bucket|sum|count)$", "", name))
    return names.get(name) or (histogram if histogram and histogram.kind == "histogram" else None)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_metric_that_is_named_exists_with_its_labels(path: Path) -> None:
    for name, labels in named_in(path.read_text()):
        metric = metric_called(name)
        assert metric, f"{name} is no metric"
        assert labels <= {*POOL_LABELS, *metric.labels, *EVERY_SERIES_HAS}, name


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_recorded_series_and_every_label_of_a_query_exists(path: Path) -> None:
    text = path.read_text()
    assert set(RECORDED.findall(text)) <= records()
    grouped = {label.strip() for labels in GROUPED.findall(text) for label in labels.split(",")} - {""}
    assert grouped <= EVERY_LABEL


def test_every_recorded_series_is_used() -> None:
    used = {name for path in TEXTS for name in RECORDED.findall(re.sub("record: .*", "", path.read_text()))}
    assert records() == used


def test_the_page_of_hooks_is_what_the_tables_say() -> None:
    assert hooks_page.PAGE.read_text() == hooks_page.page()


def test_the_documentation_explains_every_metric() -> None:
    text = (TOP / "docs/metrics.md").read_text()
    explained = {metric.name for name, _ in named_in(text) if (metric := metric_called(name))}
    assert explained == set(TABLE)
    assert all(f"`{label}`" in text for label in POOL_LABELS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a `ppobserve_pages_held_total` b", [("ppobserve_pages_held_total", set())]),
        ('ppobserve_x{netdev="eth0", le=~"1"}', [("ppobserve_x", {"netdev", "le"})]),
        ("ppobserve_x{cause}", [("ppobserve_x", {"cause"})]),
        ("sum by (job) (ppobserve_x)", [("ppobserve_x", set())]),
        ('"expr": "ppobserve_x{job=~\\"$job\\"}"', [("ppobserve_x", {"job"})]),
        ("my_ppobserve_x, ppobserve top, instance:ppobserve_x:rate5m, - name: ppobserve_x", []),
    ],
)
def test_metrics_are_found_in_a_text(text: str, found: list[tuple[str, set[str]]]) -> None:
    assert named_in(text) == found


@pytest.mark.parametrize("name", ["ppobserve_nothing", "ppobserve_pages_held", "ppobserve_slow_refills_total_count"])
def test_a_name_that_is_nearly_right_is_no_metric(name: str) -> None:
    assert metric_called(name) is None


def test_the_package_has_the_names_that_it_promises() -> None:
    assert all(hasattr(ppobserve, name) for name in ppobserve.__all__)
    assert f'\nversion = "{ppobserve.__version__}"\n' in (TOP / "pyproject.toml").read_text()


def test_the_pages_figures_are_those_of_its_recording() -> None:
    """Else: .venv/bin/python scripts/numa_page.py"""
    for path, text in numa_page.figures().items():
        assert path.read_text() == text, path
