"""Addresses as they are printed, and what is suggested where one cannot be read."""

from __future__ import annotations

import pytest

from ppobserve.model.address import bracketed, joined, url


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("::1", "[::1]:80"),
        ("", "*:80"),
        ("::", "[::]:80"),
        ("a.example", "a.example:80"),
    ],
)
def test_an_address_is_written_so_that_its_port_can_be_told(host: str, text: str) -> None:
    assert joined(host, 80) == text
    assert url(host, 80) == f"http://{text}"
    assert url(host, 80, "/metrics") == f"http://{text}/metrics"


def test_a_zone_is_escaped_in_a_url() -> None:
    assert joined("fe80::1%eth0", 80) == "[fe80::1%eth0]:80"
    assert url("fe80::1%eth0", 80) == "http://[fe80::1%25eth0]:80"


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("::1:38221", "[::1]:38221"),
        ("http://::1:38221/", "http://[::1]:38221"),
        ("https://2001:db8::7:443", "https://[2001:db8::7]:443"),
        ("[::1]:38221", ""),
        ("127.0.0.1:80", ""),
        (":80", ""),
        ("::", ""),
        ("host:80", ""),
        ("a.jsonl", ""),
    ],
)
def test_brackets_are_suggested_where_they_are_missing(text: str, better: str) -> None:
    assert bracketed(text) == better
