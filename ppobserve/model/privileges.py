"""What a process may do on a kernel: which capabilities it lacks, what that costs, and how to grant them."""

from __future__ import annotations

from ppobserve.errors import NotObservable
from ppobserve.model.features import Features

ATTACHING = ("BPF", "PERFMON")
"""Capabilities that load and attach BPF programs."""
VISITING = ("SYS_ADMIN", "SYS_PTRACE")
"""Capabilities that enter the network namespaces of other processes."""
USED = (*ATTACHING, "SYSLOG", *VISITING, "SYS_RESOURCE")
"""Every capability that some part of ppobserve uses; docs/deploy.md says for what."""
_FORMER = "SYS_ADMIN"
"""The one for BPF before kernel commit 2c78ee898d8f ("bpf: Implement CAP_BPF", 5.8). It still includes both."""


def lacking(features: Features, *names: str) -> tuple[str, ...]:
    """Those of the capabilities *names* that this process does not have; none if that is not known."""
    held = features.capabilities
    if not held:
        return ()
    wanted = dict.fromkeys(_FORMER if name in ATTACHING and _is_former(features) else name for name in names)
    return tuple(name for name in wanted if not held.get(name))


def _is_former(features: Features) -> bool:
    """True if SYS_ADMIN stands for BPF and PERFMON: this process has it, or the kernel has only that one."""
    return features.capabilities.get(_FORMER, False) or ATTACHING[0] not in features.capabilities


def require_privileges(features: Features) -> None:
    """NotObservable for a root that the kernel lets load no BPF program."""
    if not features.root:
        return
    if features.user_namespace:
        raise NotObservable(
            "cannot attach BPF programs from a user namespace: BPF needs the initial one",
            because="root of this user namespace (a rootless or remapped container) is an ordinary user of the kernel",
            fix="run ppobserve as root of the host, or in a container without user namespace (docker: --userns=host)",
        )
    if missing := lacking(features, *ATTACHING):
        raise NotObservable(
            f"cannot attach BPF programs: this process lacks {spelled(missing)}",
            because="a container or a service has only the capabilities that it is granted",
            fix=grant(features, *USED),
        )
    if features.no_bpf:
        fix = "start the container with --security-opt seccomp=unconfined, or another profile that allows bpf(2)"
        raise NotObservable(features.no_bpf, fix=fix if "seccomp" in features.no_bpf else "")


def spelled(names: tuple[str, ...]) -> str:
    """``CAP_BPF and CAP_PERFMON``."""
    *first, last = (f"CAP_{name}" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def grant(features: Features, *names: str) -> str:
    """How to grant those of *names* that this process lacks; empty if it lacks none, or that is not known."""
    missing = lacking(features, *names)
    options = " ".join(f"--cap-add {name}" for name in missing)
    return f"start the container with {options} (a service: CapabilityBoundingSet=)" if missing else ""


def better_rung(features: Features) -> str:
    """How to grant the capabilities that may let another rung in; empty if this process has them."""
    return grant(features, "SYSLOG", "SYS_ADMIN")


def closed_to_all(features: Features, netns_unreadable: int, profile: str) -> str:
    """Why idle pools of some network namespaces are not listed though no capability is missing; empty if all are.

    *profile* is the security profile of this process.
    """
    if not netns_unreadable or lacking(features, *VISITING):
        return ""
    where = "1 network namespace" if netns_unreadable == 1 else f"{netns_unreadable} network namespaces"
    who = f"the security profile {profile}" if profile else "a security module"
    return f"idle pools of {where} are not listed: {who} denies access to their processes (ptrace)"


def limits(features: Features) -> list[str]:
    """What is not seen for lack of a capability, though BPF programs can be attached; a sentence each."""
    if not features.root or features.user_namespace or lacking(features, *ATTACHING):
        return []
    found = []
    if missing := lacking(features, *VISITING):
        found.append(f"idle pools of other network namespaces are not listed: this process lacks {spelled(missing)}")
    if missing := lacking(features, "SYS_ADMIN"):
        found.append(f"the CPU time of the BPF programs is not measured: this process lacks {spelled(missing)}")
    return found
