"""A Python traceback, in colours, in which the frames of libraries step back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pygments.lexers.python import PythonTracebackLexer  # type: ignore[import-untyped]  # it has no annotations

from naq_tui.pages.code import wrapped
from naq_tui.text import inert_lines
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["traceback_lines"]

_MOST_LINES = 300
_FRAME = re.compile(r'  File "(?P<path>.*?)", line \d+')
_LIBRARY = re.compile(
    r"[/\\](site-packages|dist-packages|lib[/\\]python3[^/\\]*|naq_runtime)[/\\]|^<frozen ", re.IGNORECASE
)
_PLAIN: Span = ("  ", "text")
_OWN: Span = ("▌ ", "bad")
"""Beside the frames of the job's own code."""
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
    """A traceback, the frames of the job's own code marked; any other text comes out as it is."""
    lines: list[Line] = []
    margin, is_library = _PLAIN, False
    for row in _rows("\n".join(inert_lines(text, lines=_MOST_LINES))):
        line = "".join(piece for piece, _ in row)
        frame = _FRAME.match(line)
        if frame is not None:
            is_library = _LIBRARY.search(frame["path"]) is not None
            margin = _PLAIN if is_library else _OWN
        elif not line.startswith("    "):
            margin, is_library = _PLAIN, False
        lines += wrapped([(line, "faint")] if is_library else row, width, margin)
    return lines


def _rows(text: str) -> Iterator[list[Span]]:
    """The lines of the text that are not empty, each in its colours."""
    row: list[Span] = []
    for token, value in PythonTracebackLexer(stripnl=False).get_tokens(text):
        first, *more = value.split("\n")
        row.append((first, _token_tone(str(token))))
        for piece in more:
            if any(text for text, _ in row):
                yield row
            row = [(piece, _token_tone(str(token)))]
    if any(text for text, _ in row):
        yield row


def _token_tone(token: str) -> Tone:
    return next((tone for prefix, tone in _TOKENS if token.startswith(prefix)), "dim")
