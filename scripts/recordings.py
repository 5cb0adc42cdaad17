"""Makes tests/data/recordings again: lab traffic in a guest of two NUMA nodes, recorded there at level full by fentry.

.venv/bin/python -m scripts.recordings      (about three minutes; scripts/setup test once before)
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ppobserve.lab.veth import VethLab
from ppobserve.model.plan import Level, Rung
from ppobserve.source.live import Live
from ppobserve.source.recorder import Recorder
from vmtest import guest

DATA = guest.TOP / "tests" / "data" / "recordings"
KERNEL = "newest"
CHUNK = 1 << 20


def moving(lab: VethLab) -> None:
    """The sender on node 0, then back and forth between both nodes, then on node 1, where the receiver is not."""
    for cpu, seconds in ((0, 12), *((each % 2, 1.5) for each in range(1, 9)), (1, 12), (0, 6)):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lab.send(CHUNK, cpu)


def zombie(lab: VethLab) -> None:
    """A socket that nobody reads keeps pages of a pool whose device has given it up."""
    lab.send(10 * CHUNK, cpu=0)
    lab.park(30_011, cpu=0)
    lab.destroy_pools()
    time.sleep(65)
    lab.read_parked(30_011)
    time.sleep(4)


SCENES: dict[str, tuple[Callable[[VethLab], None], float]] = {"moving": (moving, 0.5), "zombie": (zombie, 1.0)}
"""What happens, and the seconds between two snapshots."""


def record(folder: Path) -> None:
    """In the guest: play every scene, each recorded into a file of its own."""
    with closing(Live.start(Level.FULL, Rung.FENTRY)) as live:
        for name, (scene, interval) in SCENES.items():
            with VethLab(receiver_cpu=0) as lab, recording(live, folder / f"{name}.jsonl.gz", interval):
                scene(lab)


@contextmanager
def recording(live: Live, path: Path, interval: float) -> Iterator[None]:
    """Snapshots while the block runs; the lab belongs to the thread that is in it."""
    done = threading.Event()

    def write() -> None:
        with closing(Recorder(path)) as recorder:
            recorder.write(live.read())
            while not done.wait(interval):
                recorder.write(live.read())
            recorder.write(live.read())

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main() -> int:
    with guest.claimed(f"{KERNEL}-recordings") as results:
        command = f"PYTHONDONTWRITEBYTECODE=1 {sys.executable} -m scripts.recordings {results}"
        status = guest.run(KERNEL, command, results)
        for made in sorted(results.glob("*.jsonl.gz")) if status == 0 else ():
            shutil.copy(made, DATA)
            print(f"{made.name}: {made.stat().st_size} bytes")
    return status


if __name__ == "__main__":
    if sys.argv[1:]:
        record(Path(sys.argv[1]))
    else:
        sys.exit(main())
