"""Values as coloured JSON, of long ones the beginning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from naq_tui.text import inert_lines, wrap
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["ShownValue", "json_lines", "json_text", "json_text_lines", "shown_value"]

_MOST_CHARACTERS = 40_000
_MOST_LINES = 300
_MARGIN = _INDENT = "  "
_ITEM = 4
"""Characters that a value takes at least, with what stands around it."""

_JSON = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*"(?=\s*:))|(?P<text>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null|NaN|Infinity)"
)
_JSON_TONES: dict[str, Tone] = {"name": "name", "text": "good", "number": "begin", "word": "accent"}


class ShownValue(NamedTuple):
    """A value, or its beginning."""

    lines: list[Line]
    is_cut: bool
    """Whether there is more of it."""


def shown_value(value: Any, width: int, *, most: int = _MOST_CHARACTERS, lines: int = _MOST_LINES) -> ShownValue:
    """A value as coloured JSON.

    Args:
        most: about so many characters of it are shown; the rest costs nothing.
        lines: so many, before they are wrapped.
    """
    try:
        kept, left = _beginning(value, most)
    except RecursionError:
        return ShownValue([Line(((f"{_MARGIN}too many levels to be shown", "dim"),))], False)
    text = json_text(kept, width - 4)
    return ShownValue(list(json_text_lines(text, width, lines)), left <= 0 or text.count("\n") >= lines)


def json_lines(value: Any, width: int) -> list[Line]:
    """A value as coloured JSON; where the rest is left out, that is said."""
    lines, is_cut = shown_value(value, width)
    return [*lines, Line(((f"{_MARGIN}… and more", "dim"),))] if is_cut else lines


@lru_cache(maxsize=16)
def json_text_lines(text: str, width: int, lines: int = _MOST_LINES) -> tuple[Line, ...]:
    """A text that is JSON, coloured and wrapped."""
    return tuple(
        Line(((_MARGIN, "text"), *_json_spans(piece)))
        for line in inert_lines(text, lines=lines, width=len(text) + 1)[:lines]
        for piece in wrap(line, width - 4)
    )


def _beginning(value: Any, room: int) -> tuple[Any, int]:
    """As much of a value as there is room for, and the characters that are left; none when something is left out."""
    if isinstance(value, str):
        return value[: max(0, room)], room - len(value) - _ITEM
    if isinstance(value, dict):
        members: dict[str, Any] = {}
        for name, one in value.items():
            if room <= 0:
                break
            members[str(name)], room = _beginning(one, room - len(str(name)) - _ITEM)
        return members, room - _ITEM
    if isinstance(value, list | tuple):
        items = []
        for one in value:
            if room <= 0:
                break
            item, room = _beginning(one, room)
            items.append(item)
        return items, room - _ITEM
    return value, room - _ITEM


def json_text(value: Any, width: int) -> str:
    """A value as JSON that is easy to read: what fits stands on one line, and short values of a list side by side."""
    try:
        return "\n".join(_json_rows(value, max(20, width)))
    except RecursionError:
        return "too many levels to be shown"


def _json_rows(value: Any, room: int) -> list[str]:
    if isinstance(value, dict):
        parts = [_after(f"{_scalar(str(name))}: ", _json_rows(one, room - len(_INDENT))) for name, one in value.items()]
        return _enclosed("{", parts, "}", room, side_by_side=False)
    if isinstance(value, list | tuple):
        return _enclosed("[", [_json_rows(one, room - len(_INDENT)) for one in value], "]", room, side_by_side=True)
    return [_scalar(value)]


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


def _after(name: str, rows: list[str]) -> list[str]:
    return [name + rows[0], *rows[1:]]


def _enclosed(opening: str, parts: list[list[str]], closing: str, room: int, *, side_by_side: bool) -> list[str]:
    """Values between brackets: on one line when they fit, else below each other, or side by side when all are short."""
    are_single = all(len(part) == 1 for part in parts)
    if are_single and sum(len(part[0]) + 2 for part in parts) <= room:
        return [opening + ", ".join(part[0] for part in parts) + closing]
    ended = [[*part[:-1], part[-1] + ","] for part in parts[:-1]] + parts[-1:]
    if side_by_side and are_single:
        inner = _filled([part[0] for part in ended], room - len(_INDENT))
    else:
        inner = [row for part in ended for row in part]
    return [opening, *(_INDENT + row for row in inner), closing]


def _filled(texts: list[str], room: int) -> list[str]:
    rows: list[str] = []
    for text in texts:
        if rows and len(rows[-1]) + 1 + len(text) <= room:
            rows[-1] += " " + text
        else:
            rows.append(text)
    return rows


def _json_spans(line: str) -> Iterator[Span]:
    end = 0
    for match in _JSON.finditer(line):
        if match.start() > end:
            yield line[end : match.start()], "dim"
        yield match.group(), _JSON_TONES[match.lastgroup or "text"]
        end = match.end()
    if end < len(line):
        yield line[end:], "dim"
