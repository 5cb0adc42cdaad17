"""Every command from its words to its exit status: what an operator reads when something is wrong."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve import __version__
from ppobserve.cli import check, serve
from ppobserve.cli.main import COMMANDS, main
from ppobserve.errors import LoaderError, NotObservable, UsageError
from ppobserve.model.document import from_document
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.snapshot import Snapshot
from ppobserve.probe.attach import attach
from ppobserve.source import live
from ppobserve.source.live import Live
from tests.unit.export.samples import moment
from tests.unit.factories import kernel, plan

Capture = pytest.CaptureFixture[str]


def refused(run: Callable[[], int], capsys: Capture) -> tuple[int, str]:
    """The exit status, and what is on standard error; nothing may be on standard output."""
    try:
        status = run()
    except SystemExit as caught:
        status = int(caught.code or 0)
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return status, said.err


@pytest.fixture(autouse=True)
def nothing_is_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gets further than its test expects fails it; it does not observe this machine."""

    def refuse(*_: object) -> Live:
        raise AssertionError("this would have attached to the running kernel")

    monkeypatch.setattr(live, "attach", refuse)
    monkeypatch.setattr(serve.signal, "pthread_sigmask", lambda *_: None)  # Ctrl-C is still for the test runner


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_of_every_command_fits_and_exits_0(
    command: str | None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main(["--help"] if command is None else [command, "--help"])
    told = capsys.readouterr().out
    assert caught.value.code == 0
    assert told.startswith(f"usage: ppobserve{f' {command}' if command else ''}")
    assert max(map(len, told.split("\n"))) < 80
    assert command or all(name in told for name in COMMANDS)


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [("check", "prometheus_client"), ("check", "ppobserve.lab"), ("", "ppobserve.kernel")],
)
def test_a_command_brings_what_it_needs_and_no_more(command: str, unneeded: str) -> None:
    """A tenth of a second for what another command needs, at every start."""
    words = [*filter(None, [command]), "--help"]
    code = f"""import sys
from ppobserve.cli.main import main
try: main({words})
finally: print({unneeded!r} in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("\nFalse\n") and done.stdout.startswith("usage: ppobserve")


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"ppobserve {__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: COMMAND"),
        (["observe"], "'observe'"),
        (["chek"], "ppobserve: no command 'chek'; did you mean 'check'?\n"),
        (["Check"], "ppobserve: no command 'Check'; did you mean 'check'?\n"),
        (["xyz"], "ppobserve: no command 'xyz'\n  try: ppobserve --help\n"),
        (["lab", "vet"], "ppobserve: lab: no kind 'vet'; did you mean 'veth'?\n"),
        (["lab"], "required: KIND"),
        (["--versoin"], "ppobserve: error: unrecognized arguments: --versoin; did you mean '--version'?\n"),
        (["--bogus", "check"], "ppobserve: error: unrecognized arguments: --bogus\n"),
        (
            ["lab", "veth", "--secnds=1"],
            "lab veth: error: unrecognized arguments: --secnds=1; did you mean '--seconds'?",
        ),
        (["top", "--lvel", "lean"], "ppobserve top: error: unrecognized arguments: --lvel; did you mean '--level'?\n"),
        (["top", "--level", "standart"], "top: --level: 'standart' is not one of lean, standard, full; did you mean"),
        (["top", "--level", "zzz"], "ppobserve: top: --level: 'zzz' is not one of lean, standard, full\n"),
        (["trace", "--event", "slow,mismach"], "did you mean 'mismatch'?"),
        (["bpftrace", "page_pool_refil"], "\n  try: page_pool_refill\n"),
        (["top", "0"], "0 is not between 0.01 and 86400 seconds"),
        (["top", "-1"], "-1"),
        (["top", "nan"], "nan is not between 0.01 and 86400 seconds"),
        (["top", "soon"], "soon is not between 0.01 and 86400 seconds"),
        (["top", "1", "0"], "not a positive number of samples: '0'"),
        (["top", "1", "2.5"], "not a positive number of samples: '2.5'"),
        (["top", "1", "1", "1"], "unrecognized arguments"),
        (["serve", "--level", "most"], "'most'"),
        (["serve", "--rung", "uprobe"], "'uprobe'"),
        (["check", "--listen", ":1"], "unrecognized arguments"),
        (["serve", "--listen", "10817"], "--listen: '10817' is not ADDRESS:PORT\n  try: 127.0.0.1:10817"),
        (["serve", "--listen", "::1:9"], "--listen: '::1:9' is not ADDRESS:PORT\n  try: [::1]:9"),
        (["serve", "--listen", ""], "--listen: '' is not ADDRESS:PORT"),
        (["serve", "--listen", "[::1]:99999"], "--listen: '[::1]:99999' is not ADDRESS:PORT"),
        (["serve", "--config", "/nonexistent/ppobserve.yaml"], "cannot read /nonexistent/ppobserve.yaml: No such file"),
    ],
)
def test_a_wrong_command_line_exits_2_with_a_sentence(words: list[str], said: str, capsys: Capture) -> None:
    status, err = refused(lambda: main(words), capsys)
    assert status == 2
    assert said in err
    assert "_seconds" not in err and "_count" not in err


def test_ppobserve_alone_shows_its_commands_a_line_each_and_three_examples(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, err = refused(lambda: main([]), capsys)
    lines = err.split("\n")
    assert status == 2
    for name, summary in COMMANDS.items():
        assert [line.split(maxsplit=1) for line in lines if line.startswith(f"    {name} ")] == [[name, summary]]
    examples = lines[lines.index("examples:") + 1 :]
    assert [line.split()[:2] for line in examples[: examples.index("")]] == [["sudo", "ppobserve"]] * 3
    assert {line.split()[2] for line in examples[: examples.index("")]} <= set(COMMANDS)


def test_a_word_behind_two_dashes_is_no_option(capsys: Capture) -> None:
    status, err = refused(lambda: main(["bpftrace", "--", "--lvel"]), capsys)
    assert (status, err.partition("\n")[0]) == (2, "ppobserve: there is no script '--lvel'")


@pytest.mark.parametrize("command", ["serve", "top"])
def test_who_is_not_root_is_told_so(command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(live, "gather", lambda: kernel(root=os.geteuid() == 0))
    monkeypatch.setattr(live, "attach", attach)
    status, err = refused(lambda: main([command]), capsys)
    assert (status, err) == (
        1, "ppobserve: ppobserve needs root to attach BPF programs\n  try: run it with sudo\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotObservable("this kernel has no page_pool", because="so", fix="do"), 1),
        (LoaderError("the BCC loader did not finish", because="so", fix="do"), 1),
        (UsageError("cannot read a document", because="so", fix="do"), 2),
    ],
)
def test_errors_are_sentences_on_standard_error(
    error: Exception, status: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Live, "start", fail)
    assert refused(lambda: main(["top", "--once"]), capsys) == (status, f"ppobserve: {error}\n")


class Shown:
    """Stands for a live source."""

    def __init__(self, log: tuple[str, ...] = ()) -> None:
        self.log, self.closed, self.reads = log, 0, 0
        self.interrupt_at = 0

    @property
    def plan(self) -> Plan:
        return plan()

    def read(self) -> Snapshot:
        self.reads += 1
        if self.reads == self.interrupt_at:
            raise KeyboardInterrupt
        return replace(moment(), time=1e9 + self.reads)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    source = Shown()
    monkeypatch.setattr(Live, "start", lambda *_: source)
    yield source
    assert source.closed == 1, "nothing may stay attached"


def test_top_once_prints_one_table_and_detaches(shown: Shown, capsys: Capture) -> None:
    shown.log = ("fentry did not hold, took the next rung: -EBUSY",)
    assert main(["top", "0.01", "--once"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("ppobserve: level full, by fentry\nPOOL ")
    assert said.out.count("POOL ") == 1 and "Ctrl-C" not in said.out
    assert [line.split()[0] for line in said.out.split("\n")[2:5]] == ["23", "29!", "3-f4240"]
    assert said.err == "ppobserve: fentry did not hold, took the next rung: -EBUSY\n"


def test_top_with_a_count_takes_that_many_samples(shown: Shown, capsys: Capture) -> None:
    assert main(["top", "0.01", "3", "-T"]) == 0
    assert capsys.readouterr().out.count("POOL ") == 3
    assert shown.reads == 4


def test_top_json_is_a_document_a_line_with_totals(shown: Shown, capsys: Capture) -> None:
    assert main(["top", "0.01", "2", "--json"]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["schema"] for document in documents] == [1, 1]
    assert from_document(documents[0]).pools == moment().pools


def test_ctrl_c_ends_top_with_status_0_and_detaches(shown: Shown, capsys: Capture) -> None:
    shown.interrupt_at = 3
    assert main(["top", "0.01"]) == 0
    assert capsys.readouterr().out.startswith("Ctrl-C to end\n")


def test_a_port_in_use_detaches_and_exits_1(shown: Shown, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, err = refused(lambda: main(["serve", "--listen", f"127.0.0.1:{port}"]), capsys)
    assert status == 1
    assert err.startswith(f"ppobserve: cannot listen on 127.0.0.1:{port}: Address already in use\n")


def test_a_daemon_says_where_it_serves_with_brackets_around_ipv6(
    shown: Shown, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_serve", lambda server, service, status: serve._log(status()))
    monkeypatch.setattr(serve.capabilities, "keep", lambda *_: None)
    assert main(["serve", "--listen", "[::1]:0"]) == 0
    said = capsys.readouterr().err
    assert re.search(r"^ppobserve: serving http://\[::1\]:[1-9][0-9]*/metrics, Ctrl-C to end$", said, re.MULTILINE)
    assert re.search(r"^ppobserve: serving http://\[::1\]:[1-9][0-9]*, level ", said, re.MULTILINE), "for systemd"


def test_an_ipv6_address_that_is_taken_has_brackets(
    shown: Shown, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        status, err = refused(lambda: main(["serve", "--listen", f"[::1]:{port}"]), capsys)
    assert (status, err.partition("\n")[0]) == (1, f"ppobserve: cannot listen on [::1]:{port}: Address already in use")


def test_the_command_line_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("listen: 127.0.0.1:9\nlevel: lean\nrung: kprobe\ncardinality: node\n")
    asked: list[tuple[Level, Rung | None]] = []

    def start(level: Level, rung: Rung | None = None) -> None:
        asked.append((level, rung))
        raise NotObservable("enough")

    monkeypatch.setattr(Live, "start", start)
    assert main(["serve", "--config", str(config)]) == 1
    assert main(["serve", "--config", str(config), "--level", "standard", "--rung", "fentry"]) == 1
    assert main(["serve"]) == 1
    assert asked == [(Level.LEAN, Rung.KPROBE), (Level.STANDARD, Rung.FENTRY), (Level.STANDARD, None)]


def checked(monkeypatch: pytest.MonkeyPatch, features: Features, *words: str) -> int:
    monkeypatch.setattr(check, "gather", lambda: features)
    return main(["check", *words])


@pytest.fixture
def bcc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything to compile with, and a kernel that takes every plan."""
    monkeypatch.setattr(check, "require_bcc", lambda: None)
    monkeypatch.setattr(check, "trial", make_plan)


def test_check_says_yes(bcc: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, kernel()) == 0
    assert capsys.readouterr().out.endswith("observable: yes\n")


def test_check_tries_what_it_claims_and_tells_what_held(
    bcc: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls(features: Features, level: Level, *, forced: Rung | None = None) -> Plan:
        return make_plan(features, level, forced=forced, failed={Rung.FENTRY: "cannot load refill_exit: why"})

    monkeypatch.setattr(check, "trial", falls)
    assert checked(monkeypatch, kernel()) == 0
    told = capsys.readouterr().out
    assert "by kprobe: compiled, and loaded into this kernel\n" in told
    assert "why not better: fentry: cannot load refill_exit: why" in " ".join(told.split())


@pytest.mark.parametrize("root", [True, False])
def test_check_says_whether_it_tried(bcc: None, root: bool, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, kernel(root=root), "--json") == 0
    assert json.loads(capsys.readouterr().out)["tried"] is root


def test_check_says_no_where_the_compiler_fails(bcc: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(*_: object, **__: object) -> Plan:
        raise LoaderError("the BCC loader ended without an answer (signal 11)")

    monkeypatch.setattr(check, "trial", crashes)
    assert checked(monkeypatch, kernel()) == 1
    assert "problem: the BCC loader ended without an answer" in capsys.readouterr().out


def test_check_without_root_tells_what_it_can(bcc: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, kernel(root=False, refusals={}), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["observable"], document["plan"]["rung"]) == (True, "fentry")
    assert [problem["fix"] for problem in document["problems"]] == ["sudo ppobserve check"]


@pytest.mark.parametrize(
    ("features", "words", "what"),
    [
        (kernel(no_btf="this kernel has no type information"), [], "this kernel has no type information"),
        (kernel(offsets={}, tracepoints=frozenset()), [], "this kernel has no page_pool"),
        (kernel(refusals={"fentry": "EPERM"}), ["--rung", "fentry"], "cannot use the fentry rung: EPERM"),
    ],
)
def test_check_says_no_with_the_reason_and_exits_1(
    bcc: None, features: Features, words: list[str], what: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(monkeypatch, features, "--json", *words) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["observable"], document["plan"]) == (False, None)
    assert what in document["problems"][0]["what"]


@pytest.mark.parametrize("missing", ["require_bcc", "bpf_folder"])
def test_check_says_no_where_a_part_of_ours_is_missing(
    bcc: None, missing: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise LoaderError("it is missing", fix="reinstall ppobserve")

    monkeypatch.setattr(check, missing, fail)
    assert checked(monkeypatch, kernel()) == 1
    told = capsys.readouterr().out
    assert "problem: it is missing" in told and "fix: reinstall ppobserve" in told
    assert "page_pool_refill_alloc_cache" in told


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """As in ``ppobserve top | head -1``."""
    code = (
        "import sys; from ppobserve.cli import check, main; from ppobserve.model.features import Features; "
        "check.gather = Features; sys.exit(main.main(['check', '--json']))"
    )
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, timeout=60)
    finally:
        os.close(write)
    assert done.stderr == b""
