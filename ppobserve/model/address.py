"""Addresses of TCP as people write them."""

from __future__ import annotations

import re

_BARE = re.compile(r"(https?://|)([0-9a-fA-F]*:[0-9a-fA-F.:]*):([0-9]{1,5})/?")


def joined(host: str, port: int) -> str:
    """``127.0.0.1:80``, ``[::1]:80``; ``*:80`` for an empty *host*, which is every address."""
    return f"[{host}]:{port}" if ":" in host else f"{host or '*'}:{port}"


def url(host: str, port: int, path: str = "") -> str:
    """The address of a server of HTTP. The ``%`` before a zone, as of ``fe80::1%eth0``, is escaped (RFC 6874)."""
    return f"http://{joined(host.replace('%', '%25'), port)}{path}"


def bracketed(text: str) -> str:
    """*text* with the brackets that it lacks, ``[::1]:80`` for ``::1:80``; empty if brackets are not what it lacks."""
    bare = _BARE.fullmatch(text)
    return f"{bare[1]}[{bare[2]}]:{bare[3]}" if bare else ""
