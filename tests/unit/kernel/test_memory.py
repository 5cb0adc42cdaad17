"""What a map says that it takes, and memory that is given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ppobserve.kernel import memory

FDINFO = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nmap_type:\t2\nmax_entries:\t4096\nmemlock:\t1147264\nmap_id:\t7\n"

# In a process of its own: this one's heap is anyone's.
FREED = """
import re
from ppobserve.kernel.memory import give_back
rss = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
pieces = [bytes(500) for _ in range(100_000)]
last = bytes(500)
del pieces
before = rss()
give_back()
print(before - rss())
"""

HEAPS = """
import ctypes, threading
from ppobserve.kernel.memory import share_one_heap
share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
begun = threading.Barrier(4)
threads = [threading.Thread(target=lambda: (begun.wait(), libc.malloc(1 << 16))) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def test_a_map_says_what_it_takes(tmp_path: Path) -> None:
    (tmp_path / "fdinfo").mkdir()
    (tmp_path / "fdinfo/13").write_text(FDINFO)
    assert memory.locked_bytes(13, tmp_path) == 1147264


def test_giving_back_is_harmless_with_any_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.give_back()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory.give_back()
    memory.share_one_heap()


def test_threads_share_one_heap() -> None:
    """glibc tells of its heaps by malloc_info(3), on standard output here."""
    done = subprocess.run([sys.executable, "-c", HEAPS], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 1


def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1024
