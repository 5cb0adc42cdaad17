"""The one-shot view of ``ppobserve fleet top``: pools of many hosts, under 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ppobserve.model.fleet import HostPool
from ppobserve.model.rates import Row, busyness
from ppobserve.ui.pool_columns import BY_KEY

_HOST = replace(BY_KEY["netdev"], title="HOST DEVICE", width=20)
COLUMNS = (
    _HOST,
    *(BY_KEY[key] for key in ("pool", "refills", "batch", "mismatches", "remote", "slow", "inflight")),
)


def worst_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Mismatches, then pages kept on another node, then activity."""
    return tuple(sorted(rows, key=lambda row: (row.mismatches or 0.0, row.remote or 0, busyness(row)), reverse=True))


_RATES = ("refills", "misses", "mismatches", "slow", "held", "returned")
_NUMBERS = ("pages_per_batch", "inflight", "cache", "ring", "remote")


def documents(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as ``--json`` has them; what a host does not export is null."""
    return [_document(row) for row in rows]


def _document(row: Row) -> dict[str, Any]:
    pool = row.pool
    host, netdev = (pool.host, pool.own_netdev) if isinstance(pool, HostPool) else ("", pool.netdev)
    labels = {"instance": host, "netns": pool.netns, "netdev": netdev, "pool": pool.id, "napi": pool.napi}
    rates = {f"{name}_per_second": getattr(row, name) for name in _RATES}
    return {**labels, "driver": pool.driver, **rates, **{name: getattr(row, name) for name in _NUMBERS}}
