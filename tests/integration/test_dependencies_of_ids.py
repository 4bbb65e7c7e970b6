"""Dependencies among many jobs, on ids that are used again, and in circles."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naq_runtime import DependencyCycle, Job, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NaqError
from tests.support import awkward_tasks as tasks
from tests.support.workers import running_worker

MODULES = ("tests.support.awkward_tasks",)


async def test_none_of_many_parents_is_missed_however_fast_they_end(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES, concurrency=20):
        parents = [Job(tasks.say, (str(number),)) for number in range(300)]
        *_, child = await queue.enqueue_many([*parents, Job(tasks.count_parents, depends_on=parents)])

        assert len(await child.result(timeout=20)) == 300


async def test_a_job_waits_for_the_job_that_has_the_id_now(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        async with running_worker(config, modules=MODULES):
            first = await queue.enqueue_job(Job(tasks.say, ("first",), job_id="report"))
            assert await first.result(timeout=30) == "first"
        second = await queue.enqueue_job(Job(tasks.say, ("second",), job_id="report"))
        child = await queue.enqueue_job(Job(tasks.count_parents, depends_on=second))

        assert await child.status() is JobStatus.WAITING
        async with running_worker(config, modules=MODULES):
            assert await child.result(timeout=30) == ["second"]


async def test_a_job_waits_for_a_dead_one_that_was_put_back(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    service = await services.get_service(JobService)
    async with Queue(config=config) as queue:
        async with running_worker(config, modules=MODULES):
            parent = await queue.enqueue_job(Job(tasks.fail_once, (tmp_path / "runs",), job_id="parent"))
            assert (await parent.outcome(timeout=30)).status is JobStatus.FAILED
        await service.retry_dead(await service.dead_letter("parent"))
        child = await queue.enqueue_job(Job(tasks.count_parents, depends_on="parent"))

        async with running_worker(config, modules=MODULES):
            assert await child.result(timeout=30) == ["[]"]


async def test_a_job_cannot_wait_for_itself(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        with pytest.raises(DependencyCycle):
            await queue.enqueue_job(
                Job(tasks.say, ("hello",), job_id="x", depends_on="x", on_unknown_dependency="wait")
            )


async def test_a_circle_that_is_closed_from_both_sides_at_once_is_refused(config: NAQConfig) -> None:
    async with Queue(config=config) as one, Queue(config=config) as other:
        for number in range(5):
            x, y = f"x{number}", f"y{number}"
            answers = await asyncio.gather(
                one.enqueue_job(Job(tasks.say, ("hello",), job_id=x, depends_on=y, on_unknown_dependency="wait")),
                other.enqueue_job(Job(tasks.say, ("hello",), job_id=y, depends_on=x, on_unknown_dependency="wait")),
                return_exceptions=True,
            )

            assert any(isinstance(answer, DependencyCycle) for answer in answers)
            assert all(isinstance(answer, NaqError) or not isinstance(answer, Exception) for answer in answers)
