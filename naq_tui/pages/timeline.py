"""What a job spent its time on, drawn to scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.text import clock_text, fit, inert
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["Phase", "phases", "timeline"]

_ENDS = {
    JobEventType.COMPLETED: "completed",
    JobEventType.FAILED: "failed",
    JobEventType.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a job's life."""

    kind: Literal["waiting", "running"]
    start_ns: int
    end_ns: int
    attempt: int = 1
    worker: str = ""
    outcome: str = ""
    """``completed``, ``failed`` or ``interrupted``; empty while it lasts, and for waiting."""
    open: bool = False
    """Whether it lasts."""

    @property
    def milliseconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / 1e6


def phases(detail: JobDetail, now_ns: int) -> list[Phase]:
    """The stretches of waiting and running, in order, as far as events or the outcome tell them."""
    found = _from_events([stored.event for stored in detail.events if isinstance(stored.event, JobEvent)])
    if not found:
        found = _from_outcome(detail)
    ended = detail.status in (JobStatus.COMPLETED, JobStatus.FAILED)
    return [_closed(phase, now_ns, ended) for phase in found]


def _closed(phase: Phase, now_ns: int, ended: bool) -> Phase:
    if not phase.open:
        return phase
    return replace(phase, end_ns=phase.start_ns if ended else max(now_ns, phase.start_ns), open=not ended)


def _from_events(events: Sequence[JobEvent]) -> list[Phase]:
    found: list[Phase] = []
    for event in events:
        kind, at = event.event_type, event.timestamp_ns
        if kind is JobEventType.ENQUEUED:
            found.append(Phase("waiting", at, at, open=True))
        elif kind is JobEventType.STARTED:
            found += _start(found, event)
        elif kind in _ENDS:
            found += _end(found, event)
    return found


def _start(found: list[Phase], event: JobEvent) -> Iterator[Phase]:
    at = event.timestamp_ns
    attempt = event.attempt or 1
    if found and found[-1].open and found[-1].kind == "waiting":
        found[-1] = replace(found[-1], end_ns=max(at, found[-1].start_ns), attempt=attempt, open=False)
    elif event.wait_ms is not None:
        yield Phase("waiting", at - int(event.wait_ms * 1e6), at, attempt)
    yield Phase("running", at, at, attempt, event.worker_id or "", open=True)


def _end(found: list[Phase], event: JobEvent) -> Iterator[Phase]:
    at, outcome = event.timestamp_ns, _ENDS[event.event_type]
    if found and found[-1].open and found[-1].kind == "running":
        found[-1] = replace(found[-1], end_ns=max(at, found[-1].start_ns), outcome=outcome, open=False)
    else:
        start = at - int((event.duration_ms or 0) * 1e6)
        yield Phase("running", start, at, event.attempt or 1, event.worker_id or "", outcome)
    if outcome == "interrupted" or event.final is False:
        yield Phase("waiting", at, at, (event.attempt or 1) + 1, open=True)


def _from_outcome(detail: JobDetail) -> list[Phase]:
    job, result = detail.job, detail.result
    found = []
    if job is not None and job.enqueued_at_ns:
        end = result.start_time_ns if result else job.enqueued_at_ns
        found.append(Phase("waiting", job.enqueued_at_ns, max(end, job.enqueued_at_ns), open=result is None))
    if result is not None and result.start_time_ns:
        outcome = "completed" if result.status is JobStatus.COMPLETED else "failed"
        found.append(
            Phase(
                "running",
                result.start_time_ns,
                max(result.finish_time_ns, result.start_time_ns),
                result.attempt,
                result.worker_id or "",
                outcome,
            )
        )
    return found


_LABEL, _TIME, _WORKER = 12, 11, 16
_OUTCOMES: dict[str, tuple[str, Tone]] = {
    "completed": ("✓", "good"),
    "failed": ("✗", "bad"),
    "interrupted": ("↯", "warn"),
    "": ("▸", "begin"),
}


def timeline(found: Sequence[Phase], width: int) -> list[Line]:
    """A line for each stretch, with its bar on a common scale, and an axis below."""
    if not found:
        return [Line((("  nothing is known of when it ran", "dim"),))]
    start = min(phase.start_ns for phase in found)
    total = max(1, max(phase.end_ns for phase in found) - start)
    worker = _WORKER if width >= 84 else 0
    cells = max(8, width - _LABEL - _TIME - worker - 6)
    lines = [_phase_line(phase, start, total, cells, worker) for phase in found]
    return [*lines, *_axis(start, total, cells)]


def _phase_line(phase: Phase, start: int, total: int, cells: int, worker: int) -> Line:
    glyph, tone = _OUTCOMES[phase.outcome] if phase.kind == "running" else ("·", "dim")
    label = f"{glyph} running" if phase.kind == "running" else "· waiting"
    if phase.attempt > 1:
        label += f" {phase.attempt}"
    spans: list[Span] = [("  " + fit(label, _LABEL), tone), *_bar(phase, start, total, cells, tone)]
    spans.append((fit(duration_text(phase.milliseconds), _TIME, "right"), "strong" if worker else "text"))
    if worker:
        spans.append(("  " + fit(inert(phase.worker, 64), worker - 2), "dim"))
    return Line(tuple(spans))


def _bar(phase: Phase, start: int, total: int, cells: int, tone: Tone) -> list[Span]:
    left = min(cells - 1, (phase.start_ns - start) * cells // total)
    right = max(left + 1, min(cells, -(-(phase.end_ns - start) * cells // total)))
    body = ("░" if phase.kind == "waiting" else "█") * (right - left)
    if phase.open:
        body = body[:-1] + "▸"
    return [(" " * left, "text"), (body, tone), (" " * (cells - right), "text")]


def _axis(start: int, total: int, cells: int) -> list[Line]:
    count = 4 if cells >= 56 else 2
    marks = "".join(("┬" if index % (cells // count) == 0 else "─") for index in range(cells - 1)) + "┐"
    labels = [" "] * cells
    for index in range(count):
        text = duration_text(total / 1e6 * index / count) if index else clock_text(start, milliseconds=True)
        place = index * (cells // count)
        labels[place : place + len(text)] = text
    end = "+" + duration_text(total / 1e6)
    labels[cells - len(end) : cells] = end
    margin = " " * (_LABEL + 2)
    return [Line(((margin, "text"), (marks, "faint"))), Line(((margin, "text"), ("".join(labels[:cells]), "dim")))]
