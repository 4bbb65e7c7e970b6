"""Unique keys are kept for as long as was asked for, and lose no job of a producer that tries again."""

from __future__ import annotations

import asyncio

import pytest

from naq_runtime import DuplicateJob, Job, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.jobs.store import JobStore
from naq_runtime.jobs.unique import UniqueKeys
from naq_runtime.naming import Names
from tests.support import awkward_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker

LONG_AGO_NS = 3_600_000_000_000
MODULES = ("tests.support.awkward_tasks",)


def invoice(job_id: str = "first", **how: float) -> Job:
    return Job(tasks.say, ("hello",), job_id=job_id, unique_key="invoice 17", unique_for=3600, **how)  # type: ignore[arg-type]


def keys_of(services: ServiceManager, later_ns: int = 0) -> UniqueKeys:
    """As a producer has them, perhaps one that comes later."""
    names: Names = services.names
    return UniqueKeys(
        services.streams,
        names,
        JobStore(services.streams, names),
        ready=lambda: services.topology.bucket(names.unique_bucket),
        now_ns=lambda: services.clock.time_ns() + later_ns,
    )


async def test_a_key_outlives_its_job_and_the_outcome_of_that(config: NAQConfig, services: ServiceManager) -> None:
    # Given a job that has ended, and of which nothing is left
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES) as worker:
        await queue.enqueue_job(invoice(result_ttl=0))
        await eventually(lambda: worker.counts.completed == 1)

    # When somebody wants its key long afterwards
    refused = await keys_of(services, LONG_AGO_NS).take(invoice("second"))

    # Then it is taken
    assert isinstance(refused, DuplicateJob)
    assert refused.job_id == "first"


async def test_a_producer_that_died_before_it_had_enqueued_can_try_again_at_once(
    config: NAQConfig, services: ServiceManager
) -> None:
    await services.topology.jobs()
    assert await keys_of(services).take(invoice()) is True

    async with Queue(config=config) as queue:
        handle = await queue.enqueue_job(invoice())
        assert await handle.status() is JobStatus.QUEUED
        with pytest.raises(DuplicateJob):
            await queue.enqueue_job(invoice("second"))


async def test_a_producer_that_did_not_hear_that_its_job_is_stored_keeps_the_key(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        await queue.enqueue_job(invoice())
        with pytest.raises(DuplicateJob):
            await queue.enqueue_job(invoice())
        with pytest.raises(DuplicateJob) as taken:
            await queue.enqueue_job(invoice("second"))

    assert taken.value.job_id == "first"


async def test_a_key_of_a_producer_that_died_is_free_after_a_while(services: ServiceManager) -> None:
    await services.topology.jobs()
    await services.topology.results()
    assert await keys_of(services).take(invoice()) is True

    assert isinstance(await keys_of(services).take(invoice("second")), DuplicateJob)
    assert await keys_of(services, LONG_AGO_NS).take(invoice("second")) is True


async def test_whoever_cancels_a_job_that_has_just_ended_hears_so(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES, concurrency=20):
        told = []
        for number in range(40):
            handle = await queue.enqueue(tasks.nap, 0.003)
            await asyncio.sleep(number % 8 * 0.0007)
            told.append((await handle.cancel(), (await handle.outcome(timeout=30)).status))

    assert all(was_cancelled == (status is JobStatus.CANCELLED) for was_cancelled, status in told), told
