"""The settings of the monitor: the table ``[top]`` of the config file."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from naq_runtime.settings import Section

__all__ = ["REFRESH_S", "TableSettings", "TopSettings"]

REFRESH_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Least times between two paints that keys lead through."""


class TableSettings(Section, frozen=True, kw_only=True):
    """How a table is laid out."""

    columns: tuple[str, ...] = ()
    """The headings of the columns that are shown, in their order; empty for all."""
    sort: str = ""
    """The heading of the column that is sorted by; empty for that of the table."""
    descending: bool | None = None
    """Whether the largest comes first; ``None`` for what suits the column."""


class TopSettings(Section, frozen=True, kw_only=True):
    """What a person has chosen."""

    theme: str = ""
    """Empty to have the terminal decide."""
    ascii: bool | None = None
    """Whether only ASCII is drawn; ``None`` to have the locale decide."""
    refresh: Annotated[float, Meta(ge=REFRESH_S[0], le=REFRESH_S[-1])] = REFRESH_S[0]
    """Seconds between two paints, at least."""
    mouse: bool = True
    """Whether the mouse is ours; otherwise the terminal selects text with it."""
    filter: str = ""
    """What the events are filtered by at the start."""
    keys: dict[str, str] = field(default_factory=dict)
    """Keys by the name of a command, several of them parted by commas."""
    tables: dict[str, TableSettings] = field(default_factory=dict)
    """By the name of the table: queues, workers, schedules and so on."""
