"""Buffers as the kernel lays them out, in a bytearray: records in order, around the end, busy and discarded ones."""

from __future__ import annotations

import struct
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.probe.ring import PAGE, PerfBuffer, RingBuffer

BUSY, DISCARD = 1 << 31, 1 << 30
SIZE = 512


class Doubled(bytearray):
    """The producer's page and the data twice: what is written to one copy is in the other, as with mapped pages."""

    def put(self, position: int, record: bytes) -> None:
        for at, byte in enumerate(record, position):
            for copy in (0, SIZE):
                self[PAGE + copy + at % SIZE] = byte


class Kernel:
    """The producer's side of kernel/bpf/ringbuf.c."""

    def __init__(self) -> None:
        self.consumer, self.producer, self.at = bytearray(PAGE), Doubled(PAGE + 2 * SIZE), 0
        self.ring = RingBuffer(self.consumer, self.producer)

    def send(self, payload: bytes, flags: int = 0) -> bool:
        total = 8 + len(payload) + -len(payload) % 8
        if self.at + total - self.given_back > SIZE - 1:
            return False
        self.producer.put(self.at, struct.pack("=II", len(payload) | flags, 0) + payload)
        self.at += total
        self.producer[0:8] = struct.pack("=Q", self.at)
        return True

    @property
    def given_back(self) -> int:
        return int(struct.unpack_from("=Q", self.consumer)[0])


payloads = st.lists(st.binary(min_size=1, max_size=90), max_size=40)


@given(payloads, st.integers(1, 7))
def test_what_is_sent_comes_out_in_its_order_however_often_it_wraps(sent: list[bytes], reads: int) -> None:
    kernel, read = Kernel(), list[bytes]()
    for number, payload in enumerate(sent):
        while not kernel.send(payload):
            read += kernel.ring.records()
        if number % reads == 0:
            read += kernel.ring.records()
    read += kernel.ring.records()
    assert read == sent
    assert kernel.given_back == kernel.at


def test_a_record_across_the_end_is_whole() -> None:
    kernel = Kernel()
    kernel.send(bytes(480))
    assert len(list(kernel.ring.records())) == 1
    assert kernel.send(bytes(range(100)))
    assert list(kernel.ring.records()) == [bytes(range(100))]


def test_nothing_behind_a_record_that_is_being_written_is_read_before_it() -> None:
    kernel = Kernel()
    kernel.send(b"first")
    busy = kernel.at
    kernel.send(b"second", BUSY)
    kernel.send(b"third")
    assert list(kernel.ring.records()) == [b"first"]
    assert kernel.given_back == busy
    kernel.producer.put(busy, struct.pack("=I", len(b"second")))
    assert list(kernel.ring.records()) == [b"second", b"third"]


def test_a_discarded_record_is_passed_over() -> None:
    kernel = Kernel()
    for payload, flags in ((b"a", 0), (b"not this", DISCARD), (b"b", 0)):
        kernel.send(payload, flags)
    assert list(kernel.ring.records()) == [b"a", b"b"]


def test_who_stops_in_the_middle_goes_on_there() -> None:
    kernel = Kernel()
    for payload in (b"a", b"b", b"c"):
        kernel.send(payload)
    assert list(islice(kernel.ring.records(), 2)) == [b"a", b"b"]
    assert list(kernel.ring.records()) == [b"c"]


SAMPLE, LOST = 9, 2


class Perf:
    """The producer's side of a perf buffer: raw samples, padded to eight bytes with their length."""

    def __init__(self) -> None:
        self.memory, self.at = bytearray(PAGE + SIZE), 0
        self.buffer = PerfBuffer(self.memory)

    def send(self, kind: int, body: bytes) -> bool:
        record = struct.pack("=IHH", kind, 0, 8 + len(body)) + body
        if self.at + len(record) - struct.unpack_from("=Q", self.memory, 1032)[0] > SIZE:
            return False
        for at, byte in enumerate(record, self.at):
            self.memory[PAGE + at % SIZE] = byte
        self.at += len(record)
        self.memory[1024:1032] = struct.pack("=Q", self.at)
        return True

    def sample(self, payload: bytes) -> bool:
        padding = -(4 + len(payload)) % 8
        return self.send(SAMPLE, struct.pack("=I", len(payload) + padding) + payload + bytes(padding))


@given(payloads)
def test_samples_of_a_perf_buffer_come_out_in_their_order(sent: list[bytes]) -> None:
    perf, read = Perf(), list[bytes]()
    for payload in sent:
        while not perf.sample(payload):
            read += perf.buffer.records()
    read += perf.buffer.records()
    assert [record[: len(payload)] for record, payload in zip(read, sent, strict=True)] == sent
    assert not any(any(record[len(payload) :]) for record, payload in zip(read, sent, strict=True))


def test_what_is_no_sample_is_passed_over() -> None:
    perf = Perf()
    perf.sample(b"before 4")
    perf.send(LOST, struct.pack("=QQ", 1, 7))
    perf.sample(b"after  4")
    assert [record[:8] for record in perf.buffer.records()] == [b"before 4", b"after  4"]


@pytest.mark.parametrize("kernel", [Kernel, Perf])
def test_an_empty_buffer_has_nothing(kernel: type[Kernel] | type[Perf]) -> None:
    made = kernel()
    buffer = made.ring if isinstance(made, Kernel) else made.buffer
    assert list(buffer.records()) == []
