"""`make bench` puts what scripts print into the page, and leaves the rest of it alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench import run

PAGE = """# What it costs

By hand.

<!-- bench/cost.py -->

old

<!-- end -->

By hand, too.

<!-- bench/frames.py -->
<!-- end -->
"""
CLAIM = '{"claim": "RSS", "value": 1.0}'


def test_the_page_says_which_scripts_there_are() -> None:
    assert run.scripts(PAGE) == ["cost", "frames"]


def test_what_a_script_printed_is_a_section_and_its_claims() -> None:
    assert run.parted(f"\n## Memory\n\n| a |\n\n{CLAIM}\n{CLAIM}\n") == ("## Memory\n\n| a |", [CLAIM, CLAIM])


def test_a_section_is_replaced_and_nothing_else() -> None:
    page = run.with_section(PAGE, "frames", r"new \1 section")
    assert page == PAGE.replace("py -->\n<!-- end", "py -->\n\nnew \\1 section\n\n<!-- end")
    assert run.with_section(page, "frames", r"new \1 section") == page
    assert "old" not in run.with_section(page, "cost", "newer")


README = "# Name\n\n<!-- bench/run.py -->\n<!-- end -->\n\nMore.\n"


def measured(names: Iterable[str]) -> list[str]:
    units = {name: "" if "part of" in name else "%" for name in names}
    return [json.dumps({"claim": name, "value": 0.1234, "unit": unit}) for name, unit in units.items()]


def test_what_a_buyer_asks_for_is_quoted_when_all_of_it_was_measured() -> None:
    made = run.with_quotes(README, measured(run.QUOTES))
    values = [line.split("|")[2].strip() for line in made.splitlines() if line.startswith("| ")]
    assert values == ["measured", "0.123 %", "12.3 %", "0.123 %", "0.123 %"]
    assert made.endswith("<!-- end -->\n\nMore.\n")
    assert run.with_quotes(made, measured(run.QUOTES)) == made
    assert run.with_quotes(made, measured(list(run.QUOTES)[1:])) == made


def test_the_readme_has_a_place_for_the_quotes() -> None:
    (quoted,) = run.QUOTED.findall(run.README.read_text())
    assert all(words in quoted for words in run.QUOTES.values())


def test_every_section_of_the_page_in_the_tree_has_been_measured() -> None:
    sections = [each.group(0) for each in run.SECTION.finditer(run.PAGE.read_text())]
    assert all("Measured on " in section for section in sections)


def test_the_page_in_the_tree_has_a_section_for_each_script_that_can_be_run() -> None:
    for name in run.scripts(run.PAGE.read_text()):
        assert (run.TOP / "bench" / f"{name}.py").is_file()


def test_what_other_scripts_claim_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({"claim": name, "script": f"bench/{name}.py"}) for name in ("cost", "frames")]
    monkeypatch.setattr(run, "CLAIMS", tmp_path / "bench.jsonl")
    assert run.claims_of_others("cost") == []
    run.CLAIMS.write_text("\n".join(lines))
    assert run.claims_of_others("cost") == lines[1:]


def test_a_script_that_fails_is_an_error() -> None:
    with pytest.raises(run.subprocess.CalledProcessError):
        run.run("no_such_script")
