"""Debian's Prometheus programs for tests: where they are, and one started for a test on loopback ports."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES = ROOT / "deploy" / "prometheus"


@cache
def programs() -> Path:
    """The directory of prometheus, promtool, prometheus-alertmanager and amtool; fetched when they are not there."""
    found = subprocess.run([ROOT / "scripts/prometheus"], capture_output=True, text=True, timeout=300, check=True)
    return Path(found.stdout.strip())


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    command = [programs() / "promtool", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
