"""What pytest reports, in numbers and in words."""

from __future__ import annotations

from pathlib import Path

from vmtest.report import Counts, counts, failures, tail

JUNIT = """<testsuites><testsuite tests="4" failures="1" errors="1" skipped="1">
<testcase classname="tests.live.test_a" name="test_b"><failure message="assert 1 == 2">first\nlast</failure></testcase>
<testcase classname="tests.live.test_a" name="test_c"><error message="at set-up"/></testcase>
<testcase classname="tests.live.test_a" name="test_d"><skipped message="no"/></testcase>
<testcase classname="tests.live.test_a" name="test_e"/></testsuite></testsuites>"""


def test_an_error_is_a_failure(tmp_path: Path) -> None:
    (file := tmp_path / "junit.xml").write_text(JUNIT)
    assert counts(file) == Counts(passed=1, failed=2, skipped=1)
    assert str(counts(file)) == "1 passed, 2 failed, 1 skipped"
    assert list(failures(file)) == ["tests.live.test_a.test_b:\nfirst\nlast", "tests.live.test_a.test_c:\nat set-up"]


def test_without_a_report_nothing_ran(tmp_path: Path) -> None:
    assert counts(tmp_path / "none") == Counts()
    assert list(failures(tmp_path / "none")) == []


def test_of_a_long_text_the_end_is_kept() -> None:
    assert tail("\n".join(map(str, range(100))) + "\n", lines=2) == "98\n99"
