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


KERNEL, UPDATE = "Debian 7.3.4-1", "Debian 7.3.9-1"


def found(mark: str, refused: str = "", kernel: str = KERNEL) -> dict[str, object]:
    cell = {"refused": refused, "metrics": dict.fromkeys([] if refused else support.ROWS, mark)}
    return {"kernel": kernel, "rungs": {"fentry": cell}}


def test_the_same_again_is_no_news() -> None:
    assert not support.write(found("yes"))
    assert not support.write(found("yes"))


def test_what_moved_once_stays_seen(folder: Path) -> None:
    support.write(found("yes"))
    assert not support.write(found("counted"))
    kept = json.loads((folder / "support/7.3.json").read_text())
    assert set(kept["rungs"]["fentry"]["metrics"].values()) == {"yes"}


@pytest.mark.parametrize("then", [found("no hook"), found("", refused="no kprobes")])
def test_what_is_no_longer_counted_is_news(folder: Path, then: dict[str, object]) -> None:
    support.write(found("yes"))
    assert support.write(then) == [f"what is counted on {KERNEL} has changed: git diff docs/support/7.3.json"]
    assert "-<sup>1</sup>" in (folder / "page.md").read_text()


def test_a_metric_that_is_counted_from_now_on_is_news() -> None:
    support.write(found("no hook"))
    assert support.write(found("counted"))


@pytest.mark.parametrize("kernel", [UPDATE, "Debian 7.4.1-1", "Debian 7.10.1-1"])
def test_a_kernel_that_never_ran_may_let_us_count_more(folder: Path, kernel: str) -> None:
    support.write(found("no hook"))
    assert not support.write(found("counted", kernel=kernel))
    assert kernel in (folder / "page.md").read_text()


@pytest.mark.parametrize("kernel", [UPDATE, "Debian 7.4.1-1"])
def test_what_a_kernel_that_never_ran_no_longer_lets_us_count_is_said(kernel: str) -> None:
    support.write(found("yes"))
    assert f"{kernel}: no slow_refills by fentry (no hook), which {KERNEL} has" in support.write(
        found("no hook", kernel=kernel)
    )


def test_a_rung_that_a_kernel_that_never_ran_refuses_is_said() -> None:
    support.write(found("yes"))
    assert support.write(found("", refused="no kprobes", kernel=UPDATE)) == [
        f"{UPDATE}: no rung fentry (no kprobes), which {KERNEL} has"
    ]


def test_the_first_kernel_of_all_has_none_to_compare_with(folder: Path) -> None:
    assert not support.write(found("yes"))
    assert not support.write(found("no hook", kernel="Debian 6.1.1-1"))  # older than what is known
    assert sorted(path.stem for path in (folder / "support").iterdir()) == ["6.1", "7.3"]
