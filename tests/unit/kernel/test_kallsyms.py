"""Which functions kallsyms lists, and how far each reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppobserve.errors import KernelFactError
from ppobserve.kernel.kallsyms import Symbols, look_up

REFILL = "page_pool_refill_alloc_cache"
LISTED = f"""\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000100 t {REFILL}
ffffffff81000100 t alias_of_the_refill
ffffffff81000230 T page_pool_destroy
ffffffff81000300 t cloned.isra.0
ffffffff81000400 t cloned.cold
ffffffff81000500 D data
ffffffff81000600 T last
ffffffffc0000000 t in_a_module\t[veth]
ffffffffc0000100 t {REFILL}_tail\t[veth]
"""


def look(tmp_path: Path, *names: str, text: str = LISTED) -> dict[str, tuple[int, int]]:
    (tmp_path / "kallsyms").write_text(text)
    return look_up(frozenset(names), frozenset(), tmp_path / "kallsyms")[0]


def test_a_function_ends_where_the_next_address_begins(tmp_path: Path) -> None:
    assert look(tmp_path, REFILL, "page_pool_destroy") == {
        REFILL: (0xFFFFFFFF81000100, 0xFFFFFFFF81000230),
        "page_pool_destroy": (0xFFFFFFFF81000230, 0xFFFFFFFF81000300),
    }


@pytest.mark.parametrize("name", ["nothing", "cloned", "data", "in_a_module", "page_pool", "refill_alloc_cache"])
def test_clones_data_modules_and_parts_of_names_are_no_functions(tmp_path: Path, name: str) -> None:
    assert look(tmp_path, name) == {}


def test_variables_are_where_their_line_says(tmp_path: Path) -> None:
    (tmp_path / "kallsyms").write_text(LISTED)
    wanted = frozenset({"data", "last", "fixed_percpu_data", "in_a_module", "ata"})
    assert look_up(frozenset(), wanted, tmp_path / "kallsyms")[1] == {
        "data": 0xFFFFFFFF81000500,
        "last": 0xFFFFFFFF81000600,
        "fixed_percpu_data": 0,
    }


def test_hidden_addresses_are_zeros(tmp_path: Path) -> None:
    hidden = "".join(f"{0:016x} {line[17:]}\n" for line in LISTED.splitlines())
    assert look(tmp_path, REFILL, text=hidden) == {REFILL: (0, 0)}


def test_the_first_and_the_last_line_count_too(tmp_path: Path) -> None:
    text = "ffffffff81000000 t first\nffffffff81000100 t last\n"
    assert look(tmp_path, "first", "last", text=text)["first"] == (0xFFFFFFFF81000000, 0xFFFFFFFF81000100)
    assert look(tmp_path, "last", text=text)["last"][0] == 0xFFFFFFFF81000100


def test_where_there_is_no_kallsyms_the_sentence_says_what_hides_it(tmp_path: Path) -> None:
    with pytest.raises(KernelFactError, match=f"{tmp_path}/kallsyms does not exist") as caught:
        look_up(frozenset({REFILL}), frozenset(), tmp_path / "kallsyms")
    assert "subset=pid" in caught.value.because


def test_an_empty_kallsyms_is_one_that_a_container_hides(tmp_path: Path) -> None:
    with pytest.raises(KernelFactError, match=f"{tmp_path}/kallsyms is empty") as caught:
        look(tmp_path, REFILL, text="")
    assert "a container" in caught.value.because


def symbols(tmp_path: Path, text: str = LISTED) -> Symbols:
    (tmp_path / "kallsyms").write_text(text)
    return Symbols(tmp_path / "kallsyms")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (0xFFFFFFFF81000231, "page_pool_destroy+0x1"),
        (0xFFFFFFFF81000230, "page_pool_destroy+0x0"),
        (0xFFFFFFFF8100022F, f"{REFILL}+0x12f"),
        (0xFFFFFFFF81000510, "cloned.cold+0x110"),
        (0xFFFFFFFFC0000012, "in_a_module+0x12 [veth]"),
        (0xFFFFFFFF81000700, "last+0x100"),
        (0xFFFFFFFFA0000000, "0xffffffffa0000000"),
        (0x10, "0x10"),
    ],
)
def test_an_address_is_a_function_and_how_far_into_it(tmp_path: Path, address: int, name: str) -> None:
    assert symbols(tmp_path).name(address) == name


def test_the_table_is_read_once(tmp_path: Path) -> None:
    named = symbols(tmp_path)
    assert named.name(0xFFFFFFFF81000231) == "page_pool_destroy+0x1"
    (tmp_path / "kallsyms").unlink()
    assert named.name(0xFFFFFFFF81000232) == "page_pool_destroy+0x2"


@pytest.mark.parametrize("text", ["", "".join(f"{0:016x} {line[17:]}\n" for line in LISTED.splitlines())])
def test_where_addresses_are_hidden_they_stay_addresses(tmp_path: Path, text: str) -> None:
    assert symbols(tmp_path, text).name(0xFFFFFFFF81000231) == "0xffffffff81000231"
    for closed in (tmp_path / "none", tmp_path):
        assert Symbols(closed).name(0x20) == "0x20"


def test_a_file_that_is_kept_from_us_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(KernelFactError, match=f"cannot read {tmp_path}: Is a directory"):
        look_up(frozenset({"page_pool_create"}), frozenset(), tmp_path)
