"""Runs tests/live in a guest: ``python -m vmtest.live_tests RESULTS [OPTIONS]``, from the top of the tree.

Which tests a kernel is asked hangs on what it is able to do, and on how wide the role is tested. RESULTS gets able.json
(the capabilities), junit.xml, figures, support.json and bpftrace.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from vmtest.abilities import abilities, facts

LIVE = Path(__file__).parent.parent / "tests" / "live"
HANG_SECONDS = 240
# An emulated CPU takes a quarter of a minute for each of those, and they are the same on every kernel.
NOT_HERE = ("-m", "not host")
READ_ONLY = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")

BY_KERNEL: Mapping[str, tuple[str, ...]] = {
    "attach": (),
    "support": (),
    "frames": ("frames",),
    "life": ("frames",),
    "trace": ("frames",),
    "counts": ("veth",),
    "identity": ("veth",),
    "nid": ("veth",),
    "virtio": ("virtio",),
    "bpftrace": ("frames", "bpftrace"),
}
"""tests/live/test_NAME.py to what a kernel must be able to do for it: without that it would only skip."""
SHORT = ("support", "counts")
"""Of sid, whose kernel lies between stable's and newest: every rung attaches for these, once."""
WIDE = "newest"
"""The role that is asked all of tests/live. Kernels make little difference to what is not in BY_KERNEL."""


def every() -> tuple[str, ...]:
    """Return all of tests/live, by name."""
    return tuple(sorted(path.stem.removeprefix("test_") for path in LIVE.glob("test_*.py")))


def asked(name: str) -> tuple[str, ...]:
    """Return the tests for a role or series, by name."""
    if name == WIDE:
        return every()
    return SHORT if name == "sid" else tuple(BY_KERNEL)


def possible(tests: Collection[str], able: Collection[str]) -> list[str]:
    """Return those of *tests* whose needs are met."""
    return [name for name in tests if set(BY_KERNEL.get(name, ())) <= set(able)]


def pytest_command(tests: Collection[str], results: Path, only: str = "") -> list[str]:
    """Return the command line. pytest prints a line a test, and the stacks of a test that hangs. *only* is its -k."""
    chosen = ("-k", only) if only else NOT_HERE
    options = ["-v", "--durations=10", "-o", f"faulthandler_timeout={HANG_SECONDS}", *chosen, *READ_ONLY]
    files = [f"tests/live/test_{name}.py" for name in tests]
    return [sys.executable, "-B", "-m", "pytest", *options, f"--junitxml={results / 'junit.xml'}", *files]


def environment(able: Collection[str], results: Path) -> dict[str, str]:
    """Return the environment of the tests."""
    return {
        "PPOBSERVE_GUEST": "1",
        "PPOBSERVE_REQUIRE_LIVE": "1",
        "PPOBSERVE_EXPECT": ",".join(able),
        "PPOBSERVE_FIGURES": str(results / "figures"),
        "PPOBSERVE_SUPPORT": str(results / "support.json"),
        "PYTHONDONTWRITEBYTECODE": "1",  # the tree is read-only
    }


def main() -> None:
    """Gather the facts of the kernel, then become pytest."""
    parser = argparse.ArgumentParser(prog="python -m vmtest.live_tests")
    parser.add_argument("results", type=Path)
    parser.add_argument("--tests", nargs="+", choices=every(), default=tuple(BY_KERNEL))
    parser.add_argument("--only", metavar="EXPRESSION", default="", help="of those, tests that fit: pytest's -k")
    args = parser.parse_args()
    able = abilities(facts())
    (args.results / "able.json").write_text(json.dumps(able))
    print(f"{os.uname().release} must be able to do: {', '.join(able)}", flush=True)
    command = pytest_command(possible(args.tests, able), args.results, args.only)
    os.execve(command[0], command, {**os.environ, **environment(able, args.results)})


if __name__ == "__main__":
    main()
