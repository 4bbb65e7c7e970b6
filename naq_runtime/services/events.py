"""The way of every event: from whoever it happens to, into the log; and out of the log to whoever asks."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import msgspec

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NAQConfig
from naq_runtime.events.logger import AsyncJobEventLogger, DroppedEvents, LoggerStatistics
from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.events.offset import ClockOffset, KnownClock
from naq_runtime.events.processors import EventProcessor, Processing, Processors
from naq_runtime.events.queries import as_filter
from naq_runtime.events.storage import EventStorage, NATSJobEventStorage
from naq_runtime.job import Job
from naq_runtime.naming import new_id
from naq_runtime.nats.durable import Start
from naq_runtime.services.reading import EventReading
from naq_runtime.services.trouble import Troubles, WatchedStorage
from naq_runtime.version import VERSION

if TYPE_CHECKING:
    from naq_runtime.events.filters import Filters
    from naq_runtime.processing.processor import DurableProcessor
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.metrics import Metrics

__all__ = ["EventService"]

Listener = Callable[[], Awaitable[None]]

_STOP_S = 2.0
"""Processors have so long, at the end, to see what waits for them."""
_LONG_LIVED = ("worker", "scheduler")
"""Processes of these roles say at once that they are there, and what they cost."""
_BEGINS = {JobEventType.ENQUEUED, JobEventType.SCHEDULED, JobEventType.WAITING_FOR_DEPENDENCIES, JobEventType.REQUEUED}
"""Events that tell the trace of the job."""


class EventService(EventReading):
    """Logs events without making anyone wait, and answers questions about those that are stored.

    No failure in here reaches a job: what cannot be stored is kept, and what cannot be kept is counted.
    """

    def __init__(
        self,
        config: NAQConfig,
        storage: EventStorage,
        *,
        instance: str | None = None,
        role: str = "client",
        clock: Clock = SYSTEM_CLOCK,
        server_clock: KnownClock | None = None,
    ) -> None:
        self.enabled = config.events.enabled
        self.instance = instance or new_id(8)
        self._role = role
        self._clock = clock
        self._offset = ClockOffset(clock, server_clock)
        super().__init__(storage, clock, lambda: clock.time_ns() + self._offset.exact_ns)
        self._storage = storage
        self._numbers = count(1)
        self._lost_at_ns: int | None = None
        self._has_told_loss = False
        self._listening: list[Callable[[], None]] = []
        self._processors = Processors()
        self._began_ns = clock.time_ns()
        self._is_to_announce = False
        self._ending: Callable[[], str] | None = None
        """Says why the process ends, once it has said that it began."""
        self._metrics: Metrics | None = None
        self._troubles = Troubles(self.system, clock.monotonic_ns)
        watched = WatchedStorage(storage, self.in_trouble, self.recovered, is_away=lambda: self._lost_at_ns is not None)
        self._logger = AsyncJobEventLogger(
            watched,
            config.events,
            config.names,
            report=self._dropped_event,
            away_s=config.worker.heartbeat_interval,  # a lease lasts for more than two
            clock=clock,
        )

    def __repr__(self) -> str:
        return f"<EventService {self._role} {self.instance} {self._logger!r}>"

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Log into the namespace's stream of events."""
        storage = NATSJobEventStorage(services.connection, services.config, services.topology)
        if services.config.events.enabled:
            await storage.learn_clock()  # before the first event is dated
        service = cls(
            services.config,
            storage,
            instance=services.instance,
            role=services.role,
            clock=services.clock,
            server_clock=services.connection.server_clock,
        )
        service._services = services
        service._listen(services.connection.on_lost, service._connection_lost)
        service._listen(services.connection.on_restored, service._connection_restored)
        await service.start()
        service._be_announced(lambda: services.reason)
        if services.role in _LONG_LIVED:
            service._say_costs(services.config.events.metrics_interval)
        return service

    async def start(self) -> None:
        """Begin to store what is logged."""
        if self.enabled:
            await self._logger.start()

    async def stop(self) -> None:
        """Store what is left, within a few seconds."""
        for forget in self._listening:
            forget()
        self._listening.clear()
        if self._metrics is not None:
            self._metrics.stop()
        if self._ending is not None and not self._is_to_announce:
            self.system(SystemEventType.SHUTDOWN, version=VERSION, reason=self._ending())
        self._ending = None
        await asyncio.gather(self._logger.stop(), self._processors.stop(_STOP_S))
        await self._storage.close()

    async def flush(self) -> None:
        """Return once everything that was logged so far is stored."""
        if self.enabled:
            await self._logger.flush()

    def statistics(self) -> LoggerStatistics:
        """What the logger has done so far."""
        return self._logger.statistics()

    @property
    def clock_skew_ms(self) -> float:
        """How far the clock of this process is ahead of that of the server, as far as is known."""
        return round(-self._offset.exact_ns / 1e6, 3)

    def own_time(self, server_ns: int) -> int:
        """A moment of late by the clock of this process, of what the server's clock showed then."""
        return server_ns - self._offset.exact_ns

    def on_server(self, timestamp_ns: int) -> int:
        """The reverse: what the server's clock showed when that of this process showed this, now or lately."""
        return timestamp_ns + self._offset.of(timestamp_ns)

    def clock_offset_ns(self, timestamp_ns: int) -> int:
        """What an event of this process that is dated so says of its clock."""
        return self._offset.of(timestamp_ns)

    # Writing

    def log(self, event: Event) -> None:
        """Take an event, and give it an id when it has none; returns at once."""
        if self.enabled:
            if not event.event_id:
                offset_ns = event.clock_offset_ns or self._offset.of(event.timestamp_ns)
                event = msgspec.structs.replace(event, event_id=self.next_id(), clock_offset_ns=offset_ns)
            self._take(event)

    async def log_event(self, event: Event) -> None:
        """Take an event; returns at once."""
        self.log(event)

    def job(self, event_type: JobEventType, **fields: Any) -> None:
        """Log a `JobEvent` of the given fields; the time is now unless ``timestamp_ns`` says otherwise.

        One that is logged twice under the same ``event_id`` is stored once.
        """
        if self.enabled:
            fields.setdefault("timestamp_ns", self._clock.time_ns())
            if "event_id" not in fields:
                fields["event_id"] = self.next_id()
            if "clock_offset_ns" not in fields:
                fields["clock_offset_ns"] = self._offset.of(fields["timestamp_ns"])
            self._take(JobEvent(event_type=event_type, **fields))

    def next_id(self) -> str:
        """An id for an event of this process."""
        if self._is_to_announce:
            self._announce()
        return f"{self.instance}-{next(self._numbers)}"

    def about(self, event_type: JobEventType, job: Job, fields: Mapping[str, Any]) -> None:
        """Log a `JobEvent` about a job, now."""
        if job.headers and event_type in _BEGINS:
            fields = {**fields, "trace": job.headers.get("traceparent")}
        self.job(event_type, job_id=job.job_id, queue_name=job.queue_name, function_name=str(job.function), **fields)

    def worker(self, event_type: WorkerEventType, **fields: Any) -> None:
        """Log a `WorkerEvent` of the given fields, now."""
        if self.enabled:
            self._take(WorkerEvent(event_type=event_type, **self._stamp(), **fields))

    def schedule(self, event_type: ScheduleEventType, **fields: Any) -> None:
        """Log a `ScheduleEvent` of the given fields, now."""
        if self.enabled:
            self._take(ScheduleEvent(event_type=event_type, **self._stamp(), **fields))

    def alert(self, event_type: AlertEventType, **fields: Any) -> None:
        """Log an `AlertEvent` of the given fields, now."""
        if self.enabled:
            self._take(AlertEvent(event_type=event_type, **self._stamp(), **fields))

    def system(self, event_type: SystemEventType, **fields: Any) -> None:
        """Log a `SystemEvent` of this process, now."""
        if self.enabled:
            self._take(self._system_event(event_type, **fields))

    def in_trouble(self, part: str, error: Exception) -> None:
        """A part of this process cannot do its work for now; said once, until it has `recovered`.

        While the connection is lost, that has been said already.
        """
        if self._lost_at_ns is None:
            self._troubles.begin(part, error)

    def recovered(self, part: str) -> None:
        """It works again, if it did not before."""
        self._troubles.end(part)

    def _take(self, event: Event) -> None:
        self._logger.append(event)
        if self._processors:
            self._processors.offer(event)

    # Processing

    def register_event_processor(self, processor: EventProcessor, filters: Filters = None) -> Processing:
        """Call an async function with each event of this process from now on.

        It runs beside everything else, one event at a time; nothing waits for it. What it raises is logged and
        counted, and what comes while 10,000 events wait for it is dropped and counted, in what this returns; that can
        also be waited for (`Processing.flush`).

        Args:
            filters: the text of a filter, values by field, or an `EventFilter`.

        Raises:
            FilterError: the filter cannot be understood.
            TypeError: it is no async function.
        """
        return self._processors.register(processor, as_filter(filters))

    def unregister_event_processor(self, processor: EventProcessor) -> bool:
        """Call it no more; ``False`` when it was not registered."""
        return self._processors.unregister(processor)

    def process_events(
        self,
        name: str,
        processor: Callable[[Any], Awaitable[object]],
        *,
        filters: Filters = None,
        batch: int = 1,
        start: Start = "new",
        retries: int = 5,
    ) -> DurableProcessor:
        """Call an async function with each event of the log, of all processes, at least once; from where it stopped.

        ::

            async with events.process_events("billing", charge, filters={"event_type": "completed"}) as processor:
                await processor.run()

        Args:
            name: of the work: processes of one name share it, and a later one goes on with it.
            processor: gets a `StoredEvent`; with a larger ``batch``, a list of so many at most.
            filters: as for `register_event_processor`.
            start: ``new``, ``beginning`` or a moment: the first event, when nobody of this name was there before.
            retries: an event that failed so often more becomes a dead event; see `naq_runtime.processing`.

        Raises:
            FilterError: the filter cannot be understood.
            InvalidName: the name cannot be used.
            RuntimeError: these services stand on no server.
        """
        from naq_runtime.processing.processor import DurableProcessor

        if self._services is None:
            raise RuntimeError("durable processors need a server: there is none in memory")
        return DurableProcessor.calling(
            self._services, name, processor, wanted=as_filter(filters), batch=batch, start=start, retries=retries
        )

    def show(self, event: Event) -> None:
        """Let them have an event that is stored already."""
        self._processors.offer(event)

    # Events of our own

    def _listen(self, listeners: list[Listener], listener: Listener) -> None:
        listeners.append(listener)
        self._listening.append(lambda: listeners.remove(listener))

    def _be_announced(self, ending: Callable[[], str]) -> None:
        """Say with the first event that this process is there, and at its end, that it ends."""
        self._is_to_announce, self._ending = self.enabled, ending

    def _announce(self) -> None:
        self._is_to_announce = False
        self._take(
            self._system_event(
                SystemEventType.STARTUP, self._began_ns, version=VERSION, clock_skew_ms=self.clock_skew_ms
            )
        )

    def tell_costs_every(self, interval_s: float) -> None:
        """Say so often what the process costs, if it says so at all."""
        if self._metrics is not None:
            self._metrics.interval_s = interval_s

    def _say_costs(self, interval_s: float) -> None:
        if self.enabled:
            from naq_runtime.services.metrics import Metrics  # psutil is of no use to those that only enqueue

            self._announce()
            self._metrics = Metrics(self, interval_s)
            self._metrics.start()

    def _stamp(self, timestamp_ns: int = 0) -> dict[str, Any]:
        """When it happens, now unless told otherwise, and its number."""
        timestamp_ns = timestamp_ns or self._clock.time_ns()
        return {
            "timestamp_ns": timestamp_ns,
            "clock_offset_ns": self.clock_offset_ns(timestamp_ns),
            "event_id": self.next_id(),
        }

    def _system_event(self, event_type: SystemEventType, timestamp_ns: int = 0, **fields: Any) -> SystemEvent:
        return SystemEvent(
            event_type=event_type,
            **self._stamp(timestamp_ns),
            instance=self.instance,
            role=self._role,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            **fields,
        )

    def _dropped_event(self, dropped: DroppedEvents) -> SystemEvent:
        event = self._system_event(
            SystemEventType.EVENTS_DROPPED,
            dropped=dropped.counts,
            first_dropped_ns=dropped.first_ns,
            last_dropped_ns=dropped.last_ns,
        )
        self._processors.offer(event)
        return event

    async def _connection_lost(self) -> None:
        if self._lost_at_ns is None:
            self._lost_at_ns = self._clock.monotonic_ns()
            self._has_told_loss = not self._is_to_announce  # who has said nothing yet, may only read
            if self._has_told_loss:
                self.system(SystemEventType.CONNECTION_LOST)

    async def _connection_restored(self) -> None:
        if self._lost_at_ns is not None:
            outage_ms = (self._clock.monotonic_ns() - self._lost_at_ns) / 1e6
            self._lost_at_ns = None
            if self._has_told_loss:
                self.system(SystemEventType.CONNECTION_RESTORED, outage_ms=outage_ms)
