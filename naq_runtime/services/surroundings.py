"""Reads what lies around one job, for those that look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent, SystemEventType, WorkerEventType
from naq_runtime.events.queries import EventQueries
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.jobs.family import FamilyReader
from naq_runtime.jobs.store import JobStore
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.statistics import reader_of
from naq_runtime.snapshot import JobDetail
from naq_runtime.statistics.reader import FunctionCount
from naq_runtime.surroundings import Family, Neighbours, QueueStory

__all__ = ["Surroundings"]

_MOST_HOLDS = 50
_MOST_SHIFTS = 200
_MOST_BEGUN = 200
_MOST_TOLD = 1_000
_MOST_RUNS = 5
_MOST_PASSED = 50_000
"""Other runs are looked for among so many events: of a function that seldom runs, few are found in a busy queue."""
_NEAR_NS = 600_000_000_000
"""Other runs are looked for so long before a job."""
_LATE_NS = 5_000_000_000
"""Events are stored at most so long after they happened, while all is well."""
_HOURS = (1.0, 1 / 6, 1 / 60)
"""Spans of time in which a function is looked at: the first of which not too many events must be read one by one."""
_MOST_SCANNED = 20_000

_HOLDS = (SystemEventType.QUEUE_PAUSED, SystemEventType.QUEUE_RESUMED, SystemEventType.QUEUE_LIMITED)
_SHIFTS = (WorkerEventType.STARTED, WorkerEventType.STOPPED, WorkerEventType.LOST)
_ENDS = (JobEventType.COMPLETED, JobEventType.FAILED, JobEventType.TIMED_OUT)


class _TooMany(Exception):
    """More events would have to be read one by one than somebody who waits for it has time for."""


class Surroundings:
    """Looks at families, queues and neighbours of jobs; everything can raise a `ServerError`."""

    def __init__(self, services: ServiceManager, storage: NATSJobEventStorage, events: EventQueries) -> None:
        self._events = events
        streams, names = services.streams, services.names
        store = JobStore(streams, names)
        self._families = FamilyReader(streams, names, services.serializer, store, storage.histories)
        self._statistics = reader_of(services)

    async def family(self, detail: JobDetail) -> Family:
        """The jobs that it depends on, and those that depend on it.

        Of jobs that have ended, those are found that began to wait for it after its first event.
        """
        since_ns = detail.events[0].event.moment_ns if detail.events else None
        kinds = {"category": "job", "event_type": JobEventType.WAITING_FOR_DEPENDENCIES}
        told = await self._events.recent(_MOST_TOLD, kinds, since=since_ns)
        return await self._families.read(detail.job_id, told.events)

    async def queue_story(self, queue: str, since_ns: int, until_ns: int | None = None) -> QueueStory:
        """What happened to a queue in a time, and how it was held back before.

        Args:
            until_ns: ``None`` for up to now; there may be more of some seconds behind it, which were stored late.
        """
        until = None if until_ns is None else until_ns + _LATE_NS
        recent, before_ns = self._events.recent, since_ns - _NEAR_NS
        kept, came, began = await asyncio.gather(
            recent(_MOST_HOLDS, {"category": "system", "event_type": _HOLDS, "queue_name": queue}, until=until),
            recent(_MOST_SHIFTS, {"category": "worker", "event_type": _SHIFTS}, since=before_ns, until=until),
            recent(
                _MOST_BEGUN + 1,
                {"category": "job", "event_type": JobEventType.STARTED, "queue_name": queue},
                since=since_ns,
                until=until,
            ),
        )
        return QueueStory(
            holds=tuple(kept.events),
            shifts=tuple(came.events),
            begun=tuple(began.events[-_MOST_BEGUN:]),
            has_more=len(began.events) > _MOST_BEGUN,
        )

    async def neighbours(self, function: str, queue: str, *, but: str, before_ns: int) -> Neighbours:
        """How a function went in the last hour.

        Where too many events of it are not rolled up, it is what the roll-ups say, or that of less than an hour.

        Args:
            queue: where other runs of it are looked for.
            but: a job whose runs are left out of these.
            before_ns: a moment; they ended in the ten minutes before, where that is not too much to look through.
        """
        runs = await self._runs(function, queue, but, before_ns)
        counted = await self._counted(function)
        if counted is None:
            return Neighbours(function_name=function, since_ns=0, until_ns=0, runs=runs)
        group, since_ns, until_ns = counted
        return Neighbours(
            function_name=function,
            since_ns=since_ns,
            until_ns=until_ns,
            completed=group.types.get("job.completed", 0),
            failed=group.types.get("job.failed", 0) + group.types.get("job.timed_out", 0),
            wait=group.wait,
            run=group.run,
            runs=runs,
        )

    async def _counted(self, function: str) -> FunctionCount | None:
        """What can be counted soon; ``None`` when that is nothing."""
        for hours in _HOURS:
            try:
                return await self._statistics.function(function, hours, _patient)
            except _TooMany:
                rolled_up = await self._statistics.function_by_rollups(function, hours)
                if rolled_up is not None:
                    return rolled_up
        return None

    async def _runs(self, function: str, queue: str, but: str, before_ns: int) -> tuple[StoredEvent, ...]:
        wanted = {"category": "job", "event_type": _ENDS, "queue_name": queue, "function_name": function}
        found = await self._events.recent(
            _MOST_RUNS + 1, wanted, since=before_ns - _NEAR_NS, until=before_ns + _LATE_NS, among=_MOST_PASSED
        )
        return _others(found.events, but)[-_MOST_RUNS:]


def _others(events: Collection[StoredEvent], but: str) -> tuple[StoredEvent, ...]:
    return tuple(one for one in events if isinstance(one.event, JobEvent) and one.event.job_id != but)


def _patient(_: int, total: int) -> None:
    if total > _MOST_SCANNED:
        raise _TooMany
