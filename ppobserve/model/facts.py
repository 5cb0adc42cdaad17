"""A kernel's features as a JSON document, so that the choice of a plan can be replayed on another machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

from ppobserve.errors import UsageError
from ppobserve.model.features import Features

SCHEMA = 1


@dataclass(frozen=True)
class Facts:
    """Features that were recorded, and what whoever recorded them had to say."""

    features: Features
    note: str = ""


def to_facts(features: Features, note: str = "") -> dict[str, Any]:
    """The document. Addresses are left in: they are what a plan looks at, and change at every boot (KASLR)."""
    return {"schema": SCHEMA, "note": note, **{name: _ordered(fact) for name, fact in asdict(features).items()}}


def _ordered(fact: Any) -> Any:
    """Sorted, so that two documents can be compared line by line."""
    if isinstance(fact, Mapping):
        return dict(sorted(fact.items()))
    return sorted(fact) if isinstance(fact, frozenset) else fact


def from_facts(document: Any, source: str) -> Facts:
    """The facts back. UsageError for a document that is something else, was cut short, or is of another version."""
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        found = f"schema {document.get('schema')!r}" if isinstance(document, Mapping) else type(document).__name__
        raise UsageError(f"{source} holds no facts of schema {SCHEMA}", because=f"found {found}")
    missing = [name for name in ("note", *_FIELDS) if name not in document and name not in _LATER]
    if missing:
        raise UsageError(f"{source} lacks {', '.join(missing)}", fix="save the facts again, by this ppobserve")
    known = {name: kind for name, kind in _FIELDS.items() if name in document}
    wrong = [name for name, (fits, _) in known.items() if not fits(document[name])]
    if wrong or not isinstance(document["note"], str):
        raise UsageError(f"{source}: {', '.join(wrong) or 'note'}: not what facts are made of")
    return Facts(Features(**{name: take(document[name]) for name, (_, take) in known.items()}), document["note"])


Fits: TypeAlias = Callable[[Any], bool]
Take: TypeAlias = Callable[[Any], Any]


def _is(kind: type) -> Fits:
    return lambda value: type(value) is kind  # not isinstance: True is an int


def _list_of(each: Fits) -> Fits:
    return lambda value: isinstance(value, (list, tuple)) and all(map(each, value))


def _names_with(each: Fits) -> Fits:
    return lambda value: isinstance(value, Mapping) and all(map(each, value.values()))


def _is_range(value: Any) -> bool:
    return _list_of(_is(int))(value) and len(value) == 2


def _same(value: Any) -> Any:
    return value


# What a field of Features is in JSON, by its annotation: how to tell, and how to take it back.
_KINDS: Mapping[str, tuple[Fits, Take]] = {
    "str": (_is(str), _same),
    "int": (_is(int), _same),
    "bool": (_is(bool), _same),
    "frozenset[str]": (_list_of(_is(str)), frozenset),
    "Mapping[str, int]": (_names_with(_is(int)), dict),
    "Mapping[str, str]": (_names_with(_is(str)), dict),
    "Mapping[str, bool]": (_names_with(_is(bool)), dict),
    "Mapping[str, tuple[int, int]]": (
        _names_with(_is_range),
        lambda value: {name: tuple(ends) for name, ends in value.items()},
    ),
}
_LATER = frozenset({"capabilities", "user_namespace", "no_bpf", "no_btf_fix", "no_symbols"})
"""Facts that older files lack. They keep their default: unknown."""
_FIELDS = {field.name: _KINDS[str(field.type)] for field in fields(Features)}
