"""Jobs that are run where they are, without a worker."""

from __future__ import annotations

import os

import pytest

from naq_runtime import Job, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NotImportable
from naq_runtime.testing import MemoryBroker
from tests.support import process_tasks, sample_tasks, wayward_tasks
from tests.support.workers import running_worker


@pytest.fixture
async def jobs(services: ServiceManager) -> JobService:
    """The operations, over a real server."""
    return await services.get_service(JobService)


async def test_what_is_to_run_in_a_process_does(jobs: JobService) -> None:
    result = await jobs.execute_job(Job(process_tasks.process_id), "me")
    failed = await jobs.execute_job(Job(process_tasks.add, (1,), {"right": object()}), "me")

    assert result.status is JobStatus.COMPLETED
    assert result.result not in (None, os.getpid())
    assert (failed.status, failed.error_type) == (JobStatus.FAILED, "SerializationError")


async def test_in_memory_it_runs_in_a_thread() -> None:
    async with MemoryBroker() as broker, ServiceManager(broker.config) as in_memory:
        jobs = await in_memory.get_service(JobService)

        assert (await jobs.execute_job(Job(process_tasks.process_id), "me")).result == os.getpid()


async def test_arguments_that_do_not_fit_come_back_in_the_result(jobs: JobService) -> None:
    result = await jobs.execute_job(Job(sample_tasks.add, (1, 2, 3, 4)), "me")

    assert (result.status, result.error_type) == (JobStatus.FAILED, "ArgumentError")
    assert "do not fit" in (result.error or "")


async def test_it_has_the_results_of_those_that_have_ended(
    config: NAQConfig, services: ServiceManager, jobs: JobService
) -> None:
    async with Queue(services=services) as queue, running_worker(config):
        ended = await queue.enqueue(sample_tasks.add, 1)
        await ended.result(timeout=30)
        waiting = await queue.enqueue_in(60, sample_tasks.add, 1)

        result = await jobs.execute_job(Job(wayward_tasks.inherit, depends_on=(ended, waiting)), "me")

    assert result.result == {ended.job_id: 2}


@pytest.mark.parametrize("how", ["thread", "task", "task, cleaning up"])
async def test_a_generator_exit_that_a_job_waited_for_is_its_failure(jobs: JobService, how: str) -> None:
    result = await jobs.execute_job(Job(wayward_tasks.leave_as_a_generator, (how,)), "me")

    assert result.status is JobStatus.FAILED
    assert "GeneratorExit" in f"{result.error_type} {result.error}"


async def test_a_function_without_a_name_is_refused(jobs: JobService) -> None:
    with pytest.raises(NotImportable):
        await jobs.execute_job(Job(lambda: None), "me")
