"""One word for where snapshots come from: ``live``, the address of a daemon, or a recording."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ppobserve.errors import HostError, NobodyThere, UsageError
from ppobserve.kernel import host
from ppobserve.model.address import bracketed
from ppobserve.model.plan import Level, Rung
from ppobserve.source.base import Source

# Each kind is imported when it is asked for: a look at another host needs no BPF, and a daemon no HTTP client.

LIVE = "live"
DAEMONS = ("http://127.0.0.1:10817", "http://[::1]:10817")
"""Where a daemon of this host is looked for."""
_PATIENCE = 1.0
"""Seconds that it may take; it is asked before anything else is done."""

_HOST_PORT = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
_MANY = 3
"""Sentences about what is wrong with a recording."""


@dataclass(frozen=True)
class Opening:
    """What is asked of a source that has to be attached first."""

    level: Level | None = None
    rung: Rung | None = None

    @property
    def is_particular(self) -> bool:
        """Does someone want it in a way of their own?"""
        return self.level is not None or self.rung is not None


def open_source(text: str, opening: Opening | None = None, say: Callable[[str], None] = lambda _: None) -> Source:
    """The source that *text* names: ``live``, ``http://…``, or the path of a recording. What is worth knowing about
    how it went is told to *say*. UsageError for what is none of them, HostError when it can't be had.

    ``live`` is the daemon of this host where one runs, so that nothing is attached twice, unless a level or a rung is
    asked for.
    """
    opening = opening or Opening()
    if text == LIVE:
        return _live(opening, say)
    if "://" in text:
        from ppobserve.source.remote import Remote

        return Remote(text)
    return _recording(Path(text), say)


def _recording(path: Path, say: Callable[[str], None]) -> Source:
    """What is left out of it is said, the worst first; ``report`` lists it all."""
    from ppobserve.source.recorded import open_recording

    address = bracketed(str(path)) or str(path)
    if _HOST_PORT.fullmatch(address) and not path.exists():
        raise UsageError(f"cannot read {path}: there is no such file", fix=f"--from http://{address}")
    recorded = open_recording(path)
    problems = recorded.problems
    for each in problems[:_MANY]:
        say(each)
    if len(problems) > _MANY:
        say(f"and {len(problems) - _MANY} more oddities: ppobserve report {path} -o FILE.html  lists them")
    return recorded


def _live(opening: Opening, say: Callable[[str], None]) -> Source:
    if not opening.is_particular and (daemon := local_daemon(say)):
        url, source = daemon
        say(f"reading the daemon at {url}; --level or --rung attaches other programs")
        return source
    from ppobserve.source.live import Live

    live = Live.start(opening.level or Level.STANDARD, opening.rung)
    for line in live.log:
        say(line)
    return live


def local_daemon(say: Callable[[str], None] = lambda _: None) -> tuple[str, Source] | None:
    """The daemon of this very host, if one answers: not that of another at the end of a forwarded port. Where something
    is there that can't be read, why is told to *say*."""
    from ppobserve.source.remote import Remote

    strange: list[str] = []
    for url in DAEMONS:
        try:
            snapshot = Remote(url, _PATIENCE).read()
        except NobodyThere:
            continue
        except HostError as error:
            strange.append(error.what)
            continue
        if (snapshot.host, snapshot.kernel) == (host.name(), platform.release()):
            return url, Remote(url)
        strange.append(f"{url} is the daemon of another host, {snapshot.host}")
    for why in strange:
        say(f"{why}; attaching programs instead")
    return None
