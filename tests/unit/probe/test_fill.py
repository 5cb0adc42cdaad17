"""The tables before the first event."""

from __future__ import annotations

import struct

import pytest

from ppobserve.kernel import bpf
from ppobserve.probe import abi
from ppobserve.probe.fill import MAPS, REST_GROUP, fill

TABLES = abi.Tables(cpus=2, nodes=2, pools=5, groups=3, slots=7)


def test_every_number_is_on_one_stack_and_the_rest_has_the_first_entry_and_slot_of_the_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maps = {name: fd for fd, name in enumerate(MAPS)}
    pushed: dict[int, list[int]] = {fd: [] for fd in maps.values()}
    written: dict[tuple[int, bytes], bytes] = {}
    monkeypatch.setattr(bpf, "push", lambda fd, value: pushed[fd].append(struct.unpack("=I", value)[0]))
    monkeypatch.setattr(bpf, "update", lambda fd, key, value: written.__setitem__((fd, key), value))
    fill(maps, TABLES)
    assert pushed[maps["free_pools"]] == [4, 3, 2, 1, 0]
    assert pushed[maps["free_groups"]] == [7, 6]
    assert pushed[maps["free_slots"]] == [10, 9, 8, 7, 6, 5, 4]
    entry = struct.pack("=I", 5)
    assert written[maps["entries"], struct.pack("=Q", REST_GROUP)] == entry
    group = abi.Pool.from_buffer_copy(written[maps["pools"], entry])
    assert (group.owner, group.nid, group.queue, group.cpu, group.device_node) == (REST_GROUP, -1, -1, -1, -1)
    slot = abi.slot_type(2).from_buffer_copy(written[maps["slots"], struct.pack("=I", 1)])
    assert (slot.owner, slot.entry, sum(slot.batch)) == (REST_GROUP, 5, 0)
