"""What goes over the socket pair, and a child that really answers (no request here takes root)."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from ppobserve.errors import HostError, LabError, UsageError
from ppobserve.lab import protocol
from ppobserve.lab.child import Child, answers


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("sender")
    yield child
    child.close()


def test_a_request_is_a_verb_and_arguments() -> None:
    assert protocol.parse_request(protocol.request("connect", "192.0.2.2", 41)) == ("connect", ["192.0.2.2", 41])
    assert protocol.parse_request(protocol.request("accept")) == ("accept", [])


@pytest.mark.parametrize("value", [None, 4096, {"rx_pp_alloc_fast": 2**63}])
def test_success_carries_a_value(value: object) -> None:
    assert protocol.result(protocol.success(value)) == value


def test_failure_keeps_the_sentences_apart() -> None:
    sent = LabError("cannot make the veth pair", because="Unknown device type", fix="modprobe veth")
    with pytest.raises(LabError) as caught:
        protocol.result(protocol.failure(sent))
    assert (caught.value.what, caught.value.because, caught.value.fix) == (sent.what, sent.because, sent.fix)


def test_a_wrong_command_line_stays_one() -> None:
    with pytest.raises(UsageError) as caught:
        protocol.result(protocol.failure(UsageError("cannot run on CPU 9")))
    assert caught.value.exit_status == 2


def test_any_other_failure_is_the_lab_s() -> None:
    for error in (HostError("no"), OSError(32, "Broken pipe"), ValueError("bad")):
        with pytest.raises(LabError, match=str(error.args[-1])):
            protocol.result(protocol.failure(error))


def test_a_child_answers_and_ends_with_its_parent_s_side(child: Child) -> None:
    child.ask("pin", None)
    child.close()
    assert not os.path.exists(f"/proc/{child.pid}")


def test_an_unknown_cpu_is_a_usage_error_and_the_child_lives_on(child: Child) -> None:
    with pytest.raises(UsageError, match="cannot run on CPU 99999"):
        child.ask("pin", 99999)
    child.ask("pin", None)


def test_what_breaks_in_a_child_is_told(child: Child) -> None:
    with pytest.raises(LabError, match=r"the lab failed: .*nosuchverb"):
        child.ask("nosuchverb")


def test_a_dead_child_is_noticed(child: Child) -> None:
    child.ask("pin", None)
    os.kill(child.pid, 9)
    with pytest.raises(LabError, match=r"the lab's sender died\n  signal 9, process \d+"):
        child.ask("pin", None)


def test_of_several_children_the_one_that_failed_is_heard() -> None:
    children = [Child("sender"), Child("receiver")]
    try:
        for asked, verb in zip(children, ("pin", "nosuchverb"), strict=True):
            asked.tell(verb, None)
        with pytest.raises(LabError, match="nosuchverb"):
            answers(*children)
    finally:
        for asked in children:
            asked.close()


@pytest.fixture
def broken() -> Iterator[tuple[Child, Child]]:
    """A sender whose answer is that its connection broke, and a receiver that has not answered yet."""
    children = Child("sender"), Child("receiver")
    children[0]._control.close()
    children[0]._control, its_side = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its_side:
        its_side.send(protocol.failure(ConnectionResetError(104, "Connection reset by peer")))
        yield children
    for each in children:
        each.close()


def test_a_connection_that_breaks_is_the_death_of_the_child_at_its_other_end(broken: tuple[Child, Child]) -> None:
    """The sender may be heard first: the kernel closes what a process had open in any order."""
    death = threading.Timer(0.1, os.kill, (broken[1].pid, 9))
    death.start()
    with pytest.raises(LabError, match="the lab's receiver died"):
        answers(*broken)
    death.join()


def test_a_connection_that_breaks_by_itself_is_a_failure(
    broken: tuple[Child, Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppobserve.lab.child._DEATH_SECONDS", 0.1)
    with pytest.raises(LabError, match=r"the lab failed: .*Connection reset by peer"):
        answers(*broken)


def test_a_child_dies_with_the_thread_that_started_it() -> None:
    found: list[Child] = []

    def start() -> None:
        found.append(Child("sender"))
        found[0].ask("pin", None)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with pytest.raises(LabError, match="signal 9"):
        found[0].answer()
    found[0].close()
