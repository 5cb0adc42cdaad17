"""What each key does; the footer shows some of them, and a click there is the key."""

from __future__ import annotations

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    Binding("question_mark", "help", "help", key_display="?"),
    Binding("escape", "close", "back", key_display="esc"),
    # With priority: it takes the focus before the next key is looked at, so that what is typed behind it is the filter.
    Binding("slash", "filter", "filter", key_display="/", priority=True),
    Binding("s", "sort(1)", "sort"),
    Binding("S", "sort(-1)", "sort back", show=False),
    Binding("r", "reverse", "reverse", show=False),
    Binding("f", "fold", "fold"),
    Binding("z", "zombies", "zombies"),
    Binding("p", "pause", "pause"),
    Binding("space", "pause", "pause", show=False),
    Binding("plus,equals_sign", "pace(1)", "more often", show=False),
    Binding("minus", "pace(-1)", "less often", show=False),
    Binding("left", "seek(-1)", "back in time", show=False),
    Binding("right", "seek(1)", "on in time", show=False),
    Binding("less_than_sign,comma", "speed(-1)", "slower", show=False),
    Binding("greater_than_sign,full_stop", "speed(1)", "faster", show=False),
    Binding("c", "colours", "colours", show=False),
    Binding("backspace,enter", "close", "back", show=False),
    Binding("q", "quit", "quit"),
]
