"""The house rules that a machine can keep: imports point down, the ground is pure, everything is small."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PACKAGE, VMTEST = TOP / "ppobserve", TOP / "vmtest"

LAYERS = (("errors",), ("model",), ("kernel",), ("probe",), ("source",), ("plot",), ("export", "ui", "lab"), ("cli",))
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
RANK |= {"__init__": RANK["model"], "__main__": len(LAYERS)}

# What arithmetic needs. No file, no clock, no system call: add to it only what touches none of them.
# fmt: off
PURE = frozenset({
    "__future__", "abc", "array", "bisect", "collections", "copy", "dataclasses", "difflib", "enum", "fractions",
    "functools", "heapq", "html", "ipaddress", "itertools", "json", "math", "operator", "re", "statistics", "string",
    "struct", "textwrap", "types", "typing",
})
# fmt: on
BCC_DOOR = "probe/loader.py"
MODULE_LINES, FUNCTION_LINES, BPF_LINES = 300, 30, 250


def modules(package: Path) -> Iterator[tuple[str, ast.Module]]:
    """(path inside the package, syntax tree) of every module."""
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports, anywhere; a relative import keeps its dots, and no rule lets it through."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            if module == "ppobserve":
                yield from (f"{module}.{alias.name}" for alias in node.names)


def may_import(layer: str, target: str) -> bool:
    """Inside one layer anything goes; otherwise strictly down, so peers never meet."""
    return layer == target or RANK[target] < RANK[layer]


def upward_imports(package: Path) -> list[str]:
    wrong = []
    for path, tree in modules(package):
        layer = path.split("/")[0].removesuffix(".py")
        if layer not in RANK:
            wrong.append(f"{path}: in no layer")
            continue
        for name in imports(tree):
            target = name.split(".")[1] if name.startswith("ppobserve.") else ""
            if name.startswith(".") or (target in RANK and not may_import(layer, target)):
                wrong.append(f"{path} imports {name}")
    return wrong


def impure_imports(package: Path) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, tree in modules(package)
        if path.startswith(("model/", "plot/")) or path == "errors.py"
        for name in imports(tree)
        if name.split(".")[0] not in PURE | {"ppobserve"}
    ]


def bcc_importers(package: Path) -> list[str]:
    return [path for path, tree in modules(package) if any(name.split(".")[0] == "bcc" for name in imports(tree))]


def too_long(paths: Iterable[Path], limit: int) -> list[str]:
    lengths = ((path, len(path.read_text().splitlines())) for path in paths)
    return [f"{path.name}: {lines} lines" for path, lines in sorted(lengths) if lines > limit]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def long_functions(package: Path, limit: int) -> list[str]:
    return [
        f"{path}: {node.name}() has {body_lines(node)} lines"
        for path, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > limit
    ]


def test_imports_point_down() -> None:
    assert upward_imports(PACKAGE) == []


def test_only_tests_import_tests() -> None:
    packages = ("ppobserve", "vmtest", "bench", "demo")
    assert [
        f"{package}/{path} imports {name}"
        for package in packages
        for path, tree in modules(TOP / package)
        for name in imports(tree)
        if name.split(".")[0] == "tests"
    ] == []


def test_the_ground_is_pure() -> None:
    assert impure_imports(PACKAGE) == []


def test_only_the_loader_imports_bcc() -> None:
    assert set(bcc_importers(PACKAGE)) <= {BCC_DOOR}


def test_everything_is_small() -> None:
    assert too_long((path for package in (PACKAGE, VMTEST) for path in package.rglob("*.py")), MODULE_LINES) == []
    assert too_long((TOP / "bpf").rglob("*.[ch]"), BPF_LINES) == []
    assert long_functions(PACKAGE, FUNCTION_LINES) + long_functions(VMTEST, FUNCTION_LINES) == []


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A package that keeps every rule."""
    write(tmp_path, "errors.py", "class Error(Exception): ...\n")
    write(tmp_path, "model/pool.py", "import dataclasses\nfrom ppobserve.errors import Error\n")
    write(tmp_path, "ui/top.py", "from ppobserve.model.pool import Pool\nfrom ppobserve.ui.format import si\n")
    write(tmp_path, "cli/main.py", "import ppobserve.ui.top\nfrom ppobserve import model\n")
    return tmp_path


def write(package: Path, name: str, text: str) -> None:
    path = package / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_a_toy_that_keeps_the_rules_passes(toy: Path) -> None:
    assert upward_imports(toy) + impure_imports(toy) + bcc_importers(toy) + long_functions(toy, FUNCTION_LINES) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("model/up.py", "from ppobserve.kernel.btf import members"),
        ("model/up.py", "import ppobserve.cli.main"),
        ("kernel/up.py", "def late():\n    from ppobserve import probe"),
        ("source/up.py", "from ppobserve.export import text"),
        ("export/peer.py", "from ppobserve.ui.format import si"),
        ("lab/peer.py", "import ppobserve.export.server"),
        ("cli/relative.py", "from . import main"),
        ("utils/lost.py", "import os"),
    ],
)
def test_a_wrong_import_is_found(toy: Path, name: str, line: str) -> None:
    write(toy, name, line + "\n")
    assert [found.split(":")[0].split(" ")[0] for found in upward_imports(toy)] == [name]


@pytest.mark.parametrize("module", ["os", "io", "time", "socket", "subprocess", "pathlib", "os.path", "yaml"])
def test_a_model_that_touches_the_world_is_found(toy: Path, module: str) -> None:
    write(toy, "model/clock.py", f"import {module}\n")
    assert impure_imports(toy) == [f"model/clock.py imports {module}"]


def test_a_second_importer_of_bcc_is_found(toy: Path) -> None:
    write(toy, "source/live.py", "from bcc import BPF\n")
    assert bcc_importers(toy) == ["source/live.py"]


def test_a_long_function_is_found(toy: Path) -> None:
    body = "".join(f"    x{n} = {n}\n" for n in range(FUNCTION_LINES))
    write(toy, "model/fits.py", f'def f():\n    """Not counted."""\n{body}')
    write(toy, "model/long.py", f"def f():\n{body}    return x0\n")
    assert long_functions(toy, FUNCTION_LINES) == ["model/long.py: f() has 31 lines"]
    assert too_long([toy / "model/long.py"], limit=31) == ["long.py: 32 lines"]
