"""The logger under pressure: a bounded buffer, drops that are counted and told, and an end in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.config import EventsConfig
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.logger import AsyncJobEventLogger, DroppedEvents
from naq_runtime.events.models import JobEventType, SystemEvent, SystemEventType
from naq_runtime.events.storage import EventStorage
from naq_runtime.naming import Names
from tests.support.waiting import eventually
from tests.unit.looptime import LoopTime, settled
from tests.unit.samples import a_job_event, a_worker_event
from tests.unit.storages import StubbornStorage, TroubledStorage


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at second 100."""
    return ManualClock(100_000_000_000)


def a_logger(storage: EventStorage, clock: ManualClock | None = None, **settings: Any) -> AsyncJobEventLogger:
    """A logger that reports what it drops."""
    numbers = count(1)

    def report(dropped: DroppedEvents) -> SystemEvent:
        return SystemEvent(
            event_type=SystemEventType.EVENTS_DROPPED,
            timestamp_ns=1,
            event_id=f"report-{next(numbers)}",
            instance="i1",
            dropped=dropped.counts,
            first_dropped_ns=dropped.first_ns,
            last_dropped_ns=dropped.last_ns,
        )

    usual: dict[str, Any] = {"batch_size": 10, "flush_interval": 10, "max_buffer_size": 20}
    config = EventsConfig(**(usual | settings))
    return AsyncJobEventLogger(storage, config, Names(), report=report, clock=clock or ManualClock())


@pytest.fixture
def storage() -> TroubledStorage:
    """A log in memory that hangs until it is opened."""
    made = TroubledStorage()
    made.open.clear()
    return made


@pytest.fixture
async def logger(storage: TroubledStorage, clock: ManualClock) -> AsyncIterator[AsyncJobEventLogger]:
    """A running logger that holds at most 20 events."""
    running = a_logger(storage, clock)
    await running.start()
    yield running
    storage.open.set()
    await running.stop()


def reports_in(storage: TroubledStorage) -> list[SystemEvent]:
    """What is told of dropped events."""
    return [stored.event for stored in storage.events if isinstance(stored.event, SystemEvent)]


def tasks_of_loggers() -> list[asyncio.Task[Any]]:
    """The tasks of running loggers."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "event logger"]


class TestBounds:
    async def test_the_buffer_holds_no_more_events_than_configured(self, logger: AsyncJobEventLogger) -> None:
        taken = [logger.append(a_job_event()) for _ in range(50)]

        assert taken == [True] * 20 + [False] * 30
        assert logger.statistics().buffered == 20
        assert logger.statistics().dropped == 30

    async def test_the_buffer_holds_no_more_bytes_than_configured(self, storage: TroubledStorage) -> None:
        logger = a_logger(storage, max_buffer_bytes=10_000, max_buffer_size=1_000_000)

        while logger.append(a_job_event(traceback="x" * 1_000)):
            assert logger.statistics().buffered_bytes <= 10_000

        assert logger.statistics().buffered == 8
        assert logger.append(a_job_event()), "a small one still has room"
        assert logger.statistics().dropped == 1

    async def test_what_is_stored_makes_room_again(self, logger: AsyncJobEventLogger, storage: TroubledStorage) -> None:
        for _ in range(30):
            logger.append(a_job_event())
        storage.open.set()
        await logger.flush()

        assert logger.statistics().buffered_bytes == 0
        assert all(logger.append(a_job_event()) for _ in range(20))

    async def test_the_events_that_were_taken_are_stored_and_the_dropped_ones_are_not(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        for number in range(50):
            logger.append(a_job_event(event_id=f"n-{number}"))
        storage.open.set()
        await logger.flush()

        assert storage.ids == [*(f"n-{number}" for number in range(20)), "report-1"]

    async def test_the_end_of_a_job_finds_room_also_when_all_was_about_to_be_stored(
        self, storage: TroubledStorage
    ) -> None:
        logger = a_logger(storage, batch_size=500)
        await logger.start()
        for _ in range(20):
            logger.append(a_job_event())
        flushing = asyncio.create_task(logger.flush())
        await settled()
        assert storage.tries, "some are under way, and stay"

        assert logger.append(a_job_event(JobEventType.COMPLETED, event_id="end"))

        storage.open.set()
        await flushing
        await logger.stop()
        assert storage.ids[-2:] == ["end", "report-1"]


class TestReports:
    async def test_drops_are_told_by_type_with_their_first_and_last_time(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, clock: ManualClock
    ) -> None:
        for _ in range(20):
            logger.append(a_job_event())
        clock.advance(1)
        logger.append(a_job_event(JobEventType.ENQUEUED))
        clock.advance(1)
        logger.append(a_worker_event())
        clock.advance(1)
        logger.append(a_job_event(JobEventType.ENQUEUED))
        clock.advance(1)

        storage.open.set()
        await logger.flush()

        (report,) = reports_in(storage)
        assert report.dropped == {"job.enqueued": 2, "worker.heartbeat": 1}
        assert report.first_dropped_ns == 101_000_000_000
        assert report.last_dropped_ns == 103_000_000_000

    async def test_each_outage_is_told_by_itself(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, clock: ManualClock
    ) -> None:
        for dropped in (3, 5):
            storage.open.clear()
            for _ in range(20 + dropped):
                logger.append(a_job_event())
            clock.advance(10)
            storage.open.set()
            await logger.flush()

        assert [report.dropped for report in reports_in(storage)] == [{"job.started": 3}, {"job.started": 5}]
        assert reports_in(storage)[1].first_dropped_ns == 110_000_000_000
        assert logger.statistics().dropped == 8

    async def test_the_counts_of_all_reports_are_what_is_missing(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        given = 0
        for _ in range(10):
            storage.open.clear()
            for _ in range(37):
                logger.append(a_job_event())
                given += 1
            storage.open.set()
            await settled()
        await logger.flush()

        told = sum(sum((report.dropped or {}).values()) for report in reports_in(storage))
        stored = len(storage.events) - len(reports_in(storage))
        assert stored + told == given

    async def test_nothing_is_told_when_nothing_was_dropped(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        for _ in range(20):
            logger.append(a_job_event())
        storage.open.set()
        await logger.flush()

        assert reports_in(storage) == []

    async def test_an_event_too_large_for_the_whole_buffer_is_told_though_nothing_else_is_logged(
        self, storage: TroubledStorage, loop_time: LoopTime
    ) -> None:
        storage.open.set()
        logger = a_logger(storage, max_buffer_bytes=2_000)
        await logger.start()

        assert not logger.append(a_job_event(traceback="x" * 3_000))
        await loop_time.advance(20)
        await logger.stop()

        assert [report.dropped for report in reports_in(storage)] == [{"job.started": 1}]

    async def test_a_report_that_has_no_room_itself_is_made_all_the_same(self, storage: TroubledStorage) -> None:
        storage.open.set()
        logger = a_logger(storage, max_buffer_bytes=180)
        await logger.start()
        (storing,) = tasks_of_loggers()
        assert logger.append(a_job_event(event_id="n-1"))
        assert not logger.append(a_job_event(event_id="n-2"))

        flushing = asyncio.create_task(logger.flush())
        await settled()
        if storing.done():
            flushing.cancel()
            pytest.fail(f"it ended: {type(storing.exception()).__name__}")
        await flushing
        assert logger.append(a_job_event(event_id="n-3"))
        await logger.stop()

        assert storage.ids == ["n-1", "report-1", "n-3"]


class TestStartAndStop:
    async def test_starting_twice_is_starting_once(self) -> None:
        storage = TroubledStorage()
        logger = a_logger(storage)
        before = len(asyncio.all_tasks())

        await logger.start()
        await logger.start()

        assert len(asyncio.all_tasks()) == before + 1
        await logger.stop()

    async def test_stopping_stores_what_is_left(self) -> None:
        storage = TroubledStorage()
        logger = a_logger(storage)
        await logger.start()
        logger.append(a_job_event(event_id="last"))

        assert await logger.stop() == 0
        assert storage.ids == ["last"]

    async def test_stopping_twice_is_stopping_once(self) -> None:
        storage = TroubledStorage()
        logger = a_logger(storage)
        await logger.start()
        logger.append(a_job_event())

        assert [await logger.stop(), await logger.stop()] == [0, 0]
        assert len(storage.events) == 1

    async def test_stopping_without_a_start_does_nothing(self) -> None:
        assert await a_logger(TroubledStorage()).stop() == 0

    async def test_stopping_leaves_no_task_and_no_timer(self) -> None:
        logger = a_logger(TroubledStorage())
        before = len(asyncio.all_tasks())
        await logger.start()
        logger.append(a_job_event())
        await logger.stop()

        assert len(asyncio.all_tasks()) == before

    async def test_a_storage_that_hangs_holds_the_end_up_no_longer_than_the_deadline(
        self, storage: TroubledStorage, caplog: pytest.LogCaptureFixture
    ) -> None:
        logger = a_logger(storage)
        await logger.start()
        for _ in range(3):
            logger.append(a_job_event())

        with caplog.at_level(logging.WARNING, "naq_runtime"):
            lost = await asyncio.wait_for(logger.stop(deadline_s=0.02), 20)

        assert lost == 3
        assert [record.message for record in caplog.records] == ["events lost at stop"]

    async def test_a_storage_that_fails_holds_the_end_up_no_longer_than_the_deadline(self) -> None:
        storage = TroubledStorage()
        storage.errors.extend([ServerUnreachable("away")] * 1_000)
        logger = a_logger(storage)
        await logger.start()
        logger.append(a_job_event())

        assert await asyncio.wait_for(logger.stop(deadline_s=0.02), 20) == 1

    async def test_a_storage_that_swallows_the_cancellation_does_not_hold_the_end_up_for_ever(self) -> None:
        storage = StubbornStorage()
        logger = a_logger(storage)
        await logger.start()
        logger.append(a_job_event())

        stopping = asyncio.create_task(logger.stop(deadline_s=0.02))
        done, _ = await asyncio.wait({stopping}, timeout=20)

        left = [stopping, *tasks_of_loggers()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        assert done, "it was still waiting for a task that it had cancelled"

    async def test_what_was_not_stored_is_stored_when_it_is_started_again(self, storage: TroubledStorage) -> None:
        logger = a_logger(storage)
        await logger.start()
        logger.append(a_job_event(event_id="n-1"))
        assert await logger.stop(deadline_s=0.01) == 1

        storage.open.set()
        await logger.start()
        await eventually(lambda: storage.ids == ["n-1"])
        assert await logger.stop() == 0
