"""CPUs and NUMA nodes, as sysfs lists them (kernel Documentation/ABI/stable/sysfs-devices-node)."""

from __future__ import annotations

from pathlib import Path

from ppobserve.errors import KernelFactError

CPUS = Path("/sys/devices/system/cpu")
NODES = Path("/sys/devices/system/node")


def parse_list(text: str) -> list[int]:
    """Numbers of a kernel list such as ``0-3,8``; an empty list where the text is empty."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


def possible_cpus(path: Path = CPUS) -> int:
    """How many CPU numbers there can be: the highest possible CPU plus one. KernelFactError without /sys."""
    return _numbers(path / "possible")[-1] + 1


def online_cpus(path: Path = CPUS) -> list[int]:
    """The numbers of the CPUs that run now. KernelFactError without /sys."""
    return _numbers(path / "online")


def possible_nodes(path: Path = NODES) -> int:
    """How many node numbers there can be; 1 on a kernel without CONFIG_NUMA, which has no such folder.

    KernelFactError when it can't be read.
    """
    return _numbers(path / "possible", missing=[0])[-1] + 1


def _numbers(path: Path, missing: list[int] | None = None) -> list[int]:
    """The list in a file, which has at least one number; *missing* if there is no such file.

    KernelFactError if there is none and *missing* is None, or if it can't be read. An empty one is /dev/null, which
    container runtimes mount over what they hide.
    """
    try:
        if numbers := parse_list(path.read_text()):
            return numbers
        why = "it is empty"
    except OSError as error:
        if missing and isinstance(error, FileNotFoundError):
            return missing
        why = error.strerror or ""
    except ValueError:
        why = "it is no list of numbers"
    raise KernelFactError(f"cannot read {path}: {why}", fix="mount /sys")


def nodes_of_cpus(path: Path = NODES) -> dict[int, int]:
    """The node of each CPU that is there; {} on a kernel without CONFIG_NUMA."""
    nodes = {int(folder.name.removeprefix("node")): folder for folder in path.glob("node[0-9]*")}
    return {cpu: node for node, folder in nodes.items() for cpu in parse_list((folder / "cpulist").read_text())}
