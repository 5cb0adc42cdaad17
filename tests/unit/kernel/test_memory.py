"""Memory that is given back, in a process of its own: this one's heap is anyone's."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import re
from ppobserve.kernel.memory import trim
rss = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
pieces = [bytes(500) for _ in range(100_000)]
last = bytes(500)
del pieces
before = rss()
print(trim(), before - rss())
"""


def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    trimmed, kib = done.stdout.split()
    assert trimmed == "True" and int(kib) > 1024
