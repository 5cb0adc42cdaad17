"""Facts as a document: they come back as they went, and what is not facts is refused with a sentence."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppobserve.errors import UsageError
from ppobserve.model.facts import _LATER, Facts, from_facts, to_facts
from ppobserve.model.features import Features
from tests.unit.factories import KERNEL, kernel

names, numbers = st.text(max_size=20), st.integers(-(2**63), 2**64)
BY_KIND = {
    "str": names,
    "int": numbers,
    "bool": st.booleans(),
    "frozenset[str]": st.frozensets(names, max_size=4),
    "Mapping[str, int]": st.dictionaries(names, numbers, max_size=4),
    "Mapping[str, bool]": st.dictionaries(names, st.booleans(), max_size=4),
    "Mapping[str, str]": st.dictionaries(names, names, max_size=4),
    "Mapping[str, tuple[int, int]]": st.dictionaries(names, st.tuples(numbers, numbers), max_size=4),
}
any_features = st.builds(Features, **{field.name: BY_KIND[str(field.type)] for field in fields(Features)})
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(any_features, names)
def test_facts_come_back_as_they_went(features: Features, note: str) -> None:
    assert from_facts(json.loads(json.dumps(to_facts(features, note))), "f") == Facts(features, note)


def test_the_same_facts_are_the_same_text() -> None:
    turned = kernel(symbols=dict(reversed(KERNEL.symbols.items())), functions=dict(reversed(KERNEL.functions.items())))
    assert json.dumps(to_facts(turned)) == json.dumps(to_facts(KERNEL))


def test_a_fact_that_a_newer_version_added_is_passed_over() -> None:
    assert from_facts({**to_facts(KERNEL), "unheard_of": [1]}, "f").features == KERNEL


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([1, 2], "found list"),
        ("facts", "found str"),
        (None, "found NoneType"),
        ({}, "found schema None"),
        ({"schema": 2}, "found schema 2"),
        ({"schema": "1"}, "found schema '1'"),
        ({"schema": "\x1b[2J"}, r"found schema '\x1b[2J'"),
    ],
)
def test_what_is_not_facts_is_a_sentence(document: object, found: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_facts(document, "f.json")
    assert str(caught.value) == f"f.json holds no facts of schema 1\n  {found}"


@pytest.mark.parametrize("name", ["note", *(field.name for field in fields(Features) if field.name not in _LATER)])
def test_facts_that_lack_one_are_a_sentence_that_names_it(name: str) -> None:
    document = to_facts(KERNEL)
    del document[name]
    with pytest.raises(UsageError, match=f"f.json lacks {name}"):
        from_facts(document, "f.json")


def test_a_file_of_before_a_fact_was_added_leaves_it_unknown() -> None:
    document = {name: fact for name, fact in to_facts(KERNEL).items() if name not in _LATER}
    assert from_facts(document, "f").features == KERNEL
    assert replace(KERNEL, **{name: getattr(Features(), name) for name in _LATER}) == KERNEL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("note", 5),
        ("capabilities", {"BPF": 1}),
        ("user_namespace", "no"),
        ("kernel", None),
        ("root", 1),
        ("cpus", True),
        ("cpus", "4"),
        ("cpus", 4.0),
        ("tracepoints", "page_pool_release"),
        ("tracepoints", [7]),
        ("offsets", []),
        ("offsets", {"PP_NID": "8"}),
        ("functions", {"page_pool_destroy": None}),
        ("symbols", {"page_pool_destroy": 7}),
        ("symbols", {"page_pool_destroy": [7]}),
        ("symbols", {"page_pool_destroy": [7, 8, 9]}),
        ("symbols", {"page_pool_destroy": [7, "8"]}),
        ("refusals", {"fentry": None}),
    ],
)
def test_a_fact_of_another_kind_is_a_sentence_that_names_it(name: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        from_facts({**to_facts(KERNEL), name: value}, "f.json")
    assert caught.value.what == f"f.json: {name}: not what facts are made of"
    assert caught.value.exit_status == 2


@given(st.sampled_from([field.name for field in fields(Features)]), anything)
def test_whatever_stands_for_a_fact_it_is_taken_or_refused(name: str, value: Any) -> None:
    try:
        taken = from_facts({**to_facts(KERNEL), name: value}, "f").features
    except UsageError:
        return
    assert to_facts(taken)[name] == value or name == "tracepoints"
