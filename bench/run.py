"""`make bench`: runs the bench scripts, writes what they print into docs/overhead.md, and ends with one line a claim.

    .venv/bin/python -m bench.run [SCRIPT...]

A section stands between ``<!-- bench/SCRIPT.py -->`` and ``<!-- end -->``; what is outside is written by hand.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parent.parent
PAGE, CLAIMS = TOP / "docs" / "overhead.md", TOP / "build" / "bench.jsonl"
SECTION = re.compile(r"<!-- bench/(\w+)\.py -->\n.*?<!-- end -->", re.DOTALL)


def main() -> int:
    """Exit status 1 when a script failed. A claim that is not met is no failure: it is printed, and written down."""
    page = PAGE.read_text()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", help=f"of {', '.join(scripts(page))} (default: all)")
    claims: list[str] = []
    for name in parser.parse_args().scripts or scripts(page):
        printed = run(name)
        section, lines = parted(printed)
        page = with_section(page, name, section)
        PAGE.write_text(page)
        claims += lines
    CLAIMS.parent.mkdir(exist_ok=True)
    CLAIMS.write_text("".join(f"{line}\n" for line in claims))
    print("\n".join(claims))
    return 0


def scripts(page: str) -> list[str]:
    """The scripts that the page has a section for, in its order."""
    return SECTION.findall(page)


def run(name: str) -> str:
    """What a script printed. CalledProcessError when it failed."""
    print(f"bench/{name}.py", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"bench.{name}"]
    return subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout


def parted(printed: str) -> tuple[str, list[str]]:
    """The section, and the claims that follow it."""
    lines = printed.splitlines()
    claims = [line for line in lines if line.startswith('{"claim"')]
    return "\n".join(line for line in lines if line not in claims).strip(), claims


def with_section(page: str, name: str, section: str) -> str:
    """*page* with that script's section replaced."""
    made = f"<!-- bench/{name}.py -->\n\n{section}\n\n<!-- end -->"
    return SECTION.sub(lambda old: made if old.group(1) == name else old.group(0), page)


if __name__ == "__main__":
    sys.exit(main())
