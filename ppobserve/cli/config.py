"""Reads the daemon's YAML configuration."""

from __future__ import annotations

from pathlib import Path

import yaml

from ppobserve.errors import ConfigError
from ppobserve.model.config import Config, config_from


def load(path: Path) -> Config:
    """The configuration in *path*; ConfigError says which key or line is wrong."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # a character that YAML forbids; a date that no calendar has
        raise ConfigError(f"{path}: not YAML: {error}") from None
    return config_from(document, str(path))
