"""``make demo``: the tour on this host, and again in a guest where this kernel cannot show the main job."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from demo import guest, words
from demo.guest import NoGuest
from demo.need import lacking
from demo.process import PPOBSERVE, TOP, DemoError, end_on_signals, output, started
from ppobserve.errors import PpobserveError
from ppobserve.kernel.numa import nodes_of_cpus
from ppobserve.model.findings import findings
from ppobserve.model.span import Span, span_of
from ppobserve.source.recorded import open_recording

RESULTS = TOP / "build/demo"


def main() -> int:
    """Exit status 1 if a part failed; a host that cannot have a guest is no failure."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--here", action="store_true", help="stay on this host")
    args = parser.parse_args()
    end_on_signals()
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    try:
        return demo(stay=args.here)
    except (DemoError, PpobserveError) as error:
        print(error)
        return 1


def demo(*, stay: bool) -> int:
    """This host, a guest if this host cannot show everything, and a page of the last of both."""
    recording = RESULTS / "host.jsonl.gz"
    status = _on_the_host(recording)
    lacks = lacking(_span(recording), nodes_of_cpus())
    if lacks and not stay and (in_the_guest := _in_a_guest(RESULTS / "guest.jsonl.gz", lacks)) is not None:
        recording, status = RESULTS / "guest.jsonl.gz", in_the_guest
    _report(recording, _span(recording))
    if lacks and stay:
        print(words.stays(lacks))
    return status


def _on_the_host(recording: Path) -> int:
    """The tour, as root. Nothing of it is cached in the tree: that would be root's."""
    root = [] if os.geteuid() == 0 else ["sudo", "--preserve-env=PPOBSERVE_LISTEN", "env", "PYTHONDONTWRITEBYTECODE=1"]
    with started([*root, sys.executable, "-m", "demo.tour", recording]) as tour:
        return tour.wait()


def _span(recording: Path) -> Span | None:
    """All that was recorded; None if nothing was."""
    if not recording.exists():
        return None
    with closing(open_recording(recording)) as recorded:
        return span_of(recorded.snapshots(len(recorded)))


def _in_a_guest(recording: Path, lacks: Sequence[str]) -> int | None:
    """The exit status of the tour there; None if there is no guest, which is said."""
    try:
        print(words.goes_on(lacks, guest.series()), flush=True)
        return guest.show(RESULTS, recording)
    except NoGuest as error:
        print(f"\n{words.no_guest(lacks, str(error))}")
        return None


def _report(recording: Path, span: Span | None) -> None:
    if not span:
        return
    page = RESULTS / "report.html"
    output([*PPOBSERVE, "report", recording, "-o", page])
    print(words.heading("All of it as one page, with plots and a verdict", "ppobserve record, then ppobserve report"))
    print(words.verdict(findings(span)[0]))
    print(page)


if __name__ == "__main__":
    sys.exit(main())
