"""Recordings: what was written comes back, whatever end the file came to, and plays as it happened."""

from __future__ import annotations

import errno
import gzip
import json
import os
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.errors import OutputError, RecordingError, UsageError
from ppobserve.model import recording
from ppobserve.model.recording import to_line
from ppobserve.model.snapshot import Snapshot
from ppobserve.source import gzip_members, index, recorder
from ppobserve.source.base import Playable
from ppobserve.source.recorded import Recorded, open_recording, parts
from ppobserve.source.recorder import Recorder, rotated
from tests.unit.export.samples import moment
from tests.unit.model.test_document import whole_snapshots

NAMES = ["a.jsonl", "a.jsonl.gz"]
BEGIN = 1_700_000_000.0


def moments(count: int, begin: float = BEGIN) -> list[Snapshot]:
    """One a second."""
    return [replace(moment(), time=begin + second) for second in range(count)]


def record(path: Path, snapshots: list[Snapshot], **options: int) -> Path:
    with closing(Recorder(path, **options)) as writing:
        for each in snapshots:
            writing.write(each)
    return path


def opened(path: Path) -> closing[Recorded]:
    return closing(open_recording(path))


def everything(path: Path) -> list[Snapshot]:
    with opened(path) as recorded:
        return list(recorded.snapshots(len(recorded)))


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@given(sent=st.lists(whole_snapshots, min_size=1, max_size=3), name=st.sampled_from(NAMES))
def test_snapshots_come_back_as_they_went(
    sent: list[Snapshot], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    apart = [replace(each, time=BEGIN + place) for place, each in enumerate(sent)]
    assert everything(record(tmp_path_factory.mktemp("round") / name, apart)) == apart


def test_what_gzip_unpacks_is_the_plain_file(tmp_path: Path) -> None:
    plain, packed = (record(tmp_path / name, moments(3)) for name in NAMES)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert [json.loads(line)["time"] for line in plain.read_text().splitlines()] == [BEGIN, BEGIN + 1, BEGIN + 2]


def test_sessions_are_one_recording(path: Path) -> None:
    shown = moments(5)
    record(path, shown[:2])
    record(path, shown[2:])
    assert everything(path) == shown
    with opened(path) as recorded:
        assert recorded.problems == ()


def test_a_recording_fulfils_the_protocol(path: Path) -> None:
    with opened(record(path, moments(1))) as recorded:
        playable: Playable = recorded
        assert playable.read() == moments(1)[0]


# Cut at each of many bytes: what was whole is read, and what was not is named.


def cuts(whole: bytes) -> Iterator[bytes]:
    """Many beginnings of a file: with every byte of the last 300, and every 61st of the others."""
    for size in (*range(1, len(whole) - 300, 61), *range(len(whole) - 300, len(whole))):
        yield whole[:size]


def whole_lines(kept: bytes, packed: bool) -> tuple[int, bool]:
    """How many lines end in what is left of a file, and whether it is torn there; zlib stops where the bytes do."""
    unpacker = zlib.decompressobj(31)
    text = unpacker.decompress(kept) if packed else kept
    return text.count(b"\n"), not unpacker.eof if packed else not text.endswith(b"\n")


def test_a_file_cut_anywhere_still_has_what_was_whole(path: Path, tmp_path: Path) -> None:
    sent = moments(3)
    cut = tmp_path / f"cut{path.suffix}"
    for kept in cuts(record(path, sent).read_bytes()):
        cut.write_bytes(kept)
        whole, torn = whole_lines(kept, path.suffix == ".gz")
        if whole == 0:
            with pytest.raises(RecordingError, match=r"is not a recording, or nothing of it is left\n.*line 1"):
                open_recording(cut)
            continue
        with opened(cut) as recorded:
            assert list(recorded.snapshots(9)) == sent[:whole]
            assert [each.partition(" cut off: ")[0] for each in recorded.problems] == [
                f"{cut}: line {whole + 1}"
            ] * torn


def lines_written(path: Path, sent: list[Snapshot]) -> list[int]:
    """The size of the file when each snapshot was in it."""
    sizes = []
    with closing(Recorder(path)) as writing:
        for each in sent:
            writing.write(each)
            sizes.append(path.stat().st_size)
    return sizes


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.77, 0.99, 1.0])
def test_appending_behind_a_torn_end_loses_nothing_more(path: Path, share: float) -> None:
    sent = moments(12)
    ends = lines_written(path, sent[:6])
    os.truncate(path, size := int(ends[-1] * share))
    whole = sum(end <= size for end in ends)
    record(path, sent[6:])
    assert everything(path) == [*sent[:whole], *sent[6:]]


def test_each_of_several_torn_sessions_is_named(path: Path) -> None:
    sent = moments(9)
    for first in (0, 3, 6):
        record(path, sent[first : first + 3])
        os.truncate(path, path.stat().st_size - 40)
    with opened(path) as recorded:
        assert list(recorded.snapshots(9)) == [sent[place] for place in (0, 1, 3, 4, 6, 7)]
        assert recorded.problems == (
            (f"{path}: line 3 and 2 more cut off: the gzip member has no end",)
            if path.suffix == ".gz"
            else (
                f"{path}: line 3 and 1 more left out: no whole snapshot",
                f"{path}: line 9 cut off: the file ends in it",
            )
        )


def test_a_flipped_bit_costs_only_what_is_behind_it_in_its_session(path: Path) -> None:
    sent = moments(8)
    ends = lines_written(path, sent[:6])
    damaged = bytearray(path.read_bytes())
    damaged[ends[3] + 20] ^= 0xFF
    path.write_bytes(damaged)
    record(path, sent[6:])
    found = everything(path)
    assert found[:4] == sent[:4] and found[-2:] == sent[6:]
    with opened(path) as recorded:
        assert recorded.problems != () or len(recorded) < 8


def test_gzip_by_others_is_read_too(tmp_path: Path) -> None:
    sent, path = moments(4), tmp_path / "others.gz"
    members = [gzip.compress(b"".join(map(to_line, half))) for half in (sent[:2], sent[2:])]
    path.write_bytes(members[0] + b"\0" * 7 + members[1] + b"\0" * 9)
    with opened(path) as recorded:
        assert (list(recorded.snapshots(4)), recorded.problems) == (sent, ())


def test_a_line_may_go_on_in_the_next_member(tmp_path: Path) -> None:
    sent, path = moments(3), tmp_path / "split.gz"
    text = b"".join(map(to_line, sent))
    path.write_bytes(b"".join(gzip.compress(text[begin : begin + 997]) for begin in range(0, len(text), 997)))
    assert everything(path) == sent


def test_any_place_is_found_again_with_few_states_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_members, "_STRIDE", 4000)
    monkeypatch.setattr(gzip_members, "_PIECE", 1500)
    monkeypatch.setattr(gzip_members, "_INPUT", 300)
    monkeypatch.setattr(gzip_members, "_PLACES", 5)
    path, sent = tmp_path / "long.gz", moments(211)
    record(path, sent[:100])
    record(path, sent[100:])
    with opened(path) as recorded:
        for number in (210, 0, 101, 100, 99, 17, 18, 19, 150, *range(211)):
            assert recorded.snapshot(number) == sent[number]


# What is no recording.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: nothing was recorded into it"),
        (b"\n\n", "is empty"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 3, "is not a recording.*\n.*line 1 and 2 more left out: no whole snap"),
        (bytes(range(256)) * 40, "is not a recording"),
        (b"[" * 100_000, "is not a recording"),
        (b'{"schema":1,"time":NaN,"pools":[]}\n', "is not a recording"),
        (b'{"schema":1,"time":1e999,"pools":[]}\n', "is not a recording"),
        (b'{"schema":' + b"9" * 5000 + b',"time":1,"pools":[]}\n', "is not a recording"),
        (b'{"schema":2,"time":5,"pools":[]}\n', r"it is of schema 2\n  this ppobserve reads schema 1\n  try: a ppobs"),
        (b'{"pools":[], "time": 5, "schema": 2}\n', "it is of schema 2"),
        (gzip.compress(b""), "is empty"),
        (gzip.compress(b"no")[:15], "is not a recording.*\n.*the gzip member has no end"),
        (gzip.compress(b'{"schema":3,"time":5,"pools":[]}\n'), "it is of schema 3"),
        (b"\x1f\x8b\x08" + b"\xff" * 40, "is not a recording.*\n.*the gzip member is damaged"),
    ],
)
def test_what_is_no_recording_is_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "no").write_bytes(content)
    with pytest.raises(RecordingError, match=f"(?s){said}"):
        open_recording(tmp_path / "no")


def test_what_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file or directory"):
        open_recording(tmp_path / "nowhere" / "none")
    with pytest.raises(RecordingError, match="it is not a file"):
        open_recording(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordingError, match="it is not a file"):
        open_recording(tmp_path / "pipe")


def test_much_of_something_else_is_soon_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MAX_LINE", 1 << 20)
    (tmp_path / "zeros").write_bytes(bytes(5 << 20))
    with pytest.raises(RecordingError, match="longer than 1 MiB"):
        open_recording(tmp_path / "zeros")


def test_strange_lines_between_are_left_out_and_named(path: Path) -> None:
    sent = moments(2)
    lines = [to_line(sent[0]), b"who?\n", b'{"schema":2,"time":5,"pools":[]}\n', to_line(sent[1]), b"who?\n"]
    path.write_bytes(gzip.compress(b"".join(lines)) if path.suffix == ".gz" else b"".join(lines))
    with opened(path) as recorded:
        assert list(recorded.snapshots(5)) == sent
        assert recorded.problems == (
            f"{path}: line 2 and 1 more left out: no whole snapshot",
            f"{path}: line 3 left out: of schema 2, and this ppobserve reads schema 1",
        )


def test_a_line_that_only_looks_right_is_passed_over_when_it_is_met(tmp_path: Path) -> None:
    first, last = moments(3)[::2]
    path = tmp_path / "odd"
    path.write_bytes(to_line(first) + b'{"schema":1,"time":1700000001.0,"pools":[{}]}\n' + to_line(last))
    with opened(path) as recorded:
        recorded.paused = True
        recorded.seek(1)
        assert recorded.read() == first
        assert recorded.problems == ("snapshot 2 of 3 left out: cannot read the document: KeyError: 'host'",)
        assert list(recorded.snapshots(3)) == [first, last]


def test_keys_in_another_order_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "sorted"
    path.write_text("".join(json.dumps(json.loads(to_line(each)), sort_keys=True) + "\n" for each in moments(2)))
    assert everything(path) == moments(2)


def test_opening_parses_nothing_and_keeps_little(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is, whoever opens it pays for reading it once, and keeps 34 bytes a snapshot."""
    record(path, moments(200))
    monkeypatch.setattr(recording, "from_document", pytest.fail)
    monkeypatch.setattr(recording.json, "loads", pytest.fail)
    tracemalloc.start()
    with opened(path) as recorded:
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(recorded) == 200
    lines = 200 * len(to_line(moment()))
    assert lines > 1_000_000
    assert now < 30_000 + 34 * 200
    assert peak < 5 << 20


# Several files.


def test_a_recording_that_grows_is_cut_into_parts(path: Path) -> None:
    sent, size = moments(40), len(to_line(moments(1)[0])) * 5 if path.suffix != ".gz" else 1400
    record(path, sent, max_bytes=size, keep=50)
    assert len(parts(path)) > 3
    assert all(part.stat().st_size < 2 * size for part in parts(path))
    assert parts(path) == [*(rotated(path, n) for n in range(len(parts(path)) - 1, 0, -1)), path]
    assert everything(path) == sent


def test_only_so_many_old_parts_stay(path: Path) -> None:
    sent = moments(40)
    record(path, sent, max_bytes=1, keep=2)
    assert sorted(path.parent.iterdir()) == sorted(parts(path)) and len(parts(path)) == 3
    assert everything(path) == sent[-3:]


def test_other_files_beside_are_no_parts(path: Path) -> None:
    record(path, moments(1))
    for name in (f"{path.stem}.01{path.suffix}", f"{path.stem}.x{path.suffix}", f"b.1{path.suffix}"):
        path.with_name(name).write_text("no")
    assert parts(path) == [path]


def test_a_part_may_be_empty_while_the_next_one_begins(path: Path) -> None:
    record(rotated(path, 1), moments(2))
    path.touch()
    assert everything(path) == moments(2)


# Where a recorder may not write.


@pytest.mark.parametrize(("name", "content"), [("a", b"precious\n"), ("a.gz", b"precious\n"), ("a.gz", b'{"schema":1')])
def test_another_file_is_not_appended_to(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match="it is there, and not a"):
        Recorder(tmp_path / name)
    assert (tmp_path / name).read_bytes() == content


def test_two_recorders_do_not_share_a_file(path: Path) -> None:
    first = Recorder(path)
    with pytest.raises(RecordingError, match="another ppobserve is doing it"):
        Recorder(path)
    first.close()
    first.close()
    Recorder(path).close()


def test_a_disk_that_is_full_is_a_sentence_and_what_was_recorded_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The half that still fits is torn, as after a kill, and the next recorder goes on behind it."""
    sent, room = moments(5), [*[1 << 20] * 3, 40, 0]

    def write(fd: int, data: bytes, write: Callable[[int, bytes], int] = os.write) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[: room.pop(0)])

    with monkeypatch.context() as full:
        full.setattr(recorder.os, "write", write)
        with pytest.raises(OutputError, match=r"No space left on device\n  3 snapshots were recorded") as caught:
            record(path, sent[:4])
    assert caught.value.exit_status == 1
    record(path, sent[4:])
    assert everything(path) == [*sent[:3], sent[4]]


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot write .*nowhere/a: No such file or directory"):
        Recorder(tmp_path / "nowhere" / "a")


# Playing.


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def play(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Recorded]]:
    """`play(0, 1, 2)`: a recording of snapshots at those seconds, that plays by the test's clock."""
    playing: list[Recorded] = []

    def begin(*seconds: float) -> Recorded:
        path = record(tmp_path / "played", [replace(moment(), time=BEGIN + each) for each in seconds])
        playing.append(open_recording(path, clock))
        return playing[-1]

    yield begin
    for each in playing:
        each.close()


def test_it_plays_as_it_happened_and_stays_at_its_end(play: Callable[..., Recorded], clock: Clock) -> None:
    recorded = play(0, 1, 2.5)
    assert (recorded.duration, recorded.position, recorded.read().time) == (2.5, 0, BEGIN)
    clock.now += 0.75
    assert (recorded.position, recorded.read().time) == (0.75, BEGIN)
    clock.now += 0.5
    assert (recorded.position, recorded.read().time) == (1.25, BEGIN + 1)
    assert recorded.read() is recorded.read()
    clock.now += 100
    assert (recorded.position, recorded.read().time) == (2.5, BEGIN + 2.5)


def test_speed_pause_and_seek(play: Callable[..., Recorded], clock: Clock) -> None:
    recorded = play(*range(101))
    recorded.speed = 10
    clock.now += 2
    assert recorded.position == 20
    recorded.paused = True
    clock.now += 5
    recorded.speed = 0.5
    assert (recorded.position, recorded.paused, recorded.speed) == (20, True, 0.5)
    recorded.paused = False
    clock.now += 4
    assert recorded.position == 22
    recorded.seek(70)
    clock.now += 2
    assert (recorded.position, recorded.read().time) == (71, BEGIN + 71)
    recorded.seek(-5)
    assert recorded.position == 0
    recorded.seek(1e9)
    assert recorded.position == 100


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(play: Callable[..., Recorded], speed: float) -> None:
    recorded = play(0, 1)
    with pytest.raises(UsageError, match="it must be more than 0"):
        recorded.speed = speed
    assert recorded.speed == 1


def test_one_snapshot_plays_too(play: Callable[..., Recorded], clock: Clock) -> None:
    recorded = play(0)
    clock.now += 5
    assert (recorded.duration, recorded.position, recorded.read().time) == (0, 0, BEGIN)


def test_a_gap_is_played_and_named(play: Callable[..., Recorded]) -> None:
    recorded = play(0, 1, 2, 3, 63, 64)
    assert recorded.problems == ("at 0:03: nothing was recorded for 60 s",)
    assert recorded.duration == 64


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (3600.0, "at 0:02: the clock was set on by 3600.0 s; times after it are moved back"),
        (-3600.0, "at 0:02: the clock was set back by 3600.0 s; times after it are moved on"),
        (-2.5, "at 0:02: the clock was set back by 2.5 s; times after it are moved on"),
    ],
)
def test_a_clock_that_is_set_is_no_gap_where_the_uptime_tells(path: Path, by: float, said: str) -> None:
    shown = [replace(each, uptime=77.0 + place) for place, each in enumerate(moments(6))]
    sent = [*shown[:3], *(replace(each, time=each.time + by) for each in shown[3:])]
    with opened(record(path, sent)) as recorded:
        assert recorded.problems == (said,)
        assert recorded.duration == 5.0
        assert list(recorded.snapshots(6)) == shown


def test_a_gap_with_a_clock_that_is_set_in_it_is_both(path: Path) -> None:
    shown = [replace(each, uptime=77.0 + place) for place, each in enumerate(moments(40))]
    sent = [*shown[:3], *(replace(each, time=each.time + 100) for each in shown[30:])]
    with opened(record(path, sent)) as recorded:
        assert recorded.problems == (
            "at 0:02: nothing was recorded for 28 s",
            "at 0:02: the clock was set on by 100.0 s; times after it are moved back",
        )


def test_a_clock_that_is_set_back_is_named_and_time_still_goes_on(play: Callable[..., Recorded]) -> None:
    recorded = play(0, 1, 2, -3598, -3597)
    assert recorded.problems == ("at 0:02: the clock was set back by 3600.0 s; times after it are moved on",)
    assert [each.time - BEGIN for each in recorded.snapshots(9)] == [0, 1, 2, 3, 4]


def test_some_snapshots_are_evenly_spread(play: Callable[..., Recorded]) -> None:
    recorded = play(*range(101))
    assert [each.time - BEGIN for each in recorded.snapshots(5)] == [0, 25, 50, 75, 100]
    assert [each.time - BEGIN for each in recorded.snapshots(1)] == [0]
    assert len(list(recorded.snapshots(1000))) == 101


def test_any_thread_may_read_but_one_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking goes on from where the last piece ended."""
    sent = moments(8)
    inside, most, line = 0, 0, index.Index.line

    def slowly(self: index.Index, number: int) -> bytes:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)
        found = line(self, number)
        inside -= 1
        return found

    monkeypatch.setattr(index.Index, "line", slowly)
    with opened(record(path, sent)) as recorded, ThreadPoolExecutor(4) as threads:
        places = [float(place) for place in (0, 7, 3, 5, 1, 6, 2, 4)]
        assert list(threads.map(recorded.at, places)) == [sent[int(place)] for place in places]
    assert most == 1


def test_a_look_at_a_position_moves_nothing(path: Path) -> None:
    with opened(record(path, moments(8))) as recorded:
        recorded.paused = True
        recorded.seek(5.0)
        assert recorded.at(2.5) == moments(8)[2]
        assert (recorded.position, recorded.read()) == (5.0, moments(8)[5])
