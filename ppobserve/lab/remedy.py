"""Why the kernel refuses the lab something, and what helps: root, a capability, or another user namespace."""

from __future__ import annotations

import errno
import os

from ppobserve.errors import LabError, NotObservable
from ppobserve.kernel import capabilities
from ppobserve.kernel.bpf import BpfError
from ppobserve.model.features import Features
from ppobserve.model.privileges import grant, lacking, require_privileges, spelled

XDP = ("BPF", "NET_ADMIN")
"""Capabilities that load and attach XDP programs."""


def remedy(*names: str) -> tuple[str, str]:
    """Return what this process lacks of the capabilities *names*, and the fix; empty strings if it lacks none."""
    features = Features(root=os.geteuid() == 0, capabilities=capabilities.held({*names, "SYS_ADMIN"}))
    missing = lacking(features, *names)
    because = f"this process lacks {spelled(missing)}" if missing else ""
    return because, grant(features, *names) if features.root else "the same as root"


def refused(what: str, error: BpfError, *names: str, otherwise: str = "") -> LabError:
    """The error for a bpf(2) call that takes the capabilities *names*. *otherwise* is a reason if it lacks none."""
    because, fix = _bpf_remedy(*names) if error.errno == errno.EPERM else ("", "")
    return LabError(f"{what}: {error.what}", because=error.because or because or otherwise, fix=fix)


def _bpf_remedy(*names: str) -> tuple[str, str]:
    """As :func:`remedy`; in a user namespace no capability helps."""
    try:
        require_privileges(Features(root=True, user_namespace=capabilities.in_user_namespace()))
    except NotObservable as error:
        return error.what, error.fix
    return remedy(*names)
