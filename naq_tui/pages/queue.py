"""One queue: how it moves, what waits in it, who works at it, and what failed of late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent
from naq_tui.model.queues import QueueView
from naq_tui.model.tally import Quantiles
from naq_tui.model.workers import WorkerView
from naq_tui.pages.beside import beside
from naq_tui.pages.facts import Fact, fact_lines
from naq_tui.pages.sections import section
from naq_tui.state import Throughput
from naq_tui.text import age_text, clock_text, count_text, fit, inert, percent_text, rate_text
from naq_tui.widgets.chart import picture
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import EMPTY, Line, Span
from naq_tui.widgets.workers import state_span

__all__ = ["QueueFacts", "queue_page"]

_CHART_LINES = 7
_MOST_WORKERS = 40
_NAME = 24
"""Cells for the name of a worker, at most."""
_ONE_COLUMN = 83
"""In so many cells, facts are below each other."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """All that the page tells of."""

    queue: QueueView
    throughput: Throughput
    workers: Sequence[WorkerView]
    """Those that work at it."""
    failures: Sequence[JobEvent]
    """The latest, oldest first."""


def queue_page(known: QueueFacts, width: int) -> list[Line]:
    """The lines of the page."""
    return beside(lambda half: [*_course(known, half), EMPTY], lambda half: [*_standing(known, half)], width)


def _course(known: QueueFacts, width: int) -> Iterator[Line]:
    """How it moved, and what failed."""
    for line in picture(known.throughput, width - 2, _CHART_LINES):
        yield Line(((" ", "text"), *line.spans)) if line.spans else line
    yield from section("Newest failures", width)
    for event in reversed(known.failures):
        yield _failure(event, width)
    if not known.failures:
        yield Line((("  none of late", "dim"),))


def _failure(event: JobEvent, width: int) -> Line:
    error = f"{event.error_type or event.event_type.value}: {event.error_message or ''}"
    spans: list[Span] = [
        (f"  {clock_text(event.moment_ns)}  ", "dim"),
        ("✗ ", "warn" if event.final is False else "bad"),
        (fit(inert(event.job_id, 64)[:8], 8) + "  ", "name"),
        (f"{inert(event.function_name.rpartition('.')[2], 60)}  " if event.function_name else "", "text"),
        (inert(error).rstrip(": "), "bad"),
    ]
    return Line(tuple(fitted(spans, width - 1)))


def _standing(known: QueueFacts, width: int) -> Iterator[Line]:
    """What waits, how long that takes, and who works at it."""
    yield from fact_lines([*_depths(known.queue), *_figures(known.queue)], min(width, _ONE_COLUMN))
    yield from section("Workers", width, count_text(len(known.workers)) if known.workers else "")
    if not known.workers:
        waits = known.queue.state is not None and known.queue.state.waiting
        yield Line((("  ! nobody works at it", "warn") if waits else ("  nobody works at it", "dim"),))
    shown = known.workers[:_MOST_WORKERS]
    room = min(_NAME, max((cell_len(inert(one.record.worker_id, 64)) for one in shown), default=0))
    for worker in shown:
        yield _worker(worker, room, width)
    if len(known.workers) > _MOST_WORKERS:
        yield Line(((f"  … {count_text(len(known.workers) - _MOST_WORKERS)} more", "dim"),))


def _depths(queue: QueueView) -> Iterator[Fact]:
    state, behind = queue.state, queue.backlog
    if state is not None:
        running: list[Span] = [(count_text(state.running), "text"), (" running", "dim")]
        if state.redelivered:
            running.append((f"  {count_text(state.redelivered)} redelivered", "warn"))
        yield "jobs", [(count_text(state.waiting), "strong"), (" waiting  ", "dim"), *running]
    if behind is not None:
        retrying = f"  {count_text(behind.retrying)} of them to be tried again" if behind.retrying else ""
        yield "later", [(count_text(behind.scheduled), "text"), (" scheduled", "dim"), (retrying, "warn")]
        depending: list[Span] = [(count_text(behind.depending), "text"), (" wait for other jobs  ", "dim")]
        yield "besides", [*depending, (count_text(behind.dead), "bad" if behind.dead else "text"), (" dead", "dim")]
        if behind.oldest_s:
            yield "oldest", [(age_text(behind.oldest_s), "text"), ("  waiting for a worker", "dim")]
    if state is not None:
        yield "limits", list(_limits(queue))


def _limits(queue: QueueView) -> Iterator[Span]:
    state = queue.state
    if state is None:
        return
    if state.paused:
        yield "‖ paused  ", "warn"
    if state.concurrency_limit:
        full = state.running >= state.concurrency_limit
        yield f"{count_text(state.concurrency_limit)} at once  ", "warn" if full else "text"
    if state.rate_limit:
        yield inert(state.rate_limit, 30), "text"
    if not (state.paused or state.concurrency_limit or state.rate_limit):
        yield "none", "dim"


def _figures(queue: QueueView) -> Iterator[Fact]:
    figures = queue.figures
    rates = f"{rate_text(figures.enqueued_rate)}/s in  {rate_text(figures.done_rate)}/s out"
    yield "rates", [(rates, "text")]
    failed: list[Span] = [(count_text(figures.failed), "bad" if figures.failed else "text")]
    failed += [(f" in a minute  {percent_text(figures.failed_share)}", "dim")]
    failed += [(f"  {count_text(figures.retried)} retried", "dim")] if figures.retried else []
    failed += [(f"  {count_text(figures.cancelled)} cancelled", "dim")] if figures.cancelled else []
    yield "failed", failed
    yield "wait", _quantiles(figures.wait)
    yield "run", _quantiles(figures.run)


def _quantiles(quantiles: Quantiles | None) -> list[Span]:
    if quantiles is None:
        return [("-", "faint")]
    shown: list[Span] = []
    for name, value in zip(quantiles._fields, quantiles, strict=True):
        shown += [(f"{name} ", "dim"), (fit(duration_text(value), 9), "text")]
    return shown


def _worker(worker: WorkerView, room: int, width: int) -> Line:
    record = worker.record
    text, tone = state_span(worker)
    spans: list[Span] = [
        ("  " + fit(inert(record.worker_id, 64), room) + "  ", "name"),
        (fit(text, 11), tone),
        (f"{count_text(record.active_jobs)}/{count_text(record.concurrency_limit)} running", "text"),
        (f"  {inert(record.hostname, 40)}:{record.pid}", "dim"),
    ]
    return Line(tuple(fitted(spans, width - 1)))
