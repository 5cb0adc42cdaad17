"""The facts of a kernel in a file, so that a report about a kernel is one file."""

from __future__ import annotations

import json
from pathlib import Path

from ppobserve.cli.files import read_text, write_text
from ppobserve.errors import UsageError
from ppobserve.model.facts import Facts, from_facts, to_facts
from ppobserve.model.features import Features


def load(path: Path) -> Facts:
    """The facts in *path*; UsageError when it holds none, or only a part of them."""
    text = read_text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} line {error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a nest of 100,000 brackets
        raise UsageError(f"{path}: not JSON that can be read: {error}") from None
    return from_facts(document, str(path))


def save(path: Path, features: Features) -> None:
    """Write *features* to *path*, in place of what may be there."""
    write_text(path, json.dumps(to_facts(features), indent=2) + "\n")
