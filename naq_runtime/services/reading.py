"""The half of the event service that only asks: of the log, and of what is made of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from naq_runtime.clock import Clock
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.queries import EventQueries, Moment, as_filter
from naq_runtime.events.storage import EventStorage, EventTail
from naq_runtime.nats.roll import worker_status

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter, Filters
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.statistics.answer import EventStatistics
    from naq_runtime.statistics.reader import Progress, StatisticsReader
    from naq_runtime.worker.roll import WorkerStatus

__all__ = ["EventReading"]


class EventReading:
    """Answers questions about the events that are stored."""

    def __init__(self, storage: EventStorage, clock: Clock, server_ns: Callable[[], int]) -> None:
        self.queries = EventQueries(storage, clock, server_ns=server_ns)
        """Everything that can be asked of the log."""
        self._services: ServiceManager | None = None
        """``None`` where there is no server."""

    async def get_recent_events(
        self, limit: int = 100, filters: Filters = None, *, since: Moment | None = None, until: Moment | None = None
    ) -> list[StoredEvent]:
        """The last events that match, oldest first.

        Args:
            limit: how many at most.
            filters: the text of a filter, values by field, or an `EventFilter`.
            since: of what was stored from then on: a ``datetime``, an age, nanoseconds, or text such as ``15m``.
            until: of what was stored before.

        Raises:
            FilterError: the filter or a time cannot be understood.
        """
        return (await self.queries.recent(limit, filters, since=since, until=until)).events

    async def get_job_event_history(self, job_id: str) -> list[StoredEvent]:
        """All events of a job, in causal order."""
        return await self.queries.history(job_id)

    async def get_worker_status(self, include_inactive: bool = False) -> tuple[WorkerStatus, ...]:
        """The workers that run, by name.

        Args:
            include_inactive: those of the last day, too, that have stopped, with the reason, or are lost, with the jobs
                that they held.

        Raises:
            ServerError: the server cannot be asked now.
        """
        if self._services is None:
            return ()
        return await worker_status(self._services.connection, self._services.names, include_inactive=include_inactive)

    async def get_event_statistics(
        self,
        hours: float = 24.0,
        group_by_queue: bool = False,
        group_by_worker: bool = False,
        *,
        group_by_function: bool = False,
        filters: Filters = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
        progress: Progress | None = None,
    ) -> EventStatistics:
        """What happened in a time, counted, with percentiles of how long jobs waited and ran.

        Exact with roll-ups and without; where no leader of schedulers has written any, all events of that time are
        read, which costs 10 s of CPU for a million.

        Args:
            hours: before the end of the time.
            group_by_queue: tell queues apart; may be combined with the next two.
            filters: count only the events that match, as in `get_recent_events`; all of that time are read for it.
            since_ns: the beginning instead, in nanoseconds since 1970 UTC.
            until_ns: the end; now, when left out.
            progress: told how many events were read, of how many.

        Raises:
            FilterError: the filter cannot be understood.
            ConfigError: the time ends before it begins, or is longer than 100,000 hours.
            ServerError: it cannot be read now.
        """
        wanted = {"queue": group_by_queue, "function": group_by_function, "worker": group_by_worker}
        by = [name for name, is_wanted in wanted.items() if is_wanted]
        reader = self._statistics_reader(as_filter(filters) if filters else None)
        return await reader.read(hours, by, since_ns=since_ns, until_ns=until_ns, progress=progress)

    def _statistics_reader(self, wanted: EventFilter | None = None) -> StatisticsReader:
        from naq_runtime.services.statistics import reader_of  # which only those load who ask

        if self._services is None:
            raise RuntimeError("statistics are read from streams: take this service from a ServiceManager")
        return reader_of(self._services, wanted=wanted)

    def stream_events(
        self,
        job_id: str | None = None,
        event_type: str | None = None,
        queue_name: str | None = None,
        worker_id: str | None = None,
        *,
        filters: Filters = None,
        tail: int = 0,
        since: Moment | None = None,
    ) -> AsyncGenerator[StoredEvent, None]:
        """The last ``tail`` events that match, or all since a moment, then those that come: no gap, and no repeat.

        All that is given must hold; values may have wildcards.

        Raises:
            FilterError: the filter or the time cannot be understood.
        """
        from naq_runtime.events.filters import EventFilter

        wanted = EventFilter(filters, job_id=job_id, event_type=event_type, queue_name=queue_name, worker_id=worker_id)
        return self.queries.stream(wanted, tail=tail, since=since)

    async def follow(self, filters: Filters = None, after: int | None = None) -> EventTail:
        """The events behind a sequence, or from now on, in batches."""
        return await self.queries.follow(filters, after)
