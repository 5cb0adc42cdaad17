"""The laboratory on this kernel: what was sent arrives, and nothing is left, however the lab ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ppobserve.errors import LabError, UsageError
from ppobserve.lab.frames import bursts, run_frames
from ppobserve.lab.veth import End, VethLab
from tests.live.conftest import eventually

TOP = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120  # an emulated CPU may take half a minute to start three interpreters
LAB = ("-m", "ppobserve.cli.main", "lab")
HOLDER = """
import time
from ppobserve.lab.veth import VethLab
with VethLab() as lab:
    print(lab.sender.pid, lab.receiver.pid, lab.sender.netns, lab.receiver.netns, flush=True)
    while True:
        lab.send(1 << 20)
"""
pytestmark = pytest.mark.usefixtures("live")


@dataclass(frozen=True)
class Traces:
    """What would show that a lab is still there."""

    pids: frozenset[int]
    namespaces: frozenset[int]

    def __bool__(self) -> bool:
        return any(map(alive, self.pids)) or bool(self.namespaces & network_namespaces())


def alive(pid: int) -> bool:
    """Not ended. An orphan may stay a zombie where init is slow to fetch it; all that it held is gone by then."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def network_namespaces() -> set[int]:
    """The inode numbers of all network namespaces that a process is in."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(link.stat().st_ino)
        except OSError:  # it ended meanwhile, or is a kernel thread's
            continue
    return found


def traces(*ends: End) -> Traces:
    return Traces(frozenset(end.pid for end in ends), frozenset(end.netns for end in ends))


def host_network() -> tuple[set[str], set[str]]:
    """The devices of the host's namespace, and the named namespaces."""
    named = Path("/run/netns")
    return set(os.listdir("/sys/class/net")), set(os.listdir(named)) if named.exists() else set()


def received_bytes(end: End) -> int:
    """What the device counted: the second road to the truth. /proc/PID/net shows the namespace of that process."""
    lines = Path(f"/proc/{end.pid}/net/dev").read_text().splitlines()
    return int(next(line for line in lines if end.device in line).split()[1])


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """The host's network is the same after the test as before it."""
    before = host_network()
    yield
    assert host_network() == before
    assert not {name for name in before[0] if name.startswith("ppv")}


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``python ARGUMENTS`` with our package; killed when the test ends."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, *arguments]
        running.append(subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("nothing_left")
def test_what_was_sent_is_received_and_nothing_is_left() -> None:
    with VethLab() as lab:
        left = traces(lab.sender, lab.receiver)
        assert left
        before = received_bytes(lab.receiver)
        for nbytes in (1, 1_000_003, 20_000_003):
            assert lab.send(nbytes, cpu=0).received == nbytes
        gained = received_bytes(lab.receiver) - before
    assert 21_000_007 < gained < 21_000_007 * 1.2  # the rest is headers, and a retransmission now and then
    assert not left


@pytest.mark.usefixtures("nothing_left")
def test_two_labs_live_side_by_side() -> None:
    with VethLab() as one, VethLab() as other:
        namespaces = {end.netns for end in (one.sender, one.receiver, other.sender, other.receiver)}
        assert len(namespaces | {os.stat("/proc/self/ns/net").st_ino}) == 5
        assert one.send(251).received == other.send(251).received == 251


def test_sender_and_receiver_run_where_they_are_told() -> None:
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    with VethLab(receiver_cpu=last) as lab:
        lab.send(251, cpu=first)
        assert os.sched_getaffinity(lab.sender.pid) == {first}
        assert os.sched_getaffinity(lab.receiver.pid) == {last}
        lab.send(251)
        assert os.sched_getaffinity(lab.sender.pid) == os.sched_getaffinity(0)


def test_the_kernel_counters_are_the_page_pool_s_or_none() -> None:
    with VethLab() as lab:
        lab.send(1_000_003)
        counters = lab.kernel_counters()
    assert set(counters) == {"ppv0", "ppv1"}
    assert all(name.startswith("rx_pp_") for each in counters.values() for name in each)
    if each := counters["ppv1"]:
        assert each["rx_pp_alloc_fast"] + each["rx_pp_alloc_slow"] > 1_000_003 // 65536


@pytest.mark.usefixtures("nothing_left")
def test_an_unknown_cpu_spoils_nothing() -> None:
    with VethLab() as lab:
        with pytest.raises(UsageError):
            lab.send(251, cpu=99999)
        assert lab.send(251).received == 251
    with pytest.raises(UsageError), VethLab(receiver_cpu=99999):
        pass


@pytest.mark.usefixtures("nothing_left")
def test_the_death_of_a_child_is_an_error_and_the_other_one_ends() -> None:
    with pytest.raises(LabError, match="the lab's receiver died"), VethLab() as lab:
        left = traces(lab.sender, lab.receiver)
        os.kill(lab.receiver.pid, signal.SIGKILL)
        lab.send(100_000_007)
    assert not left


@pytest.mark.usefixtures("nothing_left")
def test_sigkill_of_the_lab_leaves_nothing(started: Callable[..., subprocess.Popen[str]]) -> None:
    holder = started("-c", HOLDER)
    assert holder.stdout
    numbers = [int(number) for number in holder.stdout.readline().split()]
    left = Traces(frozenset(numbers[:2]), frozenset(numbers[2:]))
    assert left
    holder.kill()
    holder.wait()
    assert eventually(lambda: not left, PATIENCE_SECONDS)


@pytest.mark.usefixtures("nothing_left")
def test_ctrl_c_ends_with_a_result_and_leaves_nothing(started: Callable[..., subprocess.Popen[str]]) -> None:
    command = started(*LAB, "veth", "--json")
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    assert eventually(lambda: len(children.read_text().split()) == 2, PATIENCE_SECONDS)
    left = Traces(frozenset(map(int, children.read_text().split())), frozenset())
    command.send_signal(signal.SIGINT)
    out, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 0
    result = json.loads(out)
    assert result["bytes"] == sum(each["bytes"] for each in result["rounds"])
    assert not left
    assert not {device["netns"] for device in result["devices"]} & network_namespaces()


@pytest.mark.usefixtures("frames")
def test_ctrl_c_ends_frames_with_a_result(started: Callable[..., subprocess.Popen[str]]) -> None:
    command = started(*LAB, "frames", "--per-pool", "10007")
    assert command.stdout
    assert command.stdout.readline().endswith("Ctrl-C to end.\n")
    command.send_signal(signal.SIGINT)
    out, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 0
    frames, pools = int(out.split()[0]), int(out.split()[2])
    assert frames == pools * 10007 > 0


@pytest.mark.usefixtures("frames")
def test_a_prime_number_of_frames() -> None:
    result = run_frames(100_003, batch=61, size=1499, per_pool=9973)
    assert result.frames == 100_003
    assert result.seconds > 0


@pytest.mark.usefixtures("frames")
def test_signals_neither_end_a_run_nor_change_its_count() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: came.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        frames = sum(run_frames(10_007, per_pool=5003).frames for _ in range(17))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert frames == 17 * 10_007
    assert came


@pytest.mark.usefixtures("frames")
def test_each_pool_is_a_burst_on_the_cpu_asked_for() -> None:
    last = max(os.sched_getaffinity(0))
    seen = []
    for burst in bursts(251, cpu=last, per_pool=100):
        seen.append(burst.frames)
        assert os.sched_getaffinity(0) == {last}
    assert seen == [100, 100, 51]
