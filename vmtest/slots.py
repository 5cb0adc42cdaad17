"""Slots: how much runs at once in this tree. A guest takes one, which is a core and 3 GiB of memory.

Host tiers take one together (scripts/run_tiers.py). A slot is the lock of a file, so the end of a process frees it.
    PPOBSERVE_SLOTS   how many there are; default: 2
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

TOP = Path(__file__).parent.parent
FOLDER = TOP / "build" / "slots"
DEFAULT = 2


def take(folder: Path = FOLDER) -> IO[str] | None:
    """Take a free slot, which lasts until what is returned is closed. None if all are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(int(os.environ.get("PPOBSERVE_SLOTS", DEFAULT))):
        lock = (folder / str(number)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return lock
    return None


def wait(folder: Path = FOLDER, poll_seconds: float = 0.5) -> IO[str]:
    """Take a slot as soon as one is free."""
    while (slot := take(folder)) is None:
        time.sleep(poll_seconds)
    return slot
