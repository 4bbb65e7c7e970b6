"""Jobs that somebody ends, wherever they stand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naq_runtime import Job, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NotFound
from naq_runtime.snapshot import JobDetail
from tests.conftest import MakeConfig
from tests.integration.test_retries import story
from tests.support import sample_tasks
from tests.support import wayward_tasks as tasks
from tests.support.processes import started
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def left(services: ServiceManager) -> int:
    """Messages in the stream of jobs, but for marks, which a sweep removes."""
    await services.get_service(JobService)
    messages = await services.streams.last(services.names.jobs_stream, [f"{services.names.namespace}.>"])
    return sum(".met." not in message.subject for message in messages)


async def test_a_queued_job_is_taken_out_of_its_queue(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    async with Queue(config=config) as queue:
        handle = await queue.enqueue(tasks.waiting, tmp_path / "runs")

        assert await handle.cancel("not wanted")
        assert await left(services) == 0
        assert (await handle.outcome(timeout=30)).status is JobStatus.CANCELLED

    events = await story(config, handle.job_id)
    assert [str(event.event_type) for event in events] == ["enqueued", "cancelled", "result_stored"]
    assert (events[1].state, events[1].reason) == ("queued", "not wanted")


async def test_of_a_job_that_was_handed_back_before_nothing_is_left(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    async with Queue(config=config) as queue:
        async with running_worker(config) as worker:
            handle = await queue.enqueue(tasks.waiting, tmp_path / "runs")
            await eventually((tmp_path / "runs").exists)
            worker.request_stop(at_once=True)
        assert await left(services) == 2  # the job, and the note that no worker has died of it

        assert await handle.cancel()
        assert await left(services) == 0


async def test_a_scheduled_job_never_comes(config: NAQConfig, services: ServiceManager, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_in(5.0, tasks.waiting, tmp_path / "runs")

        assert await handle.cancel()
        assert await left(services) == 0
    assert (await story(config, handle.job_id))[1].state == "scheduled"


async def test_a_job_that_waits_for_others_is_ended_with_what_waits_for_it(
    config: NAQConfig, services: ServiceManager
) -> None:
    async with Queue(config=config) as queue:
        parent = await queue.enqueue(sample_tasks.add, 1)
        child = await queue.enqueue_job(Job(tasks.inherit, depends_on=parent))
        grandchild = await queue.enqueue_job(Job(tasks.inherit, depends_on=child))

        assert await child.cancel()
        assert (await grandchild.outcome(timeout=30)).status is JobStatus.CANCELLED
        assert await parent.cancel()
    assert await left(services) == 0
    for handle in (child, grandchild):
        assert (await story(config, handle.job_id))[-2].state == "waiting"


@pytest.mark.parametrize("function", [tasks.waiting, tasks.waiting_in_thread, tasks.waiting_in_process])
async def test_a_running_job_is_ended_by_its_worker(
    config: NAQConfig, services: ServiceManager, tmp_path: Path, function: object
) -> None:
    async with Queue(config=config) as queue, running_worker(config) as worker:
        handle = await queue.enqueue_job(Job(function, (tmp_path / "runs",)))  # type: ignore[arg-type]
        await eventually(lambda: tasks.notes(tmp_path / "runs") == ["begun"], within=20)

        assert await handle.cancel("enough")
        outcome = await handle.outcome(timeout=30)
        await eventually(lambda: worker.active == 0)
        assert await left(services) == 0

    assert (outcome.status, outcome.error) == (JobStatus.CANCELLED, "enough, by " + (outcome.error or "").split()[-1])
    events = await story(config, handle.job_id)
    assert [str(event.event_type) for event in events][-2:] == ["cancelled", "result_stored"]
    assert events[-2].state == "running"


async def test_a_cancelled_async_job_sees_its_cancellation(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.waiting, tmp_path / "runs")
        await eventually(lambda: tasks.notes(tmp_path / "runs") == ["begun"])
        await handle.cancel()
        await handle.outcome(timeout=30)

    assert tasks.notes(tmp_path / "runs") == ["begun", "cancelled"]


async def test_cancelled_a_job_stays_so_when_its_worker_is_killed_before_it_ends(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(jobs__ack_wait=1.0)
    arguments = ("run-worker", "-m", "tests.support.wayward_tasks", "-c", "2")
    async with Queue("default", config=config) as queue:
        async with started("naq_tui.cli.main", *arguments, config=config) as worker:
            handle = await queue.enqueue(tasks.deaf_in_thread, tmp_path / "runs")
            await eventually(lambda: tasks.notes(tmp_path / "runs") == ["begun"], within=20)
            assert await handle.cancel("enough")
            worker.kill()
            await worker.wait()
        async with running_worker(config):
            outcome = await handle.outcome(timeout=30)

    assert outcome.status is JobStatus.CANCELLED
    assert tasks.notes(tmp_path / "runs") == ["begun"]


async def test_it_is_known_of_a_job_that_runs_on_that_it_was_told_to_end(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    jobs = await services.get_service(JobService)
    async with Queue("default", config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.deaf_in_thread, tmp_path / "runs")
        await eventually(lambda: tasks.notes(tmp_path / "runs") == ["begun"], within=20)

        async def runs() -> JobDetail | None:
            detail = await jobs.detail(handle.job_id)
            return detail if detail.status is JobStatus.RUNNING else None

        before = await eventually(runs)
        assert before is not None
        assert await handle.cancel()
        told = await jobs.detail(handle.job_id)

        tasks.note(tmp_path / "runs", "end")
        await handle.outcome(timeout=30)
        after = await jobs.detail(handle.job_id)

    assert [before.is_ending, told.is_ending, after.is_ending] == [False, True, False]
    assert told.status is JobStatus.RUNNING


async def test_one_that_has_ended_is_not_cancelled_and_one_that_never_was_is_not_found(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(sample_tasks.add, 1)
        await handle.result(timeout=30)

        assert not await handle.cancel()
        with pytest.raises(NotFound):
            await queue.handle("never-was").cancel()


async def test_many_who_cancel_at_once_make_one_event(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        queued = [await queue.enqueue_in(30, tasks.waiting, tmp_path / "runs") for _ in range(5)]

        answers = await asyncio.gather(*(handle.cancel() for handle in queued * 4))

    assert any(answers)
    for handle in queued:
        assert [str(event.event_type) for event in await story(config, handle.job_id)] == [
            "scheduled",
            "cancelled",
            "result_stored",
        ]


async def test_against_the_end_of_a_job_a_cancel_makes_one_end(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handles = await queue.enqueue_many(Job(sample_tasks.nap, (0.01,)) for _ in range(60))
        await asyncio.gather(*(handle.cancel() for handle in handles))
        outcomes = [await handle.outcome(timeout=30) for handle in handles]

    ends = {JobStatus.COMPLETED: "completed", JobStatus.CANCELLED: "cancelled"}
    for handle, outcome in zip(handles, outcomes, strict=True):
        assert (await story(config, handle.job_id))[-2].event_type == ends[outcome.status]
