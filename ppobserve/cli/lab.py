"""``ppobserve lab``: traffic that exercises a real page_pool, for trying out everything else."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import count, islice
from typing import Any

from ppobserve.cli.interrupt import Flag, until_interrupted
from ppobserve.cli.values import duration, size, whole
from ppobserve.lab.affinity import check
from ppobserve.lab.frames import FRAMES_PER_POOL, bursts, check_values, parts
from ppobserve.lab.redirect import veth_that_drops
from ppobserve.lab.veth import End, VethLab

# Ctrl-C is seen between two of these: some 10 ms on a host, a second on an emulated CPU.
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Round:
    """What one visit of the sender to a CPU brought (None: any CPU)."""

    cpu: int | None
    bytes: int
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two kinds of traffic, ``veth`` and ``frames``."""
    kinds = parser.add_subparsers(dest="lab_kind", metavar="KIND", required=True)
    _add_veth(kinds.add_parser("veth", help="TCP over a veth pair with native XDP (kernel 6.4+)"))
    _add_frames(kinds.add_parser("frames", help="XDP live frames, dropped at once or redirected (kernel 5.18+)"))


def run(args: argparse.Namespace) -> int:
    """Make the traffic and print what it came to. Ctrl-C ends it early, with the result so far and status 0.

    UsageError for an unknown CPU; LabError when this host refuses.
    """
    with until_interrupted() as stop:
        return _veth(args, stop) if args.lab_kind == "veth" else _frames(args, stop)


def cpu(text: str) -> int:
    """The number of one CPU."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a CPU number: {text!r}")
    return int(text)


def cpus(text: str) -> list[int]:
    """Several CPUs, with commas: ``0,1``."""
    return [cpu(each) for each in text.split(",")]


def _add_veth(parser: argparse.ArgumentParser) -> None:
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--seconds", type=duration, metavar="S", help="length of a round (default: 1)")
    limit.add_argument("--bytes", type=size, metavar="N", help="bytes of a round, as in 10M")
    parser.add_argument("--cpus", type=cpus, metavar="A,B", help="CPUs that the sender visits in turn, one a round")
    parser.add_argument("--rounds", type=whole, metavar="N", help="default: each CPU once if a round's length is given")
    parser.add_argument("--receiver-cpu", type=cpu, metavar="N", help="keep the receiver there")
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def _add_frames(parser: argparse.ArgumentParser) -> None:
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--count", type=whole, metavar="N", help="frames to send (default: until Ctrl-C)")
    limit.add_argument("--seconds", type=duration, metavar="S", help="how long to send")
    parser.add_argument(
        "--batch", type=whole, default=64, metavar="N", help="frames at a time, up to 256 (default: 64)"
    )
    parser.add_argument("--size", type=size, default=64, metavar="N", help="bytes of a frame (default: 64)")
    parser.add_argument(
        "--per-pool", type=whole, default=FRAMES_PER_POOL, metavar="N", help="frames in the life of a pool"
    )
    parser.add_argument("--cpu", type=cpu, metavar="N", help="stay on this CPU")
    parser.add_argument(
        "--redirect", action="store_true", help="send them into a veth pair that drops them: they come back in bulks"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def _veth(args: argparse.Namespace, stop: Flag) -> int:
    for each in (*(args.cpus or ()), args.receiver_cpu):
        check(each)
    say = _silent if args.json else _print
    with VethLab(receiver_cpu=args.receiver_cpu) as lab:
        say(_veth_heading(lab.receiver))
        rounds = []
        for visited in visits(args):
            if stop.is_set():
                break
            rounds.append(_round(lab, visited, args, stop))
            say(round_line(len(rounds), rounds[-1]))
        kernel = lab.kernel_counters()
        ends = [lab.sender, lab.receiver]
    say("\n".join([*total_lines(rounds), *kernel_lines(kernel)]))
    if args.json:
        print(json.dumps(veth_document(ends, rounds, kernel)))
    return 0


def visits(args: argparse.Namespace) -> Iterator[int | None]:
    """The sender's CPU, round by round; without end when neither a round's length nor their number is given."""
    cycle: Sequence[int | None] = args.cpus or [None]
    limited = args.seconds is not None or args.bytes is not None
    rounds = args.rounds or (len(cycle) if limited else None)
    return (cycle[each % len(cycle)] for each in islice(count(), rounds))


def _round(lab: VethLab, visited: int | None, args: argparse.Namespace, stop: Flag) -> Round:
    sent, seconds = 0, 0.0
    end = math.inf if args.bytes else time.monotonic() + (args.seconds or 1)
    for part in parts(args.bytes, CHUNK_BYTES):
        transfer = lab.send(part, visited)
        sent, seconds = sent + transfer.received, seconds + transfer.seconds
        if stop.is_set() or time.monotonic() >= end:
            break
    return Round(visited, sent, seconds)


def _veth_heading(receiver: End) -> str:
    where = f"ifindex {receiver.ifindex}, netns {receiver.netns}"
    return f"TCP over veth to {receiver.device} ({where}). Ctrl-C to end.\n{'round':>5} {'cpu':>4} {_COLUMNS}"


_COLUMNS = f"{'bytes':>16} {'seconds':>10} {'Gbit/s':>9}"


def round_line(number: int | str, done: Round) -> str:
    """One line of the table, under 80 columns."""
    where = "any" if done.cpu is None else done.cpu
    rate = gigabits(done.bytes, done.seconds)
    return f"{number:>5} {where:>4} {done.bytes:>16} {done.seconds:>10.3f} {rate:>9.3f}"


def gigabits(nbytes: int, seconds: float) -> float:
    """The rate in Gbit/s, 0 when nothing was sent."""
    return nbytes * 8 / seconds / 1e9 if seconds else 0.0


def total_lines(rounds: Sequence[Round]) -> list[str]:
    """The sum of several rounds; a single one is its own."""
    if len(rounds) == 1:
        return []
    total = Round(None, sum(each.bytes for each in rounds), sum(each.seconds for each in rounds))
    return [round_line("total", total)]


def kernel_lines(kernel: dict[str, dict[str, int]]) -> list[str]:
    """The kernel's own counters by device, or one line that says that it has none."""
    if not any(kernel.values()):
        return ["This kernel keeps no page_pool counters (CONFIG_PAGE_POOL_STATS is off)."]
    names = sorted({name for counters in kernel.values() for name in counters})
    heading = f"{'':<32}" + "".join(f"{device:>22}" for device in kernel)
    rows = (f"{name:<32}" + "".join(f"{each.get(name, 0):>22}" for each in kernel.values()) for name in names)
    return [heading, *rows]


def veth_document(ends: Sequence[End], rounds: Sequence[Round], kernel: dict[str, dict[str, int]]) -> dict[str, Any]:
    """What ``--json`` prints."""
    nbytes, seconds = sum(each.bytes for each in rounds), sum(each.seconds for each in rounds)
    return {
        "bytes": nbytes,
        "seconds": seconds,
        "rounds": [asdict(each) for each in rounds],
        "devices": [{"device": each.device, "ifindex": each.ifindex, "netns": each.netns} for each in ends],
        "kernel": kernel,
    }


def _frames(args: argparse.Namespace, stop: Flag) -> int:
    check(args.cpu)
    check_values(args.batch, args.size, args.per_pool)
    if not args.json:
        _print(f"Live frames of {args.size} bytes, {args.per_pool} through a pool. Ctrl-C to end.")
    with veth_that_drops() if args.redirect else nullcontext() as out:
        total = _bursts(args, stop, out)
    print(json.dumps(total) if args.json else frames_line(**total))
    return 0


def _bursts(args: argparse.Namespace, stop: Flag, out: int | None) -> dict[str, float]:
    total = {"frames": 0, "pools": 0, "seconds": 0.0}
    end = time.monotonic() + (args.seconds or math.inf)
    for burst in bursts(args.count, batch=args.batch, size=args.size, cpu=args.cpu, per_pool=args.per_pool, out=out):
        total["frames"] += burst.frames
        total["pools"] += 1
        total["seconds"] += burst.seconds
        if stop.is_set() or time.monotonic() >= end:
            break
    return total


def frames_line(frames: float, pools: float, seconds: float) -> str:
    """The result in words, under 80 columns."""
    cost = seconds / frames * 1e9 if frames else 0.0
    through = f"{pools:.0f} pool{'s' if pools != 1 else ''}"
    return f"{frames:.0f} frames, {through}, {seconds:.3f} seconds, {cost:.1f} ns a frame"


def _print(text: str) -> None:
    print(text, flush=True)


def _silent(text: str) -> None:
    pass
