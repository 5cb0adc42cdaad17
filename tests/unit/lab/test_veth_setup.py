"""What the lab asks ``ip`` to do, and how it tells that something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppobserve.errors import LabError
from ppobserve.lab import veth
from ppobserve.lab.endpoint import ip_refused


def test_the_pair_has_one_queue_at_each_end_and_no_named_namespace() -> None:
    batch = veth.pair_batch(4711)
    assert batch.count("numtxqueues 1 numrxqueues 1") == 2
    assert batch.startswith("link add ppv0 address 02:00:00:00:00:01 ")
    assert batch.endswith(" type veth peer name ppv1 address 02:00:00:00:00:02 "
                          "numtxqueues 1 numrxqueues 1 netns /proc/4711/ns/net\n")  # fmt: skip


def test_an_end_needs_no_arp() -> None:
    assert veth.end_batch("ppv1", "ppv0").splitlines() == [
        "address add 192.0.2.2/24 dev ppv1",
        "neighbor add 192.0.2.1 lladdr 02:00:00:00:00:01 dev ppv1 nud permanent",
        "link set ppv1 up",
        "link set lo up",
    ]


@pytest.mark.parametrize(
    ("cpu", "receiver_cpu", "expected"), [(0, 1, [0, 1]), (3, 3, [3]), (None, 1, []), (0, None, []), (None, None, [])]
)
def test_consumers_are_known_when_both_ends_are_pinned(
    cpu: int | None, receiver_cpu: int | None, expected: list[int]
) -> None:
    assert veth.consumers(cpu, receiver_cpu) == expected


def test_a_missing_ip_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(LabError) as caught:
        veth.find_ip()
    assert caught.value.fix == "apt install iproute2"


def test_ip_is_found_where_path_has_no_sbin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ip").touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(veth, "SBIN", str(tmp_path))
    assert veth.find_ip() == str(tmp_path / "ip")


@pytest.mark.parametrize("said", ["Error: Unknown device type.\n", "RTNETLINK answers: Operation not supported\n"])
def test_a_missing_veth_says_how_to_load_it(said: str) -> None:
    error = ip_refused(said + "Command failed -:1\n")
    assert (error.what, error.fix) == ("cannot make the veth pair", "modprobe veth")
    assert error.because.endswith("Command failed -:1")


def test_another_refusal_is_passed_on() -> None:
    assert ip_refused("RTNETLINK answers: No buffer space available\n").fix == ""
    assert ip_refused("").because == "ip did not say why"
