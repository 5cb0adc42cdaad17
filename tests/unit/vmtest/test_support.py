"""What a run finds of what is counted, and what stays of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import support


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(support, "DOCS", tmp_path)
    monkeypatch.setattr(support, "PAGE", tmp_path / "page.md")
    return tmp_path


def found(mark: str, refused: str = "") -> dict[str, object]:
    return {"fentry": {"refused": refused, "metrics": dict.fromkeys([] if refused else support.ROWS, mark)}}


def test_the_first_run_is_news_and_the_same_again_is_none() -> None:
    assert not support.write("7.3", found("yes"))
    assert support.write("7.3", found("yes"))


def test_what_moved_once_stays_seen(folder: Path) -> None:
    support.write("7.3", found("yes"))
    assert support.write("7.3", found("counted"))
    kept = json.loads((folder / "support/7.3.json").read_text())
    assert set(kept["fentry"]["metrics"].values()) == {"yes"}


@pytest.mark.parametrize("then", [found("no hook"), found("", refused="no kprobes")])
def test_what_is_no_longer_counted_is_news(folder: Path, then: dict[str, object]) -> None:
    support.write("7.3", found("yes"))
    assert not support.write("7.3", then)
    assert "-<sup>1</sup>" in (folder / "page.md").read_text()


def test_a_metric_that_is_counted_from_now_on_is_news() -> None:
    support.write("7.3", found("no hook"))
    assert not support.write("7.3", found("counted"))
