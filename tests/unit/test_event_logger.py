"""The logger: takes events at once, stores them in batches, and loses none while the storage is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.config import EventsConfig
from naq_runtime.errors import JetStreamError, ServerUnreachable
from naq_runtime.events.logger import AsyncJobEventLogger, DroppedEvents
from naq_runtime.events.models import OtherEvent, SystemEvent
from naq_runtime.events.storage import EventStorage
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing
from tests.unit.looptime import LoopTime, settled
from tests.unit.samples import a_job_event, a_system_event
from tests.unit.storages import TroubledStorage

INTERVAL_S = 10.0


def no_report(dropped: DroppedEvents) -> SystemEvent:
    """Where no event is dropped, none is reported."""
    raise AssertionError(f"unexpectedly dropped: {dropped}")


def a_logger(storage: EventStorage, **settings: Any) -> AsyncJobEventLogger:
    """A logger with an interval that passes only when time is set forward."""
    usual: dict[str, Any] = {"batch_size": 10, "flush_interval": INTERVAL_S}
    return AsyncJobEventLogger(storage, EventsConfig(**(usual | settings)), Names(), report=no_report)


@pytest.fixture
def storage() -> TroubledStorage:
    """A log in memory that fails when told to."""
    return TroubledStorage()


@pytest.fixture
async def logger(storage: TroubledStorage, loop_time: LoopTime) -> AsyncIterator[AsyncJobEventLogger]:
    """A running logger."""
    running = a_logger(storage)
    await running.start()
    yield running
    storage.errors.clear()
    storage.open.set()
    await loop_time.advance(5)  # whatever it waited for
    await running.stop()


def log_some(logger: AsyncJobEventLogger, number: int, first: int = 0) -> list[str]:
    """Log so many events; returns their ids."""
    ids = [f"n-{place}" for place in range(first, first + number)]
    for name in ids:
        assert logger.append(a_job_event(event_id=name))
    return ids


class TestTaking:
    async def test_logging_never_waits_even_while_the_storage_hangs(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        storage.open.clear()
        log_some(logger, 10)
        await settled()
        assert storage.tries == [10]

        taking = logger.log_event(a_job_event())
        with pytest.raises(StopIteration):  # it ended without waiting for anything
            taking.send(None)

    async def test_what_was_taken_is_counted_in_events_and_bytes(self, logger: AsyncJobEventLogger) -> None:
        log_some(logger, 3)
        statistics = logger.statistics()

        assert (statistics.buffered, statistics.stored, statistics.dropped) == (3, 0, 0)
        assert statistics.buffered_bytes > 300

        await logger.flush()
        statistics = logger.statistics()
        assert (statistics.buffered, statistics.buffered_bytes, statistics.stored) == (0, 0, 3)

    async def test_its_text_says_how_it_stands(self, logger: AsyncJobEventLogger) -> None:
        log_some(logger, 3)
        assert repr(logger) == "<AsyncJobEventLogger buffered=3 stored=0 dropped=0>"

    async def test_events_taken_before_the_start_are_stored_after_it(self, storage: TroubledStorage) -> None:
        logger = a_logger(storage)
        ids = log_some(logger, 3)

        await logger.start()
        await logger.flush()
        await logger.stop()

        assert storage.ids == ids

    async def test_an_event_of_a_thread_is_stored_though_nothing_happens_in_the_loop(
        self, storage: TroubledStorage
    ) -> None:
        logger = a_logger(storage, flush_interval=0.01)
        await logger.start()

        def log_and_look() -> bool:
            time.sleep(0.2)  # until the loop has nothing to do
            logger.append(a_job_event(event_id="n-1"))
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not storage.events:
                time.sleep(0.01)  # here, and not in the loop, which is to have no other reason to wake
            return bool(storage.events)

        assert await asyncio.to_thread(log_and_look)
        await logger.stop()


class TestBatches:
    async def test_nothing_is_stored_before_the_interval_is_over(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, loop_time: LoopTime
    ) -> None:
        ids = log_some(logger, 3)

        await loop_time.advance(INTERVAL_S - 1)
        assert storage.tries == []

        await loop_time.advance(2)
        assert storage.ids == ids
        assert storage.tries == [3]

    async def test_the_interval_begins_with_the_first_event_of_a_batch(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, loop_time: LoopTime
    ) -> None:
        log_some(logger, 1)
        await loop_time.advance(INTERVAL_S - 1)
        log_some(logger, 1, first=1)
        await loop_time.advance(2)
        assert storage.tries == [2]

        log_some(logger, 1, first=2)
        await loop_time.advance(INTERVAL_S - 1)
        assert storage.tries == [2]
        await loop_time.advance(2)
        assert storage.tries == [2, 1]

    async def test_a_full_batch_does_not_wait_for_the_interval(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        log_some(logger, 9)
        await settled()
        assert storage.tries == []

        log_some(logger, 1, first=9)
        await settled()
        assert storage.tries == [10]

    async def test_many_events_are_stored_in_batches_of_the_configured_size_and_in_order(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        ids = log_some(logger, 35)

        await logger.flush()

        assert storage.tries == [10, 10, 10, 5]
        assert storage.ids == ids

    async def test_events_that_come_during_a_store_are_stored_after_it(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        storage.open.clear()
        ids = log_some(logger, 10)
        await settled()
        ids += log_some(logger, 7, first=10)

        storage.open.set()
        await logger.flush()

        assert storage.ids == ids

    async def test_flushing_an_empty_logger_returns_at_once(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage
    ) -> None:
        await asyncio.wait_for(logger.flush(), 20)
        assert storage.tries == []

    async def test_flushing_waits_only_for_what_was_logged_before(self) -> None:
        class Echo(TroubledStorage):
            """Something that causes an event with each store, as a busy process does."""

            async def store(self, entries: Sequence[Outgoing]) -> None:
                await super().store(entries)
                await asyncio.sleep(0)
                if len(self.tries) < 2_000:
                    busy.append(a_job_event())

        storage = Echo()
        busy = a_logger(storage)
        await busy.start()
        log_some(busy, 3)

        await busy.flush()
        stores_at_flush = len(storage.tries)

        await busy.stop()
        assert stores_at_flush < 10


class TestTrouble:
    @pytest.mark.parametrize(
        "error",
        [
            ServerUnreachable("away"),
            JetStreamError(10077, "full"),
            OSError("broken pipe"),
            KeyError("unexpected"),
            TimeoutError(),
        ],
        ids=repr,
    )
    async def test_whatever_a_store_raises_everything_is_stored_once_it_works_again(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, loop_time: LoopTime, error: Exception
    ) -> None:
        storage.errors.extend([error, error])
        ids = log_some(logger, 12)
        await settled()
        assert storage.ids == []

        await loop_time.advance(0.2)
        await loop_time.advance(0.5)

        assert storage.ids == ids
        assert logger.statistics().failed_flushes == 2
        assert logger.statistics().stored == 12

    async def test_it_tries_again_ever_more_slowly_but_every_two_seconds_at_least(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, loop_time: LoopTime
    ) -> None:
        storage.errors.extend([ServerUnreachable("away")] * 100)
        log_some(logger, 10)
        await settled()
        assert len(storage.tries) == 1

        waits = []
        for _ in range(7):
            before, waited = len(storage.tries), 0.0
            while len(storage.tries) == before:
                await loop_time.advance(0.1)
                waited += 0.1
            waits.append(round(waited, 1))

        assert waits == sorted(waits)
        assert waits[0] <= 0.2
        assert 1.9 <= waits[-1] <= 2.1

    async def test_after_a_recovery_it_is_quick_again(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, loop_time: LoopTime
    ) -> None:
        storage.errors.extend([ServerUnreachable("away")] * 6)
        log_some(logger, 10)
        for _ in range(8):
            await loop_time.advance(2.1)
        assert len(storage.ids) == 10

        storage.errors.append(ServerUnreachable("away again"))
        log_some(logger, 10, first=10)
        await loop_time.advance(0.2)

        assert len(storage.ids) == 20

    async def test_what_comes_while_the_storage_fails_is_stored_after_what_failed(
        self, logger: AsyncJobEventLogger, storage: TroubledStorage, loop_time: LoopTime
    ) -> None:
        storage.errors.append(ServerUnreachable("away"))
        ids = log_some(logger, 10)
        await settled()
        ids += log_some(logger, 13, first=10)

        await loop_time.advance(0.2)
        await logger.flush()

        assert storage.ids == ids

    @given(
        bursts=st.lists(st.integers(1, 25), min_size=1, max_size=6),
        stored_before_failing=st.integers(0, 10),
        failures=st.integers(0, 3),
    )
    def test_through_any_outage_each_event_is_stored_once_and_in_order(
        self, bursts: list[int], stored_before_failing: int, failures: int
    ) -> None:
        async def story() -> None:
            with pytest.MonkeyPatch.context() as patch:
                loop_time = LoopTime(asyncio.get_running_loop(), patch)
                storage = TroubledStorage()
                storage.stores_before_failing = stored_before_failing
                logger = a_logger(storage)
                await logger.start()
                ids: list[str] = []
                for burst in bursts:
                    storage.errors.extend([ServerUnreachable("away")] * failures)
                    ids += log_some(logger, burst, first=len(ids))
                    await loop_time.advance(0.3)
                for _ in range(30):
                    await loop_time.advance(INTERVAL_S)

                assert storage.ids == ids
                assert await logger.stop() == 0

        asyncio.run(story())

    async def test_an_event_that_cannot_be_encoded_is_dropped_without_an_error(self, storage: TroubledStorage) -> None:
        reports: list[DroppedEvents] = []

        def report(dropped: DroppedEvents) -> SystemEvent:
            reports.append(dropped)
            return a_system_event(dropped=dropped.counts)

        logger = AsyncJobEventLogger(storage, EventsConfig(batch_size=10), Names(), report=report)
        await logger.start()
        unknown = OtherEvent(timestamp_ns=1, event_type="fired", category="schedule")

        assert not logger.append(unknown)
        assert not logger.append(a_job_event(error_message="\ud800"))
        log_some(logger, 1)
        await logger.flush()
        await logger.stop()

        assert logger.statistics().dropped == 2
        assert [dropped.counts for dropped in reports] == [{"schedule.fired": 1, "job.started": 1}]
