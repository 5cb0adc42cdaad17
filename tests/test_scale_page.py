"""docs/scale.md: its tables are as the bench prints them, and what it says of them adds up."""

from __future__ import annotations

import re
from typing import Any

import yaml

from bench.extrapolated import KEPT, MEASURED, RULED, SCRAPED
from bench.prometheus import ROOT, RULES

PAGE = (ROOT / "docs" / "scale.md").read_text()
ASIDE = ("up", "ppobserve_build_info")
"""What the filter of remote write keeps besides recorded series, a host."""


def rows(first: str) -> list[dict[str, str]]:
    """The rows of the table whose first column is called *first*."""
    (body,) = re.findall(rf"^\| ({first} \|.*?)\n\n", PAGE, re.M | re.S)
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines())
    return [dict(zip([name for name in head if name], line, strict=False)) for line in lines]


def number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


def measured() -> list[dict[str, str]]:
    return [row for row in rows("cardinality") if row["cardinality"] in ("node", "netdev", "pool")]


def test_what_was_measured_says_how_often_it_was_scraped() -> None:
    for row in measured():
        assert tuple(row) == MEASURED
        samples = 1000 * number(row["series a host"]) / number(row["scraped every"])
        assert abs(samples / number(row["samples/s"]) - 1) < 0.05
        disk = 1e6 / SCRAPED * number(row["bytes a sample"]) * KEPT / 2**30
        assert abs(disk - number(next(row[name] for name in row if name.startswith("disk")))) < 1
    assert len(measured()) == 3


def test_what_remote_write_sends_is_what_its_filter_keeps() -> None:
    (before, after) = (number(text) for text in re.findall(r": ([\d,]+) samples a second become ([\d,]+)\.", PAGE)[0])
    (netdev,) = (row for row in rows("hosts") if (row["hosts"], row["cardinality"]) == ("100,000", "netdev"))
    assert abs(before - number(netdev["samples/s"])) < 500
    (kept,) = re.findall(r'source_labels: \[__name__\], regex: "([^"]*)", action: keep', PAGE)
    groups: list[dict[str, Any]] = yaml.safe_load((RULES / "recording.yml").read_text())["groups"]
    recorded = [rule["record"] for group in groups for rule in group["rules"] if re.fullmatch(kept, rule["record"])]
    of_hosts = [name for name in recorded if not name.startswith("job:")]
    assert all(re.fullmatch(kept, name) for name in ASIDE)
    sent = 100_000 * (len(of_hosts) / RULED + len(ASIDE) / SCRAPED)
    assert abs(after / sent - 1) < 0.02
