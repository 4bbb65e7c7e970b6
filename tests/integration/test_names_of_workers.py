"""One worker a name, among those that live."""

from __future__ import annotations

import asyncio
import time

import pytest

from naq_runtime import Monitor, NAQConfig, ServiceManager
from naq_runtime.errors import NameTaken
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.record import WorkerState
from naq_runtime.worker.worker import Worker
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker


async def state_of(monitor: Monitor, name: str) -> WorkerState | None:
    return next((worker.state for worker in await monitor.workers() if worker.worker_id == name), None)


async def test_a_second_worker_of_the_name_does_not_start_and_the_first_goes_on(
    config: NAQConfig, services: ServiceManager
) -> None:
    monitor = await services.get_service(Monitor)
    async with running_worker(config, name="anna") as first:

        async def up() -> bool:
            return await state_of(monitor, "anna") is WorkerState.IDLE

        await eventually(up)
        with pytest.raises(NameTaken, match="a worker named anna runs already"):
            await Worker(services, ["q"], TaskRegistry.load([MODULE]), name="anna").run()
        assert not first.is_stopping
        assert await up()


async def test_of_two_that_come_at_the_same_time_one_starts(config: NAQConfig) -> None:
    async with ServiceManager(config) as one, ServiceManager(config) as other:
        workers = [Worker(services, ["q"], TaskRegistry.load([MODULE]), name="anna") for services in (one, other)]
        running = [asyncio.create_task(worker.run()) for worker in workers]

        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED, timeout=10)

        assert [type(task.exception()) for task in done] == [NameTaken]
        for worker in workers:
            worker.request_stop()
        await asyncio.gather(*running, return_exceptions=True)


async def test_the_name_of_a_dead_worker_whose_lease_still_stands_is_free(
    config: NAQConfig, services: ServiceManager
) -> None:
    monitor = await services.get_service(Monitor)
    async with running_worker(config, name="anna"):
        await eventually(lambda: monitor.workers())
        (lease,) = await LeaseBucket(services.connection, config.names, config.names.workers_bucket).values()
    bucket = LeaseBucket(services.connection, config.names, config.names.workers_bucket)
    await bucket.put("anna", lease, 60)

    begun = time.monotonic()
    async with running_worker(config, name="anna") as worker:
        await eventually(lambda: worker._is_open)

    assert time.monotonic() - begun < 50  # the lease would stand for a minute
