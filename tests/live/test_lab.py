"""The laboratory on this kernel: what was sent arrives, and nothing is left, however the lab ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ppobserve.errors import LabError, UsageError
from ppobserve.kernel import netns
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
    print(lab.sender.pid, lab.receiver.pid, flush=True)
    while True:
        lab.send(1 << 20)
"""
pytestmark = pytest.mark.usefixtures("live")


Namespace = tuple[int, int]
"""The inode number of a network namespace, which another may get as soon as it is gone, and its cookie, which none
gets again; 0 before 5.14 (kernel commit e8b9eab99232, "net: retrieve netns cookie via getsocketopt")."""
SO_NETNS_COOKIE = 71


@dataclass(frozen=True)
class Traces:
    """What would show that a lab is still there."""

    pids: frozenset[int]
    namespaces: frozenset[Namespace]

    def __bool__(self) -> bool:
        return any(map(alive, self.pids)) or bool(self.namespaces & network_namespaces(self.namespaces))


def alive(pid: int) -> bool:
    """Not ended. An orphan may stay a zombie where init is slow to fetch it; all that it held is gone by then."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def network_namespaces(like: Collection[Namespace]) -> set[Namespace]:
    """Those of all network namespaces that a process is in, or that have a name, whose inode number is one of these."""
    wanted = {inode for inode, _ in like}
    paths = tuple(path for path in netns.namespaces().paths if _inode(path) in wanted)
    return set(netns.visit(netns.Namespaces(paths), lambda inode: (inode, cookie())).seen)


def namespace_of(pid: int) -> Namespace:
    """The network namespace of a process."""
    (found,) = netns.visit(netns.Namespaces((Path(f"/proc/{pid}/ns/net"),)), lambda inode: (inode, cookie())).seen
    return found


def cookie() -> int:
    """Of the network namespace that the calling thread is in."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_one:
        try:
            return int.from_bytes(any_one.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
        except OSError:
            return 0


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:  # its process ended meanwhile
        return 0


def traces(*ends: End) -> Traces:
    return Traces(frozenset(end.pid for end in ends), frozenset(namespace_of(end.pid) for end in ends))


def of_labs() -> set[str]:
    """The devices of this namespace that have a name like a lab's; others come and go meanwhile."""
    return {name for name in os.listdir("/sys/class/net") if name.startswith("pp")}


def received_bytes(end: End) -> int:
    """What the device counted: the second road to the truth. /proc/PID/net shows the namespace of that process."""
    lines = Path(f"/proc/{end.pid}/net/dev").read_text().splitlines()
    return int(next(line for line in lines if end.device in line).split()[1])


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """The host's network has nothing of a lab after the test, as before it."""
    assert not of_labs()
    yield
    assert not of_labs()


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
    pids = frozenset(map(int, holder.stdout.readline().split()))
    left = Traces(pids, frozenset(map(namespace_of, pids)))
    assert left and len(left.namespaces) == 2
    holder.kill()
    holder.wait()
    assert eventually(lambda: not left, PATIENCE_SECONDS)


@pytest.mark.usefixtures("nothing_left")
def test_ctrl_c_ends_with_a_result_and_leaves_nothing(started: Callable[..., subprocess.Popen[str]]) -> None:
    command = started(*LAB, "veth", "--json")
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    assert eventually(lambda: len(children.read_text().split()) == 2, PATIENCE_SECONDS)
    pids = frozenset(map(int, children.read_text().split()))
    assert eventually(lambda: len({namespace_of(os.getpid()), *map(namespace_of, pids)}) == 3, PATIENCE_SECONDS)
    left = Traces(pids, frozenset(map(namespace_of, pids)))
    command.send_signal(signal.SIGINT)
    out, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 0
    result = json.loads(out)
    assert result["bytes"] == sum(each["bytes"] for each in result["rounds"])
    assert {device["netns"] for device in result["devices"]} == {inode for inode, _ in left.namespaces}
    assert not left


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
