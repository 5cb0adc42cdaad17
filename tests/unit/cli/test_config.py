"""The daemon's file: the example that we ship, and every way to get it wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from ppobserve.cli.config import load
from ppobserve.errors import ConfigError
from ppobserve.model.cardinality import Cardinality
from ppobserve.model.config import Config
from ppobserve.model.plan import Level, Rung

EXAMPLE = Path(__file__).parent.parent.parent.parent / "deploy/ppobserve.yaml"


def test_the_example_names_every_key_with_its_default_and_explains_it() -> None:
    assert load(EXAMPLE) == Config()
    text = EXAMPLE.read_text()
    assert list(yaml.safe_load(text)) == [field.name for field in fields(Config)]
    comments = "".join(line for line in text.splitlines() if line.startswith("#"))
    for choices in (Level, Rung, Cardinality):
        assert all(choice.value in comments for choice in choices)


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "ppobserve.yaml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"{}\n", b"---\n"])
def test_an_empty_file_is_the_defaults(tmp_path: Path, content: bytes) -> None:
    assert load(written(tmp_path, content)) == Config()


def test_comments_may_be_in_any_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(written(tmp_path, "level: lean  # größer gleich\n".encode())).level is Level.LEAN


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"level: lean\nlisten: [\n", "line 3: not YAML"),
        (b"level: lean\n\tlisten: x\n", "line 2: not YAML"),
        (b"a: b: c\n", "line 1: not YAML"),
        (b"level: !!python/name:os.system x\n", "line 1: not YAML"),
        (b"level: lean\x00\n", "not YAML"),
        (b"listen: 2026-99-99\n", "not YAML"),
        (b"level: lean\n---\nlevel: lean\n", "not YAML"),
        (b"\xff\xfe\xfd", "is not UTF-8 text"),
        (b"lvel: lean\n", "unknown key 'lvel'\n  try: 'level'"),
        (b"listen: 10817\n", "listen: 10817 is not ADDRESS:PORT"),
        (b"- level\n", "expected keys and values, found list"),
    ],
)
def test_a_wrong_file_is_a_sentence_that_names_it(tmp_path: Path, content: bytes, words: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.what
    assert words in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)
