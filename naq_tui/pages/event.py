"""One event, with all that it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from naq_runtime.events.messages import duration_text, size_text
from naq_runtime.events.models import StoredEvent
from naq_tui.model.line import Said, said
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.sections import section
from naq_tui.pages.trace import traceback_lines
from naq_tui.pages.values import json_lines
from naq_tui.text import age_text, clock_text, fit, inert, moment_text, wrap
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import EMPTY, Line, Span

__all__ = ["event_page"]

_LABEL = 18
_SAID = frozenset(("event_type", "category", "timestamp_ns", "clock_offset_ns", "event_id", "v", "traceback"))
"""Fields that are told in words of their own."""
_NAMES = frozenset(("pid",))
"""Numbers that count nothing: they are written as a shell wants them."""
_MOST = 40_000
"""Bytes of a size that are named as they are, too."""


def event_page(stored: StoredEvent, width: int, now_ns: int) -> list[Line]:
    """The lines of the page."""
    line, fields = said(stored), msgspec.to_builtins(stored.event)
    return [
        *_headline(line, width),
        EMPTY,
        *_when(stored, line, width, now_ns),
        *(one for name, value in fields.items() if name not in _SAID for one in _field(name, value, width, now_ns)),
        *_fact("event", [(f"{inert(fields.get('event_id', ''), 64) or '-'}  #{stored.sequence}", "dim")], width),
        *_traceback(fields.get("traceback"), width),
    ]


def _headline(line: Said, width: int) -> Iterator[Line]:
    """What it is, and what it says of itself, in full."""
    lead = f"  {line.glyph} {line.kind}  "
    pieces = wrap(line.message or "-", max(12, width - len(lead) - 1))
    yield Line(((lead, TONES[line.mood]), (pieces[0], "strong")))
    for piece in pieces[1:]:
        yield Line(((" " * len(lead), "text"), (piece, "strong")))


def _when(stored: StoredEvent, line: Said, width: int, now_ns: int) -> Iterator[Line]:
    age = f"  {age_text((now_ns - line.time_ns) / SECOND_NS)} ago"
    yield from _fact("time", [(moment_text(line.time_ns, now_ns, milliseconds=True), "text"), (age, "dim")], width)
    offset = stored.event.clock_offset_ns
    if offset:
        wrong = f"{duration_text(abs(offset) / 1e6)} {'behind' if offset > 0 else 'ahead'}"
        shown = clock_text(stored.event.timestamp_ns, milliseconds=True)
        yield from _fact("emitter's clock", [(shown, "text"), (f"  {wrong}", "warn")], width)
    stored_ns = stored.stored_ns
    if stored_ns is not None:
        later = duration_text(max(0, stored_ns - line.time_ns) / 1e6)
        yield from _fact("stored", [(f"{later} later", "dim")], width)


def _field(name: str, value: Any, width: int, now_ns: int) -> Iterator[Line]:
    label = name.removesuffix("_ns").removesuffix("_ms").replace("_", " ")
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        for index, one in enumerate(value):
            yield from _fact("" if index else label, [(inert(one, 200), "text")], width)
    elif isinstance(value, (dict, list, tuple)):
        yield from _fact(label, [("", "text")], width)
        yield from json_lines(value, width)
    elif isinstance(value, str):
        yield from _fact(label, [(inert(value, 4_000), "text")], width)
    else:
        yield from _fact(label, [(_number(name, value, now_ns), "text")], width)


def _number(name: str, value: Any, now_ns: int) -> str:
    """A value that is no text, with its unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "yes" if value is True else "no" if value is False else inert(str(value), 200)
    if name in _NAMES:
        return str(value)
    if name.endswith("_ns"):
        return moment_text(int(value), now_ns, milliseconds=True)
    if name.endswith("_ms"):
        return duration_text(value)
    if name.endswith(("_bytes", "_size")):
        return size_text(int(value)) if value > _MOST else f"{value:,} B"
    if name.endswith("_percent"):
        return f"{value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _fact(label: str, value: list[Span], width: int) -> Iterator[Line]:
    """A label and its value; a long one goes on below."""
    room = max(8, width - _LABEL - 3)
    (text, tone), *rest = value
    first, *more = wrap(text, room)
    yield Line((("  " + fit(label, _LABEL), "dim"), (first, tone), *(rest if not more else ())))
    for piece in more:
        yield Line(((" " * (_LABEL + 2), "text"), (piece, tone)))


def _traceback(text: str | None, width: int) -> Iterator[Line]:
    if text:
        yield from section("Traceback", width)
        yield from traceback_lines(text, width)
