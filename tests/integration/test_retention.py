"""Heartbeats and metrics leave the log before everything else."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from naq_runtime import NAQConfig, Queue, ServiceManager
from naq_runtime.events.retiring import Retiring
from naq_runtime.monitor import Monitor
from naq_runtime.scheduler.scheduler import Scheduler
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.waiting import eventually
from tests.support.workers import running_worker

AGE_S = 1.0


@pytest.fixture
def config(make_config: MakeConfig) -> NAQConfig:
    """Heartbeats that come often and are soon old."""
    return make_config(
        worker__heartbeat_interval=0.1,
        events__metrics_interval=0.1,
        events__heartbeat_max_age=AGE_S,
        scheduler__chores_interval=0.5,
    )


async def counts(config: NAQConfig) -> Counter[str]:
    return Counter(str(stored.event.event_type) for stored in await all_events(config))


async def some_history(config: NAQConfig) -> Counter[str]:
    """Jobs among heartbeats and metrics, all of them old by the end."""
    async with Queue(config=config) as queue, running_worker(config):
        for number in range(3):
            await (await queue.enqueue(tasks.add, number)).result(timeout=30)
            await asyncio.sleep(0.3)  # heartbeats come meanwhile
    await asyncio.sleep(AGE_S)  # and grow old: that is what is tested
    return await counts(config)


async def test_the_leader_removes_old_ones_and_nothing_else_and_readers_miss_nothing(config: NAQConfig) -> None:
    async with ServiceManager(config, role="scheduler") as services:
        scheduler = Scheduler(services, instance_id="boris")
        running = asyncio.create_task(scheduler.run())
        await eventually(lambda: scheduler.leads)
        before = await some_history(config)

        async def are_gone() -> bool:
            return (await counts(config))["heartbeat"] == 0

        try:
            await eventually(are_gone)
        finally:
            scheduler.request_stop()
            await running
    after = await counts(config)
    async with ServiceManager(config, role="test") as services:
        tail = await (await services.get_service(Monitor)).follow(after=0)
        batch = await asyncio.wait_for(tail.next_batch(), 20)
        await tail.stop()

    stored = await all_events(config)
    assert stored[-1].sequence - len(stored) > 10  # so many are gone
    kept = before.keys() - {"heartbeat", "metrics"}
    assert kept > {"enqueued", "started", "completed", "startup", "stopped"}
    assert all(after[kind] >= before[kind] for kind in kept)
    assert len(batch.events) > 10
    assert batch.missed == 0


async def test_young_ones_stay(config: NAQConfig, services: ServiceManager) -> None:
    retiring = Retiring(services.connection, services.names, 3600)
    await services.topology.events()
    await retiring.purge()
    before = await some_history(config)

    removed = await retiring.purge()

    assert removed == 0
    assert (await counts(config))["heartbeat"] == before["heartbeat"]


async def test_as_time_goes_on_what_has_grown_old_goes(config: NAQConfig, services: ServiceManager) -> None:
    retiring = Retiring(services.connection, services.names, AGE_S)
    await services.topology.events()
    assert await retiring.purge() == 0
    before = await some_history(config)

    await retiring.purge()  # notes how far the log goes now
    await asyncio.sleep(AGE_S)
    removed = await retiring.purge()

    assert removed == before["heartbeat"] + before["metrics"]


async def test_of_a_log_that_was_made_anew_nothing_goes_for_the_age_of_the_old_one(
    config: NAQConfig, services: ServiceManager
) -> None:
    retiring = Retiring(services.connection, services.names, AGE_S)
    await services.topology.events()
    await some_history(config)
    await retiring.purge()  # notes how far the log goes now
    await asyncio.sleep(AGE_S)
    await services.connection.api(f"STREAM.DELETE.{services.names.events_stream}")
    await services.topology.events()
    before = await some_history(config)

    removed = await retiring.purge()

    assert removed == 0
    assert (await counts(config))["heartbeat"] == before["heartbeat"] > 0
