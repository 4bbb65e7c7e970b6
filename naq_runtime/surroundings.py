"""What lies around one job: the jobs that it depends on and that depend on it, what happened to its queue while it
waited, and how other runs of its function went. Values only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.job import JobStatus
from naq_runtime.statistics.sketch import Sketch

__all__ = ["Family", "Member", "Neighbours", "QueueStory", "status_after"]


_AFTER: dict[JobEventType, JobStatus] = {
    JobEventType.ENQUEUED: JobStatus.QUEUED,
    JobEventType.REQUEUED: JobStatus.QUEUED,
    JobEventType.INTERRUPTED: JobStatus.QUEUED,
    JobEventType.SCHEDULED: JobStatus.SCHEDULED,
    JobEventType.RETRY_SCHEDULED: JobStatus.SCHEDULED,
    JobEventType.WAITING_FOR_DEPENDENCIES: JobStatus.WAITING,
    JobEventType.STARTED: JobStatus.RUNNING,
    JobEventType.COMPLETED: JobStatus.COMPLETED,
    JobEventType.FAILED: JobStatus.FAILED,
    JobEventType.TIMED_OUT: JobStatus.FAILED,
    JobEventType.DEAD_LETTERED: JobStatus.FAILED,
    JobEventType.CANCELLED: JobStatus.CANCELLED,
}


def status_after(events: Iterable[StoredEvent]) -> JobStatus | None:
    """Where a job stands after these events of it, in their order; ``None`` when they do not tell."""
    status: JobStatus | None = None
    for stored in events:
        event = stored.event
        if isinstance(event, JobEvent):
            status = JobStatus.SCHEDULED if event.final is False else _AFTER.get(event.event_type, status)
    return status


class Member(Struct, frozen=True):
    """A job of a family."""

    status: JobStatus | None = None
    """``None`` when nothing is known of it, or no longer."""
    function_name: str = ""
    """``module.qualname``; empty when nobody says."""


class Family(Struct, frozen=True, kw_only=True):
    """The jobs around one that depend on each other. Only some of them may have been looked at."""

    members: Mapping[str, Member] = {}
    """Those that were looked at, by id."""
    needs: Mapping[str, tuple[str, ...]] = {}
    """The ids of all jobs that one depends on, in the order in which they were given."""
    needed_by: Mapping[str, tuple[str, ...]] = {}
    """The ids of all jobs that are known to depend on one."""


class QueueStory(Struct, frozen=True, kw_only=True):
    """What happened to a queue up to the end of a time."""

    holds: tuple[StoredEvent, ...] = ()
    """That it was paused, resumed or limited, also before the time; oldest first."""
    shifts: tuple[StoredEvent, ...] = ()
    """That workers started, stopped or were lost, those of other queues among them; oldest first."""
    begun: tuple[StoredEvent, ...] = ()
    """The latest jobs of the queue that workers began in this time, oldest first."""
    has_more: bool = False
    """Whether more of them were begun."""


class Neighbours(Struct, frozen=True, kw_only=True):
    """How the attempts of one function went lately."""

    function_name: str
    since_ns: int
    """The time that is covered."""
    until_ns: int
    completed: int = 0
    failed: int = 0
    """Attempts; those above their time limit included."""
    wait: Sketch | None = None
    """How long jobs waited that were begun; ``None`` when none was."""
    run: Sketch | None = None
    """How long attempts took that ended by themselves or by their time limit."""
    runs: tuple[StoredEvent, ...] = ()
    """The last attempts that ended before a moment, oldest first."""
