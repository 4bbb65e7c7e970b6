"""Busy at once, idle after a while: a worker between two short jobs says nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from naq_runtime.config import NAQConfig
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import WorkerEvent
from naq_runtime.services.events import EventService
from naq_runtime.worker.activity import Activity
from tests.unit.looptime import LoopTime


class Worker:
    """An activity, and what was heard of it."""

    def __init__(self, events: EventService, storage: MemoryEventStorage) -> None:
        self.changes = 0
        self.activity = Activity(events, "w1", 10, changed=self._count)
        self._events = events
        self._storage = storage

    def _count(self) -> None:
        self.changes += 1

    async def heard(self) -> list[tuple[str, int | None]]:
        """The events so far: type, and how many jobs ran."""
        await self._events.flush()
        events = [stored.event for stored in self._storage.events]
        assert all(isinstance(event, WorkerEvent) and event.worker_id == "w1" for event in events)
        return [(str(event.event_type), getattr(event, "active_jobs", None)) for event in events]


@pytest.fixture
async def worker(loop_time: LoopTime) -> AsyncIterator[Worker]:
    """A worker of ten slots that has done nothing yet."""
    storage = MemoryEventStorage()
    events = EventService(NAQConfig(), storage)
    await events.start()
    made = Worker(events, storage)
    yield made
    made.activity.stop()
    await events.stop()


async def test_the_first_job_makes_it_busy_at_once(worker: Worker) -> None:
    worker.activity.changed(1)
    assert await worker.heard() == [("busy", 1)]


async def test_whoever_wants_to_know_is_told_of_both(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(1)
    worker.activity.changed(2)
    assert worker.changes == 1

    worker.activity.changed(0)
    await loop_time.advance(1.5)
    assert worker.changes == 2


async def test_more_jobs_are_not_news(worker: Worker) -> None:
    for running in (1, 2, 3, 2, 1):
        worker.activity.changed(running)
    assert await worker.heard() == [("busy", 1)]


async def test_without_a_job_for_a_second_it_is_idle(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(1)
    worker.activity.changed(0)
    await loop_time.advance(0.9)
    assert await worker.heard() == [("busy", 1)]

    await loop_time.advance(0.2)
    assert await worker.heard() == [("busy", 1), ("idle", 0)]


async def test_short_jobs_with_short_breaks_do_not_make_it_flap(worker: Worker, loop_time: LoopTime) -> None:
    for _ in range(20):
        worker.activity.changed(1)
        await loop_time.advance(0.3)
        worker.activity.changed(0)
        await loop_time.advance(0.9)
    assert await worker.heard() == [("busy", 1)]


async def test_the_second_begins_with_the_end_of_the_last_job(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(1)
    worker.activity.changed(0)
    await loop_time.advance(0.9)
    worker.activity.changed(1)
    worker.activity.changed(0)
    await loop_time.advance(0.9)
    assert await worker.heard() == [("busy", 1)]

    await loop_time.advance(0.2)
    assert await worker.heard() == [("busy", 1), ("idle", 0)]


async def test_hearing_of_no_job_twice_does_not_put_idleness_off(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(1)
    worker.activity.changed(0)
    await loop_time.advance(0.6)
    worker.activity.changed(0)
    await loop_time.advance(0.6)
    assert await worker.heard() == [("busy", 1), ("idle", 0)]

    await loop_time.advance(5)
    assert await worker.heard() == [("busy", 1), ("idle", 0)], "it is said once"


async def test_after_being_idle_the_next_job_makes_it_busy_again(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(1)
    worker.activity.changed(0)
    await loop_time.advance(1.1)
    worker.activity.changed(2)
    assert await worker.heard() == [("busy", 1), ("idle", 0), ("busy", 2)]


async def test_a_worker_that_never_had_a_job_is_not_news(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(0)
    await loop_time.advance(5)
    assert await worker.heard() == []


async def test_a_stopped_worker_says_nothing_more(worker: Worker, loop_time: LoopTime) -> None:
    worker.activity.changed(1)
    worker.activity.changed(0)
    worker.activity.stop()
    worker.activity.stop()
    await loop_time.advance(5)
    assert await worker.heard() == [("busy", 1)]
