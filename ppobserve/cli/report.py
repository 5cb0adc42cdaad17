"""``ppobserve report``: a recording as one web page."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from ppobserve.cli.files import write_text
from ppobserve.model.span import span_of
from ppobserve.source.recorded import open_recording
from ppobserve.ui.report import Recording, report

MOMENTS = 240
"""A plot is as many pixels wide, or not much wider."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recording, and the page."""
    parser.add_argument("recording", type=Path, metavar="FILE", help="what ppobserve record wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.html", required=True, help="the page, to be written")


def run(args: argparse.Namespace) -> int:
    """Write the page; 0 then, whatever it says."""
    with closing(open_recording(args.recording)) as recorded:
        span = span_of(recorded.snapshots(MOMENTS))
        looked_at = min(MOMENTS, len(recorded))
        page = report(Recording(args.recording.name, span, len(recorded), looked_at, recorded.problems))
    write_text(args.output, page)
    return 0
