"""Texts as lines that fit, within limits."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from naq_tui.text import inert_lines, split, wrap
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["plain_lines", "wrapped"]

_MOST_LINES = 300
_MARGIN = "  "


def plain_lines(text: str, width: int, tone: Tone = "text") -> list[Line]:
    """A text, wrapped."""
    return [
        Line(((_MARGIN + piece, tone),))
        for line in inert_lines(text, lines=_MOST_LINES)
        for piece in wrap(line, width - 4)
    ]


def wrapped(row: list[Span], width: int, margin: Span = (_MARGIN, "text")) -> Iterator[Line]:
    """A row of spans as lines that fit, behind a margin of two cells."""
    room = width - 4
    line: list[Span] = [margin]
    left = room
    for text, tone in row:
        pieces = split(text, left, room)
        for index, piece in enumerate(pieces):
            if index:
                yield Line(tuple(line))
                line, left = [margin], room
            line.append((piece, tone))
            left -= cell_len(piece)
    yield Line(tuple(line))
