"""The stretches of a job's life: what it waited for, and where it ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from naq_runtime.events.models import Event, JobEvent, JobEventType, WorkerEvent, WorkerEventType
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.pages.life import ENDED, latest_life

__all__ = ["Outcome", "Phase", "Spent", "Wait", "phases", "ran", "unready_ms", "waited"]

Wait = Literal["queue", "time", "retry", "jobs"]
"""What it waits for: a worker, its time, its next attempt, or other jobs."""

Outcome = Literal["", "completed", "failed", "timed_out", "interrupted", "cancelled", "lost"]
"""How a run ended: ``lost`` with its worker, or so it seems; empty while it lasts, and for waiting."""

_WAITS: dict[JobEventType, Wait] = {
    JobEventType.ENQUEUED: "queue",
    JobEventType.REQUEUED: "queue",
    JobEventType.SCHEDULED: "time",
    JobEventType.RETRY_SCHEDULED: "retry",
    JobEventType.WAITING_FOR_DEPENDENCIES: "jobs",
}
_ENDS: dict[JobEventType, Outcome] = {
    JobEventType.COMPLETED: "completed",
    JobEventType.FAILED: "failed",
    JobEventType.TIMED_OUT: "timed_out",
    JobEventType.INTERRUPTED: "interrupted",
}
_OUTCOMES: dict[JobStatus, Outcome] = {JobStatus.COMPLETED: "completed", JobStatus.CANCELLED: "cancelled"}
_WAITS_OF: dict[JobStatus, Wait] = {JobStatus.SCHEDULED: "time", JobStatus.WAITING: "jobs"}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a job's life."""

    kind: Literal["waiting", "running"]
    start_ns: int
    end_ns: int
    attempt: int = 1
    worker: str = ""
    outcome: Outcome = ""
    open: bool = False
    """Whether it lasts."""
    wait: Wait = "queue"
    due_ns: int = 0
    """When a wait for a time, or for an attempt, was to be over, or was when a worker told; 0 when nobody said."""
    told_ms: float | None = None
    """How long it lasted, as measured by who was there; ``None`` when its length is that between two events."""
    is_guess: bool = False
    """Whether nobody knows when it ended: it is drawn up to what came next."""

    @property
    def milliseconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / 1e6 if self.told_ms is None else self.told_ms

    @property
    def planned_until_ns(self) -> int:
        """Up to here nothing was to happen: it waited for a time, or for other jobs."""
        if self.kind == "running" or self.wait == "queue":
            return self.start_ns
        return self.end_ns if self.wait == "jobs" else max(self.start_ns, min(self.end_ns, self.due_ns))


def phases(detail: JobDetail, now_ns: int) -> list[Phase]:
    """The stretches of waiting and running of its latest life, in order, as far as events or the outcome tell them.

    What is between the loss of a worker and the next run is none of both.
    """
    found = _from_events([stored.event for stored in latest_life(detail)])
    if not found:
        found = list(_without_events(detail))
    return [_closed(phase, now_ns, detail.status in ENDED) for phase in found]


@dataclass(frozen=True, slots=True)
class Spent:
    """The time that went by while a job waited for a worker, or ran; in milliseconds.

    What lists, filters and statistics say of a job is the last one alone.
    """

    last_ms: float | None
    """Of its last attempt, or so far; ``None`` when nobody knows it."""
    all_ms: float
    """Of all attempts, as far as they are known."""
    times: int
    """How often that was."""


def waited(found: Sequence[Phase]) -> Spent:
    """For how long it waited for a worker; without what it could not run in anyway."""
    waits = [_unplanned_ms(phase) for phase in found if phase.kind == "waiting"]
    return Spent(_last_wait_ms(found), sum(waits), sum(wait > 0 for wait in waits) or min(1, len(waits)))


def unready_ms(found: Sequence[Phase]) -> float:
    """For how long it could not run, since its time had not come or other jobs had not ended, in milliseconds."""
    return sum(phase.planned_until_ns - phase.start_ns for phase in found) / 1e6


def ran(found: Sequence[Phase]) -> Spent:
    """For how long it ran."""
    runs = [phase for phase in found if phase.kind == "running"]
    known = [phase.milliseconds for phase in runs if not phase.is_guess]
    last_ms = None if not runs or runs[-1].is_guess else runs[-1].milliseconds
    return Spent(last_ms, sum(known), len(runs))


def _last_wait_ms(found: Sequence[Phase]) -> float | None:
    """Of the wait that lasts, or of the one before the last run."""
    waits = [phase for phase in found[-2:] if phase.kind == "waiting"]
    return _unplanned_ms(waits[-1]) if waits else None


def _unplanned_ms(wait: Phase) -> float:
    return max(0.0, wait.milliseconds - (wait.planned_until_ns - wait.start_ns) / 1e6)


def _closed(phase: Phase, now_ns: int, ended: bool) -> Phase:
    if not phase.open:
        return phase
    return replace(phase, end_ns=phase.start_ns if ended else max(now_ns, phase.start_ns), open=not ended)


def _from_events(events: Sequence[Event]) -> list[Phase]:
    found: list[Phase] = []
    for event in events:
        if isinstance(event, WorkerEvent) and event.event_type is WorkerEventType.LOST:
            _lose(found, event)
        if not isinstance(event, JobEvent):
            continue
        kind = event.event_type
        if kind in _WAITS:
            _begin_to_wait(found, event)
        elif kind is JobEventType.STARTED:
            _begin_to_run(found, event)
        elif kind in _ENDS:
            _end(found, event)
        elif kind is JobEventType.CANCELLED:
            _close(found, event.moment_ns, "cancelled")
    return found


def _close(found: list[Phase], at: int, outcome: Outcome = "", **known: Any) -> None:
    """What lasts is over."""
    if found and found[-1].open:
        found[-1] = replace(found[-1], end_ns=max(at, found[-1].start_ns), outcome=outcome, open=False, **known)


def _lose(found: list[Phase], event: WorkerEvent) -> None:
    """The worker was seen for the last time; what it ran has been nowhere since."""
    if found and found[-1].kind == "running" and found[-1].worker == event.worker_id:
        _close(found, event.moment_ns, "lost")


def _begin_to_wait(found: list[Phase], event: JobEvent) -> None:
    wait, at, due = (
        _WAITS[event.event_type],
        event.moment_ns,
        event.on_server(event.run_at_ns) if event.run_at_ns else 0,
    )
    if wait == "retry" and found and found[-1].open and found[-1].kind == "waiting":
        found[-1] = replace(found[-1], wait=wait, due_ns=due)
        return
    is_lost = bool(found) and found[-1].kind == "running"
    _close(found, at, "lost" if is_lost else "", is_guess=is_lost)
    attempt = (event.retry_count or 1) + 1 if wait == "retry" else 1
    found.append(Phase("waiting", at, at, attempt, open=True, wait=wait, due_ns=due))


def _begin_to_run(found: list[Phase], event: JobEvent) -> None:
    at, attempt = event.moment_ns, event.attempt or 1
    last = found[-1] if found and found[-1].open else None
    if last is not None and last.kind == "waiting":
        _close(found, at, attempt=attempt, **_told(last, event))
    else:
        begun = at - int((event.wait_ms or 0) * 1e6)
        overlaps = bool(found) and begun < found[-1].end_ns
        _close(found, at if overlaps else begun, "lost", is_guess=True)
        if event.wait_ms is not None and not overlaps:
            found.append(Phase("waiting", begun, at, attempt))
    found.append(Phase("running", at, at, attempt, event.worker_id or "", open=True))


def _told(wait: Phase, started: JobEvent) -> dict[str, Any]:
    """What the worker says of a wait, and so the page, too: it goes from when the server had the job in its queue.

    Of a wait for a time that is what came after that time.
    """
    if wait.wait == "jobs" or started.wait_ms is None:
        return {}
    if wait.wait == "queue":
        return {"told_ms": started.wait_ms}
    told_ms = min(started.wait_ms, max(0, started.moment_ns - wait.start_ns) / 1e6)
    return {"due_ns": started.moment_ns - int(told_ms * 1e6)}


def _end(found: list[Phase], event: JobEvent) -> None:
    at, outcome, attempt = event.moment_ns, _ENDS[event.event_type], event.attempt or 1
    if found and found[-1].open and found[-1].kind == "running":
        _close(found, at, outcome, told_ms=event.duration_ms)
    else:
        begun = at - int((event.duration_ms or 0) * 1e6)
        _close(found, begun)
        found.append(Phase("running", begun, at, attempt, event.worker_id or "", outcome))
    if outcome == "interrupted":
        found.append(Phase("waiting", at, at, attempt, open=True))
    elif event.final is False:
        found.append(Phase("waiting", at, at, attempt + 1, open=True, wait="retry"))


def _without_events(detail: JobDetail) -> Iterator[Phase]:
    job, result = detail.job, detail.result
    if job is not None and job.enqueued_at_ns:
        yield _wait_of(job, result, _WAITS_OF.get(detail.status, "queue"))
    if result is not None and result.start_time_ns and _has_run(result):
        yield Phase(
            "running",
            result.start_time_ns,
            max(result.finish_time_ns, result.start_time_ns),
            result.attempt,
            result.worker_id or "",
            _OUTCOMES.get(result.status, "failed"),
        )


def _has_run(result: JobResult) -> bool:
    """A job that is cancelled before it runs has an outcome of no length."""
    return result.status is not JobStatus.CANCELLED or result.finish_time_ns > result.start_time_ns


def _wait_of(job: Job, result: JobResult | None, wait: Wait) -> Phase:
    begun = job.enqueued_at_ns
    end = result.start_time_ns if result else begun
    due = job.run_at_ns
    return Phase("waiting", begun, max(end, begun), open=result is None, wait="time" if due else wait, due_ns=due)
