"""The service of events: it numbers and dates them, logs them, and answers questions about them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.config import EventsConfig, NAQConfig
from naq_runtime.errors import FilterError
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import (
    JobEvent,
    JobEventType,
    StoredEvent,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.services.events import EventService
from tests.unit.looptime import settled
from tests.unit.samples import a_job_event
from tests.unit.storages import TroubledStorage


@pytest.fixture
def storage() -> MemoryEventStorage:
    """A log in memory."""
    return MemoryEventStorage()


@pytest.fixture
async def events(storage: MemoryEventStorage) -> AsyncIterator[EventService]:
    """A running service whose clock stands at second 7."""
    service = EventService(NAQConfig(), storage, instance="i1", role="worker", clock=ManualClock(7_000_000_000))
    await service.start()
    yield service
    await service.stop()


def log_jobs(events: EventService, *job_ids: str) -> None:
    """Log that these jobs started."""
    for job_id in job_ids:
        events.job(JobEventType.STARTED, job_id=job_id, queue_name="mail")


def jobs_of(stored: list[StoredEvent]) -> list[str]:
    """Whose events these are."""
    return [one.event.job_id for one in stored if isinstance(one.event, JobEvent)]


@asynccontextmanager
async def stream_of(events: EventService, **wanted: Any) -> AsyncIterator[AsyncIterator[StoredEvent]]:
    """A stream of events that is closed after the block."""
    stream = events.stream_events(**wanted)
    assert isinstance(stream, AsyncGenerator)
    async with aclosing(stream):
        yield stream


class TestWriting:
    async def test_events_are_dated_and_numbered(self, events: EventService, storage: MemoryEventStorage) -> None:
        events.job(JobEventType.STARTED, job_id="j1", queue_name="mail")
        events.worker(WorkerEventType.BUSY, worker_id="w1", active_jobs=1)
        events.system(SystemEventType.CONNECTION_LOST)
        await events.flush()

        job, worker, system = (stored.event for stored in storage.events)
        assert job == JobEvent(
            event_type=JobEventType.STARTED,
            timestamp_ns=7_000_000_000,
            event_id="i1-1",
            job_id="j1",
            queue_name="mail",
        )
        assert worker == WorkerEvent(
            event_type=WorkerEventType.BUSY, timestamp_ns=7_000_000_000, event_id="i1-2", worker_id="w1", active_jobs=1
        )
        assert isinstance(system, SystemEvent)
        assert (system.event_id, system.instance, system.role, system.pid) == ("i1-3", "i1", "worker", os.getpid())

    async def test_an_event_of_a_job_may_have_happened_before(
        self, events: EventService, storage: MemoryEventStorage
    ) -> None:
        events.job(JobEventType.STARTED, job_id="j1", queue_name="mail", timestamp_ns=5)
        await events.flush()
        assert storage.events[0].event.timestamp_ns == 5

    async def test_an_event_that_somebody_else_made_is_logged_as_it_is(
        self, events: EventService, storage: MemoryEventStorage
    ) -> None:
        mine, theirs = a_job_event(), a_job_event()
        events.log(mine)
        await events.log_event(theirs)
        await events.flush()
        assert [stored.event for stored in storage.events] == [mine, theirs]

    async def test_events_that_were_made_without_an_id_are_stored_each(
        self, events: EventService, storage: MemoryEventStorage
    ) -> None:
        bare = JobEvent(event_type=JobEventType.STARTED, timestamp_ns=1, job_id="j1", queue_name="mail")
        events.log(bare)
        events.log(bare)
        await events.flush()

        ids = [stored.event.event_id for stored in storage.events]
        assert len(set(ids)) == 2
        assert all(ids)

    async def test_a_type_given_as_plain_text_is_as_good_as_its_name(
        self, events: EventService, storage: MemoryEventStorage
    ) -> None:
        events.job("started", job_id="j1", queue_name="mail")  # type: ignore[arg-type]  # what users do all the same
        await events.flush()
        assert storage.events[0].event.event_type == JobEventType.STARTED

    async def test_what_is_dropped_is_told_as_an_event_of_this_process(self) -> None:
        storage = TroubledStorage()
        storage.open.clear()
        config = NAQConfig(events=EventsConfig(max_buffer_size=2, batch_size=2))
        events = EventService(config, storage, instance="i1", role="worker", clock=ManualClock(5))
        await events.start()
        log_jobs(events, *"abcde")
        assert events.statistics().dropped == 3

        storage.open.set()
        await events.flush()
        await events.stop()

        report = storage.events[-1].event
        assert isinstance(report, SystemEvent)
        assert (report.event_type, report.instance) == ("events_dropped", "i1")
        assert report.dropped == {"job.started": 3}
        assert (report.first_dropped_ns, report.last_dropped_ns) == (5, 5)

    async def test_stopping_stores_what_is_left_and_may_be_done_twice(self, storage: MemoryEventStorage) -> None:
        events = EventService(NAQConfig(), storage)
        await events.start()
        log_jobs(events, "j1")

        await events.stop()
        await events.stop()

        assert len(storage.events) == 1

    async def test_two_services_of_one_process_have_different_ids(self, storage: MemoryEventStorage) -> None:
        assert EventService(NAQConfig(), storage).instance != EventService(NAQConfig(), storage).instance


class TestDisabled:
    async def test_a_disabled_service_does_nothing(self) -> None:
        storage = TroubledStorage()
        events = EventService(NAQConfig(events=EventsConfig(enabled=False)), storage)
        tasks = len(asyncio.all_tasks())

        await events.start()
        log_jobs(events, "j1")
        events.worker(WorkerEventType.BUSY, worker_id="w1")
        events.system(SystemEventType.CONNECTION_LOST)
        events.log(a_job_event())
        await events.log_event(a_job_event())
        await asyncio.wait_for(events.flush(), 20)

        assert len(asyncio.all_tasks()) == tasks
        assert events.statistics().buffered == 0
        await events.stop()
        assert storage.tries == []

    async def test_a_disabled_service_can_still_be_asked(self, storage: MemoryEventStorage) -> None:
        events = EventService(NAQConfig(events=EventsConfig(enabled=False)), storage)
        assert await events.get_recent_events() == []
        assert await events.get_job_event_history("j1") == []


class TestReading:
    async def test_the_last_events_come_oldest_first(self, events: EventService) -> None:
        log_jobs(events, "j1", "j2", "j3")
        await events.flush()
        assert jobs_of(await events.get_recent_events(2)) == ["j2", "j3"]

    async def test_events_are_found_by_the_names_of_the_filters(self, events: EventService) -> None:
        log_jobs(events, "j1", "j2")
        events.worker(WorkerEventType.BUSY, worker_id="w1")
        await events.flush()

        assert jobs_of(await events.get_recent_events(filters={"job_id": "j2"})) == ["j2"]
        assert len(await events.get_recent_events(filters={"event_type": "started", "queue_name": "mail"})) == 2
        assert len(await events.get_recent_events(filters={"worker_id": "w1"})) == 1

    async def test_a_filter_of_another_name_is_refused_with_those_there_are(self, events: EventService) -> None:
        with pytest.raises(FilterError, match="unknown field 'jobid', did you mean job_id"):
            await events.get_recent_events(filters={"jobid": "j1"})

    async def test_a_filter_of_a_value_that_cannot_be_is_refused(self, events: EventService) -> None:
        with pytest.raises(FilterError, match="is not a valid name"):
            await events.get_recent_events(filters={"job_id": "j.1"})

    async def test_the_history_of_a_job_is_its_own(self, events: EventService) -> None:
        log_jobs(events, "j1", "j2", "j1")
        await events.flush()

        assert jobs_of(await events.get_job_event_history("j1")) == ["j1", "j1"]
        assert await events.get_job_event_history("j3") == []

    async def test_streaming_gives_the_last_ones_and_then_those_that_come_without_gap_or_repeat(
        self, events: EventService
    ) -> None:
        log_jobs(events, "j1", "j2", "j3")
        await events.flush()

        async with stream_of(events, tail=2) as stream:
            seen = [await anext(stream)]
            log_jobs(events, "j4", "j5")
            await events.flush()
            seen += [await anext(stream) for _ in range(3)]

        assert jobs_of(seen) == ["j2", "j3", "j4", "j5"]
        assert [stored.sequence for stored in seen] == [2, 3, 4, 5]

    async def test_streaming_without_a_tail_waits_for_what_comes(self, events: EventService) -> None:
        log_jobs(events, "j1")
        await events.flush()

        async with stream_of(events) as stream:
            first = asyncio.ensure_future(anext(stream))
            await settled()
            assert not first.done()

            log_jobs(events, "j2")
            await events.flush()
            assert jobs_of([await first]) == ["j2"]

    async def test_streaming_gives_only_what_matches(self, events: EventService) -> None:
        async with stream_of(events, job_id="j2") as stream:
            first = asyncio.ensure_future(anext(stream))
            await settled()
            log_jobs(events, "j1", "j2")
            await events.flush()
            assert jobs_of([await first]) == ["j2"]

    async def test_following_begins_behind_a_sequence(self, events: EventService) -> None:
        log_jobs(events, "j1", "j2", "j3")
        await events.flush()

        following = await events.follow(EventFilter(), after=1)

        assert jobs_of((await following.next_batch()).events) == ["j2", "j3"]
        await following.stop()
