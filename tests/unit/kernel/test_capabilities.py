"""Giving up capabilities, in a process of its own: it can't be undone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ppobserve.errors import HostError
from ppobserve.kernel import capabilities


def child(code: str) -> str:
    script = f"from ppobserve.kernel.capabilities import effective, keep\nfrom pathlib import Path\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_only_what_is_kept_is_left_and_for_good(require: Callable[..., None]) -> None:
    admin = 1 << capabilities.BITS["SYS_ADMIN"]
    require(capabilities.effective() & admin, "not root")
    code = """
import os, subprocess
keep(["SYS_ADMIN"])
keep(["SYS_ADMIN", "BPF"])
print(hex(effective()), *(line.split()[1] for line in open("/proc/self/status") if line[:6] in ("CapPrm", "NoNewP")))
print(subprocess.run(["grep", "CapEff", "/proc/self/status"], capture_output=True, text=True).stdout.split()[1])
"""
    assert child(code).split() == [hex(admin), f"{admin:016x}", "1", f"{admin:016x}"]


def test_who_has_none_gives_up_none() -> None:
    assert child("keep([])\nkeep(['BPF'])\nprint(effective())") == "0"


def test_a_status_without_capabilities_is_said(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tx\n")
    with pytest.raises(HostError, match="cannot tell which capabilities we have"):
        capabilities.effective(tmp_path / "status")


def test_the_own_network_namespace_can_be_looked_into_without_any() -> None:
    code = (
        "from ppobserve.kernel import netns\nkeep([])\nprint(len(netns.visit(netns.namespaces(), lambda inode: inode)))"
    )
    assert child(code) == "1"
