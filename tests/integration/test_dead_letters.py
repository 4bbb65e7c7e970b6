"""Jobs that failed for good, and what can be done with them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from naq_runtime import DuplicateJob, Job, JobService, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NotFound, SerializationError
from naq_runtime.events.models import JobEvent
from naq_runtime.jobs.dead import DeadFilter
from tests.conftest import MakeConfig
from tests.support import sample_tasks
from tests.support import wayward_tasks as tasks
from tests.support.history import history
from tests.support.lifecycle import faults
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture
async def service(services: ServiceManager) -> JobService:
    """The operations, as another process has them."""
    return await services.get_service(JobService)


async def ids(service: JobService, wanted: DeadFilter | None = None) -> list[str]:
    """The dead letters."""
    return [letter.job_id async for letter in service.dead_letters(wanted)]


async def test_one_that_is_put_back_runs_again_and_its_story_goes_on(
    config: NAQConfig, service: JobService, tmp_path: Path
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(tasks.flaky, (tmp_path / "runs", 1), retries=0, job_id="back"))
        assert await handle.result(timeout=30) == 1
        broken = await queue.enqueue_job(Job(tasks.asking, (tmp_path / "asked", "retry"), retries=0, job_id="broken"))
        await broken.outcome(timeout=30)
        await service.retry_dead(await service.dead_letter("broken"), by="anna")

        async def done() -> bool:
            return tasks.notes(tmp_path / "asked") == ["retry 1", "retry 1"] and not await ids(service)

        await eventually(done)
        assert await queue.handle("broken").result(timeout=30) == "done"

        async def told() -> bool:
            return {"requeued", "completed"} <= {event.event_type for event in await history(config, "broken")}

        await eventually(told)
    events = [event for event in await history(config, "broken") if isinstance(event, JobEvent)]
    assert faults(events) == []
    assert [event.by for event in events if event.event_type == "requeued"] == ["anna"]


async def test_they_are_found_by_what_they_are(config: NAQConfig, service: JobService) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        for job in (
            Job(sample_tasks.fail, job_id="a"),
            Job(sample_tasks.unspeakable, job_id="b", queue_name="default"),
            Job("no.such", job_id="c"),
        ):
            await (await queue.enqueue_job(job)).outcome(timeout=30)

    assert await ids(service) == ["a", "b", "c"]
    assert await ids(service, DeadFilter(error_type="ValueError")) == ["a"]
    assert await ids(service, DeadFilter(function_name="*.unspeakable")) == ["b"]
    assert await ids(service, DeadFilter(queue_name="other")) == []
    assert await ids(service, DeadFilter(before_ns=time.time_ns())) == ["a", "b", "c"]

    assert await service.delete_dead([letter async for letter in service.dead_letters()]) == 3
    assert await ids(service) == []
    with pytest.raises(NotFound):
        await service.dead_letter("a")


async def test_what_was_no_job_is_kept_whole_and_cannot_be_put_back(
    config: NAQConfig, service: JobService, services: ServiceManager
) -> None:
    async with Queue("default", config=config), running_worker(config):
        await services.connection.publish(services.names.job("default", "noise"), b"\x00 not a job \xff")

        async def buried() -> bool:
            return await ids(service) == ["noise"]

        await eventually(buried)
    letter = await service.dead_letter("noise")
    assert letter.payload == b"\x00 not a job \xff"
    with pytest.raises(SerializationError):
        await service.retry_dead(letter)


async def test_one_whose_id_is_used_again_is_not_put_back(config: NAQConfig, service: JobService) -> None:
    async with Queue(config=config) as queue:
        async with running_worker(config):
            await (await queue.enqueue_job(Job(sample_tasks.fail, job_id="a"))).outcome(timeout=30)
        await queue.enqueue_job(Job(sample_tasks.add, (1,), job_id="a"))

        with pytest.raises(DuplicateJob):
            await service.retry_dead(await service.dead_letter("a"))
    assert await ids(service) == ["a"]


async def buried(config: NAQConfig, service: JobService, *jobs: Job) -> list[str]:
    """The ids of the letters when the last of the jobs, one after the other, is among them."""
    async with Queue(config=config) as queue, running_worker(config):
        for job in jobs:
            await (await queue.enqueue_job(job)).outcome(timeout=30)
    return await ids(service)


async def test_a_letter_is_kept_for_its_time(make_config: MakeConfig) -> None:
    config = make_config(dead__max_age=4)
    async with ServiceManager(config) as services:
        service = await services.get_service(JobService)

        assert await buried(config, service, Job(sample_tasks.fail, job_id="short-lived")) == ["short-lived"]

        async def gone() -> bool:
            return await ids(service) == []

        await eventually(gone)


async def test_above_the_room_for_letters_the_oldest_go(make_config: MakeConfig) -> None:
    config = make_config(dead__max_bytes=64 * 1024)
    async with ServiceManager(config) as services:
        service = await services.get_service(JobService)
        large = [Job(sample_tasks.fail, ("x" * 20_000,), job_id=f"large-{number}") for number in range(5)]

        kept = await buried(config, service, *large)

    assert 1 <= len(kept) < 5
    assert kept == [job.job_id for job in large][-len(kept) :]
