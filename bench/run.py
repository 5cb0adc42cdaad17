"""`make bench`: runs the bench scripts, writes what they print into docs/overhead.md, and ends with one line a claim.

    .venv/bin/python -m bench.run [SCRIPT...]

A section stands between ``<!-- bench/SCRIPT.py -->`` and ``<!-- end -->``; what is outside is written by hand.
README.md quotes four of the claims. A script that is not run leaves its section and its claims as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TOP = Path(__file__).parent.parent
PAGE, CLAIMS = TOP / "docs" / "overhead.md", TOP / "build" / "bench.jsonl"
SECTION = re.compile(r"<!-- bench/(\w+)\.py -->\n.*?<!-- end -->", re.DOTALL)
README = TOP / "README.md"
QUOTED = re.compile(r"<!-- bench/run\.py -->\n.*?<!-- end -->", re.DOTALL)
FRAME = "added to a live frame on this host, standard, tracepoint"
QUOTES = {
    "ring, redirected: added by standard fentry": "added to a page that goes through the ring and on to another device",
    "ring: standard's part of what bpftrace adds": "of what a bpftrace script adds that counts the same",
    FRAME: "added to a dropped page by tracepoints alone",
    "daemon, 64 pools": "the daemon's memory with 64 pools",
}
"""What a buyer asks for: claims, and what they are called in README.md."""


def main() -> int:
    """Exit status 1 when a script failed. A claim that is not met is no failure: it is printed, and written down."""
    page = PAGE.read_text()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", help=f"of {', '.join(scripts(page))} (default: all)")
    CLAIMS.parent.mkdir(exist_ok=True)
    for name in parser.parse_args().scripts or scripts(page):
        section, lines = parted(run(name))
        PAGE.write_text(with_section(PAGE.read_text(), name, section))
        CLAIMS.write_text("".join(f"{line}\n" for line in [*claims_of_others(name), *lines]))
    claims = CLAIMS.read_text().splitlines()
    README.write_text(with_quotes(README.read_text(), claims))
    print("\n".join(claims))
    return 0


def claims_of_others(name: str) -> list[str]:
    """The lines that scripts other than *name* left in build/bench.jsonl."""
    lines = CLAIMS.read_text().splitlines() if CLAIMS.exists() else []
    return [line for line in lines if json.loads(line)["script"] != f"bench/{name}.py"]


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


def with_quotes(readme: str, claims: Iterable[str]) -> str:
    """*readme* with these claims in its table; as it was when one that it quotes was never measured."""
    values = {each["claim"]: each for each in map(json.loads, claims)}
    if not QUOTES.keys() <= values.keys():
        return readme
    lines = [f"| {words} | {quoted(values[name])} |\n" for name, words in QUOTES.items()]
    return QUOTED.sub(
        lambda old: (
            f"<!-- bench/run.py -->\n\n| level `standard` | measured |\n|---|---|\n{''.join(lines)}\n<!-- end -->"
        ),
        readme,
    )


def quoted(claim: Mapping[str, Any]) -> str:
    """A value with three digits that count; a share in percent."""
    value, unit = (claim["value"], claim["unit"]) if claim["unit"] else (100 * claim["value"], "%")
    return f"{float(f'{value:.3g}'):g} {unit}"


if __name__ == "__main__":
    sys.exit(main())
