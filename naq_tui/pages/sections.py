"""The sections of a job's page that its events fill: progress, dependencies, cancellation, log, events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from rich.cells import cell_len

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.job import JobStatus
from naq_tui.model.line import level_mark, said
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.code import plain_lines
from naq_tui.pages.history import Dependency, History
from naq_tui.pages.life import ENDED
from naq_tui.text import age_text, clip, clock_text, count_text, fit, inert, inert_lines, percent_text, wrap
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import EMPTY, Line, Span, Tone

__all__ = ["cancellation", "dependencies", "event_list", "log", "progress", "section"]

_MOST_DEPENDENCIES = 40
_MOST_LOG_LINES = 400
_MOST_EVENTS = 400
_BAR = 60
_ROOMY = 84
_LEVEL_TONES: dict[str, Tone] = {
    "TRACE": "faint",
    "DEBUG": "faint",
    "INFO": "dim",
    "WARNING": "warn",
    "ERROR": "bad",
    "CRITICAL": "bad",
}
_BAR_TONES: dict[JobStatus, Tone] = {
    JobStatus.COMPLETED: "good",
    JobStatus.FAILED: "bad",
    JobStatus.CANCELLED: "warn",
}
_WANTED = {"success": "must succeed", "failure": "must fail", "always": "may end in any way"}
_CHATTER = (JobEventType.PROGRESS, JobEventType.LOG)
"""Events of which a job may have thousands; they have sections of their own."""


def section(title: str, width: int, more: str = "") -> list[Line]:
    """The heading of a section."""
    about = f"  {more}" if more else ""
    rule = "─" * max(0, width - len(title) - len(about) - 4)
    return [EMPTY, Line((("  ", "text"), (title, "accent"), (about, "dim"), (" " + rule, "faint")))]


# Progress


def progress(history: History, width: int, now_ns: int) -> Iterator[Line]:
    """How far it says that it has come."""
    report = history.progress
    if report is None:
        return
    yield from section("Progress", width)
    if report.done is not None:
        yield _bar_line(report.done, report.total, _BAR_TONES.get(history.detail.status, "begin"), width)
    age = "" if history.detail.status in ENDED else f"  {age_text((now_ns - report.moment_ns) / SECOND_NS)} ago"
    text = clip(inert(report.text or ""), max(0, width - len(age) - 4))
    if text or age:
        yield Line((("  " + text, "text"), (age if text else age.lstrip(), "dim")))


def _bar_line(done: float, total: float | None, tone: Tone, width: int) -> Line:
    if total is None or not math.isfinite(done) or not math.isfinite(total) or total <= 0:
        of = "" if total is None else f"/{_number(total)}"
        return Line(((f"  {_number(done)}{of}", "strong"), (" done", "dim")))
    share = min(max(done / total, 0.0), 9.99)
    figures = f"  {_number(done)}/{_number(total)}"
    percent = f"  {percent_text(share)}"
    cells = max(8, min(_BAR, width - len(figures) - len(percent) - 4))
    lit = min(cells, int(share * cells))
    return Line(
        (("  ", "text"), ("━" * lit, tone), ("━" * (cells - lit), "faint"), (figures, "strong"), (percent, tone))
    )


def _number(value: float) -> str:
    """As people write it: ``1,234`` or ``0.25``; only beyond all sense with an exponent."""
    if not math.isfinite(value) or abs(value) >= 1e15:
        return f"{value:g}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


# Dependencies


def dependencies(history: History, width: int) -> Iterator[Line]:
    """The jobs that it depends on, and how each ended."""
    found = history.dependencies()
    if not found:
        return
    ended = sum(one.met is not None for one in found)
    yield from section("Depends on", width, f"{count_text(ended)} of {count_text(len(found))} ended")
    is_over = history.detail.status in ENDED
    shown = found[:_MOST_DEPENDENCIES]
    room = min(34 if width >= _ROOMY else 22, max(cell_len(inert(one.job_id, 64)) for one in shown))
    for one in shown:
        yield _dependency_line(one, is_over, room, width)
    if len(found) > _MOST_DEPENDENCIES:
        yield Line(((f"  … {count_text(len(found) - _MOST_DEPENDENCIES)} more", "dim"),))


def _dependency_line(one: Dependency, is_over: bool, room: int, width: int) -> Line:
    state: Span
    if one.met is None:
        glyph, state = "⋯", ("no end of it was heard" if is_over else "has not ended yet", "dim")
    elif one.met:
        glyph, state = "⊕", (inert(one.ended, 40) or "ended as it must", "good")
    else:
        glyph, state = "⊖", (inert(one.ended, 40) or "ended otherwise", "bad")
    wanted = "" if one.met and one.wanted == "success" else _WANTED.get(one.wanted, "")
    spans: list[Span] = [
        (f"  {glyph} ", state[1]),
        (fit(inert(one.job_id, 64), room) + "  ", "name"),
        state,
        (f"  {clock_text(one.ended_at_ns, milliseconds=True)}" if one.ended_at_ns else "", "dim"),
        (f"  {wanted}" if wanted else "", "dim"),
    ]
    return Line(tuple(fitted(spans, width - 1)))


# Cancellation


def cancellation(history: History, width: int, now_ns: int) -> Iterator[Line]:
    """Who cancelled it, where it stood then, and why."""
    event, result = history.last(JobEventType.CANCELLED), history.detail.result
    yield from section("Cancelled", width)
    reason = (event.reason if event else None) or (result.error if result else None)
    if event is not None:
        age = age_text((now_ns - event.moment_ns) / SECOND_NS)
        who: Span = (f"  by {inert(event.by, 64)}", "strong") if event.by else ("  nobody gave a name", "dim")
        spans: list[Span] = [
            who,
            (f"  while {inert(event.state, 20)}" if event.state else "", "warn"),
            (f" on {inert(event.worker_id, 64)}" if event.worker_id else "", "text"),
            (f"  {clock_text(event.moment_ns, milliseconds=True)}  {age} ago", "dim"),
        ]
        yield Line(tuple(fitted(spans, width - 1)))
    yield from plain_lines(reason or "no reason was given", width, "text" if reason else "dim")


# Log


def log(history: History, width: int) -> Iterator[Line]:
    """What it wrote, the latest lines when it wrote too much."""
    written = history.all(JobEventType.LOG)
    if not written:
        return
    yield from section("Log", width, f"{count_text(len(written))} lines" if len(written) > 1 else "")
    blocks: list[list[Line]] = []
    count = 0
    for event in reversed(written):
        blocks.append(list(_log_lines(event, width)))
        count += len(blocks[-1])
        if count >= _MOST_LOG_LINES:
            break
    if len(blocks) < len(written):
        yield Line(((f"  … {count_text(len(written) - len(blocks))} earlier", "dim"),))
    for block in reversed(blocks):
        yield from block


def _log_lines(event: JobEvent, width: int) -> Iterator[Line]:
    level = inert(event.level or "INFO", 12).upper()
    tone = _LEVEL_TONES.get(level, "dim")
    lead: list[Span] = [
        (f"  {clock_text(event.moment_ns, milliseconds=width >= _ROOMY)}  ", "dim"),
        (f"{level_mark(level)[0]} {fit(level, 8)} ", tone),
    ]
    used = sum(len(text) for text, _ in lead)
    texts = [piece for line in inert_lines(event.text or "", lines=20) for piece in wrap(line, width - used - 2)]
    text_tone: Tone = tone if tone in ("faint", "warn", "bad") else "text"
    for index, text in enumerate(texts):
        yield Line((*(lead if index == 0 else [(" " * used, "text")]), (text, text_tone)))


# Events


def event_list(history: History, width: int) -> Iterator[Line]:
    """All that happened; reports of progress and lines of the log are only counted."""
    events = history.detail.events
    yield from section("Events", width, count_text(len(events)) if events else "")
    if not events:
        yield from plain_lines("none kept", width, "dim")
        return
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
