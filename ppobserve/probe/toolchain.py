"""Is BCC there? Answered without importing it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from ppobserve.errors import LoaderError

FIX = "apt install python3-bpfcc  (dnf: python3-bcc, pacman: python-bcc), for the distribution's own python3"
SYSTEM = "/usr/bin/python3"
"""The distribution's interpreter."""
FOLDERS = (
    "/usr/lib/python3/dist-packages",  # Debian, Ubuntu
    "/usr/lib/python3.*/site-packages",  # Fedora, Arch, Alpine
    "/usr/lib64/python3.*/site-packages",  # SUSE
)
"""Where distributions put the modules of their own interpreter, as patterns."""


def require_bcc() -> None:
    """LoaderError when the module ``bcc`` is missing, or is another project's."""
    spec = find_spec("bcc")
    if spec is None or spec.origin is None:  # a folder of that name, with no module in it, is no module
        raise no_bcc("No module named 'bcc'")
    folder = Path(spec.origin).parent
    if not _is_bcc(folder):
        raise wrong_bcc(f"{folder} has no libbcc.py")


def no_bcc(why: str) -> LoaderError:
    """The error for a Python without BCC."""
    because, fix = _elsewhere() or (why, FIX)
    return LoaderError("the Python module bcc is missing", because=because, fix=fix)


def wrong_bcc(why: str) -> LoaderError:
    """The error for PyPI's package of the same name, which is another project."""
    _, fix = _elsewhere() or (why, FIX)
    return LoaderError(
        "another project's package called bcc is in the way", because=why, fix=f"pip uninstall bcc; {fix}"
    )


def _elsewhere() -> tuple[str, str] | None:
    """Why the distribution's BCC is not seen here, and what helps; None if it is not installed."""
    folders = (each / "bcc" for pattern in FOLDERS for each in Path("/").glob(pattern.lstrip("/")))
    folder = next(filter(_is_bcc, folders), None)
    if folder is None:
        return None
    if sys.prefix == sys.base_prefix:
        return f"{folder} is for {SYSTEM}, and this is {sys.executable}", f"run ppobserve with {SYSTEM}"
    return (
        f"{folder} is there, and the virtual environment {sys.prefix} does not see it",
        "recreate the virtual environment with --system-site-packages: "
        f"{SYSTEM} -m venv --system-site-packages {sys.prefix}",
    )


def _is_bcc(folder: Path) -> bool:
    """True for the BPF Compiler Collection, whatever else is called bcc."""
    return (folder / "libbcc.py").is_file()
