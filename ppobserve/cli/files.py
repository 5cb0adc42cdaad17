"""Files that an operator names: read and written whole, or a sentence why not."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ppobserve.cli.streams import encoded
from ppobserve.errors import UsageError
from ppobserve.kernel.disk import cannot_write


def read_text(path: Path, error: type[UsageError] = UsageError) -> str:
    """The text of *path*; *error* when it can't be read, or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as refused:
        raise error(f"cannot read {path}: {refused.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{path} is not UTF-8 text") from None


def write_text(path: Path, text: str) -> None:
    """Put *text* into *path*, all of it or nothing: a reader never finds half, nor does a full disk leave it."""
    target = Path(os.path.realpath(path))
    if os.path.exists(target) and not os.path.isfile(target):
        raise UsageError(f"cannot write {path}: it is not a file")
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with half.open("xb") as file:
            file.write(encoded(text))
        half.replace(target)
    except OSError as refused:
        raise cannot_write(path, refused, UsageError) from None
    finally:  # Ctrl-C, too, leaves nothing behind
        with suppress(OSError):
            half.unlink()
