"""Where a recording is being played: a bar that a click seeks in."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ppobserve.ui.format import short
from ppobserve.ui.paint import Line, Tone, line
from ppobserve.ui.screen.theme import content


def clock(seconds: float) -> str:
    """``1:02:03``, or ``02:03`` below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def position_line(position: float, duration: float, speed: float, paused: bool, room: int) -> Line:
    """``▶ 01:23 ━━━━────── 05:00  4x``"""
    left, right = f" {'‖' if paused else '▶'} {clock(position)} ", f" {clock(duration)}  {short(speed)}x "
    length = max(room - len(left) - len(right), 1)
    done = round(min(position / duration, 1) * length) if duration > 0 else length
    return line(
        (left, Tone.NOTE if paused else Tone.STRONG), ("━" * done, Tone.BAR), ("─" * (length - done), Tone.DIM), right
    )


class Position(Widget):
    """The bar. It is told what to show."""

    class Seek(Message):
        """A place in the bar was clicked: a share of the whole, from 0 to 1."""

        def __init__(self, share: float) -> None:
            self.share = share
            super().__init__()

    def __init__(self) -> None:
        super().__init__(id="position")
        self._shown = (0.0, 0.0, 1.0, False)

    def show(self, position: float, duration: float, speed: float, paused: bool) -> None:
        """Another position."""
        self._shown = position, duration, speed, paused
        self.refresh()

    def _line(self) -> Line:
        return position_line(*self._shown, self.size.width)

    def render(self) -> Content:
        """The line."""
        return content([self._line()], self.app.no_color)

    def on_click(self, event: events.Click) -> None:
        """Seek to the place that was clicked, in the part that is a bar."""
        bar = [place for place, char in enumerate("".join(text for text, _ in self._line())) if char in "━─"]
        self.post_message(self.Seek(min(max((event.x - bar[0]) / max(len(bar) - 1, 1), 0.0), 1.0)))
