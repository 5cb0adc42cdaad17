"""Whose fault it is that a file is not written: the exit status says so."""

from __future__ import annotations

import errno
import os

import pytest

from ppobserve.errors import RecordingError
from ppobserve.kernel.disk import cannot_write


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOSPC, 1),
        (errno.EDQUOT, 1),
        (errno.EIO, 1),
        (errno.EACCES, 2),
        (errno.ENOENT, 2),
        (errno.EROFS, 2),
    ],
)
def test_a_full_disk_is_no_fault_of_the_command_line(number: int, status: int) -> None:
    why = os.strerror(number)
    error = cannot_write("/srv/a.gz", OSError(number, why), RecordingError, because="3 snapshots were recorded")
    assert str(error) == f"cannot write /srv/a.gz: {why}\n  3 snapshots were recorded"
    assert error.exit_status == status
    assert isinstance(error, RecordingError) == (status == 2)
