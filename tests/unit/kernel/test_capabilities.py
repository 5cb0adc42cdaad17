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


def test_what_is_held_is_what_proc_says() -> None:
    line = next(line for line in Path("/proc/thread-self/status").read_text().splitlines() if line[:6] == "CapEff")
    assert capabilities.effective() == int(line.split()[1], 16)


def test_each_capability_is_held_or_not_and_one_that_the_kernel_does_not_know_is_neither(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capabilities, "effective", lambda: 1 << capabilities.BITS["PERFMON"])
    monkeypatch.setitem(capabilities.BITS, "UNHEARD_OF", 63)
    assert capabilities.held(["SYS_ADMIN", "PERFMON", "UNHEARD_OF"]) == {"SYS_ADMIN": False, "PERFMON": True}


def test_a_kernel_that_does_not_tell_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "_VERSION_3", 7)
    with pytest.raises(HostError, match="cannot tell which capabilities this process has"):
        capabilities.effective()


@pytest.mark.parametrize(
    ("content", "profile"),
    [
        (b"docker-default (enforce)\n", "docker-default (enforce)"),
        (b"system_u:system_r:container_t:s0:c1,c2\0", "system_u:system_r:container_t:s0:c1,c2"),
        (b"unconfined\n", ""),
        (b"\xff\n", "\ufffd"),
    ],
)
def test_the_security_profile_of_this_process(tmp_path: Path, content: bytes, profile: str) -> None:
    (tmp_path / "current").write_bytes(content)
    assert capabilities.profile(tmp_path / "current") == profile
    assert capabilities.profile(tmp_path) == ""


def test_a_user_namespace_of_ones_own_is_known(tmp_path: Path, require: Callable[..., None]) -> None:
    code = "from ppobserve.kernel.capabilities import in_user_namespace\nprint(in_user_namespace())"
    inside = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    require("unshare failed" not in inside.stderr, "this host allows no user namespaces")
    assert inside.stdout == "True\n"
    assert capabilities.in_user_namespace(tmp_path)
    assert not capabilities.in_user_namespace(tmp_path / "no-proc")


def test_the_own_network_namespace_can_be_looked_into_without_any() -> None:
    visit = "netns.visit(netns.namespaces(), lambda inode: inode)"
    code = f"from ppobserve.kernel import netns\nkeep([])\nprint(len({visit}.seen))"
    assert child(code) == "1"
