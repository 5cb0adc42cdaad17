"""Other programs, which end with the demo, and the demo's own end by Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

TOP = Path(__file__).parent.parent
PPOBSERVE = (sys.executable, "-m", "ppobserve.cli.main")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


class DemoError(Exception):
    """A part of the demo failed: a sentence, and what the failed program printed."""


def end_on_signals() -> None:
    """Unwind at the first signal, so that everything that was started ends, and let no second one disturb that."""

    def end(number: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, lambda *_: None)  # SIG_IGN would print an error for one that is already here
        sys.exit(128 + number)

    for each in SIGNALS:
        signal.signal(each, end)


@contextmanager
def started(command: Sequence[str | Path], *, apart: bool = False, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program that gets SIGTERM when the block ends, and is waited for. *apart*: so does all that it started."""
    options |= {"cwd": TOP, "stdin": subprocess.DEVNULL, "text": True, "start_new_session": apart}
    options["preexec_fn"] = _end_with_parent  # a signal may come before the block has begun
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                with suppress(PermissionError):  # sudo belongs to root, and Ctrl-C reaches it by the terminal
                    os.killpg(process.pid, signal.SIGTERM) if apart else process.terminate()


def _end_with_parent() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def output(command: Sequence[str | Path], *, apart: bool = False) -> str:
    """What a program prints. DemoError with its last words if it fails."""
    with started(command, apart=apart, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        printed, complaints = process.communicate()
    if process.returncode:
        raise DemoError(f"{complaints}{printed}".strip())
    return printed.strip()
