"""Facts in files: saved whole or not at all, replayed on a machine that has no part in the answer."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ppobserve.cli import check, facts, files
from ppobserve.cli.main import main
from ppobserve.errors import LoaderError, OutputError, UsageError
from ppobserve.model.facts import Facts, to_facts
from ppobserve.model.features import Features
from ppobserve.model.plan import make_plan
from tests.unit.factories import KERNEL, kernel

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One where nothing may be asked, and whose BCC is missing."""

    def refuse() -> Features:
        raise AssertionError("this would have looked at the running kernel")

    def missing() -> None:
        raise LoaderError("the Python module bcc is missing")

    monkeypatch.setattr(check, "gather", refuse)
    monkeypatch.setattr(check, "require_bcc", missing)
    monkeypatch.setattr(check, "bpf_folder", missing)


def saved(tmp_path: Path, features: Features = KERNEL, note: str = "") -> str:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(to_facts(features, note)))
    return str(path)


def test_saved_facts_are_read_back(tmp_path: Path) -> None:
    facts.save(tmp_path / "f", KERNEL)
    assert facts.load(tmp_path / "f") == Facts(KERNEL)
    text = (tmp_path / "f").read_text()
    assert text.startswith('{\n  "schema": 1,\n') and text.endswith("}\n")


def test_the_answer_for_saved_facts_is_the_saved_kernel_s_and_says_so(tmp_path: Path, capsys: Capture) -> None:
    path = saved(tmp_path, note="from a friend")
    assert main(["check", "--facts", path]) == 0
    told = capsys.readouterr().out
    flat = " ".join(told.split())
    assert flat.startswith("facts of ") and "not of this kernel: from a friend" in flat
    assert "6.12.57-amd64" in told and "by fentry" in told
    assert told.endswith("observable: yes\n")


def test_level_and_rung_are_asked_of_saved_facts_too(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--facts", saved(tmp_path), "--level", "lean", "--rung", "kprobe", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["plan"]["level"], document["plan"]["rung"]) == ("lean", "kprobe")
    assert document["facts"] == {"file": str(tmp_path / "facts.json"), "note": ""}


def test_who_was_not_root_when_saving_is_no_problem_of_the_replay(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--facts", saved(tmp_path, kernel(root=False, refusals={})), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_saved_facts_of_a_kernel_that_cannot_be_observed_exit_1(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--facts", saved(tmp_path, kernel(no_btf="this kernel has no type information"))]) == 1
    told = capsys.readouterr().out
    assert "problem: this kernel has no type information" in told
    assert told.endswith("observable: no\n")


def test_a_file_cannot_steer_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--facts", saved(tmp_path, kernel(kernel="6\x1b[2J", machine="\ud800"), "\x1b]0;x\x07")]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\x07" not in told
    assert "6?[2J ?" in told


def check_here(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(check, "gather", lambda: KERNEL)
    monkeypatch.setattr(check, "require_bcc", lambda: None)
    monkeypatch.setattr(check, "bpf_folder", lambda: None)
    monkeypatch.setattr(check, "trial", make_plan)
    return main(["check", *words])


def test_saving_is_beside_the_answer(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_here(monkeypatch, "--save-facts", str(tmp_path / "f"), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["observable"] and "facts" not in document
    assert facts.load(tmp_path / "f").features == KERNEL


def test_facts_are_saved_of_a_kernel_that_cannot_be_observed_too(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "gather", lambda: kernel(no_btf="no BTF"))
    assert main(["check", "--save-facts", str(tmp_path / "f")]) == 1
    assert facts.load(tmp_path / "f").features.no_btf == "no BTF"


def test_saving_and_replaying_at_once_is_asked_in_vain(tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "--facts", saved(tmp_path), "--save-facts", str(tmp_path / "f")])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


WHOLE = json.dumps(to_facts(KERNEL), indent=2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1: not JSON: Expecting value"),
        (WHOLE[: len(WHOLE) // 2].encode(), "not JSON: "),
        (WHOLE[:-2].encode(), "not JSON: "),
        (b"\x7fELF\x02\x01\x01", "not JSON: "),
        (b"\xff\xfe{\x00}\x00", "is not UTF-8 text"),
        (b"[1, 2]", "holds no facts of schema 1\n  found list"),
        (b'{"schema": 1}', "lacks note, kernel"),
        (b'{"schema": 1, "time": 7, "pools": []}', "lacks note, kernel"),
        (b"[" * 200_000, "not JSON that can be read"),
        (b"9" * 5_000, "not JSON that can be read"),
        (WHOLE.replace("128", '"128"').encode(), "cache_pages: not what facts are made of"),
    ],
)
def test_what_holds_no_facts_is_a_sentence_and_exits_2(
    content: bytes, said: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "f").write_bytes(content)
    assert main(["check", "--facts", str(tmp_path / "f")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"ppobserve: {tmp_path / 'f'}") and said in told.err


@pytest.mark.parametrize(("name", "said"), [("nowhere", "No such file or directory"), (".", "Is a directory")])
def test_what_cannot_be_read_is_a_sentence_and_exits_2(name: str, said: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--facts", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err == f"ppobserve: cannot read {tmp_path / name}: {said}\n"


def test_a_file_that_may_not_be_read_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UsageError, match=r"^cannot read secret: Permission denied$"):
        facts.load(Path("secret"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/f", "No such file or directory"),
        (".", "it is not a file"),
        ("pipe", "it is not a file"),
        ("f" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_written_is_a_sentence_and_exits_2(
    name: str, said: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert check_here(monkeypatch, "--save-facts", str(tmp_path / name)) == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"ppobserve: cannot write {tmp_path / name}: {said}\n")
    assert os.listdir(tmp_path) == ["pipe"]


def full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=f"cannot write {tmp_path}/f: No space left on device") as caught:
        files.write_text(tmp_path / "f", "new")
    assert caught.value.exit_status == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"f": "old"}


def test_a_file_is_replaced_and_a_link_to_it_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    (tmp_path / "link").symlink_to("f")
    files.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "f").read_text() == "new"


def test_what_is_written_has_the_mode_of_any_new_file(tmp_path: Path, umask: Callable[[int], int]) -> None:
    umask(0o027)
    files.write_text(tmp_path / "f", "new")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


@pytest.fixture
def umask() -> Any:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)
