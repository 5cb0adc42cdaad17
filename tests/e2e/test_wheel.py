"""The wheel, as someone would install it: it carries the kernel side, and works away from the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SYSTEM_BCC = Path("/usr/lib/python3/dist-packages/bcc")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = list(map(str, command))
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = run(*PIP, "wheel", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("ppobserve-*.whl")
    return made


def test_wheel_carries_every_bpf_source_the_page_and_its_types(wheel: Path) -> None:
    page = {"ppobserve/export/page.css", "ppobserve/export/page.js", "ppobserve/py.typed"}
    sources = page | {f"ppobserve/_bpf/{path.relative_to(ROOT / 'bpf')}" for path in (ROOT / "bpf").rglob("*.*")}
    assert len(sources) > 15
    assert sources <= set(zipfile.ZipFile(wheel).namelist())


def test_wheel_carries_manual_pages_and_completions(wheel: Path) -> None:
    share = {name.partition("/data/share/")[2] for name in zipfile.ZipFile(wheel).namelist() if "/data/share/" in name}
    pages = {f"man/man8/{path.name}" for path in (ROOT / "docs/man/man8").glob("*.8")}
    assert len(pages) > 5
    assert share == pages | {
        "bash-completion/completions/ppobserve",
        "zsh/site-functions/_ppobserve",
        "fish/vendor_completions.d/ppobserve.fish",
    }


def test_installed_wheel_checks_and_counts(wheel: Path, tmp_path: Path, live: None) -> None:
    site = tmp_path / "site"
    installed = run(*PIP, "install", "--target", site, wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    env = {**os.environ, "PYTHONPATH": str(site)}
    command = (sys.executable, "-m", "ppobserve.cli.main")
    where = run(sys.executable, "-c", "import ppobserve; print(ppobserve.__file__)", cwd=tmp_path, env=env)
    assert where.stdout.startswith(str(site))
    check = run(*command, "check", cwd=tmp_path, env=env)
    assert check.returncode == 0, check.stderr
    assert check.stdout.endswith("observable: yes\n")
    top = run(*command, "top", "--once", "--json", "--level", "standard", "0.05", cwd=tmp_path, env=env)
    assert top.returncode == 0, top.stderr
    assert json.loads(top.stdout)["schema"] == 1


def test_wheel_without_its_bpf_sources_says_so(wheel: Path, tmp_path: Path, live: None) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if "/_bpf/" not in name])
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    check = run(
        sys.executable, "-m", "ppobserve.cli.main", "check", cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}
    )
    assert check.returncode == 1
    assert "the BPF sources are missing" in check.stdout
    assert "reinstall ppobserve" in check.stdout


def test_wheel_in_a_plain_virtual_environment_says_what_to_do(
    wheel: Path, tmp_path: Path, require: Callable[..., None], live: None
) -> None:
    """It does not see the distribution's BCC; made once more as the answer says, it does."""
    require(SYSTEM_BCC.exists(), f"no {SYSTEM_BCC}: not Debian, or python3-bpfcc is not installed")
    venv = tmp_path / "venv"
    assert run("/usr/bin/python3", "-m", "venv", "--without-pip", venv, cwd=tmp_path).returncode == 0
    installed = run(*PIP, "--python", venv / "bin/python", "install", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    top = run(venv / "bin/ppobserve", "top", "--once", "--level", "standard", cwd=tmp_path)
    assert top.returncode == 1
    _, _, fix = top.stderr.partition("recreate the virtual environment with --system-site-packages: ")
    assert fix == f"/usr/bin/python3 -m venv --system-site-packages {venv}\n"
    assert run(*fix.split(), "--without-pip", cwd=tmp_path).returncode == 0
    check = run(venv / "bin/ppobserve", "check", cwd=tmp_path)
    assert check.stdout.endswith("observable: yes\n"), check.stdout
