"""sd_notify: what systemd hears, and that one who does not listen, or is gone, disturbs nothing."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ppobserve.cli import serve
from ppobserve.cli.service import Service


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.socket.settimeout(60)

    def heard(self) -> dict[str, str]:
        message = self.socket.recv(65536).decode()
        return dict(line.split("=", 1) for line in message.split("\n"))

    def quiet(self) -> bool:
        self.socket.settimeout(0.05)
        try:
            self.socket.recv(65536)
        except TimeoutError:
            return True
        return False


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path.name}-notify")
    yield listening
    listening.socket.close()


def service(systemd: Systemd, **more: str) -> Service:
    return Service.of({"NOTIFY_SOCKET": systemd.address, **more}, 7, pytest.fail)


def test_every_word_arrives(systemd: Systemd) -> None:
    told = service(systemd)
    told.ready("serving")
    assert systemd.heard() == {"READY": "1", "STATUS": "serving"}
    told.alive("well")
    assert systemd.heard() == {"WATCHDOG": "1", "STATUS": "well"}
    told.ailing("a hook is lost")
    assert systemd.heard() == {"STATUS": "a hook is lost"}
    told.stopping()
    assert systemd.heard()["STOPPING"] == "1"


def test_a_status_can_assign_nothing_else(systemd: Systemd) -> None:
    service(systemd).ailing("the read failed:\nMAINPID=1\n  \udcff")
    assert systemd.heard() == {"STATUS": "the read failed: MAINPID=1 ?"}


def test_children_are_not_the_service() -> None:
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7", "PATH": "/bin"}
    assert Service.of(environ, 7, pytest.fail).watchdog == 60
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "nonsense"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "8"}],
)
def test_no_watchdog_of_ours(environ: dict[str, str]) -> None:
    assert Service.of(environ, 7, pytest.fail).watchdog is None


def test_without_systemd_nothing_is_said() -> None:
    silent = Service.of({}, 7, pytest.fail)
    silent.ready("x")
    silent.stopping()


def test_an_address_of_another_kind_is_said_and_left_alone() -> None:
    said: list[str] = []
    Service.of({"NOTIFY_SOCKET": "vsock:2:1234"}, 7, said.append).ready("x")
    assert said == ["NOTIFY_SOCKET=vsock:2:1234 is neither a path nor an abstract name: systemd will not hear from us"]


def test_a_socket_that_is_gone_is_said_once(systemd: Systemd, tmp_path: Path) -> None:
    said: list[str] = []
    lost = Service(str(tmp_path / "gone"), None, said.append)
    for _ in range(3):
        lost.alive("x")
    assert len(said) == 1 and "No such file or directory" in said[0]


def test_one_who_does_not_read_cannot_hold_us_up(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppobserve.cli.service.SEND_SECONDS", 0.01)
    said: list[str] = []
    deaf = Service(systemd.address, None, said.append)
    for _ in range(1000):
        deaf.alive("x" * 100)
        if said:
            return
    pytest.fail("a thousand messages fitted, and nobody read one")


class Server:
    """The part of the daemon that tells how it is; each look shows the next of what is wrong."""

    def __init__(self, *troubles: list[str]) -> None:
        self.troubles = list(troubles)
        self.health = self

    def problems(self) -> list[str]:
        return self.troubles.pop(0)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Server, Service], list[float]]]:
    """Let the daemon look at itself until there is nothing left to see; returns how long it waited each time."""

    def run(server: Server, told: Service) -> list[float]:
        waited: list[float] = []

        def wait(signals: Any, seconds: float) -> bool:
            waited.append(seconds)
            return not server.troubles

        monkeypatch.setattr(signal, "sigtimedwait", wait)
        serve._serve(server, told, lambda: "serving")  # type: ignore[arg-type]
        return waited

    yield run


def test_ready_comes_after_the_first_good_read(systemd: Systemd, beats: Callable[..., list[float]]) -> None:
    waited = beats(Server(["the last read failed"], ["the last read failed"], [], []), service(systemd))
    assert [systemd.heard() for _ in range(4)] == [
        {"STATUS": "the last read failed"},
        {"STATUS": "the last read failed"},
        {"READY": "1", "STATUS": "serving"},
        {"WATCHDOG": "1", "STATUS": "serving"},
    ]
    assert waited == [serve.FIRST_BEAT] * 2 + [serve.BEAT] * 2


def test_the_watchdog_starves_while_something_is_wrong(systemd: Systemd, beats: Callable[..., list[float]]) -> None:
    waited = beats(Server([], ["hook refill is not attached"], [], []), service(systemd, WATCHDOG_USEC="6000000"))
    heard = [systemd.heard() for _ in range(4)]
    assert ["WATCHDOG" in each for each in heard] == [False, False, True, True]
    assert heard[1] == {"STATUS": "hook refill is not attached"}
    assert waited == [3.0] * 4
    assert systemd.quiet()


def test_trouble_is_logged_when_it_comes_and_when_it_goes(
    beats: Callable[..., list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    beats(Server([], ["it hurts"], ["it hurts"], [], []), Service())
    assert capsys.readouterr().err.splitlines() == ["ppobserve: it hurts", "ppobserve: all is well again"]
