"""The forms in which every listing command prints."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Format"]


class Format(StrEnum):
    """A table for people, JSON and raw lines for scripts."""

    TABLE = "table"
    JSON = "json"
    RAW = "raw"
