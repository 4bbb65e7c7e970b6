"""Values and texts as coloured lines, within limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from rich.cells import cell_len

from naq_tui.text import inert_lines, split, wrap
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["json_lines", "json_text", "plain_lines", "wrapped"]

_MOST_CHARACTERS = 40_000
_MOST_LINES = 300
_MARGIN = "  "

_JSON = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<text>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null|NaN|Infinity)"
)
_JSON_TONES: dict[str, Tone] = {"name": "name", "text": "good", "number": "begin", "word": "accent"}


def json_text(value: Any, width: int) -> str:
    """A value as JSON: on one line when it fits, indented when it does not."""
    try:
        short = json.dumps(value, ensure_ascii=False, default=repr)
        if len(short) <= width:
            return short
        return json.dumps(value, ensure_ascii=False, default=repr, indent=2)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def json_lines(value: Any, width: int, *, most: int = _MOST_CHARACTERS, lines: int = _MOST_LINES) -> list[Line]:
    """A value as coloured JSON.

    Args:
        most: characters that are shown.
        lines: of the text, before it is wrapped.
    """
    return list(_json_lines(json_text(value, width - 4), width, most, lines))


@lru_cache(maxsize=16)
def _json_lines(text: str, width: int, most: int, lines: int) -> tuple[Line, ...]:
    cut = text[:most]
    shown = [
        Line(((_MARGIN, "text"), *_json_spans(piece)))
        for line in inert_lines(cut, lines=lines)
        for piece in wrap(line, width - 4)
    ]
    if len(text) > len(cut):
        shown.append(Line(((f"{_MARGIN}… {len(text) - len(cut):,} more characters", "dim"),)))
    return tuple(shown)


def _json_spans(line: str) -> Iterator[Span]:
    end = 0
    for match in _JSON.finditer(line):
        if match.start() > end:
            yield line[end : match.start()], "dim"
        yield match.group(), _JSON_TONES[match.lastgroup or "text"]
        end = match.end()
    if end < len(line):
        yield line[end:], "dim"


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
