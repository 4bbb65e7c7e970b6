"""What ``naq schedule`` says of schedules: tables and pages for people, documents for scripts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TextIO

from msgspec.structs import asdict

from naq_runtime.errors import InvalidSchedule
from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import StoredEvent
from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.snapshot import LeaderState, ScheduleDetail
from naq_runtime.timetable import zone_of
from naq_tui.cli import documents
from naq_tui.cli.format import Format, iso_text
from naq_tui.cli.job_page import argument_lines
from naq_tui.cli.output import (
    MOODS,
    Column,
    Line,
    Span,
    event_json,
    facts,
    heading,
    moment_json,
    note,
    print_json,
    print_raw,
    print_table,
    room_of,
    table_lines,
    value_lines,
)
from naq_tui.model.line import said
from naq_tui.model.timing import STATES, missed_text, overlap_text, span_text, when_text
from naq_tui.text import age_text, count_text, inert, moment_text, short_age_text

__all__ = ["Detail", "detail_json", "page", "print_coming", "print_schedules"]

_SECOND_NS = 1_000_000_000
_LATE_S = 1.0
"""So long after its time a tick is not seen as late."""
_RETRYING: Span = ("! retrying", "yellow")
_COLUMNS = (
    Column("Schedule", least=12),
    Column("When", least=18),
    Column("State"),
    Column("Due", align="right"),
    Column("Next", rank=5),
    Column("Queue", least=7, rank=3),
    Column("Function", least=12, rank=1, keep_end=True),
    Column("Last", rank=8),
    Column("Lag", align="right", rank=7),
    Column("Missed", align="right", rank=4),
    Column("Ticks", align="right", rank=2),
    Column("Left", align="right", rank=6),
)
_EVENTS = (Column("  Time"), Column("Event"), Column("What", least=16))


class Detail(NamedTuple):
    """All that is shown of one schedule."""

    known: ScheduleDetail
    coming: Sequence[int] | None
    """``None`` when the timetable cannot be read on this machine."""
    leader: LeaderState | None


# For scripts


def document(schedule: Schedule) -> documents.Schedule:
    """A schedule as a JSON object; what it has not is null."""
    return documents.Schedule(
        schedule_id=schedule.schedule_id,
        state=schedule.state,
        reason=schedule.reason,
        queue_name=schedule.queue_name,
        function_name=schedule.function_name,
        cron=schedule.cron,
        timezone=schedule.timezone if schedule.cron else None,
        every=schedule.every_ns / _SECOND_NS or None,
        **moment_json("at", schedule.at_ns),
        **moment_json("starts_at", schedule.starts_at_ns),
        **moment_json("ends_at", schedule.ends_at_ns),
        jitter=schedule.jitter_ns / _SECOND_NS,
        repeat=schedule.repeat,
        missed=schedule.missed,
        catch_up_limit=schedule.catch_up_limit,
        catch_up_window=schedule.catch_up_window_ns / _SECOND_NS,
        overlap=schedule.overlap,
        **moment_json("created_at", schedule.created_at_ns),
        **moment_json("next_run_at", schedule.fires_at_ns),
        **moment_json("last_run_at", schedule.latest_ns),
        last_job_id=schedule.latest_job_id,
        lag_ms=schedule.lag_ms,
        ticks=schedule.ticks,
        missed_ticks=schedule.missed_ticks,
        **moment_json("held", schedule.held_ns),
        errors=schedule.errors,
    )


def detail_json(detail: Detail) -> documents.ScheduleDetail:
    """All about a schedule, its job and what happened, as a JSON object."""
    job, coming = detail.known.job, detail.coming
    names = ("args", "kwargs", "timeout", "retries", "retry_delay", "result_ttl")
    wishes: dict[str, Any] = {name: getattr(job, name, None) for name in names}
    return documents.ScheduleDetail(
        **asdict(document(detail.known.schedule)),
        **wishes,
        coming=None if coming is None else [iso_text(due_ns) for due_ns in coming],
        leader=detail.leader.instance_id if detail.leader is not None else None,
        events=[event_json(stored) for stored in detail.known.events],
    )


def _raw(schedule: Schedule) -> Iterator[object]:
    yield schedule.schedule_id
    yield schedule.state.value
    yield schedule.queue_name
    yield schedule.function_name
    for name, value in (
        ("next", f"{schedule.fires_at_ns / 1e9:.3f}" if schedule.fires_at_ns else "-"),
        ("last", f"{schedule.latest_ns / 1e9:.3f}" if schedule.latest_ns else "-"),
        ("ticks", schedule.ticks),
        ("missed", schedule.missed_ticks),
        ("left", "-" if schedule.repeat is None else schedule.repeat),
    ):
        yield f"{name}={value}"
    yield when_text(schedule, 0)


# Many


def print_schedules(schedules: Sequence[Schedule], format: Format, *, to: TextIO | None = None) -> None:
    """Print a listing."""
    if format is Format.JSON:
        print_json([document(schedule) for schedule in schedules])
    elif format is Format.RAW:
        for schedule in schedules:
            print_raw(*_raw(schedule))
    elif schedules:
        now_ns = time.time_ns()
        print_table(_COLUMNS, [_row(schedule, now_ns) for schedule in schedules], to=to)
    else:
        note("there are no such schedules")


def _row(schedule: Schedule, now_ns: int) -> list[Span]:
    fires_ns, lag_ms = schedule.fires_at_ns, schedule.lag_ms
    return [
        (inert(schedule.schedule_id), "bold"),
        (when_text(schedule, 0), ""),
        _state(schedule),
        _away(fires_ns, now_ns, short_age_text) if fires_ns else ("-", "dim"),
        (moment_text(fires_ns, now_ns) if fires_ns else "-", "" if fires_ns else "dim"),
        (inert(schedule.queue_name), ""),
        (inert(schedule.function_name), ""),
        (moment_text(schedule.latest_ns, now_ns) if schedule.latest_ns else "-", "dim"),
        ("-" if lag_ms is None else duration_text(lag_ms), "dim"),
        (count_text(schedule.missed_ticks), "yellow" if schedule.missed_ticks else "dim"),
        (count_text(schedule.ticks), ""),
        ("-" if schedule.repeat is None else count_text(schedule.repeat), "dim" if schedule.repeat is None else ""),
    ]


def _state(schedule: Schedule) -> Span:
    is_retrying = schedule.errors and schedule.state is ScheduleState.ACTIVE
    text, mood = STATES[schedule.state]
    return _RETRYING if is_retrying else (text, MOODS[mood])


def _away(time_ns: int, now_ns: int, age: Callable[[float], str]) -> Span:
    """How long until something is due, or how late it is."""
    left_s = (time_ns - now_ns) / 1e9
    return (f"{age(-left_s)} late", "red") if left_s < -_LATE_S else (f"in {age(left_s)}", "cyan")


# One


def page(detail: Detail, now_ns: int) -> Iterator[Line]:
    """The lines of a page."""
    schedule, coming = detail.known.schedule, detail.coming
    yield from facts(_facts(detail, now_ns))
    yield from heading("Coming", "once it is resumed" if coming and schedule.state is not ScheduleState.ACTIVE else "")
    if coming is None:
        yield from value_lines("its timetable cannot be read on this machine", "red")
    elif not coming:
        yield from value_lines("nothing any more", "dim")
    else:
        for due_ns in coming:
            ((text, style), (away, _)) = _coming_row(schedule, due_ns, now_ns)[:2]
            yield [("  " + text, style), ("  " + away, "dim")]
    if detail.known.job is None:
        yield from heading("Arguments")
        is_gone = schedule.state is ScheduleState.CANCELLED
        yield from value_lines(*(("they went with it", "dim") if is_gone else ("its job cannot be read", "red")))
    else:
        yield from argument_lines(detail.known.job)
    yield from _events(detail.known.events)


def _facts(detail: Detail, now_ns: int) -> Iterator[tuple[str, Line]]:
    schedule = detail.known.schedule
    yield "schedule", [(inert(schedule.schedule_id), "bold")]
    yield "state", [_state(schedule), (f"  {inert(schedule.reason)}" if schedule.reason else "", "dim")]
    yield "when", [(when_text(schedule, 0), "")]
    yield "function", [(inert(schedule.function_name), "")]
    yield "queue", [(inert(schedule.queue_name), "")]
    yield from _timing(schedule, now_ns)
    left = "" if schedule.repeat is None else f"  {schedule.repeat:,} left"
    yield "ticks", [(f"{schedule.ticks:,}", ""), (left, "dim")]
    yield (
        "missed",
        [
            (f"{schedule.missed_ticks:,}", "yellow" if schedule.missed_ticks else ""),
            (f"  {missed_text(schedule)}", "dim"),
        ],
    )
    yield "overlap", [(schedule.overlap, ""), (f"  {overlap_text(schedule)}", "dim")]
    if schedule.held_ns:
        held = moment_text(schedule.held_ns, now_ns)
        yield "held", [(held, "yellow"), ("  its job comes when the one before has ended", "dim")]
    yield from _trouble(schedule, now_ns)
    yield "leader", [_leader(detail.leader)]


def _timing(schedule: Schedule, now_ns: int) -> Iterator[tuple[str, Line]]:
    for label, time_ns in (
        ("created", schedule.created_at_ns),
        ("starts", schedule.starts_at_ns),
        ("ends", schedule.ends_at_ns),
        ("last", schedule.latest_ns),
    ):
        yield label, _moment(time_ns, now_ns)
    lag_ms = schedule.lag_ms
    late = "" if lag_ms is None else f"  {duration_text(lag_ms)} late"
    yield "last job", [(inert(schedule.latest_job_id or ""), ""), (late, "dim")]
    if fires_ns := schedule.fires_at_ns:
        yield "next", [(moment_text(fires_ns, now_ns), ""), ("  ", ""), _away(fires_ns, now_ns, age_text)]
    jitter = f"up to {span_text(schedule.jitter_ns)}" if schedule.jitter_ns else ""
    yield "jitter", [(jitter, "")]


def _moment(time_ns: int, now_ns: int) -> Line:
    if not time_ns:
        return []
    away_s = (now_ns - time_ns) / 1e9
    distance = f"{age_text(away_s)} ago" if away_s >= 0 else f"in {age_text(-away_s)}"
    return [(moment_text(time_ns, now_ns), ""), (f"  {distance}", "dim")]


def _trouble(schedule: Schedule, now_ns: int) -> Iterator[tuple[str, Line]]:
    if schedule.errors:
        again = _moment(schedule.retry_at_ns, now_ns) if schedule.state is ScheduleState.ACTIVE else []
        yield (
            "errors",
            [(f"{schedule.errors:,} in a row", "red"), ("  tried again at " if again else "", "dim"), *again],
        )


def _leader(leader: LeaderState | None) -> Span:
    if leader is None:
        return "no scheduler runs; 'naq run-scheduler' starts one", "yellow"
    return inert(f"{leader.instance_id}  on {leader.hostname}:{leader.pid}, term {leader.term}"), ""


def _events(events: Sequence[StoredEvent]) -> Iterator[Line]:
    yield from heading("Events", "the latest" if events else "")
    if not events:
        yield from value_lines("none are kept", "dim")
        return
    rows: list[list[Span]] = []
    for line in map(said, events):
        style = MOODS[line.mood]
        rows.append(
            [
                (f"  {moment_text(line.time_ns, time.time_ns(), milliseconds=True)}", "dim"),
                (f"{line.glyph} {line.kind}", style),
                (line.message or "-", style if line.mood == "bad" else ""),
            ]
        )
    yield from table_lines(_EVENTS, rows, room_of(sys.stdout))


# What comes


def print_coming(schedule: Schedule, coming: Sequence[int], now_ns: int, format: Format) -> None:
    """Print when a schedule is due."""
    if format is Format.TABLE:
        columns = (Column("Due"), Column("Away", align="right"), Column("Jitter", align="right"))
        shown = 3 if schedule.jitter_ns else 2
        if coming:
            rows = [_coming_row(schedule, due_ns, now_ns)[:shown] for due_ns in coming]
            print_table(columns[:shown], rows)
        if schedule.state is not ScheduleState.ACTIVE and not schedule.state.is_over:
            note(f"schedule {schedule.schedule_id} is {schedule.state.value}: nothing comes until it is resumed")
        elif not coming:
            note(f"nothing is due any more of schedule {schedule.schedule_id}")
    elif format is Format.JSON:
        print_json([_coming_json(schedule, due_ns) for due_ns in coming])
    else:
        for due_ns in coming:
            print_raw(f"{due_ns / 1e9:.3f}", _in_zone(schedule, due_ns).isoformat())


def _coming_row(schedule: Schedule, due_ns: int, now_ns: int) -> list[Span]:
    moment = _in_zone(schedule, due_ns)
    parts = f".{moment.microsecond // 1000:03d}" if moment.microsecond else ""
    return [
        (f"{moment:%a %Y-%m-%d %H:%M:%S}{parts} {moment:%Z}", ""),
        _away(due_ns, now_ns, age_text),
        (f"+{duration_text(schedule.delay_of(due_ns) / 1e6)}", "dim"),
    ]


def _coming_json(schedule: Schedule, due_ns: int) -> documents.Tick:
    run_ns = due_ns + schedule.delay_of(due_ns)
    local = _in_zone(schedule, due_ns).isoformat()
    return documents.Tick(**moment_json("due_at", due_ns), local=local, **moment_json("run_at", run_ns))


def _in_zone(schedule: Schedule, due_ns: int) -> datetime:
    """In the schedule's time zone, or where that is not known here, in UTC."""
    try:
        zone = zone_of(schedule.timezone)
    except InvalidSchedule:
        zone = zone_of("UTC")
    seconds, rest = divmod(due_ns, _SECOND_NS)
    return datetime.fromtimestamp(seconds, zone).replace(microsecond=rest // 1000)
