"""Values and tracebacks as coloured lines, within limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pygments.lexers.python import PythonTracebackLexer  # type: ignore[import-untyped]  # it has no annotations
from rich.cells import cell_len

from naq_tui.text import inert_lines, split, wrap
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["json_lines", "plain_lines", "traceback_lines"]

_MOST_CHARACTERS = 40_000
_MOST_LINES = 300
_MARGIN = "  "

_JSON = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<text>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null|NaN|Infinity)"
)
_JSON_TONES: dict[str, Tone] = {"name": "name", "text": "good", "number": "begin", "word": "accent"}


def _json_text(value: Any, width: int) -> str:
    """A value as JSON: on one line when it fits, indented when it does not."""
    try:
        short = json.dumps(value, ensure_ascii=False, default=repr)
        if len(short) <= width:
            return short
        return json.dumps(value, ensure_ascii=False, default=repr, indent=2)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def json_lines(value: Any, width: int) -> list[Line]:
    """A value as coloured JSON."""
    text = _json_text(value, width - 4)
    cut = text[:_MOST_CHARACTERS]
    lines = [
        Line(((_MARGIN, "text"), *_json_spans(piece)))
        for line in inert_lines(cut, lines=_MOST_LINES)
        for piece in wrap(line, width - 4)
    ]
    if len(text) > len(cut):
        lines.append(Line(((f"{_MARGIN}… {len(text) - len(cut):,} more characters", "dim"),)))
    return lines


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


_TOKENS: tuple[tuple[str, Tone], ...] = (
    ("Token.Generic.Error", "bad"),
    ("Token.Name.Builtin", "name"),
    ("Token.Name", "text"),
    ("Token.Literal.String", "good"),
    ("Token.Literal.Number", "begin"),
    ("Token.Keyword", "accent"),
    ("Token.Operator.Word", "accent"),
    ("Token.Punctuation.Marker", "bad"),
)


def traceback_lines(text: str, width: int) -> list[Line]:
    """A Python traceback, coloured; any other text comes out as it is."""
    safe = "\n".join(inert_lines(text, lines=_MOST_LINES))
    rows: list[list[Span]] = [[]]
    for token, value in PythonTracebackLexer(stripnl=False).get_tokens(safe):
        pieces = value.split("\n")
        rows[-1].append((pieces[0], _token_tone(str(token))))
        rows += [[(piece, _token_tone(str(token)))] for piece in pieces[1:]]
    return [line for row in rows if any(piece for piece, _ in row) for line in wrapped(row, width)]


def _token_tone(token: str) -> Tone:
    return next((tone for prefix, tone in _TOKENS if token.startswith(prefix)), "dim")


def wrapped(row: list[Span], width: int) -> Iterator[Line]:
    """A row of spans as lines that fit."""
    room = width - 4
    line: list[Span] = [(_MARGIN, "text")]
    left = room
    for text, tone in row:
        pieces = split(text, left, room)
        for index, piece in enumerate(pieces):
            if index:
                yield Line(tuple(line))
                line, left = [(_MARGIN, "text")], room
            line.append((piece, tone))
            left -= cell_len(piece)
    yield Line(tuple(line))
