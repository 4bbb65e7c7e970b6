"""What ``naq job show`` says of a job: a page for people, a document for scripts."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.job import After, Job, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.cli import documents
from naq_tui.cli.job_waits import reason_lines, reasons_json
from naq_tui.cli.output import (
    MOODS,
    Column,
    Line,
    Span,
    event_json,
    facts,
    heading,
    json_text,
    moment_json,
    room_of,
    table_lines,
    value_lines,
)
from naq_tui.model.line import said
from naq_tui.model.standing import STANDINGS
from naq_tui.pages.history import Dependency, History
from naq_tui.pages.life import ENDED
from naq_tui.pages.phases import Spent, phases, ran, unready_ms, waited
from naq_tui.pages.waits import Explanation
from naq_tui.text import age_text, clock_text, count_text, inert, inert_lines, moment_text, percent_text

__all__ = ["argument_lines", "document", "error_lines", "needs", "page"]

Standings = Mapping[str, JobStatus | None]

_BAR = 40
_SHORT = 72
_MOST_NEEDS = 100
_MOST_LOG_LINES = 20
_MOST_EVENTS = 60
_ATTEMPT_ENDS = (
    JobEventType.COMPLETED,
    JobEventType.FAILED,
    JobEventType.TIMED_OUT,
    JobEventType.CANCELLED,
)
_CHATTER = (JobEventType.PROGRESS, JobEventType.LOG)

_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red", "DEBUG": "dim"}
_WANTED = {"failure": "must fail", "always": "may end in any way"}
_EVENTS = (
    Column("  Time"),
    Column("After", align="right"),
    Column("Event"),
    Column("Worker", least=8, rank=1),
    Column("What", least=16),
)


def needs(detail: JobDetail) -> list[Dependency]:
    """The jobs that it depends on, and how those ended of which its events tell; at most 100."""
    return History(detail).dependencies()[:_MOST_NEEDS]


# For scripts


def document(detail: JobDetail, standings: Standings, explanation: Explanation | None) -> documents.Job:
    """All that is known, as one JSON object; what is not known is null.

    Args:
        standings: where the jobs stand that it depends on, as far as its events do not tell.
        explanation: why it waits, or waited long.
    """
    history, job, result = History(detail), detail.job, detail.result
    by, because = _cancellation(history)
    kind, text, trace = _error_of(history)
    return documents.Job(
        job_id=detail.job_id,
        status=detail.status,
        function_name=history.function_name or None,
        queue_name=history.queue_name or None,
        attempt=_attempt(history),
        worker_id=_worker(history),
        **moment_json("enqueued_at", _enqueued_ns(history)),
        **moment_json("run_at", history.due_ns),
        **moment_json("started_at", _at(history, JobEventType.STARTED) or (result.start_time_ns if result else 0)),
        **moment_json("finished_at", _finished_ns(history)),
        duration_ms=result.duration_ms if result else None,
        dead_letter=history.burial is not None,
        cancelled_by=by,
        cancelled_because=because,
        **_wishes(job),
        waits_because=reasons_json(explanation),
        progress=_progress_json(history),
        depends_on=[_need_json(need) for need in _needs_now(detail, standings)],
        result=result.result if result else None,
        error_type=kind or None,
        error_message=text or None,
        traceback=trace or None,
        events=[event_json(stored) for stored in detail.events],
    )


def _wishes(job: Job | None) -> dict[str, Any]:
    """What was asked for when it was enqueued."""
    names = ("args", "kwargs", "timeout", "retries", "retry_delay", "result_ttl", "unique_key", "unique_for")
    return {name: getattr(job, name, None) for name in names}


def _progress_json(history: History) -> documents.JobProgress | None:
    report = history.progress
    if report is None:
        return None
    said_at = moment_json("time", report.moment_ns)
    return documents.JobProgress(done=report.done, total=report.total, text=report.text, **said_at)


def _need_json(need: Dependency) -> documents.NeededJob:
    return documents.NeededJob(job_id=need.job_id, on=need.wanted or None, status=need.ended or None, met=need.met)


# For people


def page(detail: JobDetail, standings: Standings, explanation: Explanation | None, now_ns: int) -> Iterator[Line]:
    """The lines of the page. See `document`."""
    history = History(detail)
    yield from facts(_facts(history, now_ns))
    yield from _progress(history, now_ns)
    yield from reason_lines(explanation)
    yield from _depends_on(_needs_now(detail, standings), detail.status in ENDED)
    yield from _outcome(history)
    yield from argument_lines(detail.job)
    yield from _log(history)
    yield from _events(detail)


def _facts(history: History, now_ns: int) -> Iterator[tuple[str, Line]]:
    detail = history.detail
    text, mood = STANDINGS[detail.status]
    remarks = [(" for other jobs", MOODS[mood])] if detail.status is JobStatus.WAITING else []
    remarks += [("  † dead letter", "yellow")] if history.burial is not None else []
    remarks += [("  ⊘ told to end", "yellow")] if detail.is_ending else []
    yield "job", [(inert(detail.job_id), "bold")]
    yield "status", [(text, MOODS[mood]), *remarks]
    yield "function", [(inert(history.function_name or "-"), "")]
    yield "queue", [(inert(history.queue_name or "-"), "")]
    yield "enqueued", _moment(_enqueued_ns(history), now_ns)
    if history.due_ns and detail.status is JobStatus.SCHEDULED:
        yield "retry at" if history.is_retried else "due", _moment(history.due_ns, now_ns)
    found = phases(detail, now_ns)
    spent, unready = waited(found), unready_ms(found)
    besides = f"{', ' if spent.times > 1 else '  besides '}{duration_text(unready)} not runnable" if unready > 0 else ""
    yield "waited", [*_spent(spent, "in all"), (besides, "dim")]
    runs = [phase for phase in found if phase.kind == "running"]
    yield "attempt", [(_attempt_text(history) if runs or _attempt(history) > 1 else "", "")]
    yield "ran", [*_spent(ran(found), f"in {len(runs)} runs")]
    yield "worker", [(inert(_worker(history) or ""), "")]
    yield from _limits(detail.job)


def _spent(spent: Spent, times: str) -> Line:
    """The last attempt, as in all lists; beside it what there was in all, where that is something else."""
    if not spent.times:
        return [("", "")]
    in_all = f"  {duration_text(spent.all_ms)} {times}" if spent.times > 1 else ""
    return [("-" if spent.last_ms is None else duration_text(spent.last_ms), ""), (in_all, "dim")]


def _limits(job: Job | None) -> Iterator[tuple[str, Line]]:
    if job is None:
        return
    if job.timeout is not None:
        yield "time limit", [(duration_text(job.timeout * 1000), "")]
    if job.unique_key:
        yield (
            "unique key",
            [(inert(job.unique_key), ""), (f"  for {duration_text((job.unique_for or 0) * 1000)}", "dim")],
        )


def _moment(time_ns: int, now_ns: int) -> Line:
    if not time_ns:
        return []
    away = (now_ns - time_ns) / 1e9
    distance = f"{age_text(away)} ago" if away >= 0 else f"in {age_text(-away)}"
    return [(moment_text(time_ns, now_ns, milliseconds=True), ""), (f"  {distance}", "dim")]


def _progress(history: History, now_ns: int) -> Iterator[Line]:
    report = history.progress
    if report is None:
        return
    yield from heading("Progress", f"{age_text((now_ns - report.moment_ns) / 1e9)} ago")
    bar = list(_bar(report.done, report.total))
    text = ("  " + inert(report.text or ""), "")
    yield [("  ", ""), *bar, text] if bar else [text]


def _bar(done: float | None, total: float | None) -> Iterator[Span]:
    if done is None:
        return
    if not total or not math.isfinite(done) or not math.isfinite(total) or total < 0:
        yield f"{done:g}", "bold"
        return
    share = min(max(done / total, 0.0), 1.0)
    lit = int(share * _BAR)
    yield "━" * lit, "green" if share == 1 else "cyan"
    yield "─" * (_BAR - lit), "dim"
    yield f"  {done:g}/{total:g}  {percent_text(share)}", "bold"


def _depends_on(found: list[Dependency], is_over: bool) -> Iterator[Line]:
    if not found:
        return
    ended = sum(need.met is not None for need in found)
    yield from heading("Depends on", f"{ended} of {len(found)} ended")
    for need in found:
        glyph, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("⋯", "")}[need.met]
        unknown = "no end of it is known" if is_over else "not known yet"
        wanted = _WANTED.get(need.wanted, "must succeed" if need.met is False else "")
        yield [
            (f"  {glyph} ", style),
            (inert(need.job_id), ""),
            ("  " + inert(need.ended or unknown, 40), style),
            (f"  {wanted}" if wanted else "", "dim"),
        ]


def _outcome(history: History) -> Iterator[Line]:
    detail, result = history.detail, history.detail.result
    if detail.status is JobStatus.CANCELLED:
        by, because = _cancellation(history)
        yield from heading("Cancelled", f"by {inert(by)}" if by else "")
        yield from value_lines(because or "no reason was given")
    elif detail.status is JobStatus.COMPLETED:
        yield from heading("Result")
        yield from value_lines("not kept any more" if result is None else _json_of(result.result))
    elif detail.status is JobStatus.FAILED or history.error is not None:
        more = "" if detail.status is JobStatus.FAILED else "of the latest attempt"
        yield from error_lines(*_error_of(history), more)


def error_lines(kind: str, text: str, trace: str, more: str = "") -> Iterator[Line]:
    """An error, and where it came from."""
    yield from heading("Error", more)
    yield from value_lines(": ".join(part for part in (kind, text) if part) or "unknown", "red")
    if trace:
        yield []
        yield from value_lines(trace.rstrip(), "dim")


def argument_lines(job: Job | None) -> Iterator[Line]:
    """What a job was given."""
    yield from heading("Arguments")
    if job is None:
        yield from value_lines("neither the queue nor an outcome holds them any more", "dim")
    elif not job.args and not job.kwargs:
        yield from value_lines("none", "dim")
    else:
        for value in job.args:
            yield from value_lines(_json_of(value))
        for name, value in job.kwargs.items():
            yield from value_lines(f"{name} = {_json_of(value)}")


def _json_of(value: Any) -> str:
    """On one line when it is short."""
    short = json_text(value)
    return short if len(short) <= _SHORT else json_text(value, indent=2)


def _log(history: History) -> Iterator[Line]:
    written = history.all(JobEventType.LOG)
    if not written:
        return
    earlier = len(written) - _MOST_LOG_LINES
    yield from heading("Log", f"the last {_MOST_LOG_LINES} of {count_text(len(written))} lines" if earlier > 0 else "")
    for event in written[-_MOST_LOG_LINES:]:
        level = inert(event.level or "INFO", 12).upper()
        first, *more = inert_lines(event.text or "", lines=20)
        lead = f"  {clock_text(event.moment_ns, milliseconds=True)}  {level:<8} "
        yield [(lead, "dim"), (first, _LEVELS.get(level, ""))]
        for line in more:
            yield [(" " * len(lead), ""), (line, _LEVELS.get(level, ""))]


def _events(detail: JobDetail) -> Iterator[Line]:
    rows = [stored for stored in detail.events if stored.event.event_type not in _CHATTER]
    earlier = len(rows) - _MOST_EVENTS
    yield from heading("Events", f"the last {_MOST_EVENTS} of {count_text(len(rows))}" if earlier > 0 else "")
    if not rows:
        yield from value_lines("none are kept", "dim")
        return
    start_ns = detail.events[0].event.moment_ns
    shown = [_event_row(stored, start_ns) for stored in rows[-_MOST_EVENTS:]]
    yield from table_lines(_EVENTS, shown, room_of(sys.stdout))


def _event_row(stored: StoredEvent, start_ns: int) -> list[Span]:
    line = said(stored)
    style = MOODS[line.mood]
    return [
        ("  " + clock_text(line.time_ns, milliseconds=True), "dim"),
        ("+" + duration_text(max(0, line.time_ns - start_ns) / 1e6), ""),
        (f"{line.glyph} {line.kind}", style),
        (line.worker or "-", "dim"),
        (line.message or "-", style if line.mood == "bad" else ""),
    ]


# What is known


def _enqueued_ns(history: History) -> int:
    """By its first event, whose time is that of the server; without one, by the clock of who enqueued it."""
    by_event = history.begun_ns
    job = history.detail.job
    return by_event or (job.enqueued_at_ns if job is not None else 0)


def _finished_ns(history: History) -> int | None:
    """The same for its end."""
    result = history.detail.result
    return (_at(history, *_ATTEMPT_ENDS) or result.finish_time_ns) if result else None


def _at(history: History, *kinds: JobEventType) -> int:
    event = history.last(*kinds)
    return event.moment_ns if event is not None else 0


def _latest_run(history: History) -> JobEvent | None:
    return history.last(JobEventType.STARTED)


def _worker(history: History) -> str | None:
    result, run = history.detail.result, _latest_run(history)
    return (result.worker_id if result else None) or (run.worker_id if run else None)


def _attempt(history: History) -> int:
    """The attempt that runs or ran last, or comes next."""
    run, job = _latest_run(history), history.detail.job
    return max(run.attempt or 1 if run else 1, job.attempt if job else 1)


def _attempt_text(history: History) -> str:
    job = history.detail.job
    most = f" of {job.retries + 1}" if job is not None and job.retries else ""
    return f"{_attempt(history)}{most}"


def _cancellation(history: History) -> tuple[str | None, str | None]:
    """By whom it was cancelled, and why."""
    event, result = history.last(JobEventType.CANCELLED), history.detail.result
    if history.detail.status is not JobStatus.CANCELLED:
        return None, None
    return event.by if event else None, (event.reason if event else None) or (result.error if result else None) or None


def _error_of(history: History) -> tuple[str, str, str]:
    result, event = history.detail.result, history.error
    if result is not None and result.status is JobStatus.FAILED:
        return result.error_type or "", result.error or "", result.traceback or ""
    if event is not None and history.detail.status not in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        return event.error_type or "", event.error_message or "", event.traceback or ""
    return "", "", ""


def _needs_now(detail: JobDetail, standings: Standings) -> list[Dependency]:
    return [_need_now(need, standings.get(need.job_id)) for need in needs(detail)]


def _need_now(need: Dependency, status: JobStatus | None) -> Dependency:
    if need.met is not None or status is None:
        return need
    met = After(need.job_id, need.wanted or "success").is_met_by(status) if status in ENDED else None  # type: ignore[arg-type]
    return replace(need, ended=status.value, met=met)
