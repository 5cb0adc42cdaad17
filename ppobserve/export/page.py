"""The landing page: what is running, and where the metrics are. Plain HTML, no request to anywhere else."""

from __future__ import annotations

from html import escape

from ppobserve import __version__
from ppobserve.model.series import total
from ppobserve.model.snapshot import PoolSample, Snapshot, State

_STYLE = """:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #8884}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}code{font-size:.95em}"""

_COLUMNS = {
    "mismatch pages": "numa_mismatch_pages",
    "slow refills": "slow_refills",
    "held": "pages_held",
    "returned": "pages_returned",
}


def landing_page(snapshot: Snapshot) -> str:
    """The page for one snapshot."""
    plan = snapshot.plan
    pools = [sample for sample in snapshot.pools if sample.pool.state is not State.ENDED]
    rows = "".join(map(_row, pools)) or f'<tr><td colspan="{len(_COLUMNS) + 3}">no pool has been used yet</td></tr>'
    heads = "".join(f"<th>{name}</th>" for name in ("pool", "netdev", *_COLUMNS, "in flight"))
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>ppobserve on {escape(snapshot.host)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>
<h1>ppobserve</h1>
<p>Version {__version__} on <b>{escape(snapshot.host)}</b>, kernel {escape(snapshot.kernel)}:
level <b>{plan.level.value}</b> by <b>{plan.rung.value}</b>, {len(plan.hooks)} hooks.
<a href="/metrics">/metrics</a> · <a href="/healthz">/healthz</a></p>
<table><tr>{heads}</tr>{rows}</table>
<p>Pages, since the programs were attached. Rates: <code>ppobserve top 1</code>.</p></html>
"""


def _row(sample: PoolSample) -> str:
    cells = [sample.pool.id, sample.pool.netdev or "-"]
    cells += [
        str(total(counter)) if (counter := sample.counters.get(name)) is not None else "-" for name in _COLUMNS.values()
    ]
    cells.append(str(int(sample.gauges.get("inflight_pages", 0))))
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
