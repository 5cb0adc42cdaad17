"""Reads the daemon's YAML configuration."""

from __future__ import annotations

from pathlib import Path

import yaml

from ppobserve.cli.files import read_text
from ppobserve.errors import ConfigError
from ppobserve.model.config import Config, config_from


def load(path: Path) -> Config:
    """The configuration in *path*; ConfigError says which key or line is wrong."""
    text = read_text(path, ConfigError)
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # a character that YAML forbids; a date that no calendar has
        raise ConfigError(f"{path}: not YAML: {error}") from None
    return config_from(document, str(path))
