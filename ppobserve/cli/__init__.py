"""The command line: the only layer that prints and exits. It is imported before whatever an older Python cannot run."""

import sys

OLDEST = (3, 10)  # dataclass(slots=True), zip(strict=True)

if sys.version_info < OLDEST:
    wanted, found = (".".join(map(str, version[:2])) for version in (OLDEST, sys.version_info))
    sys.exit(f"ppobserve needs Python {wanted} or later; this is {found} ({sys.executable})")
