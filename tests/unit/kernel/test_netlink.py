"""Generic netlink messages, answered by a socket that is none."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.kernel import netlink
from ppobserve.kernel.netlink import attribute, attributes, number

DONE, ERROR, ANSWER = 3, 2, 20


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 0, 0) + body + bytes(-len(body) % 4)


def answer(*parts: bytes) -> bytes:
    return message(ANSWER, bytes(4) + b"".join(parts))


class Channel:
    """Says what it was told to, one datagram a recv."""

    def __init__(self, *datagrams: bytes) -> None:
        self.datagrams = list(datagrams)
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        return self.datagrams.pop(0)


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=64), max_size=8))
def test_attributes_come_back(given_attributes: dict[int, bytes]) -> None:
    payload = b"".join(attribute(kind, value) for kind, value in given_attributes.items())
    assert len(payload) % 4 == 0
    assert attributes(payload) == given_attributes


@given(st.binary(max_size=64))
def test_garbage_has_some_attributes_or_none(payload: bytes) -> None:
    assert all(len(value) <= len(payload) for value in attributes(payload).values())


def test_an_attribute_that_is_cut_short_is_left_out() -> None:
    whole = attribute(1, b"\x07\0\0\0")
    assert attributes(whole + attribute(2, bytes(16))[:9]) == {1: b"\x07\0\0\0"}


def test_flags_of_a_type_are_no_part_of_it() -> None:
    assert attributes(attribute(0x8000 | 5, b"abcd")) == {5: b"abcd"}


@pytest.mark.parametrize(
    ("payload", "value"), [(b"", 0), (struct.pack("=I", 101), 101), (struct.pack("=Q", 1 << 40), 1 << 40)]
)
def test_numbers_have_the_width_they_need(payload: bytes, value: int) -> None:
    assert number(payload) == value


def test_a_dump_ends_when_the_kernel_says_so() -> None:
    first, second = attribute(1, struct.pack("=I", 11)), attribute(1, struct.pack("=I", 13))
    channel = Channel(answer(first) + answer(second), answer(first), message(DONE, bytes(4)))
    assert [number(each[1]) for each in netlink.dump(channel, ANSWER, 5)] == [11, 13, 11]
    kind, flags = struct.unpack_from("=HH", channel.sent[0], 4)
    assert (kind, flags) == (ANSWER, 0x301)


def test_a_message_that_is_cut_short_ends_its_datagram_only() -> None:
    whole = answer(attribute(1, struct.pack("=I", 11)))
    channel = Channel(whole + whole[:-3], message(DONE, bytes(4)))
    assert len(netlink.dump(channel, ANSWER, 5)) == 1


def test_an_error_is_an_error() -> None:
    channel = Channel(message(ERROR, struct.pack("=i", -errno.EPERM) + bytes(16)))
    with pytest.raises(PermissionError):
        netlink.dump(channel, ANSWER, 5)


def test_a_family_has_a_number_and_one_that_is_not_there_has_none() -> None:
    there = Channel(answer(attribute(2, b"netdev\0"), attribute(1, struct.pack("=H", 23))))
    assert netlink.family(there, "netdev") == 23
    missing = Channel(message(ERROR, struct.pack("=i", -errno.ENOENT) + bytes(16)))
    assert netlink.family(missing, "netdev") == 0
