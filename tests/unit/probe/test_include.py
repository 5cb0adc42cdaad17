"""C files joined by what they include."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppobserve.errors import LoaderError
from ppobserve.probe.include import joined


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.h").write_text(text)
    return folder


def test_each_file_comes_once_before_the_first_that_needs_it_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    folder = write(tmp_path, a='/* a */\n#include "c.h"\nint a;\n', b='#include "c.h"\nint b;\n', c="int c;\n")
    assert joined(["a.h", "b.h"], folder).splitlines() == [
        '#line 1 "bpf/a.h"',
        "/* a */",
        '#line 1 "bpf/c.h"',
        "int c;",
        '#line 3 "bpf/a.h"',
        "int a;",
        '#line 1 "bpf/b.h"',
        '#line 2 "bpf/b.h"',
        "int b;",
    ]


def test_headers_of_the_compiler_and_comments_are_no_business_of_ours(tmp_path: Path) -> None:
    folder = write(tmp_path, a='#include <uapi/linux/ptrace.h>\n// #include "gone.h"\n')
    assert joined(["a.h"], folder) == '#line 1 "bpf/a.h"\n#include <uapi/linux/ptrace.h>\n// #include "gone.h"\n'


def test_a_cycle_is_refused_by_its_names(tmp_path: Path) -> None:
    folder = write(tmp_path, top='#include "a.h"\n', a='#include "b.h"\n', b='#include "a.h"\n')
    with pytest.raises(LoaderError, match=r"include each other: a\.h -> b\.h -> a\.h$"):
        joined(["top.h"], folder)


def test_a_missing_file_is_named_with_the_one_that_needs_it(tmp_path: Path) -> None:
    folder = write(tmp_path, a='#include "gone.h"\n')
    with pytest.raises(LoaderError, match=r"gone\.h, which a\.h includes: No such file") as caught:
        joined(["a.h"], folder)
    assert caught.value.fix == "reinstall ppobserve"


def test_a_file_without_a_newline_at_its_end_does_not_run_into_the_next(tmp_path: Path) -> None:
    folder = write(tmp_path, a="int a;", b="int b;\n")
    assert "int a;\n#line 1" in joined(["a.h", "b.h"], folder)
