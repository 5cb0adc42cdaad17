"""Where snapshots come from."""

from ppobserve.source.opening import Opening, open_source

__all__ = ["Opening", "open_source"]
