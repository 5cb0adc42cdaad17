"""The child process that compiles and attaches with BCC, hands its file descriptors over, and is gone.

Only this module imports ``bcc``, so LLVM's 110 MiB never enter the daemon. Run as
``python -m ppobserve.probe.loader SOCKET``; the request comes as JSON on standard input, the reply goes over the
socket: a JSON object with the names of the descriptors that come along, or with what went wrong.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from typing import Any

from ppobserve.kernel import bpf, perf

REST_GROUP = 1
"""Key of the group of pools without a device (bpf/life.c); it must always be there, so it is entered first."""


def main() -> None:
    """Answer one request and end without BCC's own clean-up, which would detach."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    request = json.load(sys.stdin)
    try:
        names, fds = _serve(request)
        _send(channel, {"fds": names}, fds)
    except _Refused as refused:
        _send(channel, {"error": str(refused), "kind": refused.kind}, [])
    except Exception as error:  # whatever BCC raises becomes a sentence of the parent
        _send(channel, {"error": str(error) or repr(error), "kind": "refused"}, [])
    sys.stderr.flush()
    os._exit(0)


class _Refused(Exception):
    """What the parent must tell apart."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


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

    class Programs(bcc.BPF):  # type: ignore[misc]
        """BPF that attaches nothing by itself: the tables must be filled before the first event."""

        def _trace_autoload(self) -> None:
            pass

    return Programs


def _serve(request: dict[str, Any]) -> tuple[list[str], list[int]]:
    os.environ["BCC_KERNEL_SOURCE"] = request["shim"]
    programs = _bpf_class()(text=request["text"], cflags=request["cflags"])
    if request["tables"]:
        _fill(programs, request["tables"])
    links = {f"link:{item['function']}:{item['event']}": _attach(programs, item) for item in request["attach"]}
    for name in request["on_demand"]:
        programs.load_func(name, programs.RAW_TRACEPOINT)
    found = {
        **{f"map:{name}": programs[name].map_fd for name in request["maps"]},
        **{f"program:{name.decode()}": function.fd for name, function in programs.funcs.items()},
        **links,
    }
    return list(found), list(found.values())


def _fill(programs: Any, tables: dict[str, int]) -> None:
    """Put every entry and slot on its stack, lowest on top. Slot 0 is nobody's, the next ones are the groups' own."""
    pools, entries = tables["pools"], tables["pools"] + tables["groups"]
    first_slot = 1 + tables["groups"]
    for name, first, end in (
        ("free_pools", 0, pools),
        ("free_groups", pools + 1, entries),
        ("free_slots", first_slot, first_slot + tables["slots"]),
    ):
        stack = programs[name]
        for index in range(end - 1, first - 1, -1):
            stack.push(ctypes.c_uint32(index))
    programs["entries"][ctypes.c_uint64(REST_GROUP)] = ctypes.c_uint32(pools)
    rest = programs["pools"].Leaf(owner=REST_GROUP, nid=-1, queue=-1, cpu=-1, device_node=-1)
    programs["pools"][ctypes.c_uint32(pools)] = rest
    programs["slots"][ctypes.c_uint32(1)] = programs["slots"].Leaf(owner=REST_GROUP, entry=pools)


def _attach(programs: Any, item: dict[str, str]) -> int:
    """Attach one function and return the descriptor that keeps it attached."""
    kind, function, event = item["kind"], item["function"], item["event"]
    try:
        return _ATTACH[kind](programs, function, event)
    except Exception as error:
        raise _Refused("refused", f"cannot attach {kind} to {event}: {error}") from error


def _raw_tracepoint(programs: Any, function: str, event: str) -> int:
    """Not by BCC, which has one program a tracepoint."""
    return bpf.attach_raw_tracepoint(programs.load_func(function, programs.RAW_TRACEPOINT).fd, event)


def _kprobe(programs: Any, function: str, event: str) -> int:
    """Not by BCC, which makes no link."""
    return perf.run_at(perf.open_kprobe(event), programs.load_func(function, programs.KPROBE).fd)


def _kretprobe(programs: Any, function: str, event: str) -> int:
    return perf.run_at(perf.open_kprobe(event, at_return=True), programs.load_func(function, programs.KPROBE).fd)


def _fentry(programs: Any, function: str, event: str) -> int:
    programs.attach_kfunc(fn_name=function)
    return int(programs.kfunc_entry_fds[function.encode()])


def _fexit(programs: Any, function: str, event: str) -> int:
    programs.attach_kretfunc(fn_name=function)
    return int(programs.kfunc_exit_fds[function.encode()])


_ATTACH = {
    "fentry": _fentry,
    "fexit": _fexit,
    "kprobe": _kprobe,
    "kretprobe": _kretprobe,
    "raw_tracepoint": _raw_tracepoint,
}

if __name__ == "__main__":
    main()
