"""The BTF reader, on blobs written here."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.errors import KernelFactError
from ppobserve.kernel import btf
from ppobserve.kernel.btf import Btf
from tests.unit.kernel import btf_blob
from tests.unit.kernel.btf_blob import Blob

NEW = 41
"""A kind of type that no kernel has."""


def test_members_nested_and_behind_any_qualifier() -> None:
    blob = Blob()
    integer = blob.integer()
    params = blob.struct("page_pool_params", ("order", integer, 32), ("nid", integer, 96))
    typed = blob.add(btf_blob.TYPEDEF, "params_t", params)
    volatile = blob.add(btf_blob.VOLATILE, "", blob.add(btf_blob.CONST, "", typed))
    tagged = blob.add(btf_blob.TYPE_TAG, "user", blob.add(btf_blob.RESTRICT, "", volatile))
    blob.struct("page_pool", ("p", tagged, 64), ("count", integer, 64 + 1024))
    types = Btf(blob.bytes())
    assert types.offset("page_pool.p.nid") == 8 + 12
    assert types.offset("page_pool.count") == 136
    assert types.offset("page_pool") == 0


def test_members_of_anonymous_structs_and_unions_count_as_the_outer_one_s() -> None:
    blob = Blob()
    integer = blob.integer()
    inner = blob.struct("", ("pp_magic", integer, 0), ("pp", integer, 64))
    union = blob.union("", ("lru", integer, 0), ("", blob.add(btf_blob.CONST, "", inner), 0))
    blob.struct("page", ("flags", integer, 0), ("", union, 64), ("last", integer, 512))
    types = Btf(blob.bytes())
    assert [types.offset(f"page.{name}") for name in ("flags", "lru", "pp", "last")] == [0, 8, 16, 64]


def test_a_struct_with_bitfields_keeps_offsets_in_24_bits() -> None:
    blob = Blob()
    integer = blob.integer()
    blob.struct("net_device", ("bits", integer, 3 << 24 | 32), ("name", integer, 2432 * 8), flag=True)
    assert Btf(blob.bytes()).offset("net_device.name") == 2432


def test_offsets_without_bitfields_may_take_all_32_bits() -> None:
    blob = Blob()
    blob.struct("huge", ("end", blob.integer(), 1 << 31))
    assert Btf(blob.bytes()).offset("huge.end") == 1 << 28


def test_an_unnamed_bitfield_hides_nothing() -> None:
    blob = Blob()
    integer = blob.integer()
    blob.struct("s", ("", integer, 0), ("after", integer, 32))
    assert Btf(blob.bytes()).offset("s.after") == 4


@pytest.mark.parametrize("path", ["nothing", "page.nothing", "page.flags.deeper", "page.first.second"])
def test_what_a_kernel_does_not_have_is_a_lookup_error(path: str) -> None:
    blob = Blob()
    blob.struct("page", ("flags", blob.integer(), 0))
    blob.add(btf_blob.FWD, "nothing")
    with pytest.raises(LookupError):
        Btf(blob.bytes()).offset(path)


def test_array_length_behind_a_typedef() -> None:
    blob = Blob()
    integer = blob.integer()
    cache = blob.add(btf_blob.TYPEDEF, "cache_t", blob.array(integer, integer, 128))
    alloc = blob.struct("pp_alloc_cache", ("count", integer, 0), ("cache", cache, 64))
    blob.struct("page_pool", ("alloc", alloc, 0))
    assert Btf(blob.bytes()).array_length("page_pool.alloc.cache") == 128


def test_enumerators() -> None:
    blob = Blob()
    blob.enum64("big", HUGE=1 << 40)
    blob.enum("zone_type", ZONE_DMA=0, ZONE_NORMAL=2, __MAX_NR_ZONES=5)
    types = Btf(blob.bytes())
    assert types.enum_value("zone_type", "__MAX_NR_ZONES") == 5
    for enum, member in (("zone_type", "ZONE_HIGH"), ("nothing", "A")):
        with pytest.raises(LookupError):
            types.enum_value(enum, member)


def test_functions_and_their_arguments() -> None:
    blob = Blob()
    integer = blob.integer()
    blob.function("refill", integer)
    blob.function("slow", integer, integer)
    blob.function("nothing_to_say")
    types = Btf(blob.bytes())
    found = types.names(frozenset({"refill", "slow", "nothing_to_say", "inlined"}), btf.FUNC)
    assert {name: types.argument_count(index) for name, index in found.items()} == {
        "refill": 1, "slow": 2, "nothing_to_say": 0,
    }  # fmt: skip


def test_a_name_is_found_as_the_kind_that_was_asked_for() -> None:
    blob = Blob()
    integer = blob.integer("page_pool")
    blob.add(btf_blob.FWD, "page_pool")
    typedef = blob.add(btf_blob.TYPEDEF, "page_pool", integer)
    pool = blob.struct("page_pool", ("nid", integer, 0))
    types = Btf(blob.bytes())
    assert (types.find("page_pool", btf.STRUCT), types.find("page_pool", btf.TYPEDEF)) == (pool, typedef)
    assert types.names(frozenset({"page_pool"}), btf.FUNC) == {}


def test_a_name_is_found_whole_only() -> None:
    blob = Blob()
    for name in ("page_pool_params", "my_page_pool"):
        blob.struct(name)
    with pytest.raises(LookupError):
        Btf(blob.bytes()).find("page_pool", btf.STRUCT)


def test_a_name_that_stands_twice_in_the_strings_is_still_found() -> None:
    blob = Blob()
    blob.string("page")
    blob.strings += b"page\0"
    again = len(blob.strings) - 5
    integer = blob.integer()
    blob.struct("", ("flags", integer, 64))
    blob.words = blob.words[: -6 * 4] + struct.pack("<I", again) + blob.words[-5 * 4 :]
    assert Btf(blob.bytes()).offset("page.flags") == 8


def every_kind(blob: Blob) -> None:
    """One type of each kind, so that an id behind them is right only where the size of each of them is known."""
    integer = blob.integer()
    blob.add(btf_blob.PTR, "", integer)
    blob.array(integer, integer, 7)
    blob.struct("s", ("a", integer, 0), ("b", integer, 32))
    blob.union("u", ("a", integer, 0), ("b", integer, 0), ("c", integer, 0))
    blob.enum("e", A=1, B=2)
    blob.add(btf_blob.FWD, "f")
    for kind in (btf_blob.TYPEDEF, btf_blob.VOLATILE, btf_blob.CONST, btf_blob.RESTRICT, btf_blob.TYPE_TAG):
        blob.add(kind, "t" if kind in (btf_blob.TYPEDEF, btf_blob.TYPE_TAG) else "", integer)
    blob.function("function", integer, integer, integer)
    variable = blob.add(btf_blob.VAR, "v", integer, extra=[1])
    blob.add(btf_blob.DATASEC, ".data", 8, vlen=2, extra=[variable, 0, 4, variable, 4, 4])
    blob.add(btf_blob.FLOAT, "double", 8)
    blob.add(btf_blob.DECL_TAG, "tag", variable, extra=[0xFFFFFFFF])
    blob.enum64("e64", X=1 << 33, Y=3, Z=5)


def test_ids_stay_right_behind_every_kind_of_type() -> None:
    blob = Blob()
    every_kind(blob)
    last = blob.struct("page_pool", ("nid", 1, 64))
    types = Btf(blob.bytes())
    assert types.find("page_pool", btf.STRUCT) == last
    assert types.offset("page_pool.nid") == 8


def good() -> bytes:
    blob = Blob()
    every_kind(blob)
    return blob.bytes()


@pytest.mark.parametrize("size", range(0, len(good()), 13))
def test_a_truncated_blob_is_a_kernel_fact_error(size: int) -> None:
    with pytest.raises(KernelFactError):
        Btf(good()[:size])


def newer() -> bytes:
    """A blob with a layout section, and with a kind that only that section describes."""
    blob = Blob()
    every_kind(blob)
    blob.add(NEW, "new", vlen=2, extra=[7, 11, 13, 17, 19])
    blob.struct("page_pool", ("nid", 1, 64))
    return blob.bytes({**btf_blob.LAYOUT, NEW: (4, 8)})


def cut(blob: bytes, at: int, length: int) -> bytes:
    return blob[:at] + blob[at + length :]


def doubled(blob: bytes, at: int, length: int) -> bytes:
    return blob[: at + length] + blob[at:]


def overwritten(blob: bytes, at: int, value: int) -> bytes:
    return blob[:at] + bytes([value & 0xFF]) + blob[at + 1 :]


mutations = st.lists(
    st.tuples(st.sampled_from([overwritten, overwritten, overwritten, cut, doubled]), st.integers(0, 2**16),
              st.integers(0, 255)),
    min_size=1, max_size=20,
)  # fmt: skip


@given(st.sampled_from([good(), newer()]), mutations)
def test_a_corrupt_blob_answers_or_is_a_kernel_fact_error(
    blob: bytes, changes: list[tuple[Callable[[bytes, int, int], bytes], int, int]]
) -> None:
    for change, at, value in changes:
        blob = change(blob, at % (len(blob) or 1), value)
    with suppress(KernelFactError):
        types = Btf(blob)
        for question in (
            lambda: types.offset("u.c"),
            lambda: types.offset("page_pool.nid"),
            lambda: types.array_length("u.c"),
            lambda: types.enum_value("e", "B"),
            lambda: types.argument_count(types.find("function", btf.FUNC)),
        ):
            answered(question)


@pytest.mark.parametrize("kind", [0, NEW, 31, 32 | btf_blob.STRUCT, 127])
def test_a_kind_of_unknown_length_leaves_nothing_to_be_believed(kind: int) -> None:
    blob = Blob()
    blob.struct("before", ("a", blob.integer(), 0))
    blob.add(kind, "new", vlen=1, extra=[1 << 24, 1 << 24, 1 << 24])
    for made in (blob.bytes(), blob.bytes(btf_blob.LAYOUT)):
        with pytest.raises(KernelFactError, match=f"a type of kind {kind}, and no layout") as caught:
            Btf(made)
        assert caught.value.fix == "a newer ppobserve"


def test_a_kind_that_the_layout_section_describes_is_passed_over() -> None:
    types = Btf(newer())
    assert types.offset("page_pool.nid") == 8
    assert types.offset("s.b") == 4


def test_location_kinds_are_passed_over_without_a_layout_section() -> None:
    """Kinds 20 to 22, which say where a function that was inlined has its arguments."""
    blob = Blob()
    integer = blob.integer()
    parameter = blob.add(20, size_or_type=8, vlen=2, extra=[0x28, 7, 16])
    prototype = blob.add(21, vlen=1, extra=[parameter])
    blob.add(22, "inline.text", vlen=2, extra=[1, prototype, 64, 1, prototype, 128])
    blob.struct("page_pool", ("nid", integer, 64))
    assert Btf(blob.bytes()).offset("page_pool.nid") == 8


def test_a_layout_of_its_own_for_a_kind_that_is_passed_over_is_believed() -> None:
    blob = Blob()
    integer = blob.integer()
    blob.add(btf_blob.VAR, "v", integer, extra=[1, 2])
    blob.struct("page_pool", ("nid", integer, 64))
    assert Btf(blob.bytes({**btf_blob.LAYOUT, btf_blob.VAR: (8, 0)})).offset("page_pool.nid") == 8


@pytest.mark.parametrize("kind", [btf_blob.ARRAY, btf_blob.STRUCT, btf_blob.ENUM, btf_blob.FUNC_PROTO, btf_blob.FUNC])
def test_a_kind_that_is_read_in_a_layout_of_its_own_is_not_guessed_at(kind: int) -> None:
    blob = Blob()
    blob.struct("page_pool", ("nid", blob.integer(), 64))
    with pytest.raises(KernelFactError, match=f"types of kind {kind} are laid out in a new way"):
        Btf(blob.bytes({**btf_blob.LAYOUT, kind: (0, 16)}))


def test_a_layout_of_no_whole_words_is_malformed() -> None:
    blob = Blob()
    blob.integer()
    with pytest.raises(KernelFactError, match="malformed"):
        Btf(blob.bytes({**btf_blob.LAYOUT, NEW: (2, 0)}))


def test_more_than_65535_members_are_counted() -> None:
    blob = Blob()
    integer = blob.integer()
    many = 1 << 16 | 3
    blob.struct("huge", *[("m", integer, 0)] * many, ("last", integer, 64))
    blob.add(
        btf_blob.ENUM, "zone_type", 4, vlen=many, extra=[blob.string("Z"), 7] * (many - 1) + [blob.string("END"), 5]
    )
    types = Btf(blob.bytes())
    assert types.offset("huge.last") == 8
    assert types.enum_value("zone_type", "END") == 5


def test_a_name_of_a_kind_above_31_is_of_that_kind() -> None:
    blob = Blob()
    integer = blob.integer()
    blob.add(32 | btf_blob.STRUCT, "page_pool", vlen=1, extra=[blob.string("nid"), integer, 8])
    with pytest.raises(LookupError):
        Btf(blob.bytes({**btf_blob.LAYOUT, 32 | btf_blob.STRUCT: (0, 12)})).find("page_pool", btf.STRUCT)


@pytest.mark.parametrize(("at", "value"), [(2, 2), (3, 1)])
def test_another_version_or_a_flag_of_the_format_is_not_guessed_at(at: int, value: int) -> None:
    with pytest.raises(KernelFactError, match=r"cannot read the kernel's BTF: it is of version") as caught:
        Btf(overwritten(good(), at, value))
    assert caught.value.fix == "a newer ppobserve"


def test_a_member_that_is_no_array_has_no_length_and_what_is_no_prototype_no_arguments() -> None:
    blob = Blob()
    integer = blob.integer()
    blob.struct("pp_alloc_cache", ("cache", blob.add(btf_blob.PTR, "", integer), 64))
    function = blob.add(btf_blob.FUNC, "refill", integer)
    types = Btf(blob.bytes())
    with pytest.raises(LookupError):
        types.array_length("pp_alloc_cache.cache")
    with pytest.raises(KernelFactError, match="malformed"):
        types.argument_count(function)


def answered(question: Callable[[], int]) -> None:
    """An answer, or that there is none: an IndexError is a LookupError, too, but no answer."""
    try:
        assert question() >= 0
    except LookupError as error:
        assert type(error) is LookupError


def test_a_type_that_is_made_of_itself_is_a_kernel_fact_error() -> None:
    blob = Blob()
    blob.add(btf_blob.TYPEDEF, "t", 1)
    blob.struct("s", ("a", 1, 0))
    with pytest.raises(KernelFactError, match="malformed"):
        Btf(blob.bytes()).offset("s.a.b")


def sectioned(words: bytes) -> bytes:
    blob = Blob()
    blob.words = words
    return blob.bytes()


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"", "is empty"),
        (good()[:4] + struct.pack("<I", 20) + good()[8:], "malformed"),
        (good()[:4] + struct.pack("<I", 1 << 31) + good()[8:], "truncated"),
        (newer()[:24] + struct.pack("<I", 1 << 31) + newer()[28:], "truncated"),
        (b"\xeb\x9f" + good()[2:], "byte order"),
        (b"\x7fELF" + bytes(60), "byte order"),
        (sectioned(bytes(6)), "truncated"),
        (sectioned(struct.pack("<I", 0)), "malformed"),
        (sectioned(struct.pack("<2I", 0, btf_blob.FWD << 24)), "malformed"),
        (sectioned(struct.pack("<3I", 0, btf_blob.STRUCT << 24 | 5, 0)), "malformed"),
        (sectioned(struct.pack("<3I", 0, btf_blob.INT << 24, 4)), "malformed"),
    ],
)
def test_what_is_not_btf_is_a_kernel_fact_error(blob: bytes, words: str) -> None:
    with pytest.raises(KernelFactError, match=words):
        Btf(blob)


def test_a_kernel_without_btf_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(KernelFactError) as caught:
        btf.load(tmp_path / "vmlinux")
    assert "CONFIG_DEBUG_INFO_BTF=y" in caught.value.fix


def test_btf_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(KernelFactError, match=r"cannot read .*Is a directory"):
        btf.load(tmp_path)


def test_btf_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_bytes(good())
    assert btf.load(tmp_path / "vmlinux").offset("s.b") == 4
