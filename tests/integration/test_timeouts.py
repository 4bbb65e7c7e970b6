"""Attempts that take longer than they may."""

from __future__ import annotations

from pathlib import Path

import pytest

from naq_runtime import Job, JobFailed, Monitor, NAQConfig, Queue, ServiceManager
from tests.integration.test_retries import story
from tests.support import wayward_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def test_an_async_job_is_cancelled_and_has_failed(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(tasks.waiting, (tmp_path / "runs",), timeout=0.2))

        with pytest.raises(JobFailed, match=r"TimedOut: the job took longer than the 0.2 s that it may"):
            await handle.result(timeout=30)

    assert tasks.notes(tmp_path / "runs") == ["begun", "cancelled"]
    assert "timed_out" in [event.event_type for event in await story(config, handle.job_id)]


async def test_with_tries_left_it_is_tried_again(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        job = Job(tasks.waiting, (tmp_path / "runs",), timeout=0.1, retries=1, retry_delay=0.0)
        outcome = await (await queue.enqueue_job(job)).outcome(timeout=30)

    assert (outcome.error_type, outcome.attempt) == ("TimedOut", 2)
    assert [event.final for event in await story(config, job.job_id) if event.event_type == "timed_out"] == [
        False,
        True,
    ]


async def test_a_thread_is_given_up_and_shown_until_it_ends(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    monitor = await services.get_service(Monitor)
    async with Queue(config=config) as queue, running_worker(config, concurrency=1) as worker:
        handle = await queue.enqueue_job(Job(tasks.deaf_in_thread, (tmp_path / "runs",), timeout=1))
        with pytest.raises(JobFailed, match="TimedOut"):
            await handle.result(timeout=30)

        async def shown() -> tuple[str, ...]:
            (record,) = await monitor.workers()
            return record.stuck_job_ids

        async def is_over() -> bool:
            return not await shown()

        assert await eventually(shown) == (handle.job_id,)
        assert await (await queue.enqueue(tasks.talkative, 0)).result(timeout=30) is None
        tasks.note(tmp_path / "runs", "end")
        await eventually(lambda: worker.stuck == 0)
        await eventually(is_over)


async def test_a_process_is_killed(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config) as worker:
        handle = await queue.enqueue_job(Job(tasks.waiting_in_process, (tmp_path / "runs",), timeout=1.5))

        with pytest.raises(JobFailed, match="TimedOut"):
            await handle.result(timeout=30)
        assert worker.stuck == 0


async def test_a_limit_of_the_jobs_own_is_an_ordinary_error(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(tasks.hasty, timeout=30))

        assert (await handle.outcome(timeout=30)).error_type == "TimeoutError"

    assert "timed_out" not in [event.event_type for event in await story(config, handle.job_id)]
