"""The daemon as a service of systemd: sd_notify(3) without its library. Elsewhere it says nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field

SEND_SECONDS = 1.0


@dataclass
class Service:
    """Whoever started us and wants to hear how we are doing, if anybody does."""

    address: str = ""
    """A path, or "@" and a name in the abstract namespace; empty: nobody listens."""
    watchdog: float | None = None
    """Seconds within which we have to say that we are alive."""
    log: Callable[[str], None] = field(default=lambda line: None)
    _silent: bool = field(default=False, init=False)

    @classmethod
    def of(cls, environ: MutableMapping[str, str], pid: int, log: Callable[[str], None]) -> Service:
        """What the environment says, and it is taken from there: our children are not the service."""
        address = environ.pop("NOTIFY_SOCKET", "")
        wanted, whose = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(pid))
        seconds = int(wanted) / 1e6 if wanted.isdecimal() and whose == str(pid) else 0.0
        if address and address[0] not in "/@":
            log(f"NOTIFY_SOCKET={address} is neither a path nor an abstract name: systemd will not hear from us")
            address = ""
        return cls(address, seconds or None, log)

    def ready(self, status: str) -> None:
        """We do what we were started for."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def alive(self, status: str) -> None:
        """All is well: the watchdog starts anew."""
        self._send(f"WATCHDOG=1\nSTATUS={_one_line(status)}")

    def ailing(self, status: str) -> None:
        """Something is wrong: the watchdog runs on."""
        self._send(f"STATUS={_one_line(status)}")

    def stopping(self) -> None:
        """We are about to end."""
        self._send("STOPPING=1\nSTATUS=detaching")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        name = f"\0{self.address[1:]}" if self.address[0] == "@" else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(SEND_SECONDS)
                channel.sendto(message.encode(errors="replace"), name)
            self._silent = False
        except OSError as error:
            if not self._silent:  # once, until it works again
                self.log(f"cannot tell systemd through {self.address}: {error.strerror or error}")
            self._silent = True


def _one_line(text: str) -> str:
    """A line break would begin another assignment."""
    return " ".join(text.split())
