"""What goes over the socket pair, and a child that really answers (no request here takes root)."""

from __future__ import annotations

import os
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
