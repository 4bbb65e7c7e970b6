"""Schedules as a monitor sees them: all of them once, then what has changed; and who leads the schedulers."""

from __future__ import annotations

import asyncio

from naq_runtime.errors import NotFound, SerializationError
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.reading import decode_stored
from naq_runtime.job import Job
from naq_runtime.nats.direct import StoredMessage, messages_from, stream_bounds
from naq_runtime.schedule import Schedule, check_schedule_id, decode_schedule
from naq_runtime.scheduler.leadership import read_leader
from naq_runtime.scheduler.store import AWAY_NS
from naq_runtime.services.manager import ServiceManager
from naq_runtime.snapshot import LeaderState, ScheduleDetail, ScheduleMark, ScheduleNews

__all__ = ["ScheduleWatch"]

_AT_ONCE = 10_000
"""After so many records there is an answer, so that whoever shows them has something to show."""
_EVENTS = 20
_REACHES = (2_000, 20_000, 200_000)
"""How far back the latest events of a schedule are looked for: as far as it takes to find enough."""


class ScheduleWatch:
    """Reads the records of schedules; what has been read is remembered by whoever asks."""

    def __init__(self, services: ServiceManager) -> None:
        self._streams = services.streams
        self._connection = services.connection
        self._names = services.names
        self._clock = services.clock
        self._serializer = services.serializer

    async def news(self, since: ScheduleMark | None) -> ScheduleNews:
        """See `Monitor.schedules`."""
        now_ns, stream = self._clock.monotonic_ns(), self._names.jobs_stream
        bounds, leader = await asyncio.gather(self._streams.bounds(stream), self.leader())
        whole = (
            since is None
            or since.stream != bounds.created
            or since.sequence > bounds.last  # a server that was killed forgets its last records
            or now_ns - since.read_ns > AWAY_NS
        )
        upto = 0 if since is None or whole else since.sequence
        found: list[Schedule] = []
        unreadable: list[str] = []
        if bounds.last > upto:
            async for page in self._streams.scan(stream, self._names.schedule("*"), upto):
                upto = page[-1].sequence
                _sort_out(page, found, unreadable)
                if len(found) >= _AT_ONCE:
                    break
        return ScheduleNews(
            mark=ScheduleMark(bounds.created, upto, now_ns),
            whole=whole,
            schedules=tuple(found),
            unreadable=tuple(unreadable),
            more=len(found) >= _AT_ONCE,
            leader=leader,
        )

    async def leader(self) -> LeaderState | None:
        """Who leads the schedulers, or led last; ``None`` when none ever did."""
        leader, _ = await read_leader(self._streams, self._names, self._clock.time_ns)
        return leader

    async def detail(self, schedule_id: str) -> ScheduleDetail:
        """See `Monitor.schedule`."""
        subject = self._names.schedule(check_schedule_id(schedule_id))
        messages = await self._streams.last(self._names.jobs_stream, [subject])
        if not messages:
            raise NotFound(f"there is no schedule {schedule_id}: it never was, has finished, or was cancelled")
        schedule = decode_schedule(messages[-1].data)
        events = await self._latest_events(schedule_id)
        return ScheduleDetail(schedule=schedule, job=self._job_of(schedule), events=events)

    def _job_of(self, schedule: Schedule) -> Job | None:
        try:
            return self._serializer.decode_job(schedule.payload).evolve(queue_name=schedule.queue_name)
        except SerializationError:
            return None

    async def _latest_events(self, schedule_id: str) -> tuple[StoredEvent, ...]:
        stream = self._names.events_stream
        subject = self._names.entity_event("schedule", schedule_id, "*", "*")
        first, last, _ = await stream_bounds(self._connection, stream)
        messages: list[StoredMessage] = []
        for reach in _REACHES:
            start = max(first, last - reach + 1)
            messages = []
            async for page in messages_from(self._connection, stream, start, subject=subject):
                messages = [*messages, *page][-_EVENTS:]
            if len(messages) == _EVENTS or start == first:
                break
        return tuple(sorted(decode_stored(messages), key=lambda stored: stored.event.moment_ns))


def _sort_out(page: list[StoredMessage], found: list[Schedule], unreadable: list[str]) -> None:
    for message in page:
        try:
            found.append(decode_schedule(message.data).evolve(payload=b""))
        except SerializationError:
            unreadable.append(message.subject.rpartition(".")[2])
