"""Why a file is not written: by whose fault."""

from __future__ import annotations

import errno

from ppobserve.errors import OutputError, PpobserveError, UsageError

_STATE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


def cannot_write(path: object, error: OSError, otherwise: type[UsageError], *, because: str = "") -> PpobserveError:
    """Return the error for a file that is not written: OutputError for the state of its disk, else *otherwise*."""
    kind = OutputError if error.errno in _STATE else otherwise
    return kind(f"cannot write {path}: {error.strerror}", because=because)
