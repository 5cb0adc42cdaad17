"""How the lab speaks with its children: one JSON document in one packet, a request and then its answer.

["send", 4096]  ->  {"ok": 4096}  or  {"error": "LabError", "what": ..., "because": ..., "fix": ...}
"""

from __future__ import annotations

import json
from typing import Any

from ppobserve.errors import LabError, PpobserveError, UsageError

# An answer holds at most one device's page_pool statistics, about 500 bytes.
MAX_BYTES = 65536

_KINDS: dict[str, type[PpobserveError]] = {"UsageError": UsageError}


def request(verb: str, *arguments: Any) -> bytes:
    """Ask for *verb* to be done with *arguments*, which JSON can say."""
    return json.dumps([verb, *arguments]).encode()


def parse_request(packet: bytes) -> tuple[str, list[Any]]:
    """The verb and the arguments of a :func:`request`."""
    verb, *arguments = json.loads(packet)
    return verb, arguments


def success(value: Any) -> bytes:
    """The answer to a request that was carried out."""
    return json.dumps({"ok": value}).encode()


def failure(error: Exception) -> bytes:
    """The answer to a request that failed, an operator's sentences kept apart as they were."""
    if isinstance(error, PpobserveError):
        parts = {"what": error.what, "because": error.because, "fix": error.fix}
    else:
        parts = {"what": f"the lab failed: {error}", "because": type(error).__name__, "fix": ""}
    return json.dumps({"error": type(error).__name__, **parts}).encode()


def result(packet: bytes) -> Any:
    """The value in an answer. Raises what :func:`failure` was given, as UsageError or LabError."""
    answer = json.loads(packet)
    if "error" not in answer:
        return answer["ok"]
    raise _KINDS.get(answer["error"], LabError)(answer["what"], because=answer["because"], fix=answer["fix"])
