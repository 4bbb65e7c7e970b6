"""What the service of events says of its own process: costs, and troubles."""

from __future__ import annotations

import os

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.config import NAQConfig
from naq_runtime.errors import ServerError, ServerUnreachable
from naq_runtime.events.models import JobEventType, SystemEvent
from naq_runtime.services.events import EventService
from naq_runtime.services.metrics import Metrics
from naq_runtime.usage import LoopLag, Usage
from tests.support.waiting import eventually
from tests.unit.storages import TroubledStorage


def process_events(storage: TroubledStorage) -> list[SystemEvent]:
    """What was said of the process."""
    return [stored.event for stored in storage.events if isinstance(stored.event, SystemEvent)]


class TestTroubles:
    async def test_a_part_in_trouble_is_told_once_and_once_more_when_it_has_recovered(self) -> None:
        storage, clock = TroubledStorage(), ManualClock(0)
        events = EventService(NAQConfig(), storage, clock=clock)
        await events.start()

        events.in_trouble("outcomes", ServerError("the stream is full"))
        events.in_trouble("outcomes", ServerError("the stream is full"))
        clock.advance(2)
        events.recovered("outcomes")
        events.recovered("outcomes")
        await events.stop()

        error, recovered = process_events(storage)
        assert (error.event_type, error.part, error.error_type) == ("error", "outcomes", "ServerError")
        assert error.error_message == "the stream is full"
        assert (recovered.event_type, recovered.part, recovered.outage_ms) == ("recovered", "outcomes", 2_000)

    @pytest.mark.parametrize(("failures", "told"), [(1, []), (2, ["error", "recovered"]), (3, ["error", "recovered"])])
    async def test_a_log_that_takes_nothing_twice_in_a_row_is_in_trouble(self, failures: int, told: list[str]) -> None:
        storage = TroubledStorage()
        storage.errors.extend(ServerError("the stream is sealed") for _ in range(failures))
        events = EventService(NAQConfig(), storage)
        await events.start()

        events.job(JobEventType.STARTED, job_id="j1", queue_name="mail")
        await events.flush()
        await events.stop()

        assert [str(event.event_type) for event in process_events(storage)] == told
        assert len(storage.events) == 1 + len(told)

    async def test_a_log_whose_connection_is_lost_is_not_in_trouble_besides(self) -> None:
        storage = TroubledStorage()
        storage.errors.extend(ServerUnreachable("gone") for _ in range(3))
        events = EventService(NAQConfig(), storage)
        await events.start()

        await events._connection_lost()
        await events.flush()
        await events._connection_restored()
        await events.stop()

        assert [str(event.event_type) for event in process_events(storage)] == [
            "connection_lost", "connection_restored",
        ]  # fmt: skip


class TestMetrics:
    async def test_they_say_what_the_process_costs_and_what_its_log_has_done(self) -> None:
        storage = TroubledStorage()
        events = EventService(NAQConfig(), storage, instance="i1", role="worker")
        await events.start()
        metrics = Metrics(events, 0.1)
        metrics.start()

        await eventually(lambda: len(process_events(storage)) >= 2)
        metrics.stop()
        metrics.stop()
        await events.stop()

        told = process_events(storage)[1]
        assert (told.event_type, told.instance, told.role, told.pid) == ("metrics", "i1", "worker", os.getpid())
        assert told.rss_bytes is not None
        assert told.rss_bytes > 1_000_000
        assert told.open_files is not None
        assert told.open_files > 0
        assert told.cpu_percent is not None
        assert told.loop_lag_ms is not None
        assert (told.events_stored, told.events_dropped, told.failed_flushes) == (1, 0, 0)

    async def test_a_measure_that_fails_ends_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        storage = TroubledStorage()
        events = EventService(NAQConfig(), storage)
        await events.start()
        metrics = Metrics(events, 0.1)
        failures = iter([OSError("too many open files")])
        count = Usage.open_files

        def failing_once(usage: Usage) -> int:
            for error in failures:
                raise error
            return count(usage)

        monkeypatch.setattr(Usage, "open_files", failing_once)
        metrics.start()

        await eventually(lambda: len(process_events(storage)) == 1)
        metrics.stop()
        await events.stop()

    async def test_a_loop_that_is_held_up_is_late(self) -> None:
        lag = LoopLag()
        lag.start()
        lag._due -= 0.5  # as if it had been due half a second earlier
        await eventually(lambda: lag._worst_s > 0)
        lag.stop()

        assert lag.take_ms() >= 500
        assert lag.take_ms() < 500
