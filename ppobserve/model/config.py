"""The daemon's configuration as a value, and its checks. ``cli.config`` reads the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from ppobserve.errors import ConfigError
from ppobserve.model.address import bracketed
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.nearest import nearest
from ppobserve.model.plan import Level, Rung


@dataclass(frozen=True)
class Config:
    """Every key of the configuration file, with its default."""

    listen: str = "127.0.0.1:10817"
    level: Level = Level.STANDARD
    rung: Rung | None = None
    cardinality: Cardinality = Cardinality.POOL
    max_series: int = 20_000
    budget: float | None = None
    """CPU seconds a second that our programs may take; None: as many as they do."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on; the host of ``[::1]:10817`` is ``::1``."""
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


FEWEST_SERIES, MOST_SERIES = 1_000, 100_000
"""What ``max_series`` can be: room for a few pools at least, and more than 1,024 of them take on two nodes."""

_ENUMS: Mapping[str, type[Enum]] = {"level": Level, "rung": Rung, "cardinality": Cardinality}


def config_from(document: Any, source: str) -> Config:
    """The configuration in a parsed YAML document. ConfigError names the key and what it takes."""
    if document is None:
        return Config()
    if not isinstance(document, dict):
        raise ConfigError(f"{source}: expected keys and values, found {type(document).__name__}")
    known = {field.name for field in fields(Config)}
    for key in document:
        if key not in known:
            raise ConfigError(f"{source}: unknown key {key!r}", fix=_nearest(str(key), known))
    return Config(**{key: _value(key, value, source) for key, value in document.items()})


def _nearest(key: str, known: set[str]) -> str:
    close = nearest(key, known, cutoff=0.5)
    return f"{close!r}" if close else f"one of {', '.join(sorted(known))}"


def _value(key: str, value: Any, source: str) -> Any:
    if key == "listen":
        return check_listen(value, f"{source}: listen")
    if key in ("rung", "budget") and value is None:
        return None
    if key == "max_series":
        return check_series(value, f"{source}: {key}")
    if key == "budget":
        return check_budget(value, f"{source}: budget")
    return check_choice(_ENUMS[key], value, f"{source}: {key}")


def check_series(value: Any, what: str) -> int:
    """A number of series that one host may reasonably have. ConfigError, which says *what*, for any other."""
    if type(value) is not int or not FEWEST_SERIES <= value <= MOST_SERIES:
        raise ConfigError(
            f"{what}: {value!r} is not a number from {FEWEST_SERIES} to {MOST_SERIES}",
            because="each series of each host takes memory in Prometheus (docs/scale.md)",
            fix=f"{Config.max_series}, or cardinality: netdev, which has a series a device",
        )
    return value


def check_choice(choices: type[Enum], value: Any, what: str) -> Any:
    """The member of an enum called *value*; ConfigError with the names there are, and the nearest."""
    names = [member.value for member in choices]
    if value not in names:
        raise ConfigError(f"{what}: {value!r} is not one of {', '.join(names)}", fix=nearest(str(value), names))
    return choices(value)


def check_budget(value: Any, what: str) -> float:
    """The part of one CPU in ``0.5%``, 0.005. ConfigError for what is no percentage of one CPU."""
    number = value.removesuffix("%").strip() if isinstance(value, str) and value.endswith("%") else ""
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", number) or not 0 < float(number) <= 100:
        raise ConfigError(f"{what}: {value!r} is not a percentage of one CPU, above 0% and up to 100%", fix="0.5%")
    return float(number) / 100


def check_listen(value: Any, what: str) -> str:
    """An address and port such as ``127.0.0.1:10817``, ``[::]:10817`` or ``:10817`` (all); ConfigError else."""
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bare = host.startswith("[") == host.endswith("]") and (":" not in host or host.startswith("["))
    if not colon or not port.isdecimal() or int(port) > 65535 or not bare or not host.isprintable():
        raise ConfigError(f"{what}: {value!r} is not ADDRESS:PORT", fix=bracketed(str(value)) or "127.0.0.1:10817")
    return value  # type: ignore[no-any-return]  # a str, as the check above found
