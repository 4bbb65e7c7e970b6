"""What workers that are lost did not live to tell.

A worker stores how its jobs ended, acknowledges them, and tells of it with its next batch of events. One that is killed
in between leaves jobs whose outcomes can be read, and of whose ends the log knows nothing. Others read the outcomes of
that time, and tell what is missing, and that the worker is lost. Both have the ids that anybody would give them, so it
does not matter who does so, and how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import SerializationError
from naq_runtime.events.codec import event_subject
from naq_runtime.events.models import Event, JobEvent, JobEventType, StoredEvent, WorkerEvent, WorkerEventType
from naq_runtime.events.offset import NEARLY_NS
from naq_runtime.events.once import store_once
from naq_runtime.events.reading import EventReader
from naq_runtime.nats.roll import worker_status
from naq_runtime.serializer import Outcome
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.worker.inheritance import execution_of
from naq_runtime.worker.record import LEASE_BEATS, WorkerRecord
from naq_runtime.worker.reporting import report_settled, report_started
from naq_runtime.worker.roll import LOST, Remembered

__all__ = ["Amends"]

_SECOND_NS = 1_000_000_000
_UNTOLD_S = 10.0
"""What was older at its last sign of life, by this and by the interval of its batches, a worker has told of."""
_AT_ONCE = 500
"""Jobs whose events are looked for together."""


class Amends:
    """Tells for workers that are lost how their last jobs ended.

    Args:
        after_s: leave those alone that were seen less than so long ago: somebody else is nearer.
    """

    def __init__(self, services: ServiceManager, events: EventService, *, after_s: float = 0.0) -> None:
        self._services = services
        self._names = services.names
        self._events = events
        self._reader = EventReader(services.connection, services.names)
        self._after_ns = int(after_s * _SECOND_NS)
        self._flush_s = services.config.events.flush_interval
        self._made = set[str]()
        self.owed: list[Remembered] = []
        """Workers that are known to be lost, and whose names others have now."""

    async def sweep(self) -> int:
        """Do so for all that are lost by now; how many events were missing.

        Raises:
            ServerError: do it again.
        """
        connection, told = self._services.connection, 0
        if not self._events.enabled:
            return 0
        while self.owed:
            told += await self.make(*self.owed[0])
            del self.owed[0]
        latest_ns = connection.server_clock.now_ns() - self._after_ns
        for one in await worker_status(connection, self._names, include_inactive=True):
            if one.state == LOST and one.seen_ns <= latest_ns:
                told += await self.make(one.record, one.seen_ns)
        return told

    async def make(self, record: WorkerRecord, seen_ns: int) -> int:
        """Do so for one worker, unless somebody has; how many events were missing.

        Args:
            record: the last that it said of itself.
            seen_ns: when it was stored, by the server's clock.

        Raises:
            ServerError: do it again.
        """
        lost = _lost(record, seen_ns)
        if lost.event_id in self._made:
            return 0
        subject = event_subject(self._names, lost)
        if not await self._services.streams.last(self._names.events_stream, [subject]):
            told = await self._tell(await self._missing(record, seen_ns))
            await self._tell([lost])  # which says that all the others are told
        else:
            told = 0
        self._made.add(lost.event_id)
        return told

    async def _tell(self, events: Sequence[Event]) -> int:
        """Unless they are told at this very moment, by the one that is lost or by others; how many were not."""
        stored = await store_once(self._services.streams, self._names, events)
        for event in stored:
            self._events.show(event)
        return len(stored)

    async def _missing(self, record: WorkerRecord, seen_ns: int) -> list[Event]:
        outcomes = await self._outcomes(record, seen_ns)
        offset_ns = record.on_server(0) if abs(record.clock_skew_ms) * 1e6 > NEARLY_NS else 0
        missing: list[Event] = []
        for start in range(0, len(outcomes), _AT_ONCE):
            some = outcomes[start : start + _AT_ONCE]
            histories = await self._reader.histories([outcome.job.job_id for outcome in some])
            for outcome in some:
                missing += _untold(outcome, histories.get(outcome.job.job_id, ()), offset_ns)
        return missing

    async def _outcomes(self, record: WorkerRecord, seen_ns: int) -> list[Outcome]:
        """Those of the worker's last seconds."""
        streams, stream = self._services.streams, self._names.results_stream
        first = await streams.since(stream, seen_ns - int((_UNTOLD_S + self._flush_s) * _SECOND_NS))
        last_ns = seen_ns + int(LEASE_BEATS * record.heartbeat_interval * _SECOND_NS)
        found: list[Outcome] = []
        if not first:
            return found
        async for page in streams.scan(stream, self._names.result("*"), after=first - 1):
            for message in page:
                try:
                    outcome = self._services.serializer.decode_outcome(message.data)
                except SerializationError:
                    continue
                if outcome.result.worker_id == record.worker_id:
                    found.append(outcome)
            if nanoseconds_of(page[-1].stored_at) > last_ns:
                break
        return found


def _untold(outcome: Outcome, history: Sequence[StoredEvent], offset_ns: int) -> list[JobEvent]:
    """What the worker would have told of a job, and has not."""
    wanted, execution = _Wanted(offset_ns), execution_of(outcome)
    begun = execution.job.evolve(attempt=execution.result.attempt)
    report_started(wanted, begun, execution.result.worker_id or "", execution.result.start_time_ns)
    report_settled(wanted, execution)
    told = {(stored.event.event_type, stored.event.event_id) for stored in history}
    starts = {
        event.attempt
        for event in (stored.event for stored in history)
        if isinstance(event, JobEvent)
        and event.event_type is JobEventType.STARTED
        and event.timestamp_ns >= begun.enqueued_at_ns
    }
    return [
        event
        for event in wanted.events
        if (event.event_type, event.event_id) not in told
        and not (event.event_type is JobEventType.STARTED and event.attempt in starts)
    ]


class _Wanted:
    """Takes down the events of a job, by the clock of the worker that would have told them."""

    enabled = True

    def __init__(self, offset_ns: int) -> None:
        self.events: list[JobEvent] = []
        self._offset_ns = offset_ns

    def log(self, event: Event) -> None:
        if isinstance(event, JobEvent):
            self.events.append(event)

    def job(self, event_type: JobEventType, **fields: Any) -> None:
        self.events.append(JobEvent(event_type=event_type, clock_offset_ns=self._offset_ns, **fields))

    def clock_offset_ns(self, timestamp_ns: int) -> int:
        return self._offset_ns


def _lost(record: WorkerRecord, seen_ns: int) -> WorkerEvent:
    return WorkerEvent(
        event_type=WorkerEventType.LOST,
        timestamp_ns=seen_ns,
        event_id=f"lost-{record.started_at_ns:x}-{record.beat_at_ns:x}",
        worker_id=record.worker_id,
        hostname=record.hostname,
        pid=record.pid,
        queue_names=record.queue_names,
        concurrency_limit=record.concurrency_limit,
        version=record.version,
        active_jobs=record.active_jobs,
        running_job_ids=record.running_job_ids,
    )
