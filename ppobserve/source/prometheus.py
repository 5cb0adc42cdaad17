"""A Prometheus, or what answers as one (Thanos, Mimir): instant queries, and every way that they fail as a sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from ppobserve.errors import PrometheusError, UsageError
from ppobserve.model.address import bracketed

MAX_BYTES = 64 << 20
SECONDS = 10.0
"""For one query, by default: Prometheus' own limit is two minutes, and whoever looks at a screen has gone by then."""

_FIXES = {
    "timeout": "load deploy/prometheus/recording.yml there, a shorter --window, or a longer --timeout",
    "execution": "load deploy/prometheus/recording.yml there, or a shorter --window",
    "canceled": "a longer --timeout",
    "bad_data": "a --window such as 5m, a --job that is a regular expression",
}


@dataclass(frozen=True)
class Sample:
    """A series of an answer, and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass
class Prometheus:
    """Asks one address. Nothing is held between two queries."""

    url: str
    seconds: float = SECONDS
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every query: a tenant, a token."""
    warnings: set[str] = field(default_factory=set)
    """What answers came with, such as that a part of the data is missing."""

    def __post_init__(self) -> None:
        self.url = checked(self.url)

    def ask(self, query: str) -> list[Sample]:
        """The series of an instant query; those without a number are left out. PrometheusError when there is none."""
        answer = self._answer(query)
        if answer.get("status") != "success":
            raise self._refused(query, answer)
        self.warnings.update(answer.get("warnings") or ())
        try:
            found = [Sample(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise self._error("the answer is JSON, but not Prometheus'", fix=f"curl {self.url}/-/ready") from None
        return [sample for sample in found if math.isfinite(sample.value)]

    def _answer(self, query: str) -> dict[str, Any]:
        asked = {"query": query, "timeout": f"{self.seconds:g}"}
        body = urlencode(asked, errors="surrogateescape").encode()  # bytes of --job that are not UTF-8, as they were
        request = Request(f"{self.url}/api/v1/query", body, dict(self.headers))
        try:
            with urlopen(request, timeout=self.seconds + 1) as answer:  # a second more than it may take itself
                return self._parsed(answer.read(MAX_BYTES + 1))
        except HTTPError as error:
            with error:
                return self._told(error)
        except URLError as error:
            raise self._unreached(error.reason) from None
        except UnicodeError:  # of the codec idna, or of the request's line
            raise self._error("this is not a valid host name and path") from None
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreached(error) from None

    def _told(self, error: HTTPError) -> dict[str, Any]:
        """A refusal: Prometheus gives its reason as JSON, whatever stands before it does not."""
        try:
            return self._parsed(error.read(MAX_BYTES))
        except PrometheusError:
            fix = "--header 'Authorization: Bearer …'" if error.code in (401, 403) else f"curl {self.url}/-/ready"
            raise self._error(f"status {error.code} {error.reason}", fix=fix) from None

    def _parsed(self, body: bytes) -> dict[str, Any]:
        if len(body) > MAX_BYTES:
            raise self._error(f"the answer has more than {MAX_BYTES >> 20} MiB", fix="fewer --hosts")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._error("the answer is not JSON: this is no Prometheus", fix=f"curl {self.url}/-/ready")
        return document

    def _refused(self, query: str, answer: Mapping[str, Any]) -> PrometheusError:
        kind, said = str(answer.get("errorType", "")), str(answer.get("error", "no reason given"))
        return self._error(said, because=f"the query was {query}", fix=_FIXES.get(kind, ""))

    def _unreached(self, reason: object) -> PrometheusError:
        if isinstance(reason, TimeoutError):
            return self._error(f"no answer within {self.seconds:g} s", fix=_FIXES["timeout"])
        if isinstance(reason, ConnectionRefusedError):
            return self._error("connection refused", fix="the address that Grafana has for it, with its port and path")
        return self._error((reason.strerror if isinstance(reason, OSError) else None) or f"{reason or 'no answer'}")

    def _error(self, why: str, *, because: str = "", fix: str = "") -> PrometheusError:
        return PrometheusError(f"cannot ask Prometheus at {self.url}: {why}", because=because, fix=fix)


def checked(url: str) -> str:
    """The address with its path, as of ``https://mimir/prometheus``; UsageError when it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.username:
        raise UsageError(f"{url!r} is not the address of a Prometheus", fix=bracketed(url) or "http://127.0.0.1:9090")
    return url.rstrip("/")
