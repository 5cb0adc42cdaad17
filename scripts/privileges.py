"""Which capabilities attaching takes on this kernel, and which reading does: each is left out once.

As root: .venv/bin/python scripts/privileges.py [RUNG], or scripts/vm 6.1 '.venv/bin/python scripts/privileges.py'
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

from ppobserve.errors import HostError
from ppobserve.kernel import capabilities, netns
from ppobserve.model.plan import Level, Rung
from ppobserve.source.live import Live

SYSCTLS = ("kptr_restrict", "perf_event_paranoid", "unprivileged_bpf_disabled")
UNIT = Path(__file__).parent.parent / "deploy/systemd/ppobserve.service"


def granted() -> list[str]:
    """What the service has."""
    found = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.MULTILINE)
    return [name.removeprefix("CAP_") for name in found[1].split()] if found else []


def once(rung: str, attaching: str, reading: str) -> str:
    """Attach with some capabilities, read with fewer, in this very process; returns what could be seen."""
    capabilities.keep(filter(None, attaching.split(",")))
    try:
        live = Live.start(Level.STANDARD, Rung(rung) if rung else None)
        capabilities.keep(filter(None, reading.split(",")))
        live.read()
        live.read()
    except HostError as error:
        return f"fails: {error}".replace("\n", " ")
    lost = live.read().lost_hooks()
    spaces = netns.visit(netns.namespaces(), lambda inode: inode).seen
    return f"lost hooks {lost}" if lost else f"works: by {live.plan.rung.value}, {len(set(spaces))} network namespaces"


def trial(rung: str, attaching: list[str], reading: list[str]) -> str:
    """The same in a process of its own: what is given up doesn't come back."""
    command = [sys.executable, __file__, "once", rung, ",".join(attaching), ",".join(reading)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1][:160]


def main(rung: str = "") -> None:
    """The table."""
    names = granted()
    settings = ", ".join(f"{name} {Path('/proc/sys/kernel', name).read_text().strip()}" for name in SYSCTLS)
    print(f"{platform.release()} ({settings})\nall of {' '.join(names)}: {trial(rung, names, names)}", flush=True)
    for name in names:
        print(f"attaching without {name:<13}{trial(rung, [each for each in names if each != name], names)}", flush=True)
    for name in ("BPF", "SYS_ADMIN", "SYS_PTRACE"):
        kept = [each for each in ("BPF", "SYS_ADMIN", "SYS_PTRACE") if each != name]
        print(f"reading without {name:<15}{trial(rung, names, kept)}", flush=True)
    print(
        f"attaching with no more than BPF, PERFMON, SYSLOG, reading with none: "
        f"{trial(rung, ['BPF', 'PERFMON', 'SYSLOG'], [])}",
        flush=True,
    )


if __name__ == "__main__":
    print(once(*sys.argv[2:])) if sys.argv[1:2] == ["once"] else main(*sys.argv[1:])
