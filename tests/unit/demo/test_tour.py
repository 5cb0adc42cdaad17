"""What a tour says of the machine that it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.tour import processor


@pytest.mark.parametrize(
    ("text", "said"),
    [("model name: QEMU TCG CPU version 2.5+\n", "emulated, so everything takes longer"), ("model name: Xeon\n", "")],
)
def test_an_emulated_cpu_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert processor(tmp_path / "cpuinfo") == said


def test_a_proc_without_cpuinfo_is_no_reason_to_stop(tmp_path: Path) -> None:
    assert processor(tmp_path / "cpuinfo") == ""
