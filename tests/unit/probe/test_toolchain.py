"""Is BCC there, and is it BCC?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ppobserve.errors import LoaderError
from ppobserve.probe import toolchain
from ppobserve.probe.toolchain import require_bcc


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder that modules are found in; the distribution has none."""
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(toolchain, "FOLDERS", (f"{tmp_path}/none",))
    return tmp_path


@pytest.fixture
def distribution(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that has BCC for its own interpreter, which this is not."""
    folder = site / "lib/python3.11/site-packages"
    folder.mkdir(parents=True)
    install(folder, "__init__.py", "libbcc.py")
    monkeypatch.setattr(
        toolchain, "FOLDERS", (f"{site}/lib/python3/dist-packages", f"{site}/lib/python3.*/site-packages")
    )
    return folder / "bcc"


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


def test_a_virtual_environment_that_does_not_see_bcc_is_to_be_recreated(
    distribution: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", "/opt/venv")
    with pytest.raises(LoaderError) as caught:
        require_bcc()
    assert str(caught.value) == (
        "the Python module bcc is missing\n"
        f"  {distribution} is there, and the virtual environment /opt/venv does not see it\n"
        "  try: recreate the virtual environment with --system-site-packages: "
        "/usr/bin/python3 -m venv --system-site-packages /opt/venv"
    )


def test_another_project_s_bcc_in_a_virtual_environment(
    distribution: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", "/opt/venv")
    install(site, "__init__.py")
    with pytest.raises(LoaderError) as caught:
        require_bcc()
    assert caught.value.fix.startswith("pip uninstall bcc; recreate the virtual environment")


def test_another_interpreter_than_the_distribution_s(distribution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(sys, "executable", "/usr/local/bin/python3")
    with pytest.raises(LoaderError) as caught:
        require_bcc()
    assert caught.value.because == f"{distribution} is for /usr/bin/python3, and this is /usr/local/bin/python3"
    assert caught.value.fix == "run ppobserve with /usr/bin/python3"
