"""The page of one job: what it is, where its time went, what became of it, and what it was given."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.events.messages import duration_text
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.model.line import said
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.code import json_lines, plain_lines, traceback_lines
from naq_tui.pages.timeline import phases, timeline
from naq_tui.text import age_text, clock_text, fit, inert
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.flow import width_of
from naq_tui.widgets.line import EMPTY, Line, Span, Tone

__all__ = ["STATUS_MARKS", "job_page"]

STATUS_MARKS: dict[JobStatus, tuple[str, Tone]] = {
    JobStatus.QUEUED: ("+ queued", "text"),
    JobStatus.RUNNING: ("▸ running", "begin"),
    JobStatus.COMPLETED: ("✓ completed", "good"),
    JobStatus.FAILED: ("✗ failed", "bad"),
}
_LABEL = 11
_WIDE = 84

Fact = tuple[str, list[Span]]


def job_page(detail: JobDetail, width: int, now_ns: int) -> list[Line]:
    """The lines of the page."""
    return [
        EMPTY,
        *_facts(detail, width, now_ns),
        *_section("Timeline", width),
        *timeline(phases(detail, now_ns), width),
        *_outcome(detail, width),
        *_arguments(detail, width),
        *_events(detail, width),
    ]


def _section(title: str, width: int) -> list[Line]:
    rule = "─" * max(0, width - len(title) - 4)
    return [EMPTY, Line((("  ", "text"), (title, "accent"), (" " + rule, "faint")))]


def _facts(detail: JobDetail, width: int, now_ns: int) -> Iterator[Line]:
    left, right = _identity(detail), _course(detail, now_ns)
    if width < _WIDE:
        yield from (_pair([fact], width) for fact in (*left, *right))
        return
    for index in range(max(len(left), len(right))):
        yield _pair([*left[index : index + 1], *right[index : index + 1]], width)


def _pair(facts: list[Fact], width: int) -> Line:
    room = (width - 2) // max(2 if width >= _WIDE else 1, len(facts))
    spans: list[Span] = [("  ", "text")]
    for label, value in facts:
        shown = fitted(value, room - _LABEL - 2)
        blank = " " * (room - _LABEL - width_of(shown))
        spans += [(fit(label, _LABEL), "dim"), *shown, (blank, "text")]
    return Line(tuple(spans[:-1]))


def _identity(detail: JobDetail) -> list[Fact]:
    return [
        ("status", [STATUS_MARKS[detail.status]]),
        ("function", [(inert(_function(detail)), "strong")]),
        ("queue", [(inert(_queue(detail), 64), "name")]),
        ("job id", [(inert(detail.job_id, 64), "text")]),
    ]


def _function(detail: JobDetail) -> str:
    if detail.job is not None:
        function = detail.job.function
        return function if isinstance(function, str) else f"{function.__module__}.{function.__qualname__}"
    names = (getattr(stored.event, "function_name", None) for stored in detail.events)
    return next((name for name in names if name), "-")


def _queue(detail: JobDetail) -> str:
    if detail.job is not None and detail.job.queue_name:
        return detail.job.queue_name
    names = (getattr(stored.event, "queue_name", None) for stored in detail.events)
    return next((name for name in names if name), "-")


def _course(detail: JobDetail, now_ns: int) -> list[Fact]:
    found = phases(detail, now_ns)
    runs = [phase for phase in found if phase.kind == "running"]
    facts: list[Fact] = []
    if found:
        begun = found[0].start_ns
        ago = age_text((now_ns - begun) / SECOND_NS)
        facts.append(("enqueued", [(clock_text(begun, milliseconds=True), "text"), (f"  {ago} ago", "dim")]))
        waited = sum(phase.milliseconds for phase in found if phase.kind == "waiting")
        facts.append(("waited", [(duration_text(waited), "text")]))
    if runs:
        ran = sum(phase.milliseconds for phase in runs)
        attempts = f"  in {len(runs)} attempts" if len(runs) > 1 else ""
        facts.append(("ran", [(duration_text(ran), "text"), (attempts, "warn")]))
        facts.append(("worker", [(inert(runs[-1].worker or "-", 64), "text")]))
    return facts


def _arguments(detail: JobDetail, width: int) -> Iterator[Line]:
    yield from _section("Arguments", width)
    job = detail.job
    if job is None:
        yield from plain_lines("neither the queue nor an outcome holds them any more", width, "dim")
    elif not job.args and not job.kwargs:
        yield from plain_lines("none", width, "dim")
    else:
        if job.args:
            yield from json_lines(list(job.args), width)
        if job.kwargs:
            yield from json_lines(dict(job.kwargs), width)


def _outcome(detail: JobDetail, width: int) -> Iterator[Line]:
    result = detail.result
    if detail.status is JobStatus.FAILED:
        yield from _error(detail, width)
    elif detail.status is JobStatus.COMPLETED:
        yield from _section("Result", width)
        if result is None:
            yield from plain_lines("not kept any more", width, "dim")
        else:
            yield from json_lines(result.result, width)


def _error(detail: JobDetail, width: int) -> Iterator[Line]:
    kind, text, trace = _failure(detail)
    yield from _section("Error", width)
    yield from plain_lines(": ".join(part for part in (kind, text) if part) or "unknown", width, "bad")
    if trace:
        yield EMPTY
        yield from traceback_lines(trace, width)


def _failure(detail: JobDetail) -> tuple[str, str, str]:
    if detail.result is not None:
        return detail.result.error_type or "", detail.result.error or "", detail.result.traceback or ""
    for stored in reversed(detail.events):
        event = stored.event
        if getattr(event, "error_type", None):
            names = ("error_type", "error_message", "traceback")
            kind, text, trace = (str(getattr(event, name, None) or "") for name in names)
            return kind, text, trace
    return "", "", ""


def _events(detail: JobDetail, width: int) -> Iterator[Line]:
    yield from _section("Events", width)
    if not detail.events:
        yield from plain_lines("none kept", width, "dim")
        return
    start = detail.events[0].event.timestamp_ns
    for stored in detail.events:
        line = said(stored)
        offset = "+" + duration_text(max(0, line.time_ns - start) / 1e6)
        spans: list[Span] = [
            (f"  {clock_text(line.time_ns, milliseconds=True)}", "dim"),
            (fit(offset, 12, "right") + "  ", "text"),
            (f"{line.glyph} {fit(line.kind, 12)}", TONES[line.mood]),
            (fit(line.worker or "-", 14) + "  ", "dim"),
            (line.message or "-", "text" if line.message else "faint"),
        ]
        yield Line(tuple(fitted(spans, width - 1)))
