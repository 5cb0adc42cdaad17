"""The name of this host."""

from __future__ import annotations

import os
import platform


def name() -> str:
    """The node name of uname(2) as text that can be sent: bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(platform.node()).decode(errors="replace")
