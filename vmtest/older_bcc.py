"""The BCC of a suite whose own Python is too old, for another Python: Ubuntu 22.04 has such a pair, 0.18 and 3.10.

CACHE/userspaces/bcc0.18-HASH has its module, and links to those of its libraries that this host lacks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from vmtest.userspaces import Userspace, cached

LIBRARY = "libbcc.so.0"
MISSING = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


def environment(userspace: Userspace) -> dict[str, str]:
    """Return what has a Python of this host import the BCC of a user space."""
    folder = cached(f"bcc{userspace.bcc}", [str(userspace.root)], lambda folder: _make(userspace.root, folder))
    return {"PYTHONPATH": str(folder / "python"), "LD_LIBRARY_PATH": str(folder / "lib")}


def _make(root: Path, folder: Path) -> None:
    libraries = folder / "lib"
    libraries.mkdir()
    wanted = {LIBRARY}
    while wanted:
        for name in wanted:
            found = next(path for libdir in ("usr/lib", "lib") for path in root.glob(f"{libdir}/*/{name}"))
            (libraries / name).symlink_to(found.resolve())
        wanted = set(_missing(libraries))
    shutil.copytree(root / "usr/lib/python3/dist-packages/bcc", folder / "python/bcc")


def _missing(libraries: Path) -> list[str]:
    """Libraries that the linker does not find, with those that are there by now."""
    looked_for = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    ldd = subprocess.run(["ldd", libraries / LIBRARY], env=looked_for, capture_output=True, text=True, check=True)
    return MISSING.findall(ldd.stdout)
