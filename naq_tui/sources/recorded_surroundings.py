"""What lies around a job, as far as the events of a recording tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from naq_runtime.events.models import (
    JobEvent,
    JobEventType,
    StoredEvent,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.statistics.sketch import Sketch, nanoseconds
from naq_runtime.surroundings import Family, Member, Neighbours, QueueStory

__all__ = ["RecordedSurroundings"]

_KEPT = 20_000
_FEW = 1_000
_MOST_BEGUN = 200
_MOST_RUNS = 5
_HOUR_NS = 3_600_000_000_000

_HOLDS = (SystemEventType.QUEUE_PAUSED, SystemEventType.QUEUE_RESUMED, SystemEventType.QUEUE_LIMITED)
_SHIFTS = (WorkerEventType.STARTED, WorkerEventType.STOPPED, WorkerEventType.LOST)
_ENDS = (JobEventType.COMPLETED, JobEventType.FAILED, JobEventType.TIMED_OUT)


class RecordedSurroundings:
    """Remembers the latest events that tell of queues, workers and functions; see `Questions`."""

    def __init__(self) -> None:
        self._holds: deque[StoredEvent] = deque(maxlen=_FEW)
        self._shifts: deque[StoredEvent] = deque(maxlen=_FEW)
        self._begun: deque[StoredEvent] = deque(maxlen=_KEPT)
        self._ended: deque[StoredEvent] = deque(maxlen=_KEPT)
        self._needs: dict[str, tuple[str, ...]] = {}

    def remember(self, events: Iterable[StoredEvent]) -> None:
        """Take in what can be asked about from now on."""
        for stored in events:
            event = stored.event
            if isinstance(event, JobEvent):
                self._remember_job(stored, event)
            elif isinstance(event, SystemEvent) and event.event_type in _HOLDS:
                self._holds.append(stored)
            elif isinstance(event, WorkerEvent) and event.event_type in _SHIFTS:
                self._shifts.append(stored)

    def _remember_job(self, stored: StoredEvent, event: JobEvent) -> None:
        if event.event_type is JobEventType.STARTED:
            self._begun.append(stored)
        elif event.event_type in _ENDS:
            self._ended.append(stored)
        elif event.depends_on:
            self._needs[event.job_id] = event.depends_on
            if len(self._needs) > _KEPT:
                del self._needs[next(iter(self._needs))]

    def family(self, job_id: str, member_of: Callable[[str], Member]) -> Family:
        """The jobs around one.

        Args:
            member_of: tells what is known of a job.
        """
        needed_by: dict[str, list[str]] = {}
        for child_id, parents in self._needs.items():
            for parent_id in parents:
                needed_by.setdefault(parent_id, []).append(child_id)
        below = {parent_id: tuple(children) for parent_id, children in needed_by.items()}
        ids = {job_id, *_reached(job_id, self._needs), *_reached(job_id, below)}
        return Family(
            members={one: member_of(one) for one in ids},
            needs={one: self._needs[one] for one in ids if one in self._needs},
            needed_by={one: below[one] for one in ids if one in below},
        )

    def queue_story(self, queue: str, since_ns: int, until_ns: int | None) -> QueueStory:
        """See `Questions.queue_story`."""

        def is_of_queue(stored: StoredEvent) -> bool:
            event = stored.event
            return getattr(event, "queue_name", None) == queue and (until_ns is None or event.moment_ns <= until_ns)

        begun = [one for one in self._begun if is_of_queue(one) and one.event.moment_ns >= since_ns]
        return QueueStory(
            holds=tuple(filter(is_of_queue, self._holds)),
            shifts=tuple(one for one in self._shifts if until_ns is None or one.event.moment_ns <= until_ns),
            begun=tuple(begun[-_MOST_BEGUN:]),
            has_more=len(begun) > _MOST_BEGUN,
        )

    def neighbours(self, function: str, queue: str, but: str, before_ns: int) -> Neighbours:
        """See `Questions.neighbours`; of the hour before the moment."""
        since_ns = before_ns - _HOUR_NS
        wait, run, runs = Sketch(), Sketch(), list[StoredEvent]()
        failed = 0
        for stored in self._begun:
            event = stored.event
            if isinstance(event, JobEvent) and event.function_name == function and event.wait_ms is not None:
                wait.add(nanoseconds(event.wait_ms))
        for stored in self._ended:
            event = stored.event
            if isinstance(event, JobEvent) and event.function_name == function:
                run.add(nanoseconds(event.duration_ms or 0.0))
                failed += event.event_type is not JobEventType.COMPLETED
                if event.queue_name == queue and event.job_id != but and event.moment_ns <= before_ns:
                    runs.append(stored)
        return Neighbours(
            function_name=function,
            since_ns=since_ns,
            until_ns=before_ns,
            completed=run.count - failed,
            failed=failed,
            wait=wait if wait.buckets else None,
            run=run if run.buckets else None,
            runs=tuple(runs[-_MOST_RUNS:]),
        )


def _reached(job_id: str, below: dict[str, tuple[str, ...]]) -> set[str]:
    """All that is below one."""
    found: set[str] = set()
    left = [job_id]
    while left:
        for one in below.get(left.pop(), ()):
            if one not in found:
                found.add(one)
                left.append(one)
    return found
