"""The child process that compiles with BCC, loads and attaches, hands its file descriptors over, and is gone.

BCC is the compiler, no more. How it names and loads programs differs between its versions: 0.28 renamed every program
by trampoline. Here programs are named by hook, and ``kernel.programs`` loads them.

Only this module imports ``bcc``, so LLVM's 110 MiB never enter the daemon. Run as
``python -m ppobserve.probe.loader SOCKET``; the request comes as JSON on standard input, the reply goes over the
socket: a JSON object with the names of the descriptors that come along, or with what went wrong.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from ppobserve.kernel import bpf, btf, perf, programs
from ppobserve.probe import abi
from ppobserve.probe.fill import MAPS, fill, u32

TYPES = {
    "fentry": (programs.TYPE_TRACING, programs.ATTACH_FENTRY),
    "fexit": (programs.TYPE_TRACING, programs.ATTACH_FEXIT),
    "kprobe": (programs.TYPE_KPROBE, 0),
    "kretprobe": (programs.TYPE_KPROBE, 0),
    "raw_tracepoint": (programs.TYPE_RAW_TRACEPOINT, 0),
}
"""Program and attach type of each kind of hook."""
TRAMPOLINES = frozenset({"fentry", "fexit"})

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Refusals that every rung would meet: this process has no descriptor left, or the kernel no memory for it."""

Item = Mapping[str, str]
"""One program: its ``kind``, its ``function`` in the C, the ``event`` it is for (empty: run on demand)."""


def main() -> None:
    """Answer one request and end without BCC's own clean-up."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    request = json.load(sys.stdin)
    try:
        names, fds = _serve(request)
        _send(channel, {"fds": names}, fds)
    except _Refused as refused:
        _send(channel, {"error": str(refused), "kind": refused.kind}, [])
    except Exception as error:  # whatever BCC raises becomes a sentence of the parent
        _send(channel, {"error": str(error) or repr(error), "kind": _kind(error)}, [])
    sys.stderr.flush()
    os._exit(0)


class _Refused(Exception):
    """What the parent must tell apart."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def _kind(error: Exception) -> str:
    """Return ``exhausted`` for what every rung would meet, ``refused`` for what another rung may escape."""
    return "exhausted" if isinstance(error, OSError) and error.errno in EXHAUSTED else "refused"


def _send(channel: socket.socket, reply: dict[str, Any], fds: list[int]) -> None:
    socket.send_fds(channel, [json.dumps(reply).encode()], fds)


def _bpf_class() -> Any:
    """BCC's BPF class, or the reason why there is none."""
    try:
        import bcc
    except ImportError as error:
        raise _Refused("no_bcc", str(error)) from None
    if not hasattr(bcc, "BPF"):
        raise _Refused("wrong_bcc", f"{bcc.__file__} is not the BPF Compiler Collection")

    class Compiled(bcc.BPF):  # type: ignore[misc]
        """BPF that loads and attaches nothing by itself."""

        def _trace_autoload(self) -> None:
            pass

    return Compiled


def _serve(request: dict[str, Any]) -> tuple[list[str], list[int]]:
    os.environ["BCC_KERNEL_SOURCE"] = request["shim"]
    compiled = _bpf_class()(text=request["text"], cflags=request["cflags"])
    _prepare(compiled, request)
    items = [*request["load"], *request["attach"]]
    ids = _function_ids(items)
    loaded = {_key(item): _load(compiled, item, ids) for item in items}
    for name, function in request["tail_calls"].items():
        bpf.update(compiled[name].map_fd, u32(0), u32(loaded[function]))
    links = {_key(item): _attach(loaded[_key(item)], item) for item in request["attach"]}
    found = {
        **{f"map:{name}": compiled[name].map_fd for name in request["maps"]},
        **{f"program:{name}": fd for name, fd in loaded.items()},
        **{f"link:{name}": fd for name, fd in links.items()},
    }
    return list(found), list(found.values())


def _prepare(compiled: Any, request: dict[str, Any]) -> None:
    """Fill the tables before the first event, and freeze those that user space only reads from then on."""
    if request["tables"]:
        fill({name: compiled[name].map_fd for name in MAPS}, abi.Tables(**request["tables"]))
    for name in request["freeze"]:
        bpf.freeze(compiled[name].map_fd)


def _key(item: Item) -> str:
    """A program's name among the descriptors. One function may be loaded for several events."""
    return ":".join(filter(None, (item["function"], item["event"])))


def _function_ids(items: list[Item]) -> dict[str, int]:
    """BTF ids of the functions that trampolines are wanted for."""
    wanted = frozenset(item["event"] for item in items if item["kind"] in TRAMPOLINES)
    return btf.load().names(wanted, btf.FUNC) if wanted else {}


def _load(compiled: Any, item: Item, ids: Mapping[str, int]) -> int:
    kind, attach = TYPES[item["kind"]]
    code = compiled.dump_func(item["function"].encode())
    try:
        return programs.load(kind, code, item["function"], attach=attach, btf_id=ids.get(item["event"], 0))
    except bpf.BpfError as error:
        purpose = f", the {item['kind']} of {item['event']}" if item["event"] else ""
        raise _Refused(_kind(error), f"cannot load {item['function']}{purpose}: {_why(error)}") from error


def _attach(program: int, item: Item) -> int:
    """Attach a loaded program and return the descriptor that keeps it attached."""
    kind, event = item["kind"], item["event"]
    try:
        if kind in TRAMPOLINES:
            return programs.attach_tracing(program)
        if kind == "raw_tracepoint":
            return programs.attach_raw_tracepoint(program, event)
        return perf.run_at(perf.open_kprobe(event, at_return=kind == "kretprobe"), program)
    except OSError as error:
        raise _Refused(_kind(error), f"cannot attach {kind} to {event}: {_why(error)}") from error


def _why(error: OSError) -> str:
    """The kernel's words, and the verifier's."""
    verifier = error.because if isinstance(error, bpf.BpfError) else ""
    return "\n  ".join(filter(None, (os.strerror(error.errno or 0), verifier)))


if __name__ == "__main__":
    main()
