"""One event, with all that it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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

_NAMING = frozenset(("pid",))
"""Numbers that count nothing."""
_SAID = frozenset(("event_type", "category", "timestamp_ns", "clock_offset_ns", "event_id", "v", "traceback"))
"""Fields that are told in words of their own."""
_MOST = 40_000
"""Bytes of a size that are named as they are, too."""


class _Fact(NamedTuple):
    """A label and what it is of."""

    label: str
    value: tuple[Span, ...]
    """The first of them goes on below when it is long."""


def event_page(stored: StoredEvent, width: int, now_ns: int) -> list[Line]:
    """The lines of the page."""
    line, fields = said(stored), msgspec.to_builtins(stored.event)
    facts = [
        *_when(stored, line, now_ns),
        *(one for name, value in fields.items() if name not in _SAID for one in _field(name, value, width, now_ns)),
        _Fact("event", ((f"{inert(fields.get('event_id', ''), 64) or '-'}  #{stored.sequence}", "dim"),)),
    ]
    return [*_headline(line, width), EMPTY, *_laid_out(facts, width), *_traceback(fields.get("traceback"), width)]


def _headline(line: Said, width: int) -> Iterator[Line]:
    """What it is, and what it says of itself, in full."""
    lead = f"  {line.glyph} {line.kind}  "
    pieces = wrap(line.message or "-", max(12, width - len(lead) - 1))
    yield Line(((lead, TONES[line.mood]), (pieces[0], "strong")))
    for piece in pieces[1:]:
        yield Line(((" " * len(lead), "text"), (piece, "strong")))


def _when(stored: StoredEvent, line: Said, now_ns: int) -> Iterator[_Fact]:
    age = f"  {age_text((now_ns - line.time_ns) / SECOND_NS)} ago"
    yield _Fact("time", ((moment_text(line.time_ns, now_ns, milliseconds=True), "text"), (age, "dim")))
    offset = stored.event.clock_offset_ns
    if offset:
        wrong = f"{duration_text(abs(offset) / 1e6)} {'behind' if offset > 0 else 'ahead'}"
        shown = clock_text(stored.event.timestamp_ns, milliseconds=True)
        yield _Fact("emitter's clock", ((shown, "text"), (f"  {wrong}", "warn")))
    stored_ns = stored.stored_ns
    if stored_ns is not None:
        later = duration_text(max(0, stored_ns - line.time_ns) / 1e6)
        yield _Fact("stored", ((f"{later} later", "dim"),))


def _field(name: str, value: Any, width: int, now_ns: int) -> Iterator[_Fact | Line]:
    label = name.removesuffix("_ns").removesuffix("_ms").replace("_", " ")
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        for index, one in enumerate(value):
            yield _Fact("" if index else label, ((inert(one, 200), "text"),))
    elif isinstance(value, (dict, list, tuple)):
        yield _Fact(label, (("", "text"),))
        yield from json_lines(value, width)
    elif isinstance(value, str):
        yield _Fact(label, ((inert(value, 4_000), "text"),))
    else:
        yield _Fact(label, ((_number(name, value, now_ns), "text"),))


def _number(name: str, value: Any, now_ns: int) -> str:
    """A value that is no text, with its unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "yes" if value is True else "no" if value is False else inert(str(value), 200)
    if name.endswith("_ns"):
        return moment_text(int(value), now_ns, milliseconds=True)
    if name.endswith("_ms"):
        return duration_text(value)
    if name.endswith(("_bytes", "_size")):
        return size_text(int(value)) if value > _MOST else f"{value:,} B"
    if name.endswith("_percent"):
        return f"{value:.1f} %"
    if name in _NAMING:
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _laid_out(facts: Sequence[_Fact | Line], width: int) -> Iterator[Line]:
    """The labels in a column as wide as the longest of them, and what they are of beside it."""
    column = max(len(fact.label) for fact in facts if isinstance(fact, _Fact)) + 2
    room = max(8, width - column - 3)
    for fact in facts:
        if not isinstance(fact, _Fact):
            yield fact
            continue
        (text, tone), *rest = fact.value
        first, *more = wrap(text, room)
        yield Line((("  " + fit(fact.label, column), "dim"), (first, tone), *(rest if not more else ())))
        for piece in more:
            yield Line(((" " * (column + 2), "text"), (piece, tone)))


def _traceback(text: str | None, width: int) -> Iterator[Line]:
    if text:
        yield from section("Traceback", width)
        yield from traceback_lines(text, width)
