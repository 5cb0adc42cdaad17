"""What the lab says when the kernel refuses it something."""

from __future__ import annotations

import errno
import os

import pytest

from ppobserve.kernel import capabilities
from ppobserve.kernel.bpf import BpfError
from ppobserve.lab.remedy import XDP, refused, remedy

REFUSED = BpfError("cannot load BPF program ppobserve_lab", errno.EPERM)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root of the host with no capability."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(capabilities, "effective", lambda: 0)
    monkeypatch.setattr(capabilities, "in_user_namespace", lambda: False)


def test_root_without_a_capability_is_told_which_and_not_to_be_root() -> None:
    because, fix = remedy("SYS_ADMIN")
    assert because == "this process lacks CAP_SYS_ADMIN"
    assert fix == "start the container with --cap-add SYS_ADMIN (a service: CapabilityBoundingSet=)"
    error = refused("cannot make frames", REFUSED, *XDP)
    assert error.what == "cannot make frames: cannot load BPF program ppobserve_lab: Operation not permitted"
    assert error.because == "this process lacks CAP_BPF and CAP_NET_ADMIN"
    assert "--cap-add BPF --cap-add NET_ADMIN" in error.fix


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert remedy("SYS_ADMIN") == ("this process lacks CAP_SYS_ADMIN", "the same as root")


def test_who_has_all_capabilities_is_told_nothing_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "effective", lambda: (1 << 40) - 1)
    assert remedy("SYS_ADMIN") == ("", "")
    error = refused("cannot attach", REFUSED, *XDP, otherwise="an older kernel")
    assert (error.because, error.fix) == ("an older kernel", "")


def test_in_a_user_namespace_no_capability_is_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "in_user_namespace", lambda: True)
    error = refused("cannot attach", REFUSED, *XDP)
    assert "BPF needs the initial one" in error.because
    assert "--cap-add" not in str(error)


def test_another_refusal_is_laid_to_no_capability() -> None:
    error = refused("cannot attach", BpfError("cannot attach XDP to interface 7", errno.EINVAL), *XDP, otherwise="old")
    assert (error.because, error.fix) == ("old", "")
