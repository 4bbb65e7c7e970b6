"""Rates over all workers: what is started, when, and what becomes of the jobs that must wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from naq_runtime import Job, JobEvent, NAQConfig, Queue, QueueService, ServiceManager
from naq_runtime.errors import ConfigError
from naq_runtime.job import JobStatus
from naq_runtime.nats.queues import QueueConsumer, QueueLimits
from naq_runtime.nats.rates import Places, Rate
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.waiting import eventually
from tests.support.workers import running_worker

LATENCY_S = 0.05
"""Between the moment that the server stores a place and the start of its job."""


@pytest.fixture
async def queues(services: ServiceManager) -> QueueService:
    """The operations, as another process has them."""
    return await services.get_service(QueueService)


@asynccontextmanager
async def running_workers(config: NAQConfig, count: int, *queues: str) -> AsyncIterator[list[Worker]]:
    """Several workers."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running_worker(config, *queues)) for _ in range(count)]


async def start_times(config: NAQConfig) -> list[float]:
    """When each job began, in order."""
    events = [stored.event for stored in await all_events(config, event_type="started")]
    return sorted(event.timestamp for event in events if isinstance(event, JobEvent))


def held_by(worker: Worker) -> int:
    """How many jobs a worker has that it does not run."""
    return worker.held - worker.active


class TestStarts:
    async def test_no_span_of_time_has_more_starts_than_the_rate_over_all_workers(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.limit("default", rate="5/s")
        async with Queue("default", config=config) as queue, running_workers(config, 3) as workers:
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(16))
            await eventually(lambda: sum(worker.counts.completed for worker in workers) == 16)

        times = await start_times(config)
        assert min(later - sooner for sooner, later in zip(times, times[5:], strict=False)) > 1 - LATENCY_S

    async def test_hardly_any_of_the_rate_is_left_unused(self, config: NAQConfig, queues: QueueService) -> None:
        await queues.limit("default", rate="5/2s")
        async with Queue("default", config=config) as queue, running_workers(config, 3) as workers:
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(21))
            await eventually(lambda: sum(worker.counts.completed for worker in workers) == 21)

        times = await start_times(config)
        assert times[-1] - times[0] < 14  # 8 s at best, 16 with every other place unused

    async def test_a_worker_that_starts_anew_keeps_to_what_was_started_before(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.limit("default", rate="3/2s")
        async with Queue("default", config=config) as queue:
            async with running_worker(config) as worker:
                await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(6))
                await eventually(lambda: worker.counts.completed == 3)
            async with running_worker(config) as worker:
                await eventually(lambda: worker.counts.completed == 3)

        times = await start_times(config)
        assert times[3] - times[0] > 2 - LATENCY_S

    async def test_a_high_rate_is_reached(self, config: NAQConfig, queues: QueueService) -> None:
        await queues.limit("default", rate="10000/s")
        async with Queue("default", config=config) as queue, running_worker(config, concurrency=20) as worker:
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(600))
            await eventually(lambda: worker.counts.completed == 600)

    async def test_both_limits_hold(self, config: NAQConfig, queues: QueueService) -> None:
        await queues.limit("default", rate="8/s", concurrency=1)
        async with Queue("default", config=config) as queue, running_workers(config, 2) as workers:
            await queue.enqueue_many(Job(tasks.nap, (0.05,)) for _ in range(10))
            most = 0

            async def all_done() -> bool:
                nonlocal most
                most = max(most, sum(worker.active for worker in workers))
                return sum(worker.counts.completed for worker in workers) == 10

            await eventually(all_done)

        times = await start_times(config)
        assert most == 1
        assert times[8] - times[0] > 1 - LATENCY_S


class TestChange:
    async def test_a_change_takes_effect_at_once(self, config: NAQConfig) -> None:
        async with Queue("default", config=config) as queue, running_worker(config) as worker:
            await queue.limit(rate="1/day")
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(8))
            await eventually(lambda: worker.counts.completed == 1)
            await queue.limit(rate="100/s")

            await eventually(lambda: worker.counts.completed == 8)

    async def test_so_does_its_removal(self, config: NAQConfig) -> None:
        async with Queue("default", config=config) as queue, running_worker(config) as worker:
            await queue.limit(rate="1/day")
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(8))
            await eventually(lambda: worker.counts.completed == 1)
            await queue.limit(rate="")

            await eventually(lambda: worker.counts.completed == 8)

    @pytest.mark.parametrize("before", ["", "5000/s"])
    async def test_once_it_is_set_nothing_begins_any_more_that_is_against_it(
        self, config: NAQConfig, before: str
    ) -> None:
        async with Queue("default", config=config) as queue, running_workers(config, 3) as workers:
            await queue.limit(rate=before)
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(3_000))
            await eventually(lambda: sum(worker.counts.completed for worker in workers) > 20)

            await queue.limit(rate="1/day")
            set_at = time.time()
            await eventually(lambda: all(held_by(worker) <= 1 and not worker.active for worker in workers))

        assert sum(begun > set_at for begun in await start_times(config)) <= 1

    async def test_one_that_is_seen_only_when_the_worker_has_ended_is_of_no_use_to_it(
        self, services: ServiceManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worker = Worker(services, ["default"], TaskRegistry.load(["tests.support.sample_tasks"]))
        asked, ended = asyncio.Event(), asyncio.Event()

        async def seen_late(_: QueueConsumer) -> QueueLimits:
            asked.set()
            await ended.wait()
            return QueueLimits(rate=Rate(1, 60))

        running = asyncio.create_task(worker.run())
        await eventually(lambda: worker._is_open)
        assert worker._jobs is not None
        monkeypatch.setattr(QueueConsumer, "limits", seen_late)
        looking = asyncio.create_task(worker._jobs.keep_limits("default"))
        await asked.wait()
        worker.request_stop()
        await running
        ended.set()
        await looking

        assert [task for task in asyncio.all_tasks() if task.get_name() == "rate of default"] == []

    async def test_a_rate_that_cannot_be_kept_is_refused(self, queues: QueueService) -> None:
        with pytest.raises(ConfigError, match="1 to 10,000 jobs"):
            await queues.limit("q", rate="20000/min")


class TestWaiting:
    async def test_a_job_that_waits_for_the_rate_takes_no_slot(self, config: NAQConfig, queues: QueueService) -> None:
        await queues.limit("slow", rate="1/day")
        async with (
            Queue("slow", config=config) as slow,
            Queue("quick", config=config) as quick,
            running_worker(config, "slow", "quick", concurrency=1) as worker,
        ):
            await slow.enqueue_many(Job(tasks.add, (1,)) for _ in range(3))
            await eventually(lambda: worker.counts.completed == 1 and held_by(worker) == 1)

            handles = await quick.enqueue_many(Job(tasks.add, (1,)) for _ in range(50))
            assert [await handle.result(timeout=30) for handle in handles] == [2] * 50

    async def test_each_worker_holds_one_job_of_the_queue_at_most(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.limit("default", rate="1/day")
        async with Queue("default", config=config) as queue, running_workers(config, 2) as workers:
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(10))

            async def settled() -> bool:
                state = await queues.state("default")
                return state.waiting + state.running == 9 and [held_by(worker) for worker in workers] == [1, 1]

            await eventually(settled)

    async def test_a_job_that_waits_can_be_cancelled(self, config: NAQConfig, queues: QueueService) -> None:
        await queues.limit("default", rate="1/day")
        async with Queue("default", config=config) as queue, running_worker(config) as worker:
            await queue.enqueue(tasks.add, 1)
            await eventually(lambda: worker.counts.completed == 1)
            waiting = await queue.enqueue(tasks.add, 1)
            await eventually(lambda: held_by(worker) == 1)

            assert await waiting.cancel("no longer needed")
            result = await waiting.outcome(timeout=30)
            assert result.status is JobStatus.CANCELLED
            assert "no longer needed" in (result.error or "")

    async def test_a_job_that_waits_is_handed_back_when_its_queue_is_paused(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.limit("default", rate="1/day")
        async with Queue("default", config=config) as queue, running_worker(config) as worker:
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(3))
            await eventually(lambda: worker.counts.completed == 1 and held_by(worker) == 1)
            await queue.pause()

            await eventually(lambda: worker.held == 0)

    async def test_a_worker_that_stops_leaves_the_job_that_waits_to_another(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.limit("default", rate="1/2s")
        async with Queue("default", config=config) as queue:
            async with running_worker(config) as worker:
                handles = await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(2))
                await eventually(lambda: worker.counts.completed == 1 and held_by(worker) == 1)
            async with running_worker(config):
                assert [await handle.result(timeout=30) for handle in handles] == [2, 2]

    async def test_a_job_that_finds_a_place_but_no_slot_is_left_to_another_worker(
        self, config: NAQConfig, queues: QueueService, tmp_path: Path
    ) -> None:
        mark = tmp_path / "mark"
        await queues.limit("limited", rate="1000/s")
        async with (
            Queue("limited", config=config) as limited,
            Queue("slow", config=config) as slow,
            running_worker(config, "slow", "limited", concurrency=1),
        ):
            await slow.enqueue(tasks.nap, 4.0, mark)
            await eventually(mark.exists)
            async with running_worker(config, "limited", concurrency=1):
                handles = await limited.enqueue_many(Job(tasks.add, (1,)) for _ in range(4))

                assert [await handle.result(timeout=30) for handle in handles] == [2] * 4


class TestPlaces:
    async def places(self, services: ServiceManager, rate: str) -> Places:
        await services.topology.bucket(services.names.rates_bucket)
        return Places(services.connection, services.streams, services.names, "q", Rate.parse(rate))

    async def test_no_more_are_taken_than_there_are_by_whomever(self, services: ServiceManager) -> None:
        takers = [await self.places(services, "7/60s") for _ in range(4)]

        taken = [await asyncio.gather(*(taker.take() for taker in takers)) for _ in range(4)]

        assert sum(sum(row) for row in taken) == 7

    async def test_who_is_new_sees_what_others_have_taken(self, services: ServiceManager) -> None:
        first, second = await self.places(services, "5/60s"), await self.places(services, "5/60s")
        for _ in range(3):
            assert await first.take()

        await second.look()

        assert second.free == 2
        assert second.wait_s == 0

    async def test_the_wait_is_that_for_the_oldest_place(self, services: ServiceManager) -> None:
        first, second = await self.places(services, "1/60s"), await self.places(services, "1/60s")
        assert await first.take()
        await second.look()

        assert not await second.take()
        assert 30 < second.wait_s <= 60.1

    async def test_a_place_is_free_as_soon_as_its_time_is_over(self, services: ServiceManager) -> None:
        places = await self.places(services, "1/4s")
        loop = asyncio.get_running_loop()
        assert await places.take()
        taken_at = loop.time()

        await eventually(places.take)

        assert 3.99 < loop.time() - taken_at < 7.9

    async def test_so_it_is_for_somebody_else(self, services: ServiceManager) -> None:
        first, second = await self.places(services, "1/4s"), await self.places(services, "1/4s")
        loop = asyncio.get_running_loop()
        assert await first.take()
        taken_at = loop.time()

        await eventually(second.take)

        assert 3.98 < loop.time() - taken_at < 7.9
