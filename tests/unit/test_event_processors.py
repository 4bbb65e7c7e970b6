"""Functions of the application see the events of their process, and can harm nothing by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.config import NAQConfig
from naq_runtime.errors import FilterError
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import Event, JobEvent, JobEventType, SystemEventType, WorkerEventType
from naq_runtime.events.processors import Processing
from naq_runtime.services.events import EventService
from tests.unit.samples import a_job_event


@pytest.fixture
async def events() -> AsyncIterator[EventService]:
    """A running service."""
    service = EventService(NAQConfig(), MemoryEventStorage(), instance="i1", role="worker", clock=ManualClock(7))
    await service.start()
    yield service
    await service.stop()


class Seen:
    """A processor that remembers the types of what it saw."""

    def __init__(self) -> None:
        self.types: list[str] = []

    async def __call__(self, event: Event) -> None:
        self.types.append(str(event.event_type))


async def test_events_of_every_category_reach_a_processor_in_order(events: EventService) -> None:
    seen = Seen()
    processing = events.register_event_processor(seen)

    events.system(SystemEventType.QUEUE_PAUSED)
    events.worker(WorkerEventType.STARTED, worker_id="w1")
    events.job(JobEventType.STARTED, job_id="a", queue_name="mail")
    events.log(a_job_event(JobEventType.COMPLETED))
    await processing.flush()

    assert seen.types == [
        SystemEventType.QUEUE_PAUSED,
        WorkerEventType.STARTED,
        JobEventType.STARTED,
        JobEventType.COMPLETED,
    ]


async def test_a_processor_with_filters_sees_only_what_it_wants(events: EventService) -> None:
    seen: list[str] = []

    async def failures(event: Event) -> None:
        assert isinstance(event, JobEvent)
        seen.append(event.job_id)

    processing = events.register_event_processor(failures, {"event_type": "failed", "queue_name": "mail"})

    events.job(JobEventType.FAILED, job_id="a", queue_name="mail")
    events.job(JobEventType.FAILED, job_id="b", queue_name="other")
    events.job(JobEventType.STARTED, job_id="c", queue_name="mail")
    await processing.flush()

    assert seen == ["a"]


async def test_one_that_is_cancelled_from_within_has_failed_and_sees_the_next_event(events: EventService) -> None:
    seen: list[str] = []

    async def fragile(event: Event) -> None:
        seen.append(str(event.event_type))
        if len(seen) == 1:
            raise asyncio.CancelledError  # as one has it who waits for a task that was cancelled

    processing = events.register_event_processor(fragile)
    events.system(SystemEventType.QUEUE_PAUSED)
    events.system(SystemEventType.QUEUE_RESUMED)
    await asyncio.wait_for(processing.flush(), 30)

    assert seen == [SystemEventType.QUEUE_PAUSED, SystemEventType.QUEUE_RESUMED]
    assert (processing.processed, processing.failed) == (2, 1)


async def test_who_waits_for_one_that_does_not_end_is_let_go_with_the_end(events: EventService) -> None:
    async def stuck(_: Event) -> None:
        await asyncio.Event().wait()

    processing = events.register_event_processor(stuck)
    events.system(SystemEventType.QUEUE_PAUSED)
    events.system(SystemEventType.QUEUE_RESUMED)
    waiting = asyncio.create_task(processing.flush())

    await processing.stop(deadline_s=0.05)

    await asyncio.wait_for(waiting, 30)
    await asyncio.wait_for(processing.flush(), 30)
    assert processing.waiting == 1


async def test_a_filter_that_does_not_exist_is_refused(events: EventService) -> None:
    with pytest.raises(FilterError, match="unknown field 'colour'"):
        events.register_event_processor(Seen(), {"colour": "red"})


async def test_a_function_that_is_not_async_is_refused(events: EventService) -> None:
    with pytest.raises(TypeError, match="async function of one event"):
        events.register_event_processor(lambda event: None)  # type: ignore[arg-type, return-value]


async def test_an_error_in_one_processor_is_logged_and_counted_and_reaches_no_other(
    events: EventService, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    async def broken(event: Event) -> None:
        raise ValueError("not this one")

    processing = events.register_event_processor(broken)
    other = events.register_event_processor(seen)

    with caplog.at_level(logging.ERROR):
        events.job(JobEventType.STARTED, job_id="a", queue_name="mail")
        events.job(JobEventType.COMPLETED, job_id="a", queue_name="mail")
        await processing.flush()
        await other.flush()

    assert (processing.failed, processing.processed) == (2, 2)
    assert len(seen.types) == 2
    assert "not this one" in caplog.text


async def test_a_slow_processor_holds_up_neither_the_log_nor_another_processor(events: EventService) -> None:
    seen, never = Seen(), asyncio.Event()

    async def slow(event: Event) -> None:
        await never.wait()

    processing = events.register_event_processor(slow)
    other = events.register_event_processor(seen)

    for number in range(3):
        events.job(JobEventType.STARTED, job_id=f"j{number}", queue_name="mail")
    await other.flush()
    await events.flush()

    assert len(seen.types) == 3
    assert len(await events.get_recent_events()) == 3
    assert processing.waiting == 2
    events.unregister_event_processor(slow)


async def test_what_is_above_the_limit_is_dropped_and_counted() -> None:
    seen = Seen()
    processing = Processing(seen, EventFilter(), most_waiting=2)

    for _ in range(5):
        processing.offer(a_job_event())
    await processing.stop(1)

    assert (processing.processed, processing.dropped, len(seen.types)) == (2, 3, 2)


async def test_a_processor_that_was_taken_out_is_called_no_more(events: EventService) -> None:
    seen = Seen()
    events.register_event_processor(seen)

    assert events.unregister_event_processor(seen)
    events.job(JobEventType.STARTED, job_id="a", queue_name="mail")
    await events.flush()

    assert seen.types == []
    assert not events.unregister_event_processor(seen)


async def test_a_stop_lets_processors_see_what_waits() -> None:
    seen = Seen()
    service = EventService(NAQConfig(), MemoryEventStorage(), clock=ManualClock(7))
    await service.start()
    service.register_event_processor(seen)
    service.job(JobEventType.STARTED, job_id="a", queue_name="mail")

    await service.stop()

    assert seen.types == [JobEventType.STARTED]
