"""Snapshots of a running daemon, here or on another host, over HTTP."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from ppobserve.errors import NobodyThere, RemoteError, UsageError
from ppobserve.model.address import bracketed
from ppobserve.model.document import from_document
from ppobserve.model.snapshot import Snapshot

PATH = "/snapshot"
MAX_BYTES = 64 << 20
"""Thousands of pools take a tenth of that; what sends more is no daemon of ours."""
SECONDS = 5.0
"""For a whole answer, by default."""
_PIECE = 1 << 16
_SERVER = "ppobserve/"
_NO_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)
"""Of ``::1`` on a host without IPv6, and of both loopback addresses in a network namespace whose ``lo`` is down."""


class Remote:
    """A daemon's counters. ``read`` asks for them; nothing is held between two reads."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        """*url*: ``http://host:10817``. UsageError for what is no such address."""
        self.url, self._seconds = checked(url), seconds
        self._opener = build_opener(ProxyHandler({}))  # a daemon is asked directly, whatever the shell's proxy is

    def read(self) -> Snapshot:
        """All pools, now. RemoteError says what is wrong with whoever answers there, or doesn't."""
        with self._sentences():
            body = self._body(time.monotonic() + self._seconds)
        try:
            return from_document(_parsed(body))
        except UsageError as error:
            raise self._error(error.what, because=error.because, fix=error.fix) from None
        except (ValueError, RecursionError):
            raise self._error("the answer is not JSON", fix=f"curl {self.url}{PATH}  shows it") from None

    def close(self) -> None:
        """Nothing is held."""

    def _body(self, end: float) -> bytes:
        """The whole answer, read piece by piece: a sender of a byte a second does not get past the deadline."""
        pieces, total = [], 0
        with self._opener.open(self.url + PATH, timeout=self._seconds) as answer:
            _require_json(answer)
            while piece := answer.read1(_PIECE):
                total += len(piece)
                if total > MAX_BYTES:
                    raise self._error(f"the answer has more than {MAX_BYTES >> 20} MiB")
                if time.monotonic() > end:
                    raise TimeoutError
                pieces.append(piece)
            if answer.length:
                raise self._error("the answer is not whole: the connection ended before it did")
        return b"".join(pieces)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except HTTPError as error:
            with error:
                raise self._refused(error) from None
        except URLError as error:
            raise self._unreached(error.reason) from None
        except UnicodeError:  # of the codec idna: an empty label, one of 64 characters, bytes that are no text
            raise self._error("this is not a valid host name") from None
        except (OSError, HTTPException, _NotOurs) as error:
            raise self._unreached(error) from None

    def _refused(self, error: HTTPError) -> RemoteError:
        """An answer, but not the one that was asked for."""
        said = error.read(500).decode(errors="replace").strip()
        if not error.headers.get("Server", "").startswith(_SERVER):
            return self._error(f"status {error.code}, from something that is not ppobserve")
        if error.code == 404:
            return self._error("this ppobserve has no /snapshot yet", fix="update ppobserve there")
        return self._error(f"status {error.code}", because=said)

    def _unreached(self, reason: object) -> RemoteError:
        """No answer, or half of one."""
        if isinstance(reason, TimeoutError):
            return self._error(f"no whole answer within {self._seconds:g} s", fix=f"curl {self.url}/healthz")
        if isinstance(reason, ConnectionRefusedError):
            return self._error("connection refused", fix="ppobserve serve  there, or another port", kind=NobodyThere)
        if isinstance(reason, OSError) and reason.errno in _NO_ADDRESS:
            return self._error(f"{reason.strerror}", kind=NobodyThere)
        if isinstance(reason, _NotOurs):
            return self._error(str(reason))
        return self._error((reason.strerror if isinstance(reason, OSError) else None) or f"{reason or 'no answer'}")

    def _error(
        self, why: str, *, because: str = "", fix: str = "", kind: type[RemoteError] = RemoteError
    ) -> RemoteError:
        return kind(f"cannot read {self.url}: {why}", because=because, fix=fix)


class _NotOurs(Exception):
    """An answer that no daemon of ours gives."""


def _require_json(answer: HTTPResponse) -> None:
    kind = answer.headers.get_content_type()
    if kind != "application/json":
        raise _NotOurs(f"the answer is {kind}, not JSON: this is not a ppobserve")


def _parsed(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise UsageError("the answer is JSON, but not a snapshot")
    return document


def checked(url: str) -> str:
    """The address without what follows host and port; UsageError when it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError(f"{url!r} is not the address of a daemon", fix=bracketed(url) or "http://127.0.0.1:10817")
    return f"{parts.scheme}://{parts.netloc}"
