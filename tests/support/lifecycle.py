"""Which events of a job may follow each other, whoever logs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from naq_runtime.events.models import JobEvent, JobEventType

__all__ = ["Stage", "faults", "last_stages"]

E = JobEventType


class Stage(StrEnum):
    """Where the events so far have brought a job."""

    UNKNOWN = "not enqueued"
    WAITING = "waiting for others"
    QUEUED = "queued"
    SCHEDULED = "waiting for its time"
    RUNNING = "running"
    FAILED = "failed, to be tried again"
    LOST = "failed for good"
    BURIED = "dead-lettered"
    ENDED = "ended"
    KEPT = "ended, with its outcome stored"


STEPS: dict[Stage, dict[JobEventType, Stage]] = {
    Stage.UNKNOWN: {
        E.ENQUEUED: Stage.QUEUED,
        E.SCHEDULED: Stage.SCHEDULED,
        E.WAITING_FOR_DEPENDENCIES: Stage.WAITING,
    },
    Stage.WAITING: {
        E.DEPENDENCY_SATISFIED: Stage.WAITING,
        E.DEPENDENCY_FAILED: Stage.WAITING,
        E.ENQUEUED: Stage.QUEUED,
        E.SCHEDULED: Stage.SCHEDULED,
        E.CANCELLED: Stage.ENDED,
    },
    Stage.QUEUED: {E.STARTED: Stage.RUNNING, E.FAILED: Stage.LOST, E.CANCELLED: Stage.ENDED},
    Stage.SCHEDULED: {E.STARTED: Stage.RUNNING, E.FAILED: Stage.LOST, E.CANCELLED: Stage.ENDED},
    Stage.RUNNING: {
        E.PROGRESS: Stage.RUNNING,
        E.LOG: Stage.RUNNING,
        E.COMPLETED: Stage.ENDED,
        E.FAILED: Stage.FAILED,
        E.TIMED_OUT: Stage.FAILED,
        E.RETRY_SCHEDULED: Stage.SCHEDULED,
        E.INTERRUPTED: Stage.QUEUED,
        E.CANCELLED: Stage.ENDED,
    },
    Stage.FAILED: {E.RETRY_SCHEDULED: Stage.SCHEDULED},
    Stage.LOST: {E.DEAD_LETTERED: Stage.BURIED},
    Stage.BURIED: {E.RESULT_STORED: Stage.BURIED, E.REQUEUED: Stage.QUEUED},
    Stage.ENDED: {E.RESULT_STORED: Stage.KEPT},
    Stage.KEPT: {},
}


_LOOKS = (E.RESULT_FETCHED, E.RESULT_EXPIRED)
"""What others see of an outcome moves no job; it may be that of the run before, or be seen before its end is told."""


def faults(events: Sequence[JobEvent], *, gaps: bool = False) -> list[str]:
    """What is wrong with the events of one job, given in causal order; empty when nothing is.

    Args:
        gaps: whether processes have died that had events to log; what somebody did on purpose is no gap.
    """
    found: list[str] = []
    stages, attempt = {Stage.UNKNOWN}, 0
    for event in events:
        before, stages = stages, _after(stages, event, gaps)
        if not stages:
            return [*found, f"{event.event_type} although it was {' or '.join(sorted(before))}"]
        if event.event_type is E.STARTED and event.attempt is not None:
            if event.attempt < attempt:
                found.append(f"attempt {event.attempt} after attempt {attempt}")
            attempt = event.attempt
        elif event.event_type is E.REQUEUED:
            attempt = 0
    return found


def last_stages(events: Sequence[JobEvent], *, gaps: bool = False) -> set[Stage]:
    """Where the last of the events may have left the job; nowhere, when they cannot have happened."""
    stages = {Stage.UNKNOWN}
    for event in events:
        stages = _after(stages, event, gaps)
    return stages


def _after(stages: set[Stage], event: JobEvent, gaps: bool) -> set[Stage]:
    before = _with_gaps(stages) if gaps else stages
    return {after for stage in before if (after := _step(stage, event)) is not None}


def _step(stage: Stage, event: JobEvent) -> Stage | None:
    if event.event_type in _LOOKS:
        return None if stage is Stage.UNKNOWN else stage
    after = STEPS[stage].get(event.event_type)
    return Stage.LOST if after is Stage.FAILED and event.final else after


def _with_gaps(stages: Iterable[Stage]) -> set[Stage]:
    """Where a job may be, when events after these stages were not logged."""
    reached, to_see = set(stages), list(stages)
    while to_see:
        stage = to_see.pop()
        following = {after for event, after in STEPS[stage].items() if event is not E.REQUEUED}
        following |= {Stage.QUEUED} if stage is Stage.RUNNING else set()
        following |= {Stage.LOST} if stage is Stage.RUNNING else set()
        to_see += following - reached
        reached |= following
    return reached
