"""Versions of Python that no Debian suite has, if an interpreter is on PATH or pyenv has one. They have no BCC.

CACHE/userspaces/python3.10-HASH is an environment with what ppobserve depends on and the test tools, from pip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from vmtest.userspaces import UserspaceMissing, cached, requirements, run, tools

VERSIONS = ("3.10", "3.12")
"""Beside the host's, and those of userspaces.SUITES."""
WHICH = "import sys, venv; print('%d.%d' % sys.version_info[:2])"


def find(version: str) -> Path:
    """Return the interpreter of an environment for a version. UserspaceMissing if this machine has no such Python."""
    interpreter = next((path for path in _candidates(version) if _version(path) == version), None)
    if not interpreter:
        raise UserspaceMissing(f"no Python {version} on PATH or of pyenv")
    needed = [*requirements(), *tools()]

    def make(folder: Path) -> None:
        # By copies: an environment is moved to its place when it is whole, and finds itself by where it is.
        run(str(interpreter), "-m", "venv", "--copies", str(folder / "env"))
        run(str(folder / "env/bin/python"), "-m", "pip", "install", "--quiet", *needed)

    return cached(f"python{version}", [str(interpreter), *needed], make) / "env/bin/python"


def _candidates(version: str) -> Iterator[str]:
    if found := shutil.which(f"python{version}"):
        yield found
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from map(str, sorted(versions.glob(f"{version}.*/bin/python")))


def _version(interpreter: str) -> str:
    """Its version; empty if it does not run, as a shim of pyenv may not, or cannot make environments."""
    return subprocess.run([interpreter, "-c", WHICH], capture_output=True, text=True).stdout.strip()
