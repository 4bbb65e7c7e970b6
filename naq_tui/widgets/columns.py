"""Columns of a table: what they show, how wide they are, and which of them stay when there is little room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from rich.cells import cell_len

from naq_tui.text import Align, clip, fit, inert
from naq_tui.widgets.line import Span

__all__ = ["GAP", "Column", "arrange", "cell_spans", "dotted", "fitted"]

GAP = 2
"""Cells between two columns."""

Row = TypeVar("Row")


class Column(msgspec.Struct, Generic[Row], frozen=True):
    """One column of rows of some type."""

    title: str
    width: int
    """Cells that it needs."""
    cell: Callable[[Row, int], Sequence[Span]]
    """What it shows of a row in so many cells; inert text."""
    order: Callable[[Row], Any] | None = None
    """What rows are sorted by; ``None`` when it makes no sense."""
    align: Align = "right"
    rank: int = 5
    """Columns of a high rank are left out first."""
    most: int = 0
    """Cells that it can make use of, when that is more than it needs."""
    descending: bool = True
    """Whether the largest comes first when it is sorted by this."""


def arrange(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """The columns that fit into ``width`` cells, each with its own width."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        dropped = max(kept, key=lambda column: column.rank)
        kept.remove(dropped)
    return _spread(kept, width - _needed(kept))


def _needed(columns: Sequence[Column[Row]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _spread(columns: Sequence[Column[Row]], spare: int) -> list[tuple[Column[Row], int]]:
    widths = [column.width for column in columns]
    growing = [index for index, column in enumerate(columns) if column.most > column.width]
    while spare > 0 and growing:
        for index in list(growing):
            if spare and widths[index] < columns[index].most:
                widths[index] += 1
                spare -= 1
            elif widths[index] >= columns[index].most:
                growing.remove(index)
    if spare < 0:
        widths[-1] = max(1, widths[-1] + spare)
    return list(zip(columns, widths, strict=True))


def cell_spans(spans: Sequence[Span], width: int, align: Align) -> list[Span]:
    """A cell in exactly ``width`` cells."""
    if len(spans) == 1:
        text, tone = spans[0]
        return [(fit(text, width, align), tone)]
    return _aligned(fitted(spans, width), width, align)


def dotted(name: str, width: int, most: int) -> str:
    """A dotted name, inert, and with what is before its last dot only in a column that is as wide as it can be.

    So all names of a column have one form, whichever of them would fit; a whole one that does not lacks its beginning.
    """
    shown = inert(name, 200)
    if width < most:
        return shown.rpartition(".")[2] or shown
    while cell_len(shown) > width > 1:
        shown = "…" + shown[2:]
    return shown


def fitted(spans: Iterable[Span], width: int) -> list[Span]:
    """The spans, cut after ``width`` cells."""
    kept: list[Span] = []
    for text, tone in spans:
        if width <= 0:
            break
        shown = clip(text, width)
        kept.append((shown, tone))
        width -= cell_len(shown)
    return kept


def _aligned(spans: list[Span], width: int, align: Align) -> list[Span]:
    blank: Span = (" " * (width - sum(cell_len(text) for text, _ in spans)), "text")
    return [blank, *spans] if align == "right" else [*spans, blank]
