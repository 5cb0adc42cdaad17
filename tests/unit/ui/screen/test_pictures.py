"""The screen as it looks: pictures that are kept, and compared to the last character and colour."""

from __future__ import annotations

import re

import pytest

from scripts.screen_pictures import COLOURLESS, PICTURES, Picture, svg


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.path.stem)
def test_it_looks_as_it_did(picture: Picture) -> None:
    """Else, if it is meant: .venv/bin/python scripts/screen_pictures.py, and look at what changed."""
    assert svg(picture) == picture.path.read_text()


def saturation(colour: str) -> int:
    """0 for a grey, 255 for a full colour."""
    parts = [int(colour[place : place + 2], 16) for place in (0, 2, 4)]
    return max(parts) - min(parts)


def test_without_colour_there_is_none() -> None:
    """But for what the picture itself draws around the screen, and its grey on grey."""
    for picture in PICTURES:
        colours = re.findall(r"fill: #([0-9a-fA-F]{6})", picture.path.read_text())
        most = max(map(saturation, colours))
        assert (most < 8) is (picture.environment == COLOURLESS), picture.path


def test_pictures_ask_no_other_host() -> None:
    for picture in PICTURES:
        drawn = picture.path.read_text()
        assert set(re.findall(r"https?://[^\s\"')]+", drawn)) == {"http://www.w3.org/2000/svg"}
