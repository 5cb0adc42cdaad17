"""``ppobserve check``: what can be observed here, how, at which cost, and what is missing."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ppobserve.cli import options
from ppobserve.errors import HostError
from ppobserve.kernel.features import gather
from ppobserve.model.document import plan_document
from ppobserve.model.features import Features
from ppobserve.model.plan import make_plan
from ppobserve.probe.source import bpf_folder
from ppobserve.probe.toolchain import require_bcc
from ppobserve.ui.check import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to plan for."""
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options.add_probe_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the answer; 0 when this kernel can be observed, 1 when not."""
    document = examine(gather(), args)
    print(json.dumps(document, indent=2) if args.json else report(document))
    return 0 if document["observable"] else 1


def examine(features: Features, args: argparse.Namespace) -> dict[str, Any]:
    """Everything that can be told without attaching anything."""
    problems: list[dict[str, str]] = []
    plan = None
    try:
        plan = plan_document(make_plan(features, options.level(args), forced=options.rung(args)))
        require_bcc()
        bpf_folder()
    except HostError as error:
        problems.append({"what": " ".join(filter(None, [error.what, error.because])), "fix": error.fix})
    observable = not problems
    if not features.root:
        what = "not root: fentry and kprobes were not tried, and nothing can be attached"
        problems.append({"what": what, "fix": "sudo ppobserve check"})
    return {"observable": observable, "kernel": _kernel(features), "plan": plan, "problems": problems}


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
