"""Places where something usual is missing, as in containers: every command works there, or says in a sentence what is
missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.host, pytest.mark.usefixtures("live")]

PROGRAM = str(Path(sys.executable).parent / "ppobserve")
ATTACH = ("--rung", "tracepoint")
"""A rung of every kernel: without one, a daemon of this host would be read."""
COMMANDS = (
    ("check",),
    ("pools", *ATTACH),
    ("top", "--once", *ATTACH),
    ("trace", "--seconds", "0.1"),
    ("serve", "--listen", "127.0.0.1:0"),
)
ROOT_ONLY = ("--inh-caps", "-all")


def answer(place: tuple[str, ...], *command: str) -> subprocess.CompletedProcess[str]:
    """What a command says in a *place*, which is a program that starts others there; never by a traceback."""
    done = subprocess.run([*place, PROGRAM, *command], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done


def mounted(*mounts: str) -> tuple[str, ...]:
    """Mounts that only the started program sees."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{"; ".join(mounts)}; exec "$@"', "sh")


def without(*names: str) -> tuple[str, ...]:
    """Root without some capabilities, as in a container."""
    return ("setpriv", "--bounding-set", ",".join(f"-{name}" for name in names), *ROOT_ONLY)


PROCESSES_ONLY = mounted("mount -t proc -o subset=pid proc /proc")
READ_ONLY = "mount --bind {0} {0}; mount -o remount,bind,ro {0}"
"""What is in a folder stays: the tree may be in one of them."""
NOWHERE_TO_WRITE = mounted(
    *(READ_ONLY.format(folder) for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run")),
    "unset TMPDIR HOME",
    "cd /sys",  # the last place where Python looks for room
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_where_proc_has_processes_only_the_missing_file_is_named(command: tuple[str, ...]) -> None:
    done = answer(PROCESSES_ONLY, *command)
    assert (done.returncode, "/proc/kallsyms does not exist" in done.stdout + done.stderr) == (1, True)


def test_where_proc_has_processes_only_the_other_facts_are_known() -> None:
    document = json.loads(answer(PROCESSES_ONLY, "check", "--json").stdout)
    assert document["kernel"]["cache_pages"] > 0


@pytest.mark.parametrize("command", [each for each in COMMANDS if each[0] != "serve"], ids=lambda command: command[0])
def test_where_nothing_can_be_written_everything_works(command: tuple[str, ...]) -> None:
    done = answer(NOWHERE_TO_WRITE, *command)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_container_s_root_is_told_which_capabilities_it_lacks(command: tuple[str, ...]) -> None:
    done = answer(without("bpf", "perfmon", "sys_admin", "syslog", "sys_ptrace"), *command)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "this process lacks CAP_BPF and CAP_PERFMON" in said
    assert "--cap-add BPF --cap-add PERFMON --cap-add SYSLOG --cap-add SYS_ADMIN --cap-add SYS_PTRACE" in said
    assert "kptr_restrict" not in said and "this kernel" not in said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_root_of_a_user_namespace_is_told_that_it_is_none(command: tuple[str, ...]) -> None:
    done = answer(("unshare", "--user", "--map-root-user"), *command)
    assert done.returncode == 1
    assert "BPF needs the initial one" in " ".join((done.stdout + done.stderr).split())


FILTER = """
import ctypes, os, struct, sys
from ppobserve.kernel.bpf import SYS_BPF
ins = lambda code, k, yes=0, no=0: struct.pack("<HBBI", code, yes, no, k)
code = ins(0x20, 0) + ins(0x15, SYS_BPF, 0, 1) + ins(0x06, 0x00050001) + ins(0x06, 0x7FFF0000)
program = ctypes.create_string_buffer(code, len(code))
fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, fprog, 0, 0):
    sys.exit("no seccomp")
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Load the system call's number; is it bpf(2): EPERM; else: allow."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_seccomp_filter_that_denies_bpf_is_named(command: tuple[str, ...]) -> None:
    done = answer((sys.executable, "-c", FILTER), *command)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "a seccomp filter denies bpf(2): Operation not permitted" in said
    assert "seccomp=unconfined" in said


@pytest.mark.parametrize("kind", ["veth", "frames"])
def test_the_lab_names_what_it_lacks_too(kind: str) -> None:
    inside = answer(("unshare", "--user", "--map-root-user"), "lab", kind)
    less = answer(without("sys_admin", "bpf", "net_admin"), "lab", kind)
    assert (inside.returncode, less.returncode) == (1, 1)
    assert "BPF needs the initial one" in inside.stderr
    assert "this process lacks CAP_" in less.stderr and "--cap-add" in less.stderr
    assert "as root" not in less.stderr


def test_facts_of_a_container_are_replayed_with_what_it_lacked(tmp_path: Path) -> None:
    saved = str(tmp_path / "facts.json")
    there = answer(without("bpf", "sys_admin"), "check", "--save-facts", saved)
    replayed = answer((), "check", "--facts", saved)
    assert "this process lacks CAP_BPF" in there.stdout
    assert (there.returncode, replayed.returncode) == (1, 1)
    assert there.stdout.split("problem:")[1] == replayed.stdout.split("problem:")[1]


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A process that has all capabilities, in a network namespace of its own."""
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline()
        yield
        other.kill()


@pytest.mark.usefixtures("elsewhere")
def test_namespaces_that_cannot_be_entered_are_counted_wherever_pools_are_listed() -> None:
    less = without("sys_ptrace")
    footer = " ".join(answer(less, "pools", "--seconds", "0.1", *ATTACH).stdout.split())
    assert re.search(r"idle pools of [1-9]\d* network namespaces? are not listed: ppobserve may not enter", footer)
    assert json.loads(answer(less, "pools", "--json", "--seconds", "0.1", *ATTACH).stdout)["netns_unreadable"] > 0
    assert json.loads(answer(less, "top", "--once", "--json", *ATTACH).stdout)["netns_unreadable"] > 0
    assert json.loads(answer(less, "check", "--json").stdout)["netns_unreadable"] > 0
    assert "network namespace" not in answer((), "pools", "--seconds", "0.1", *ATTACH).stdout


def test_in_a_pid_namespace_the_processes_outside_are_said_to_be_missing() -> None:
    done = answer(("unshare", "--pid", "--fork", "--mount-proc"), "check")
    said = " ".join(done.stdout.split())
    assert (done.returncode, "outside this PID namespace are not listed" in said) == (0, True)
    assert "--pid host (Kubernetes: hostPID: true)" in said


def test_what_a_missing_capability_costs_is_said_though_all_can_be_attached() -> None:
    done = answer(without("sys_ptrace"), "check")
    said = " ".join(done.stdout.split())
    assert (done.returncode, said.endswith("observable: yes")) == (0, True)
    assert "idle pools of other network namespaces are not listed: this process lacks CAP_SYS_PTRACE" in said
    assert "--cap-add SYS_PTRACE (a service: CapabilityBoundingSet=)" in said
