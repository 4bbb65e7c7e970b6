"""Every job is found, wherever it stands and however it ended, once, and as it is now."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from naq_runtime import Job, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.finding.failures import FailureGroups
from naq_runtime.finding.finder import JobFinder
from naq_runtime.finding.found import FoundJob
from naq_runtime.finding.query import JobQuery
from naq_runtime.monitor import Monitor
from naq_runtime.nats.publish import Outgoing, open_writer
from naq_tui.pages.phases import phases, ran, waited
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support import wayward_tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture
async def monitor(services: ServiceManager) -> Monitor:
    """The read side, in a process of its own."""
    return await services.get_service(Monitor)


async def found(monitor: Monitor, text: str = "", ids: tuple[str, ...] = ()) -> dict[str, FoundJob]:
    """All that a query finds, none of it twice."""
    jobs = [job async for page in monitor.find_jobs(JobQuery(text, ids=ids)) for job in page.jobs]
    assert len({job.job_id for job in jobs}) == len(jobs)
    return {job.job_id: job for job in jobs}


async def names(monitor: Monitor, text: str, ids: tuple[str, ...] = ()) -> set[str]:
    return set(await found(monitor, text, ids))


@pytest.fixture
async def shop(config: NAQConfig, tmp_path: Path) -> AsyncIterator[Queue]:
    """A job of each state; one of them runs as long as the test."""
    async with Queue(config=config) as queue, Queue("idle", config=config) as idle:
        async with running_worker(config, name="w-1"):
            await queue.enqueue_job(Job(tasks.nap, (60, tmp_path / "runs"), job_id="runs"))
            await eventually((tmp_path / "runs").exists)
            for job in (
                Job(tasks.add, (20,), {"right": 22}, job_id="done"),
                Job(tasks.fail, ("no row 17",), job_id="died"),
            ):
                await (await queue.enqueue_job(job)).outcome(timeout=30)
            await queue.enqueue_job(Job(tasks.fail, ("again",), retries=1, retry_delay=600, job_id="again"))
            await idle.enqueue_job(Job(tasks.add, (1,), job_id="queued"))
            await idle.enqueue_job(Job(tasks.add, (1,), depends_on="queued", job_id="waits"))
            await idle.enqueue_job(Job(tasks.add, (1,), job_id="unwanted"))
            await idle.handle("unwanted").cancel("ordered twice")
            yield queue
            await queue.handle("runs").cancel()


async def test_where_each_stands(shop: Queue, monitor: Monitor) -> None:
    async def all_told() -> bool:
        jobs = await found(monitor)
        return {job_id: job.state[-1] for job_id, job in jobs.items()} == {
            "runs": "running",
            "done": "completed",
            "died": "dead",
            "again": "scheduled",
            "queued": "queued",
            "waits": "waiting",
            "unwanted": "cancelled",
        }

    await eventually(all_told)


async def test_a_state_is_found_alone(shop: Queue, monitor: Monitor) -> None:
    async def told() -> bool:
        return (await names(monitor, "state:scheduled")) == {"again"} and (await names(monitor, "state:running")) == {
            "runs"
        }

    await eventually(told)
    assert await names(monitor, "state:queued") == {"queued"}
    assert await names(monitor, "state:waiting") == {"waits"}
    assert await names(monitor, "state:completed") == {"done"}
    assert await names(monitor, "state:failed") == {"died"}
    assert await names(monitor, "state:dead") == {"died"}
    assert await names(monitor, "state:cancelled") == {"unwanted"}
    assert await names(monitor, "state:queued,running,dead") == {"queued", "runs", "died"}
    assert await names(monitor, "queue:idle") == {"queued", "waits", "unwanted"}
    assert await names(monitor, "queue:idle state:queued,waiting") == {"queued", "waits"}


async def test_what_it_was_called_with_and_why_it_failed(shop: Queue, monitor: Monitor) -> None:
    async def told() -> bool:
        return await names(monitor, "error:again") == {"again"}

    await eventually(told)
    assert await names(monitor, "args:right=22") == {"done"}
    assert await names(monitor, 'error:"no row"') == {"died"}
    assert await names(monitor, "function:fail") == {"died", "again"}
    died = (await found(monitor, "died"))["died"]
    assert (died.error_type, died.error_message, died.worker_id) == ("ValueError", "no row 17", "w-1")
    assert died.arguments == '"no row 17"'
    assert died.wait_ms is not None
    again = (await found(monitor, "job:again"))["again"]
    assert (again.attempt, again.error_message) == (2, "again")


async def test_a_wait_is_the_one_that_the_worker_told(shop: Queue, monitor: Monitor) -> None:
    async def told() -> list[float | None]:
        detail = await monitor.job("done")
        events = [stored.event for stored in detail.events if isinstance(stored.event, JobEvent)]
        return [event.wait_ms for event in events if event.event_type is JobEventType.STARTED]

    await eventually(told)
    detail = await monitor.job("done")

    assert [(await found(monitor, "job:done"))["done"].wait_ms] == await told()
    assert [waited(phases(detail, time.time_ns())).last_ms] == await told()


async def test_of_a_job_that_was_tried_again_lists_and_its_page_tell_the_last_attempt(
    config: NAQConfig, monitor: Monitor, tmp_path: Path
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        job = Job(wayward_tasks.flaky, (tmp_path / "tries", 3), retries=2, retry_delay=0, job_id="moody")
        handle = await queue.enqueue_job(job)
        assert (await handle.outcome(timeout=20)).status is JobStatus.COMPLETED

    detail = await monitor.job("moody")
    course = phases(detail, time.time_ns())
    listed = (await found(monitor, "job:moody"))["moody"]

    assert (waited(course).last_ms, ran(course).last_ms) == (listed.wait_ms, listed.duration_ms)
    assert ran(course).times == 3
    assert waited(course).all_ms > (listed.wait_ms or 0)


async def test_an_id_is_found_before_anything_else(shop: Queue, monitor: Monitor) -> None:
    async with aclosing(monitor.find_jobs(JobQuery("done"))) as pages:
        first = await anext(pages)
    assert [job.job_id for job in first.jobs] == ["done"]
    assert first.looked == 1


async def test_given_jobs_are_found_and_no_others(shop: Queue, monitor: Monitor) -> None:
    assert await names(monitor, "", ("done", "queued", "unheard-of")) == {"done", "queued"}
    assert await names(monitor, "state:queued", ("done", "queued")) == {"queued"}


async def test_pages_go_back_in_time_and_lose_nothing(
    config: NAQConfig, services: ServiceManager, monitor: Monitor
) -> None:
    async with Queue(config=config) as queue:
        for part in range(3):
            await queue.enqueue_many([Job(tasks.add, (n,), job_id=f"{part}-{n}") for n in range(900)])
    jobs = (await services.get_service(JobService)).rules
    pages = [page async for page in JobFinder(services, jobs).pages(JobQuery(), size=500)]

    ids = [job.job_id for page in pages for job in page.jobs]
    assert len(ids) == len(set(ids)) == 2_700
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    assert len(pages) >= 5
    parts = [int(job_id.partition("-")[0]) for job_id in ids]
    assert parts == sorted(parts, reverse=True)
    times = [page.back_to_ns for page in pages[:-1]]
    assert times == sorted(times, reverse=True)


async def test_without_events_what_stands_and_what_was_stored_is_found(make_config: MakeConfig) -> None:
    config = make_config(**{"events.enabled": False})
    async with Queue(config=config) as queue, running_worker(config):
        await (await queue.enqueue_job(Job(tasks.add, (1,), job_id="done"))).outcome(timeout=30)
        async with Queue("idle", config=config) as idle:
            await idle.enqueue_job(Job(tasks.add, (1,), job_id="queued"))
        async with ServiceManager(config, role="test") as services:
            monitor = await services.get_service(Monitor)
            assert {job_id: job.status for job_id, job in (await found(monitor)).items()} == {
                "done": JobStatus.COMPLETED,
                "queued": JobStatus.QUEUED,
            }


async def test_a_dead_letter_outlives_its_events_and_its_outcome(
    config: NAQConfig, services: ServiceManager, monitor: Monitor
) -> None:
    async with Queue(config=config) as queue, running_worker(config, name="w-1"):
        await (await queue.enqueue_job(Job(tasks.fail, ("boom",), job_id="old"))).outcome(timeout=30)
    for stream in (services.names.events_stream, services.names.results_stream):
        await services.connection.api(f"STREAM.PURGE.{stream}")

    job = (await found(monitor, "state:dead"))["old"]
    assert (job.state, job.error_message, job.arguments) == (("failed", "dead"), "boom", '"boom"')
    assert await names(monitor, "") == {"old"}


async def test_a_job_that_logs_without_end_is_found_as_it_is(services: ServiceManager, monitor: Monitor) -> None:
    def event(kind: JobEventType, number: int, job_id: str = "chatty") -> Outgoing:
        one = JobEvent(
            event_type=kind,
            timestamp_ns=time.time_ns(),
            event_id=f"e-{number}",
            job_id=job_id,
            queue_name="default",
            function_name="shop.talk",
            text="on and on",
        )
        return Outgoing(event_subject(services.names, one), encode_event(one))

    stream = await services.topology.events()
    writer = await open_writer(services.connection, fast=stream.fast_ingest)
    await writer.store([event(JobEventType.COMPLETED, 0, "quiet"), event(JobEventType.ENQUEUED, 1)])
    for first in range(2, 2_002, 500):
        await writer.store([event(JobEventType.LOG, number) for number in range(first, first + 500)])
    await writer.store([event(JobEventType.FAILED, 2_002)])
    await writer.close()

    jobs = await found(monitor)
    assert (jobs["chatty"].status, jobs["quiet"].status) == (JobStatus.FAILED, JobStatus.COMPLETED)


async def test_one_that_is_put_back_is_found_as_it_is_now(config: NAQConfig, monitor: Monitor) -> None:
    async with Queue(config=config) as queue, ServiceManager(config, role="operator") as operator:
        async with running_worker(config):
            await (await queue.enqueue_job(Job(tasks.fail, job_id="back"))).outcome(timeout=30)
        jobs = await operator.get_service(JobService)
        await jobs.retry_dead(await jobs.dead_letter("back"))
        assert await names(monitor, "state:failed") == set()
        assert await names(monitor, "state:queued") == {"back"}


async def test_failures_of_a_window_are_told(config: NAQConfig, monitor: Monitor) -> None:
    before_ns = monitor.now_ns()
    async with Queue(config=config) as queue, running_worker(config):
        for number in range(3):
            await (await queue.enqueue_job(Job(tasks.fail, (f"no row {number}",), job_id=f"f-{number}"))).outcome(10)
    groups = FailureGroups()
    for stored in await monitor.failures(before_ns):
        assert isinstance(stored.event, JobEvent)
        groups.add(stored.sequence, stored.event)

    (group,) = groups
    assert (group.reason.message, len(group)) == ("no row <n>", 3)
    assert set(await names(monitor, "", group.job_ids)) == {"f-0", "f-1", "f-2"}
    assert await monitor.failures(monitor.now_ns()) == []
