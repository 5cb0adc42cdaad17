"""The bpftrace scripts as they are in the tree: templates, filled in by ``model.bpftrace``."""

from __future__ import annotations

from pathlib import Path

from ppobserve.probe.program_text import bpf_folder

SUFFIX = ".bt"


def templates(folder: Path | None = None) -> dict[str, str]:
    """Every script's text, by its name."""
    folder = folder or bpf_folder() / "bpftrace"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"*{SUFFIX}"))}
