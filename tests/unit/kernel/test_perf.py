"""Where kprobes are opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppobserve.kernel import perf


@pytest.mark.parametrize(("online", "cpu"), [("0-7\n", 0), ("1-3,5\n", 1), ("6\n", 6)])
def test_a_kprobe_is_opened_on_the_first_cpu_that_is_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, online: str, cpu: int
) -> None:
    (tmp_path / "type").write_text("8\n")
    (tmp_path / "online").write_text(online)
    asked: list[int] = []
    monkeypatch.setattr(perf, "_open", lambda attr, cpu: asked.append(cpu) or 23)
    assert perf.open_kprobe("page_pool_destroy", tmp_path / "type", cpus=tmp_path) == 23
    assert asked == [cpu]
