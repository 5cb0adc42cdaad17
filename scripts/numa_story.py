"""Records what docs/numa.md shows, in a guest whose NIC has a page_pool: ``python -m scripts.numa_story FOLDER``.

A NIC's interrupt moves between the nodes while downloads run; at last it moves while nothing but pings arrive, whose
pages come straight back into the cache. FOLDER gets the recording, and story.json: the moves, and both sides' counts.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ppobserve.kernel.features import gather
from ppobserve.model.plan import Level, Rung
from ppobserve.model.series import subtract
from ppobserve.model.snapshot import PoolSample
from ppobserve.probe.attach import attach
from ppobserve.source.live import Live
from ppobserve.source.recorder import Recorder
from tests.live.test_virtio import ours, pool_of, quiet
from vmtest.nic import Nic, download, echo, set_up

INTERVAL = 0.5
MOVES = (0, 1, 0, 1, 0)
DOWNLOADS = 3
PINGS = 5003
PATIENCE = 600


def main() -> None:
    """Attach, record the story, and write what both sides counted."""
    folder, nic = Path(sys.argv[1]), set_up()
    if nic is None:
        sys.exit("story: this guest has no NIC with a page_pool")
    with attach(gather(), Level.FULL, forced=Rung.FENTRY, seconds=PATIENCE) as attached:
        (folder / "story.json").write_text(json.dumps(told(nic, Live(attached), folder), indent=1) + "\n")


def told(nic: Nic, live: Live, folder: Path) -> dict[str, Any]:
    """The story, once; what it came to."""
    nic.consume_on(0)
    echo(101)
    kernel_before, before = quiet(nic), pool_of(live, nic)
    with recording(live, folder / "story.jsonl.gz"):
        moves = list(acts(nic))
    kernel_after, after = quiet(nic), pool_of(live, nic)
    return {
        "pool": nic.pool,
        "moves": moves,
        "ours": ours(subtract(after.counters, before.counters)),
        "kernel": {name: count - kernel_before[name] for name, count in kernel_after.items()},
        "remote": in_words(after),
    }


def acts(nic: Nic) -> Iterator[dict[str, Any]]:
    """Each move of the interrupt: when, where to, and what arrived then."""
    for cpu in MOVES:
        yield moved(nic, cpu, "downloads")
        for _ in range(DOWNLOADS):
            download(cpu)
    yield moved(nic, 1, "pings")
    echo(PINGS)


def moved(nic: Nic, cpu: int, what: str) -> dict[str, Any]:
    nic.consume_on(cpu)
    return {"time": time.time(), "cpu": cpu, "what": what}


def in_words(sample: PoolSample) -> dict[str, int]:
    return {" ".join(key): pages for key, pages in sample.remote.items()}


@contextmanager
def recording(live: Live, path: Path) -> Iterator[None]:
    """Record every so often, from a thread of its own."""
    end = threading.Event()

    def run() -> None:
        recorder = Recorder(path)
        while not end.wait(INTERVAL):
            recorder.write(live.read())
        recorder.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


if __name__ == "__main__":
    main()
