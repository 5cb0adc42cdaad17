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
    try:
        return parse_list((path / "possible").read_text())[-1] + 1
    except OSError as error:
        raise KernelFactError(f"cannot read {path / 'possible'}: {error.strerror}", fix="mount /sys") from None


def online_cpus(path: Path = CPUS) -> list[int]:
    """The numbers of the CPUs that run now. KernelFactError without /sys."""
    try:
        return parse_list((path / "online").read_text())
    except OSError as error:
        raise KernelFactError(f"cannot read {path / 'online'}: {error.strerror}", fix="mount /sys") from None


def possible_nodes(path: Path = NODES) -> int:
    """How many node numbers there can be; 1 on a kernel without CONFIG_NUMA, which has no such folder.

    KernelFactError when it can't be read.
    """
    try:
        return parse_list((path / "possible").read_text())[-1] + 1
    except FileNotFoundError:
        return 1
    except OSError as error:
        raise KernelFactError(f"cannot read {path / 'possible'}: {error.strerror}", fix="mount /sys") from None


def nodes_of_cpus(path: Path = NODES) -> dict[int, int]:
    """The node of each CPU that is there; {} on a kernel without CONFIG_NUMA."""
    nodes = {int(folder.name.removeprefix("node")): folder for folder in path.glob("node[0-9]*")}
    return {cpu: node for node, folder in nodes.items() for cpu in parse_list((folder / "cpulist").read_text())}
