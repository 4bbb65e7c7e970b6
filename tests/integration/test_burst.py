"""Workers that end when nothing is left for them, and what is told of jobs that were handed back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from naq_runtime import Job, Monitor, NAQConfig, Queue, ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker


@asynccontextmanager
async def burst(config: NAQConfig, *queues: str) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that ends by itself, or at the end of the block."""
    async with ServiceManager(config, role="worker") as services:
        worker = Worker(services, queues or ("default",), TaskRegistry.load([MODULE]), burst=True)
        running = asyncio.create_task(worker.run())
        try:
            yield running
        finally:
            worker.request_stop(at_once=True)
            await running


async def test_what_was_handed_back_to_a_paused_queue_waits_and_keeps_no_burst(config: NAQConfig) -> None:
    async with (
        Queue("default", config=config) as queue,
        ServiceManager(config) as services,
        running_worker(config, name="slow") as worker,
    ):
        monitor = await services.get_service(Monitor)
        await queue.limit(rate="1/30s")
        await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(8))
        await eventually(lambda: worker.counts.completed > 0)
        done = worker.counts.completed
        await queue.pause()

        async def told() -> bool:
            (state,) = (await monitor.snapshot()).queues
            return (state.waiting, state.running) == (8 - done, 0)

        await eventually(told)
        async with burst(config) as running, asyncio.timeout(20):
            await running


async def test_what_runs_for_others_in_a_paused_queue_is_waited_for(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue("default", config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.nap, 1.0, mark)
        await eventually(mark.exists)
        await queue.pause()
        await queue.enqueue(tasks.add, 1)

        async with burst(config) as running, asyncio.timeout(20):
            await running

        assert await handle.result(timeout=30) == "rested"


async def test_what_was_handed_back_and_nobody_works_on_waits(config: NAQConfig, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue("default", config=config) as queue, ServiceManager(config) as services:
        monitor = await services.get_service(Monitor)
        await queue.enqueue(tasks.nap, 60.0, mark)
        async with running_worker(config) as worker:
            await eventually(mark.exists)

            async def stands(waiting: int, running: int) -> bool:
                (state,) = (await monitor.snapshot()).queues
                return (state.waiting, state.running) == (waiting, running)

            await eventually(lambda: stands(0, 1))
            worker.request_stop(at_once=True)

        await eventually(lambda: stands(1, 0))
