"""Is BCC there, and is it BCC?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ppobserve.errors import LoaderError
from ppobserve.probe.toolchain import require_bcc


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder that modules are found in."""
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def install(site: Path, *files: str) -> None:
    (site / "bcc").mkdir()
    for file in files:
        (site / "bcc" / file).touch()


def test_no_bcc_names_the_packages(site: Path) -> None:
    with pytest.raises(LoaderError, match="the Python module bcc is missing") as caught:
        require_bcc()
    for package in ("apt install python3-bpfcc", "dnf: python3-bcc", "pacman: python-bcc"):
        assert package in caught.value.fix


def test_a_folder_that_happens_to_be_called_bcc_is_no_module(site: Path) -> None:
    install(site)
    with pytest.raises(LoaderError, match="the Python module bcc is missing"):
        require_bcc()


def test_another_project_s_bcc_is_told_from_the_compiler(site: Path) -> None:
    install(site, "__init__.py")
    with pytest.raises(LoaderError, match="another project's package called bcc") as caught:
        require_bcc()
    assert "pip uninstall bcc" in caught.value.fix
    assert str(site / "bcc") in caught.value.because


def test_the_compiler_is_found_without_being_imported(site: Path) -> None:
    install(site, "__init__.py", "libbcc.py")
    require_bcc()
    assert "bcc" not in sys.modules
