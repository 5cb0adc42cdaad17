"""What this kernel shows, as root: ``python -m demo.tour RECORDING [--guest]``. Ends everything that it started.

In a guest, the lines ``BOOTED`` and ``ATTACHED`` report progress to the host.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo import words
from demo.counters import MISMATCHES, Series, mismatches_by_node, pairs, series_of, total
from demo.daemon import Daemon, recording, serving
from demo.process import PPOBSERVE, DemoError, end_on_signals, started
from demo.traffic import Sent, cpus_to_visit, kernel_counters, send
from ppobserve.errors import LabError, PpobserveError
from ppobserve.kernel.numa import nodes_of_cpus
from ppobserve.lab.veth import VethLab

BOOTED, ATTACHED = "@booted", "@attached"
SECONDS, GUEST_SECONDS, MOST_SECONDS = 6.0, 12.0, 90.0
"""Of traffic: at least, in a guest, and until a mismatch comes."""
FRAMES = 20_000_003
SHOW = "top --once --limit 6"
CPUINFO = Path("/proc/cpuinfo")


def main() -> int:
    """Exit status 1 if a part failed, or if ppobserve and the kernel count differently."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--guest", action="store_true")
    args = parser.parse_args()
    end_on_signals()
    try:
        return tour(args.recording, guest=args.guest)
    except (DemoError, PpobserveError) as error:
        _say(f"{error}")
        return 1


def tour(path: Path, *, guest: bool) -> int:
    """Everything, from the daemon's start to its end."""
    title = f"The daemon attaches to this kernel, {platform.release()}"
    _say(f"{BOOTED} {processor()}" if guest else words.heading(title, "ppobserve serve"))
    with serving() as daemon:
        _say(f"{ATTACHED} {daemon.how}" if guest else words.attached(daemon.said))
        with recording(daemon, path):
            return _traffic(daemon, GUEST_SECONDS if guest else SECONDS)


def _traffic(daemon: Daemon, seconds: float) -> int:
    """TCP over veth; live frames where veth has no page_pool."""
    try:
        with VethLab() as lab:
            return _Veth(daemon, lab, nodes_of_cpus(), seconds).show()
    except LabError as error:
        _say(f"{error}")
        return _frames(daemon)


@dataclass(frozen=True)
class _Veth:
    """What is shown of traffic over *lab*, by *daemon*, on CPUs of *nodes*."""

    daemon: Daemon
    lab: VethLab
    nodes: Mapping[int, int]
    seconds: float

    def show(self) -> int:
        """Traffic, and the three views of it. Returns 1 if ppobserve and the kernel count differently."""
        cpus = cpus_to_visit(self.nodes)
        command = f"ppobserve lab veth --cpus {','.join(map(str, cpus))}"
        _say(words.heading("Traffic: TCP over a veth pair, with a page_pool at each end", command))
        sent = send(self.lab, cpus, self._is_enough)
        _say(words.sent(sent.nbytes, sent.seconds, {cpu: self.nodes[cpu] for cpu in cpus}))
        if not self._series():
            raise LabError("This kernel's veth has no page_pool; that came with 6.4.")
        self._top(cpus)
        return self._counts(self._series(), kernel_counters(self.lab))

    def _is_enough(self, sent: Sent) -> bool:
        """True after ``seconds``; with several nodes only after a mismatch, or MOST_SECONDS."""
        met = self._one_node or total(self._series(), MISMATCHES)
        return sent.seconds >= (self.seconds if met else MOST_SECONDS)

    @property
    def _one_node(self) -> bool:
        return len(set(self.nodes.values())) < 2

    def _series(self) -> list[Series]:
        return series_of(self.daemon.get("/metrics"), self.lab.receiver.device, self.lab.receiver.netns)

    def _top(self, cpus: list[int]) -> None:
        """The table, taken while traffic goes on."""
        title = f"Pools, busiest first, per second; {self.lab.receiver.device} is the end that receives"
        _say(words.heading(title, f"ppobserve {SHOW}"))
        command = [*PPOBSERVE, *SHOW.split(), "--from", self.daemon.url]
        with started(command, stdout=subprocess.PIPE) as top:
            send(self.lab, cpus, lambda _: top.poll() is not None)
            _say(top.communicate()[0].strip())

    def _counts(self, series: list[Series], kernel: Mapping[str, int]) -> int:
        """The matrix and the comparison, of one moment at which no page was under way."""
        if not self._one_node:
            _say(words.heading("Mismatches: pages dropped at refill, by the node that they were on"))
            _say(words.matrix(mismatches_by_node(series)))
        compared = pairs(series, kernel)
        beside = ", beside the kernel's own counters" if kernel else ""
        _say(words.heading(f"What Prometheus gets{beside}"))
        _say(words.comparison(compared, self.lab.receiver.device))
        wrong = any(pair.is_wrong for pair in compared)
        if wrong:
            _say("ppobserve and the kernel count differently. Report it, with this output.")
        return int(wrong)


def _frames(daemon: Daemon) -> int:
    command = f"ppobserve lab frames --count {FRAMES}"
    _say(words.heading("Traffic: frames through the page_pool of a test run", command))
    with started([*PPOBSERVE, *command.split()[1:]]) as lab:
        with started([*PPOBSERVE, *SHOW.split(), "--from", daemon.url], stdout=subprocess.PIPE) as top:
            shown = top.communicate()[0].strip()
        status = lab.wait()
    _say(words.heading("Pools, busiest first, per second", f"ppobserve {SHOW}"))
    _say(shown)
    return status


def processor(cpuinfo: Path = CPUINFO) -> str:
    """ "emulated" if QEMU carries out each instruction itself; "" if a CPU does."""
    try:
        text = cpuinfo.read_text()
    except OSError:  # a /proc with subset=pid has none
        return ""
    return "emulated, so everything takes longer" if "QEMU TCG" in text else ""


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
