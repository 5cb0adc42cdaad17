"""Capabilities that a process lacks: named with what they cost, and how to grant them."""

from __future__ import annotations

from typing import Any

import pytest

from ppobserve.errors import NotObservable
from ppobserve.model.features import REFILL, Features
from ppobserve.model.plan import Level, Rung, make_plan
from ppobserve.model.privileges import USED, closed_to_all, grant, lacking, limits, require_privileges, spelled
from tests.unit.factories import kernel

ALL = dict.fromkeys(USED, True)


def holding(*held: str, known: tuple[str, ...] = USED, **changes: Any) -> Features:
    """A kernel whose root has *held* of the capabilities that it knows."""
    return kernel(capabilities={name: name in held for name in known}, **changes)


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        ((), ("BPF", "PERFMON")),
        (("BPF",), ("PERFMON",)),
        (("BPF", "PERFMON"), ()),
        (("SYS_ADMIN",), ()),
        (("SYSLOG", "SYS_PTRACE"), ("BPF", "PERFMON")),
    ],
)
def test_what_attaching_takes_is_named(held: tuple[str, ...], missing: tuple[str, ...]) -> None:
    features = holding(*held)
    assert lacking(features, "BPF", "PERFMON") == missing
    if not missing:
        return require_privileges(features)
    with pytest.raises(NotObservable) as caught:
        make_plan(features, Level.STANDARD)
    assert caught.value.what == f"cannot attach BPF programs: this process lacks {spelled(missing)}"
    assert all(f"--cap-add {name}" in caught.value.fix for name in missing)
    assert not any(f"--cap-add {name}" in caught.value.fix for name in held)


def test_before_cap_bpf_it_is_sys_admin() -> None:
    old = tuple(name for name in USED if name not in ("BPF", "PERFMON"))
    assert lacking(holding("SYSLOG", known=old), "BPF", "PERFMON") == ("SYS_ADMIN",)
    assert grant(holding("SYSLOG", "SYS_PTRACE", known=old), *USED).startswith(
        "start the container with --cap-add SYS_ADMIN --cap-add SYS_RESOURCE ("
    )
    require_privileges(holding("SYS_ADMIN", known=old))


def test_a_user_namespace_is_named_whatever_capabilities_there_are_in_it() -> None:
    with pytest.raises(NotObservable, match="from a user namespace: BPF needs the initial one") as caught:
        make_plan(kernel(capabilities=ALL, user_namespace=True), Level.STANDARD)
    assert "host" in caught.value.fix and "--cap-add" not in str(caught.value)


@pytest.mark.parametrize(
    ("who", "fix"), [("a seccomp filter", "seccomp=unconfined"), ("the kernel or a security module", "")]
)
def test_who_denies_bpf_is_named_once_no_capability_is_missing(who: str, fix: str) -> None:
    why = f"{who} denies bpf(2): Operation not permitted"
    with pytest.raises(NotObservable) as caught:
        make_plan(holding(*USED, no_bpf=why), Level.STANDARD)
    assert caught.value.what == why
    assert fix in caught.value.fix and bool(fix) is bool(caught.value.fix)
    with pytest.raises(NotObservable, match="this process lacks CAP_BPF"):
        make_plan(holding("SYSLOG", no_bpf=why), Level.STANDARD)


@pytest.mark.parametrize("features", [kernel(), kernel(capabilities=ALL), holding(root=False), kernel(root=False)])
def test_where_nothing_is_known_or_nothing_lacks_the_plan_is_as_before(features: Features) -> None:
    assert make_plan(features, Level.STANDARD).rung is Rung.FENTRY
    assert limits(features) == []


HIDDEN = {REFILL: (0, 0)}


def test_hidden_addresses_are_laid_to_the_capability_where_that_is_missing() -> None:
    granted = ("BPF", "PERFMON", "SYS_ADMIN", "SYS_PTRACE", "SYS_RESOURCE")
    for held, words in ((granted, "this process lacks CAP_SYSLOG"), (USED, "kernel.kptr_restrict")):
        with pytest.raises(NotObservable) as caught:
            make_plan(holding(*held, symbols=HIDDEN), Level.STANDARD, forced=Rung.TRACEPOINT)
        assert words in caught.value.what
        assert caught.value.fix == grant(holding(*held), *USED)
    assert (
        grant(holding(*granted), *USED)
        == "start the container with --cap-add SYSLOG (a service: CapabilityBoundingSet=)"
    )


def test_symbols_that_cannot_be_read_are_the_reason_and_no_single_function() -> None:
    why = "/proc/kallsyms does not exist (subset=pid)"
    features = kernel(symbols={}, variables={}, no_symbols=why, functions={})
    with pytest.raises(NotObservable) as caught:
        make_plan(features, Level.STANDARD)
    assert f"kprobe: {why}" in caught.value.because and f"tracepoint: {why}" in caught.value.because
    assert make_plan(kernel(symbols={}, no_symbols=why), Level.STANDARD).rung is Rung.FENTRY


@pytest.mark.parametrize(
    ("namespaces", "profile", "said"),
    [
        (0, "docker-default (enforce)", ""),
        (1, "docker-default (enforce)", "of 1 network namespace are not listed: the security profile docker-default"),
        (3, "", "of 3 network namespaces are not listed: a security module denies"),
    ],
)
def test_a_security_profile_is_named_where_no_capability_is_missing(namespaces: int, profile: str, said: str) -> None:
    why = closed_to_all(holding(*USED), namespaces, profile)
    assert said in why and bool(why) is bool(said)
    assert closed_to_all(holding("BPF", "PERFMON", "SYS_ADMIN"), namespaces, profile) == ""


def test_what_is_not_seen_without_a_capability_is_said() -> None:
    assert limits(holding(*USED)) == []
    idle, cost = limits(holding("BPF", "PERFMON", "SYSLOG"))
    assert idle.startswith("idle pools of other network namespaces are not listed")
    assert idle.endswith("lacks CAP_SYS_ADMIN and CAP_SYS_PTRACE")
    assert cost.endswith("lacks CAP_SYS_ADMIN")
    assert [each[-14:] for each in limits(holding("BPF", "PERFMON", "SYS_ADMIN"))] == ["CAP_SYS_PTRACE"]
