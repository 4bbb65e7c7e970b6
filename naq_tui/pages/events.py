"""The events of a job, as a list of what happened, or as they are stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_tui.model.line import said
from naq_tui.pages.blocks import Block
from naq_tui.pages.code import plain_lines
from naq_tui.pages.values import json_text_lines
from naq_tui.text import clock_text, count_text, fit, inert
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import Line, Span

__all__ = ["as_stored", "event_list", "raw_events"]

_MOST_EVENTS = 400
_MOST_RAW = 60
_CHATTER = (JobEventType.PROGRESS, JobEventType.LOG)
"""Events of which a job may have thousands; they have sections of their own."""


def event_list(events: Sequence[StoredEvent], width: int) -> Block:
    """All that happened; reports of progress and lines of the log are only counted."""
    lines = list(_list_lines(events, width)) if events else plain_lines("none kept", width, "dim")
    return Block("events", "Events", lines, f"{count_text(len(events))}  e shows them as JSON" if events else "")


def raw_events(events: Sequence[StoredEvent], width: int) -> Block:
    """The latest events as they are stored, one JSON object each, with its place in the log."""
    lines: list[Line] = []
    if len(events) > _MOST_RAW:
        lines.append(Line(((f"  … {count_text(len(events) - _MOST_RAW)} earlier: naq job events shows all", "dim"),)))
    for stored in events[-_MOST_RAW:]:
        lines += json_text_lines(json.dumps(as_stored(stored), ensure_ascii=False), width)
    return Block("raw", "Events", lines, f"{count_text(len(events))} as JSON  e lists them")


def as_stored(stored: StoredEvent) -> dict[str, Any]:
    """The members of the JSON of an event, with its place in the log."""
    return {"sequence": stored.sequence, **msgspec.to_builtins(stored.event)}


def _list_lines(events: Sequence[StoredEvent], width: int) -> Iterator[Line]:
    start = events[0].event.moment_ns
    rows = list(_rows(events))
    if len(rows) > _MOST_EVENTS:
        yield Line(((f"  … {count_text(len(rows) - _MOST_EVENTS)} earlier", "dim"),))
    for row in rows[-_MOST_EVENTS:]:
        yield _event_line(row, start, width) if isinstance(row, StoredEvent) else _chatter_line(row, start, width)


def _rows(events: Iterable[StoredEvent]) -> Iterator[StoredEvent | list[JobEvent]]:
    """The events, with those of which there may be thousands bundled."""
    bundle: list[JobEvent] = []
    for stored in events:
        event = stored.event
        if isinstance(event, JobEvent) and event.event_type in _CHATTER:
            bundle.append(event)
            continue
        if bundle:
            yield bundle
            bundle = []
        yield stored
    if bundle:
        yield bundle


def _event_line(stored: StoredEvent, start_ns: int, width: int) -> Line:
    line = said(stored)
    spans: list[Span] = [
        *_when(line.time_ns, start_ns),
        (f"{line.glyph} {fit(line.kind, 12)}", TONES[line.mood]),
        (fit(line.worker or "-", 14) + "  ", "dim"),
        (line.message or "-", "text" if line.message else "faint"),
    ]
    return Line(tuple(fitted(spans, width - 1)))


def _chatter_line(bundle: list[JobEvent], start_ns: int, width: int) -> Line:
    lines = sum(event.event_type is JobEventType.LOG for event in bundle)
    counts = ((len(bundle) - lines, "report", "of progress"), (lines, "line", "of the log"))
    text = ", ".join(f"{count_text(count)} {what}{'s' * (count > 1)} {of}" for count, what, of in counts if count)
    worker = fit(inert(bundle[0].worker_id or "-", 64), 14) + "  "
    spans: list[Span] = [*_when(bundle[0].moment_ns, start_ns), (fit("◔ …", 14) + worker + text, "faint")]
    return Line(tuple(fitted(spans, width - 1)))


def _when(at_ns: int, start_ns: int) -> list[Span]:
    offset = "+" + duration_text(max(0, at_ns - start_ns) / 1e6)
    return [(f"  {clock_text(at_ns, milliseconds=True)}", "dim"), (fit(offset, 12, "right") + "  ", "text")]
