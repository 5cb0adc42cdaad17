"""``ppobserve check``: what can be observed here, how, at which cost, and what is missing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ppobserve.cli import facts, options
from ppobserve.errors import HostError
from ppobserve.kernel import capabilities, netns
from ppobserve.kernel.features import gather
from ppobserve.model.audit import audited
from ppobserve.model.document import plan_document
from ppobserve.model.features import Features
from ppobserve.model.plan import Plan, make_plan
from ppobserve.model.privileges import VISITING, closed_to_all, grant, limits
from ppobserve.probe.abi import Tables
from ppobserve.probe.attach import trial
from ppobserve.probe.maps import memory_of
from ppobserve.probe.program_text import bpf_folder, tables
from ppobserve.probe.toolchain import require_bcc
from ppobserve.ui.check import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to plan for."""
    parser.add_argument("--json", action="store_true", help="one JSON document")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--save-facts", type=Path, metavar="FILE", help="save what the answer rests on, for a report")
    files.add_argument("--facts", type=Path, metavar="FILE", help="answer for the kernel whose facts were saved there")
    options.add_probe_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the answer; 0 when this kernel can be observed, 1 when not."""
    document = replay(args) if args.facts else examine(_gathered(args.save_facts), args)
    print(json.dumps(document, indent=2) if args.json else report(document))
    return 0 if document["observable"] else 1


def _gathered(save: Path | None) -> Features:
    features = gather()
    if save:
        facts.save(save, features)
    return features


def replay(args: argparse.Namespace) -> dict[str, Any]:
    """The answer for the kernel whose facts were saved. What this machine lacks has no part in it."""
    recorded = facts.load(args.facts)
    plan, problems = _plan(recorded.features, args, make_plan)
    whose = {"file": str(args.facts), "note": recorded.note}
    return {**_document(recorded.features, plan, problems), "facts": whose}


def examine(features: Features, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that can be told without attaching anything; as root, what the plan claims is tried."""
    missing = _missing()
    tried = features.root and not missing
    plan, problems = _plan(features, args, trial if tried else make_plan)
    document = _document(features, plan, [*problems, *missing])
    document["tried"] = tried and plan is not None
    if features.root and plan:
        document["memory"] = _memory(tables(features))
    if document["tried"]:
        document["netns_unreadable"] = unreadable = netns.visit(netns.namespaces(), lambda inode: inode).unreadable
        document["problems"] += _unlisted(features, unreadable)
    if not features.root:
        what = "not root: fentry and kprobes were not tried, and nothing can be attached"
        document["problems"].append({"what": what, "fix": "sudo ppobserve check"})
    return document


Problem = dict[str, str]
PROFILE = (
    "start the container without its security profile "
    "(docker: --security-opt apparmor=unconfined, Kubernetes: appArmorProfile of type Unconfined)"
)


def _unlisted(features: Features, netns_unreadable: int) -> list[Problem]:
    """Idle pools that are not listed for another reason than a missing capability."""
    found = []
    if not netns.sees_all_processes():
        what = "idle pools of network namespaces outside this PID namespace are not listed"
        found.append({"what": what, "fix": "start the container with --pid host (Kubernetes: hostPID: true)"})
    if what := closed_to_all(features, netns_unreadable, capabilities.profile()):
        found.append({"what": what, "fix": PROFILE})
    return found


def _missing() -> list[Problem]:
    """What compiling would take and is not there."""
    try:
        require_bcc()
        bpf_folder()
    except HostError as error:
        return [_problem(error)]
    return []


def _plan(
    features: Features, args: argparse.Namespace, make: Callable[..., Plan]
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The plan, made by *make*, or why there is none."""
    try:
        plan = make(features, options.level(args), forced=options.rung(args))
        return {**plan_document(plan), "audited": [each.name for each in audited(features, plan)]}, []
    except HostError as error:
        return None, [_problem(error)]


def _problem(error: HostError) -> Problem:
    because = "; ".join(line.strip() for line in error.because.splitlines())
    return {"what": ": ".join(filter(None, [error.what, because])), "fix": error.fix}


def _document(features: Features, plan: dict[str, Any] | None, problems: list[Problem]) -> dict[str, Any]:
    return {
        "observable": not problems,
        "kernel": _kernel(features),
        "plan": plan,
        "tried": False,
        "memory": None,
        "netns_unreadable": None,
        "problems": [*problems, *({"what": each, "fix": grant(features, *VISITING)} for each in limits(features))],
    }


def _memory(sizes: Tables) -> dict[str, Any] | None:
    """What the maps take in the kernel, and what there is room for; nothing where the kernel refuses to make them."""
    try:
        return {"maps": memory_of(sizes), "pools": sizes.pools, "slots": sizes.slots}
    except HostError:
        return None


def _kernel(features: Features) -> dict[str, Any]:
    return {
        "release": features.kernel,
        "machine": features.machine,
        "root": features.root,
        "lockdown": features.lockdown,
        "cpus": features.cpus,
        "nodes": features.nodes,
        "cache_pages": features.cache_pages,
        "refill_pages": features.refill_pages,
    }
