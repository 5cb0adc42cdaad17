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


def test_a_map_says_what_it_takes(tmp_path: Path) -> None:
    (tmp_path / "fdinfo").mkdir()
    (tmp_path / "fdinfo/13").write_text(FDINFO)
    assert memory.locked_bytes(13, tmp_path) == 1147264


def test_giving_back_is_harmless_with_any_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.give_back()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory.give_back()


def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1024
