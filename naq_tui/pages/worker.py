"""One worker: how it stands, what it has in its hands and for how long, and what its heartbeats said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from naq_runtime.events.messages import duration_text, size_text
from naq_runtime.events.models import StoredEvent, WorkerEvent
from naq_runtime.snapshot import HeldJob, WorkerDetail
from naq_runtime.worker.record import WorkerRecord
from naq_runtime.worker.roll import LOST
from naq_tui.model.line import said
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.beside import beside
from naq_tui.pages.code import plain_lines
from naq_tui.pages.facts import Fact, fact_lines
from naq_tui.pages.sections import section
from naq_tui.text import SKEW_SHOWN_MS, age_text, clip, clock_text, count_text, fit, inert, moment_text, skew_text
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.feed_line import TONES
from naq_tui.widgets.line import EMPTY, Line, Span
from naq_tui.widgets.marks import gauge, sparkline
from naq_tui.widgets.workers import LOST_MARK, STATES

__all__ = ["held_and_beats", "worker_page"]

_LONG_NS = 60 * SECOND_NS
"""A job that has run for so long is pointed out."""
_SPARKLINE = 40
_WIDE = 84
"""Where there is less, what it has in its hands comes first."""


def worker_page(detail: WorkerDetail, lately: Sequence[StoredEvent], width: int, now_ns: int) -> list[Line]:
    """The lines of the page.

    Args:
        lately: the latest events of it and of its jobs, oldest first.
    """
    state, *facts = _identity(detail)
    facts += _course(detail.status.record, now_ns)
    held = held_and_beats(detail, width, now_ns)
    if width >= _WIDE:
        return [EMPTY, *fact_lines([state, *facts], width), *held, *_events(lately, width)]
    return [EMPTY, *fact_lines([state], width), *held, EMPTY, *fact_lines(facts, width), *_events(lately, width)]


def _identity(detail: WorkerDetail) -> Iterator[Fact]:
    status, record = detail.status, detail.status.record
    state = LOST_MARK if status.state == LOST else STATES[record.state]
    stuck = len(record.stuck_job_ids)
    yield "state", [state, (f"  ! {count_text(stuck)} stuck" if stuck else "", "warn")]
    yield "worker", [(inert(record.worker_id, 64), "name")]
    yield "process", [(f"{inert(record.hostname, 64)}:{record.pid}", "text")]
    yield "queues", [(inert(" ".join(record.queue_names), 300), "text")]
    yield "modules", [(inert(" ".join(record.modules), 300) or "-", "text")]
    yield "version", [(inert(record.version, 40) or "-", "text")]
    if record.reason:
        yield "reason", [(inert(record.reason, 300), "warn")]


def _course(record: WorkerRecord, now_ns: int) -> Iterator[Fact]:
    started_ns, beat_ns = record.on_server(record.started_at_ns), record.on_server(record.beat_at_ns)
    yield "started", [(moment_text(started_ns, now_ns), "text"), (f"  {_ago(started_ns, now_ns)}", "dim")]
    every = f"  every {record.heartbeat_interval:g} s"
    yield "last beat", [(moment_text(beat_ns, now_ns), "text"), (f"  {_ago(beat_ns, now_ns)}{every}", "dim")]
    bar = gauge(record.active_jobs, record.concurrency_limit, 12)
    running = f"  {count_text(record.active_jobs)} of {count_text(record.concurrency_limit)}"
    yield "running", [*bar, (running, "text")]
    ended: list[Span] = [(count_text(record.jobs_completed), "text"), (" done  ", "dim")]
    ended += [(count_text(record.jobs_failed), "bad" if record.jobs_failed else "text"), (" failed  ", "dim")]
    yield "ended", [*ended, (count_text(record.jobs_interrupted), "text"), (" handed back", "dim")]
    off = abs(record.clock_skew_ms) >= SKEW_SHOWN_MS
    yield "clock", [("◷ " if off else "", "warn"), (skew_text(record.clock_skew_ms), "warn" if off else "text")]
    dropped: Span = (f"  {count_text(record.events_dropped)} dropped", "bad" if record.events_dropped else "dim")
    yield "its events", [(f"{count_text(record.events_buffered)} to be stored", "text"), dropped]


def _ago(at_ns: int, now_ns: int) -> str:
    return f"{age_text((now_ns - at_ns) / SECOND_NS)} ago"


def held_and_beats(detail: WorkerDetail, width: int, now_ns: int) -> list[Line]:
    """What it does, and what that costs."""
    return beside(lambda half: [*_held(detail, half, now_ns)], lambda half: [*_beats(detail, half)], width)


def _held(detail: WorkerDetail, width: int, now_ns: int) -> Iterator[Line]:
    """The jobs in its hands, the oldest first."""
    lost, record = detail.status.state == LOST, detail.status.record
    if lost and not record.active_jobs:  # as the table of workers says
        yield from section("Held when it was lost", width, "?")
        yield from plain_lines("not known: it held nothing when it was heard last", width, "dim")
        return
    yield from section("Held when it was lost" if lost else "Runs now", width, count_text(len(detail.jobs)))
    for job in detail.jobs:
        yield _job_line(job, width, now_ns)
        if job.stuck:
            yield Line((("    given up, its thread runs on", "warn"),))
    more = record.active_jobs - len(detail.jobs)
    if more > 0:
        yield Line(((f"  … {count_text(more)} more of which it does not say the names", "dim"),))
    elif not detail.jobs:
        yield from plain_lines("nothing", width, "dim")


def _job_line(job: HeldJob, width: int, now_ns: int) -> Line:
    age = age_text((now_ns - job.started_ns) / SECOND_NS) if job.started_ns else "age unknown"
    long = job.stuck or (job.started_ns and now_ns - job.started_ns >= _LONG_NS)
    spans: list[Span] = [
        ("  ! " if long else "  ▸ ", "warn" if long else "begin"),
        (fit(age, 11), "warn" if long else "text"),
        (f" {clip(inert(job.function_name, 200).rpartition('.')[2], 28) or '-'}  ", "strong"),
        (inert(job.job_id, 64), "name"),
        (f"  {inert(job.queue_name, 64)}" if job.queue_name else "", "dim"),
        (f"  attempt {job.attempt}" if job.attempt > 1 else "", "warn"),
    ]
    return Line(tuple(fitted(spans, width - 1)))


def _beats(detail: WorkerDetail, width: int) -> Iterator[Line]:
    """What it cost, beat by beat."""
    yield from section("Heartbeats", width, count_text(len(detail.beats)) if detail.beats else "")
    beats = [stored.event for stored in detail.beats if isinstance(stored.event, WorkerEvent)]
    if not beats:
        yield from plain_lines("none kept", width, "dim")
        return
    for label, values, unit in (
        ("cpu", [one.cpu_percent or 0 for one in beats], lambda value: f"{value:.0f} %"),
        ("rss", [one.rss_bytes or 0 for one in beats], lambda value: size_text(round(value))),
        ("loop lag", [one.loop_lag_ms or 0 for one in beats], duration_text),
        ("running", [one.active_jobs or 0 for one in beats], lambda value: f"{value:.0f}"),
    ):
        yield _series(label, values, unit, width)


def _series(label: str, values: Sequence[float], unit: Callable[[float], str], width: int) -> Line:
    cells = max(8, min(_SPARKLINE, width - 39))
    bars = sparkline([round(value * 1000) for value in values], cells)
    spans: list[Span] = [
        ("  " + fit(label, 9), "dim"),
        *bars,
        (f"  {fit(unit(values[-1]), 9, 'right')}", "text"),
        (f"  most {unit(max(values))}", "dim"),
    ]
    return Line(tuple(fitted(spans, width - 1)))


def _events(events: Sequence[StoredEvent], width: int) -> Iterator[Line]:
    yield from section("Latest events", width, count_text(len(events)) if events else "")
    if not events:
        yield from plain_lines("none among those that are kept here", width, "dim")
    for stored in reversed(events):
        line = said(stored)
        spans: list[Span] = [
            (f"  {clock_text(line.time_ns, milliseconds=True)}  ", "dim"),
            (f"{line.glyph} {fit(line.kind, 12)}", TONES[line.mood]),
            (fit(line.job_id[:8] or "-", 8) + "  ", "name"),
            (line.message or "-", "text" if line.message else "faint"),
        ]
        yield Line(tuple(fitted(spans, width - 1)))
