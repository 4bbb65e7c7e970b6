"""The page of one schedule: what it makes, when, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naq_runtime.errors import InvalidSchedule
from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import StoredEvent
from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.snapshot import ScheduleDetail
from naq_tui.model.line import said
from naq_tui.model.schedules import ScheduleView
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.timing import STATES, missed_text, overlap_text, span_text, when_text
from naq_tui.pages.code import plain_lines
from naq_tui.pages.facts import Fact, fact_lines
from naq_tui.pages.sections import section
from naq_tui.pages.values import json_lines
from naq_tui.text import age_text, clock_text, count_text, fit, inert, moment_text, short_age_text
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import EMPTY, Line, Span

__all__ = ["schedule_page"]

_COMING = 5


def schedule_page(detail: ScheduleDetail, width: int, now_ns: int) -> list[Line]:
    """The lines of the page."""
    view = ScheduleView(detail.schedule)
    return [
        EMPTY,
        *fact_lines([*_identity(view, now_ns), *_course(view, now_ns), *_rules(detail, now_ns)], width),
        *_trouble(detail, width),
        *_coming(detail.schedule, width, now_ns),
        *_last_job(detail.schedule, width, now_ns),
        *_arguments(detail, width),
        *_events(detail.events, width),
    ]


def _identity(view: ScheduleView, now_ns: int) -> Iterator[Fact]:
    schedule = view.schedule
    text, mood = STATES[schedule.state]
    yield "state", [(text, TONES[mood])]
    yield "function", [(inert(schedule.function_name), "strong")]
    yield "queue", [(inert(schedule.queue_name, 64), "name")]
    yield "schedule", [(inert(schedule.schedule_id, 64), "text")]
    yield "when", [(when_text(schedule, now_ns), "text")]


def _course(view: ScheduleView, now_ns: int) -> Iterator[Fact]:
    schedule = view.schedule
    yield "next", list(_due(view, now_ns))
    if schedule.latest_ns:
        lag = schedule.lag_ms
        yield "last", [*_past(schedule.latest_ns, now_ns), (f"  lag {duration_text(lag)}" if lag else "", "dim")]
    missed: Span = (f"  {count_text(schedule.missed_ticks)} missed", "warn" if schedule.missed_ticks else "dim")
    left = "" if schedule.repeat is None else f"  {count_text(schedule.repeat)} left"
    yield "ticks", [(count_text(schedule.ticks), "text"), missed, (left, "text")]


def _due(view: ScheduleView, now_ns: int) -> Iterator[Span]:
    due_ns = view.fires_at_ns
    if not due_ns:
        yield "-", "faint"
        return
    yield moment_text(due_ns, now_ns), "text"
    if late_ns := view.late_ns(now_ns):
        yield f"  late {short_age_text(late_ns / SECOND_NS)}", "warn"
    else:
        yield f"  in {age_text((due_ns - now_ns + SECOND_NS - 1) // SECOND_NS)}", "accent"


def _past(at_ns: int, now_ns: int) -> list[Span]:
    return [(moment_text(at_ns, now_ns), "text"), (f"  {age_text((now_ns - at_ns) / SECOND_NS)} ago", "dim")]


def _rules(detail: ScheduleDetail, now_ns: int) -> Iterator[Fact]:
    schedule = detail.schedule
    if not detail.told:
        yield "if missed", [(schedule.missed, "text"), (f"  {missed_text(schedule)}", "dim")]
        yield "overlap", [(schedule.overlap, "text"), (f"  {overlap_text(schedule)}", "dim")]
    if schedule.jitter_ns:
        yield "jitter", [(f"up to {span_text(schedule.jitter_ns)}", "text")]
    if schedule.starts_at_ns:
        yield "starts", [(moment_text(schedule.starts_at_ns, now_ns), "text")]
    if schedule.ends_at_ns:
        yield "ends", [(moment_text(schedule.ends_at_ns, now_ns), "text")]
    if schedule.created_at_ns:
        yield "made", _past(schedule.created_at_ns, now_ns)


def _trouble(detail: ScheduleDetail, width: int) -> Iterator[Line]:
    """Why it is paused, or what keeps it from being kept."""
    schedule = detail.schedule
    if schedule.reason:
        failed = schedule.state is ScheduleState.FAILED
        yield from section("Why", width)
        yield from plain_lines(inert(schedule.reason), width, "bad" if failed else "warn")
    elif schedule.errors:
        yield from section("Why", width)
        yield from plain_lines(f"it could not be kept {count_text(schedule.errors)} times in a row", width, "warn")


def _coming(schedule: Schedule, width: int, now_ns: int) -> Iterator[Line]:
    waits = schedule.state in (ScheduleState.PAUSED, ScheduleState.FAILED)
    yield from section("Coming", width, "not before it is resumed" if waits else "")
    try:
        ticks = schedule.next_runs(_COMING, now_ns)
    except InvalidSchedule as error:
        yield from plain_lines(str(error), width, "warn")
        return
    if not ticks:
        is_known = schedule.cron or schedule.every_ns or schedule.at_ns
        yield from plain_lines("nothing more is due" if is_known else "no event tells when it is due", width, "dim")
    for due_ns in ticks:
        left = age_text((due_ns - now_ns + SECOND_NS - 1) // SECOND_NS)
        yield Line((("  " + fit(moment_text(due_ns, now_ns), 21), "text"), (f"in {left}", "dim" if waits else "text")))


def _last_job(schedule: Schedule, width: int, now_ns: int) -> Iterator[Line]:
    yield from section("Last job", width)
    if schedule.latest_job_id is None:
        yield from plain_lines("none yet", width, "dim")
        return
    spans: list[Span] = [
        ("  ", "text"),
        (inert(schedule.latest_job_id, 64), "name"),
        ("  Enter", "key"),
        (" opens it", "dim"),
    ]
    yield Line(tuple(fitted(spans, width - 1)))


def _arguments(detail: ScheduleDetail, width: int) -> Iterator[Line]:
    yield from section("Arguments", width)
    job = detail.job
    if detail.schedule.state is ScheduleState.CANCELLED:
        yield from plain_lines("they went with it", width, "dim")
    elif job is None:
        yield from plain_lines("no event tells them" if detail.told else "they cannot be read here", width, "dim")
    elif not job.args and not job.kwargs:
        yield from plain_lines("none", width, "dim")
    else:
        if job.args:
            yield from json_lines(list(job.args), width)
        if job.kwargs:
            yield from json_lines(dict(job.kwargs), width)


def _events(events: Sequence[StoredEvent], width: int) -> Iterator[Line]:
    yield from section("Latest events", width, count_text(len(events)) if events else "")
    if not events:
        yield from plain_lines("none kept", width, "dim")
    for stored in reversed(events):
        line = said(stored)
        spans: list[Span] = [
            (f"  {clock_text(line.time_ns, milliseconds=True)}  ", "dim"),
            (f"{line.glyph} {fit(line.kind, 12)}", TONES[line.mood]),
            (line.message or "-", "text" if line.message else "faint"),
        ]
        yield Line(tuple(fitted(spans, width - 1)))
