"""Writes dashboards/*.json, which Grafana reads. `tests/test_dashboards.py` says when it was forgotten.

.venv/bin/python -m dashboards.build
"""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.exporter import exporter
from dashboards.fleet import fleet
from dashboards.host import host

FOLDER = Path(__file__).parent
DASHBOARDS = {"host": host, "fleet": fleet, "exporter": exporter}


def text(name: str) -> str:
    """A dashboard as its file has it."""
    built = json.loads(json.dumps(DASHBOARDS[name]().build(), cls=JSONEncoder))
    for number, panel in enumerate(built["panels"], 1):  # one that Grafana gives would change with every load
        panel["id"] = number
    return json.dumps(built, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))
