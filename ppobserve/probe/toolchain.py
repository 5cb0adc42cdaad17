"""Is BCC there? Answered without importing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ppobserve.errors import LoaderError

FIX = "apt install python3-bpfcc  (dnf: python3-bcc, pacman: python-bcc), for the distribution's own python3"


def require_bcc() -> None:
    """LoaderError when the module ``bcc`` is missing, or is another project's."""
    spec = find_spec("bcc")
    if spec is None or spec.origin is None:  # a folder of that name, with no module in it, is no module
        raise no_bcc("No module named 'bcc'")
    folder = Path(spec.origin).parent
    if not (folder / "libbcc.py").is_file():
        raise wrong_bcc(f"{folder} has no libbcc.py")


def no_bcc(why: str) -> LoaderError:
    """The error for a Python without BCC."""
    return LoaderError("the Python module bcc is missing", because=why, fix=FIX)


def wrong_bcc(why: str) -> LoaderError:
    """The error for PyPI's package of the same name, which is another project."""
    return LoaderError(
        "another project's package called bcc is in the way", because=why, fix=f"pip uninstall bcc; {FIX}"
    )
