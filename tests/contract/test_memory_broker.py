"""What users see of jobs, told of a real worker on a server and of the broker in memory alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass

import pytest

from naq_runtime import (
    After,
    EventService,
    Job,
    JobCancelled,
    JobFailed,
    JobStatus,
    NAQConfig,
    Queue,
    ServiceManager,
    Snooze,
    current_job,
    task,
)
from naq_runtime.errors import NotFound, ResultTimeout
from naq_runtime.tasks import TaskRegistry
from naq_runtime.testing import MemoryBroker
from naq_runtime.worker.worker import Worker
from tests.support.waiting import eventually

MODULE = __name__


@task
async def double(number: int) -> int:
    return 2 * number


@task
async def fail(text: str) -> None:
    raise ValueError(text)


@task
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


@task
async def snooze_once(mark: str) -> int:
    if mark not in snoozed:
        snoozed.add(mark)
        raise Snooze(0.2)
    return current_job().attempt


@task
async def parents() -> list[int]:
    return [parent.result for parent in current_job().dependencies.values()]


snoozed: set[str] = set()


@dataclass
class World:
    """One of the two."""

    config: NAQConfig
    run_all: Callable[[], Coroutine[None, None, object]]
    """Runs all jobs that may run."""
    let_pass: Callable[[float], Awaitable[object]]
    """Seconds."""


async def burst(config: NAQConfig) -> None:
    async with ServiceManager(config, role="worker") as services:
        registry = TaskRegistry.load([MODULE])
        await Worker(services, ["default"], registry, modules=[MODULE], burst=True).run()


@pytest.fixture(params=["memory", "server"])
async def world(request: pytest.FixtureRequest, config: NAQConfig) -> AsyncIterator[World]:
    """In memory, or a worker on a server."""
    if request.param == "server":
        yield World(config, lambda: burst(config), asyncio.sleep)
        return
    async with MemoryBroker(config, modules=[MODULE]) as broker:

        async def advance(seconds: float) -> None:
            broker.advance(seconds)

        yield World(config, lambda: broker.drain(raise_errors=False), advance)


class TestAnIdThatIsUsedAgain:
    async def test_has_the_result_of_the_job_that_came_last(self, world: World) -> None:
        async with Queue(config=world.config) as queue:
            first = await queue.enqueue_job(Job(double, (1,), job_id="one"))
            await world.run_all()
            assert await first.result(timeout=30) == 2

            second = await queue.enqueue_job(Job(double, (2,), job_id="one"))
            assert await second.status() is JobStatus.QUEUED
            await world.run_all()

            assert await second.result(timeout=30) == 4
            assert await first.result(timeout=30) == 4

    async def test_what_depends_on_it_waits_for_the_job_that_stands_now(self, world: World) -> None:
        async with Queue(config=world.config) as queue:
            await queue.enqueue_job(Job(fail, ("the first",), job_id="parent"))
            await world.run_all()

            parent = await queue.enqueue_job(Job(double, (5,), job_id="parent"))
            child = await queue.enqueue_job(Job(parents, depends_on=parent))
            sorry = await queue.enqueue_job(Job(parents, depends_on=After(parent.job_id, on="failure")))
            assert await child.status() is JobStatus.WAITING
            await world.run_all()

            assert await child.result(timeout=30) == [10]
            assert await sorry.status() is JobStatus.CANCELLED

    async def test_it_can_be_cancelled_although_an_earlier_job_of_it_has_ended(self, world: World) -> None:
        async with Queue(config=world.config) as queue:
            await queue.enqueue_job(Job(double, (1,), job_id="one"))
            await world.run_all()
            again = await queue.enqueue_job(Job(double, (2,), job_id="one"))

            assert await again.cancel("changed my mind")

            assert await again.status() is JobStatus.CANCELLED
            with pytest.raises(JobCancelled, match="changed my mind"):
                await again.result(timeout=30)


class TestWaitingForAResult:
    async def test_ends_with_the_time_that_one_had(self, world: World) -> None:
        async with Queue(config=world.config) as queue:
            handle = await queue.enqueue(nap, 30)
            running = asyncio.create_task(world.run_all())

            with pytest.raises(ResultTimeout, match=r"has not ended within 0\.3 s"):
                await handle.result(timeout=0.3)

            assert await handle.cancel()
            await running

    async def test_a_job_that_keeps_no_outcome_has_no_result(self, world: World) -> None:
        async with Queue(config=world.config) as queue:
            handle = await queue.enqueue_job(Job(double, (1,), result_ttl=0))
            await world.run_all()

            with pytest.raises(NotFound, match="it has ended and stores none"):
                await handle.result(timeout=30)

    async def test_of_a_queue_that_is_closed_a_handle_says_so(self, world: World) -> None:
        async with Queue(config=world.config) as queue:
            handle = await queue.enqueue(double, 1)
        await world.run_all()

        for asking in (handle.result, handle.status, handle.cancel):
            with pytest.raises(RuntimeError, match=rf"the queue of job {handle.job_id} is closed.*queue\.handle"):
                await asking()

        async with Queue(config=world.config) as queue:
            assert await queue.handle(handle.job_id).result(timeout=30) == 2


async def test_a_job_that_is_cancelled_as_it_runs_says_why_and_by_whom(world: World) -> None:
    async with ServiceManager(world.config) as services, Queue(services=services) as queue:
        by = (await services.get_service(EventService)).instance
        handle = await queue.enqueue(nap, 30)
        running = asyncio.create_task(world.run_all())
        await eventually(lambda: is_running(handle.status))

        assert await handle.cancel("enough")

        with pytest.raises(JobCancelled, match=f"was cancelled: enough, by {by}$"):
            await handle.result(timeout=30)
        await running


async def is_running(status: Callable[[], Awaitable[JobStatus]]) -> bool:
    return await status() is JobStatus.RUNNING


async def test_a_snooze_costs_no_try(world: World) -> None:
    async with Queue(config=world.config) as queue:
        handle = await queue.enqueue(snooze_once, world.config.namespace)
        await world.run_all()
        assert await handle.status() is JobStatus.SCHEDULED

        await world.let_pass(0.3)
        await world.run_all()

        assert await handle.result(timeout=30) == 1


async def test_a_function_that_is_nowhere_is_unknown(world: World) -> None:
    async with Queue(config=world.config) as queue:
        handle = await queue.enqueue("no_such_module.at_all")
        await world.run_all()

        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout=30)
        assert caught.value.error_type == "UnknownTask"
