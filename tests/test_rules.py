"""Recording rules and alerts, by Prometheus' own tool: each fires, stays quiet and resolves, and its tests notice."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.prometheus import ROOT, RULES, promtool
from ppobserve.cli.main import COMMANDS

TESTS = ROOT / "tests" / "rules"
RUNBOOKS = ROOT / "docs" / "runbooks"


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}
LOOSER = {">": 0.5, "<": 2.0}


def loosened(expression: str) -> list[str]:
    """The expression with one of its thresholds easier to pass, once for each; for 0 there is none."""
    found = []
    for threshold in re.finditer(r"([<>]) ([0-9.]*[1-9][0-9.]*)", expression):
        number = float(threshold[2]) * LOOSER[threshold[1]]
        found.append(f"{expression[: threshold.start()]}{threshold[1]} {number:g}{expression[threshold.end() :]}")
    return found


def mutants(alert: str) -> dict[str, dict[str, Any]]:
    """Wrong versions of an alert, each by what is wrong with it."""
    rule = ALERTS[alert]
    wrong = {"never": {**rule, "expr": f"({rule['expr']}) and vector(0) > 1"}}
    if "for" in rule:
        wrong["at once"] = {**rule, "for": "0s"}
    return wrong | {looser: {**rule, "expr": looser} for looser in loosened(rule["expr"])}


def with_rule(alert: str, rule: dict[str, Any], folder: Path) -> Path:
    """The tests of an alert, made to test *rule*, with the recorded series that it may read and no others."""
    folder.mkdir(parents=True)
    recorded = [each for each in rules("recording.yml") if each["record"].startswith("instance_netdev:")]
    groups = [{"name": "recorded", "rules": recorded}, {"name": "changed", "rules": [rule]}]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    document = yaml.safe_load((TESTS / f"{alert}.yml").read_text())
    document["rule_files"] = ["rules.yml"]
    (folder / "test.yml").write_text(yaml.safe_dump(document))
    return folder / "test.yml"


def test_the_rules_are_lawful() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES / "recording.yml", RULES / "alerts.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_fires_stays_quiet_and_resolves() -> None:
    result = promtool("test", "rules", *sorted(TESTS.glob("Ppobserve*.yml")))
    assert result.returncode == 0, result.stdout + result.stderr
    assert {path.stem for path in TESTS.glob("Ppobserve*.yml")} == set(ALERTS)


def test_what_is_recorded_of_a_fleet_is_there_when_it_is_well() -> None:
    result = promtool("test", "rules", TESTS / "recorded.yml")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_the_tests_of_an_alert_say_all_three(alert: str) -> None:
    verdicts: dict[str, list[bool]] = {}
    for test in yaml.safe_load((TESTS / f"{alert}.yml").read_text())["tests"]:
        kind = re.match("fires|does not fire|resolves", test["name"])
        assert kind, test["name"]
        fired = [bool(check["exp_samples"]) for check in test["promql_expr_test"]]
        assert fired[-1] is (kind[0] == "fires")
        assert kind[0] != "resolves" or fired == [True, False]
        verdicts[kind[0]] = fired
    assert set(verdicts) == {"fires", "does not fire", "resolves"}


def test_the_tests_of_every_alert_notice_a_wrong_rule(tmp_path: Path) -> None:
    """One run for all of them: most of a run is promtool's start."""
    right = [with_rule(alert, rule, tmp_path / alert / "right") for alert, rule in ALERTS.items()]
    wrong = {
        with_rule(alert, rule, tmp_path / alert / str(place)): (alert, what)
        for alert in ALERTS
        for place, (what, rule) in enumerate(mutants(alert).items())
    }
    said = promtool("test", "rules", *right, *wrong)
    passed = re.findall(r"Unit Testing:  (\S+)\n  SUCCESS", said.stdout)
    assert {Path(path) for path in passed} == set(right), [wrong.get(Path(path)) for path in passed]
    assert len(wrong) > 2 * len(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_means_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "$labels.instance" in rule["annotations"]["summary"]
    assert (ROOT / rule["annotations"]["runbook_url"]) == RUNBOOKS / f"{alert}.md"


def test_a_runbook_for_each_alert_and_no_other() -> None:
    assert {path.stem for path in RUNBOOKS.glob("Ppobserve*.md")} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_has_its_four_parts_and_three_commands(alert: str) -> None:
    text = (RUNBOOKS / f"{alert}.md").read_text()
    title, *parts = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    assert (title, parts) == (alert, ["What you see", "Why it happens", "Three commands", "The fix"])
    (block,) = re.findall(r"## Three commands\n\n```sh\n(.*?)```", text, flags=re.S)
    commands = [line for line in block.splitlines() if line and not line.startswith("#")]
    assert len(commands) == 3, commands
    assert set(re.findall(r"\bppobserve (?!-)([a-z]+)\b", block)) <= set(COMMANDS)


def test_a_runbooks_paths_are_those_that_the_package_installs() -> None:
    installed = set(re.findall(r" debian/ppobserve(/etc/\S+)", (ROOT / "deploy/debian/rules").read_text()))
    assert installed == {"/etc/ppobserve/ppobserve.yaml"}
    pages = [*RUNBOOKS.glob("*.md"), *(ROOT / "docs/man").glob("*.md")]
    named = {path for page in pages for path in re.findall(r"/etc/ppobserve[\w./-]*\w", page.read_text())}
    assert named == installed


def test_a_runbook_sorts_sockets_by_their_unread_bytes() -> None:
    listed = subprocess.run(["ss", "-tuna"], capture_output=True, text=True, timeout=60, check=True).stdout
    unread = str(listed.split().index("Recv-Q") + 1)
    commands = [line for page in RUNBOOKS.glob("*.md") for line in page.read_text().splitlines() if "ss -tunap" in line]
    assert len(commands) == 2
    columns = {column for line in commands for column in re.findall(r"(?:sort -k|awk '\$)(\d)", line)}
    assert columns == {unread}


def test_a_runbook_names_settings_of_irqbalance_that_it_has() -> None:
    """Of irqbalance(1), and of the file that Debian's and Fedora's units read. None of them is for interrupts."""
    known = {"ONESHOT", "DEBUG", "BANNED_CPUS", "BANNED_CPULIST", "ARGS"}
    named = {name for page in RUNBOOKS.glob("*.md") for name in re.findall(r"IRQBALANCE_(\w+)", page.read_text())}
    assert named <= known
    assert "--banirq=" in (RUNBOOKS / "PpobserveNumaMismatch.md").read_text()
