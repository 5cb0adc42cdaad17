"""The Debian package on a throw-away machine: installed, served by a real systemd, ailing, and gone without a trace."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import machine
from tests.e2e.machine import Machine

ROOT = Path(__file__).parent.parent.parent
UNIT = ROOT / "deploy/systemd/ppobserve.service"
FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=30).read().decode())"
URL = "http://127.0.0.1:10817"
COMPLETIONS = (
    "bash-completion/completions/ppobserve",
    "zsh/vendor-completions/_ppobserve",
    "fish/vendor_completions.d/ppobserve.fish",
)


@pytest.fixture(scope="module")
def deb(require: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    require(shutil.which("dh_python3"), "no debhelper and dh-python here (scripts/setup test installs them)")
    return built(tmp_path_factory.mktemp("deb"))


def built(folder: Path) -> Path:
    done = subprocess.run([ROOT / "scripts/deb", folder], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def bare(live: None, require: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine without ppobserve."""
    require(not machine.missing(), machine.missing())
    with machine.booted(tmp_path_factory.mktemp("machine")) as running:
        yield running


@pytest.fixture(scope="module")
def installed(bare: Machine, deb: Path) -> Machine:
    """A machine with the package, after its own scripts have run."""
    shutil.copy(deb, bare.path("/tmp/ppobserve.deb"))
    bare.output("dpkg", "--install", "/tmp/ppobserve.deb")
    return bare


def files(there: Machine) -> set[str]:
    """Everything on its disk that has our name."""
    places = ("/etc", "/usr", "/var", "/run", "/lib")
    found = there.output("find", *places, "-xdev", "-name", "*ppobserve*", "-not", "-path", "/var/lib/dpkg/*")
    return set(found.splitlines())


def eventually(holds: Callable[[], bool], seconds: float = 120.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return holds()


def drop_in(there: Machine, name: str, text: str) -> None:
    folder = there.path("/run/systemd/system/ppobserve.service.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    there.output("systemctl", "daemon-reload")
    there.output("systemctl", "restart", "ppobserve")


def status(there: Machine, key: str) -> str:
    """A line of the daemon's /proc/PID/status."""
    text = there.output("cat", f"/proc/{there.shown('ppobserve', 'MainPID')}/status")
    found = re.search(rf"^{key}:\s*(.*)$", text, re.MULTILINE)
    assert found
    return found[1]


def test_the_unit_is_right(tmp_path: Path, require: Callable[..., None]) -> None:
    require(shutil.which("systemd-analyze"), "no systemd-analyze here")
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/usr/bin/ppobserve", "/usr/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    here.write_text(here.read_text().replace("ProtectHome=", "ProtectHme="))
    wrong = subprocess.run(["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True, check=False)
    assert "ProtectHme" in wrong.stderr


def test_the_service_is_exposed_no_more_than_the_documents_say(require: Callable[..., None]) -> None:
    require(shutil.which("systemd-analyze"), "no systemd-analyze here")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    (written,) = re.findall(r"exposure level ([\d.]+)", (ROOT / "docs/deploy.md").read_text())
    threshold = f"--threshold={round(10 * float(written))}"
    done = subprocess.run([*command, threshold, UNIT], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def test_the_same_commit_makes_the_same_package(deb: Path, tmp_path: Path) -> None:
    assert built(tmp_path / "elsewhere").read_bytes() == deb.read_bytes()


def test_it_brings_every_bpf_source_the_page_and_the_manual(deb: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
    package = "/usr/lib/python3/dist-packages/ppobserve"
    for source in (ROOT / "bpf").rglob("*.[ch]"):
        assert f"{package}/_bpf/{source.relative_to(ROOT / 'bpf')}\n" in listed
    manual = {f"/usr/share/man/man8/{page.name}.gz" for page in (ROOT / "docs/man/man8").glob("*.8")}
    completion = "/usr/share/bash-completion/completions/ppobserve"
    for name in (
        f"{package}/export/page.css",
        "/usr/bin/ppobserve",
        "/etc/ppobserve/ppobserve.yaml",
        completion,
        *manual,
    ):
        assert f".{name}\n" in listed
    for page in (ROOT / "docs/man/man8").glob("*.8"):
        assert f"./usr/share/man/man8/{page.name}.gz\n" in listed
    for name in COMPLETIONS:
        assert f"./usr/share/{name}\n" in listed
    assert "__pycache__" not in listed


def test_installing_it_starts_a_healthy_service(installed: Machine, figure: Callable[..., None]) -> None:
    assert installed.shown("ppobserve", "ActiveState") == "active"
    assert installed.shown("ppobserve", "UnitFileState") == "enabled"
    assert installed.output("python3", "-c", FETCH, f"{URL}/healthz").strip() == "ok"
    assert "ppobserve_hook_attached" in installed.output("python3", "-c", FETCH, f"{URL}/metrics")
    assert installed.shown("ppobserve", "StatusText").startswith(f"serving {URL}, level standard by ")
    assert installed.output("ppobserve", "check").endswith("observable: yes\n")
    figure("service: RSS under systemd", int(status(installed, "VmRSS").split()[0]) / 1024, "MiB")


def test_it_is_what_is_installed_that_runs(installed: Machine) -> None:
    where = installed.output("python3", "-c", "import ppobserve; print(ppobserve.__file__)")
    assert where == "/usr/lib/python3/dist-packages/ppobserve/__init__.py\n"


def test_it_has_given_up_what_reading_does_not_need(installed: Machine) -> None:
    kept = int(status(installed, "CapEff"), 16)
    assert kept == 1 << 39 | 1 << 21 | 1 << 19  # BPF, SYS_ADMIN, SYS_PTRACE
    assert int(status(installed, "CapPrm"), 16) == kept
    assert status(installed, "NoNewPrivs") == "1" and status(installed, "Seccomp") == "2"


def test_with_fewer_privileges_it_serves_too(installed: Machine) -> None:
    drop_in(installed, "own-namespace.conf", (ROOT / "deploy/systemd/own-namespace.conf").read_text())
    try:
        assert int(status(installed, "CapEff"), 16) == 1 << 39  # BPF
        assert installed.output("python3", "-c", FETCH, f"{URL}/healthz").strip() == "ok"
        assert "ppobserve_pools_tracked" in installed.output("python3", "-c", FETCH, f"{URL}/metrics")
    finally:
        installed.path("/run/systemd/system/ppobserve.service.d/own-namespace.conf").unlink()


def test_a_daemon_that_hangs_is_started_anew(installed: Machine) -> None:
    drop_in(installed, "watchdog.conf", "[Service]\nWatchdogSec=2\nRestartSec=0\nTimeoutAbortSec=1\n")
    try:
        first = installed.shown("ppobserve", "MainPID")
        before = installed.shown("ppobserve", "WatchdogTimestampMonotonic")
        assert eventually(lambda: installed.shown("ppobserve", "WatchdogTimestampMonotonic") != before)
        assert installed.shown("ppobserve", "MainPID") == first  # it lives as long as it says so
        installed.output("kill", "-STOP", first)
        assert eventually(lambda: installed.shown("ppobserve", "MainPID") not in (first, "0"))
        assert eventually(lambda: installed.shown("ppobserve", "ActiveState") == "active")
        assert int(installed.shown("ppobserve", "NRestarts")) >= 1
    finally:
        installed.path("/run/systemd/system/ppobserve.service.d/watchdog.conf").unlink()


def test_a_wrong_configuration_fails_with_its_sentence(installed: Machine) -> None:
    config = installed.path("/etc/ppobserve/ppobserve.yaml")
    right = config.read_text()
    config.write_text("levl: full\n")
    try:
        assert installed.run("systemctl", "restart", "ppobserve").returncode != 0
        assert "unknown key 'levl'" in installed.output("journalctl", "--unit=ppobserve", "--lines=20", "--no-pager")
    finally:
        config.write_text(right)
        installed.run("systemctl", "reset-failed", "ppobserve")
    installed.output("systemctl", "restart", "ppobserve")
    assert installed.shown("ppobserve", "ActiveState") == "active"


def test_stopping_it_ends_well(installed: Machine) -> None:
    installed.output("systemctl", "stop", "ppobserve")
    assert installed.shown("ppobserve", "Result") == "success"
    assert "detached, bye" in installed.output("journalctl", "--unit=ppobserve", "--lines=5", "--no-pager")
    installed.output("systemctl", "start", "ppobserve")


def test_purging_it_leaves_nothing(installed: Machine) -> None:
    assert files(installed)
    pid = int(installed.shown("ppobserve", "MainPID"))
    shutil.rmtree(installed.path("/run/systemd/system/ppobserve.service.d"))  # ours, not the package's
    installed.output("dpkg", "--purge", "ppobserve")
    assert files(installed) == set()
    assert not installed.path(f"/proc/{pid}").exists()
    assert installed.shown("ppobserve", "LoadState") == "not-found"
