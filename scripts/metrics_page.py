"""Writes docs/metrics.md from the metric table. `tests/test_surface.py` says when it was forgotten.

.venv/bin/python scripts/metrics_page.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ppobserve.model.cardinality import Cardinality, label_names
from ppobserve.model.metrics import INFO_METRICS, POOL_METRICS, SELF_METRICS, Metric

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"

HEAD = """# Metrics

Made by `scripts/metrics_page.py` from `ppobserve/model/metrics.py`: change it there.

Counters only go up and start when the programs are attached. Pages are pages, time is seconds, memory bytes. A ratio is
left to the query. A metric whose hook this kernel refuses is absent, not zero; `ppobserve check` says which and why.

Labels of a pool, by the configuration's `cardinality`:

"""


def page() -> str:
    """The whole page."""
    labels = "".join(f"* `{c.value}`: {', '.join(f'`{n}`' for n in label_names(c)) or 'none'}\n" for c in Cardinality)
    tables = (("Pools", POOL_METRICS), ("What a pool is", INFO_METRICS), ("ppobserve itself", SELF_METRICS))
    return HEAD + labels + "".join(_table(title, metrics) for title, metrics in tables)


def _table(title: str, metrics: Iterable[Metric]) -> str:
    rows = "".join(
        f"| `{m.full_name}` | {m.kind} | {', '.join(f'`{n}`' for n in m.labels)} | {', '.join(m.hooks)} | {m.help} |\n"
        for m in metrics
    )
    return f"\n## {title}\n\n| metric | kind | labels | hooks (one of) | meaning |\n|---|---|---|---|---|\n{rows}"


if __name__ == "__main__":
    PAGE.write_text(page())
