"""The metric table keeps the naming rules of Prometheus."""

from __future__ import annotations

import re

import pytest

from ppobserve.model.metrics import POOL_LABELS, TABLE, Metric


@pytest.mark.parametrize("metric", TABLE.values(), ids=lambda metric: metric.name)
def test_every_metric_is_well_named_and_explained(metric: Metric) -> None:
    assert re.fullmatch(r"ppobserve_[a-z][a-z_]*[a-z]", metric.full_name)
    assert metric.full_name.endswith("_total") is (metric.kind == "counter")
    assert not re.search(r"_(bucket|sum|count)$", metric.name)
    assert metric.help.endswith(".")
    assert not set(metric.labels) & {*POOL_LABELS, "le"}
