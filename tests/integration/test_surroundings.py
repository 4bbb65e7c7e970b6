"""What lies around a job: the jobs that it depends on, what happened to its queue, and its neighbours."""

from __future__ import annotations

import asyncio
import time

import pytest

from naq_runtime import After, EventService, Job, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.events.models import JobEventType
from naq_runtime.monitor import Monitor
from naq_runtime.services import surroundings
from naq_runtime.services.queues import QueueService
from naq_runtime.surroundings import Member
from tests.support import sample_tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker

ADD = "tests.support.sample_tasks.add"


@pytest.fixture
async def monitor(services: ServiceManager) -> Monitor:
    return await services.get_service(Monitor)


@pytest.fixture
async def jobs(services: ServiceManager) -> JobService:
    return await services.get_service(JobService)


def job(job_id: str, *after: str | After, queue: str = "default") -> Job:
    return Job(sample_tasks.add, (1, 2), job_id=job_id, queue_name=queue, depends_on=after)


async def stored(services: ServiceManager) -> None:
    await (await services.get_service(EventService)).flush()


class TestFamily:
    async def test_ancestors_and_descendants_are_found_with_where_they_stand(
        self, jobs: JobService, monitor: Monitor
    ) -> None:
        for one in (job("root"), job("left", "root"), job("right", "root"), job("join", "left", "right")):
            await jobs.enqueue_job(one)
        await jobs.enqueue_job(job("far", "join", queue="other"))

        family = await monitor.surroundings.family(await monitor.job("left"))

        assert family.needs == {"left": ("root",)}
        assert family.needed_by == {"left": ("join",), "join": ("far",)}
        assert family.members == {
            "left": Member(JobStatus.WAITING, ADD),
            "root": Member(JobStatus.QUEUED, ADD),
            "join": Member(JobStatus.WAITING, ADD),
            "far": Member(JobStatus.WAITING, ADD),
        }

    async def test_after_their_end_the_log_tells_who_waited_for_whom(
        self, config: NAQConfig, services: ServiceManager, jobs: JobService, monitor: Monitor
    ) -> None:
        for one in (job("root"), job("left", "root"), job("join", "left", After("root", on="always"))):
            await jobs.enqueue_job(one)
        async with Queue(config=config) as queue, running_worker(config):
            await queue.handle("join").result(timeout=30)

        async def is_told() -> bool:
            return bool((await monitor.surroundings.family(await monitor.job("root"))).needed_by.get("left"))

        await stored(services)
        await eventually(is_told)
        family = await monitor.surroundings.family(await monitor.job("root"))
        above = await monitor.surroundings.family(await monitor.job("join"))

        assert {one: set(ids) for one, ids in family.needed_by.items()} == {"root": {"left", "join"}, "left": {"join"}}
        assert above.needs == {"join": ("left", "root"), "left": ("root",)}
        assert {one: member.status for one, member in above.members.items()} == dict.fromkeys(
            ("join", "left", "root"), JobStatus.COMPLETED
        )

    async def test_a_job_that_nobody_knows_is_a_member_of_which_nothing_is_known(
        self, jobs: JobService, monitor: Monitor
    ) -> None:
        await jobs.enqueue_job(job("child", "unheard-of").evolve(on_unknown_dependency="wait"))

        family = await monitor.surroundings.family(await monitor.job("child"))

        assert family.members["unheard-of"] == Member()

    async def test_of_very_many_only_some_are_looked_at_and_all_are_counted(
        self, jobs: JobService, monitor: Monitor
    ) -> None:
        await jobs.enqueue_job(job("root"))
        await jobs.enqueue_jobs([job(f"child-{number}", "root") for number in range(200)])

        family = await monitor.surroundings.family(await monitor.job("root"))

        assert len(family.needed_by["root"]) == 200
        assert len(family.members) == 81


class TestQueueStory:
    async def test_it_tells_how_the_queue_was_held_back_and_nothing_of_others(
        self, services: ServiceManager, monitor: Monitor
    ) -> None:
        queues = await services.get_service(QueueService)
        await queues.pause("mail", reason="relay is down")
        await queues.limit("mail", rate="5/s")
        await queues.resume("mail")
        await queues.pause("reports")
        await stored(services)

        story = await monitor.surroundings.queue_story("mail", time.time_ns())

        assert [held.event.event_type for held in story.holds] == ["queue_paused", "queue_limited", "queue_resumed"]

    async def test_it_tells_who_came_and_which_jobs_began(
        self, config: NAQConfig, jobs: JobService, monitor: Monitor
    ) -> None:
        since_ns = time.time_ns() - 1_000_000_000
        await jobs.enqueue_jobs([job(f"job-{number}") for number in range(7)])
        async with running_worker(config):

            async def have_begun() -> bool:
                return len((await monitor.surroundings.queue_story("default", since_ns)).begun) == 7

            await eventually(have_begun)
            story = await monitor.surroundings.queue_story("default", since_ns)

        assert [shift.event.event_type for shift in story.shifts] == ["started"]
        assert not story.has_more


class TestNeighbours:
    async def test_runs_of_the_same_function_are_counted_with_their_durations(
        self, services: ServiceManager, jobs: JobService, monitor: Monitor
    ) -> None:
        events = await services.get_service(EventService)
        for number in range(1, 11):
            ended = {"worker_id": "w-1", "attempt": 1, "duration_ms": number * 100.0}
            kind = JobEventType.FAILED if number == 10 else JobEventType.COMPLETED
            events.job(kind, job_id=f"job-{number}", queue_name="mail", function_name=ADD, **ended)
            other = {"function_name": "shop.other", "duration_ms": 1.0}
            events.job(JobEventType.COMPLETED, job_id=f"other-{number}", queue_name="mail", **other)
        await stored(services)

        found = await monitor.surroundings.neighbours(ADD, "mail", but="job-9", before_ns=time.time_ns())

        assert (found.completed, found.failed) == (9, 1)
        assert found.run is not None
        assert found.run.count == 10
        assert found.run.share_below(950.0) == pytest.approx(0.9, abs=0.01)
        assert found.wait is None
        assert [getattr(run.event, "job_id", "") for run in found.runs] == [
            "job-5",
            "job-6",
            "job-7",
            "job-8",
            "job-10",
        ]

    async def test_other_runs_are_not_looked_for_behind_too_many_events(
        self, services: ServiceManager, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events = await services.get_service(EventService)
        for number in range(1, 31):
            function = "shop.rare" if number in (1, 20) else "shop.common"
            events.job(JobEventType.COMPLETED, job_id=f"job-{number}", queue_name="mail", function_name=function)
        await stored(services)

        async def found() -> list[str]:
            near = await monitor.surroundings.neighbours("shop.rare", "mail", but="", before_ns=time.time_ns())
            return [getattr(run.event, "job_id", "") for run in near.runs]

        everywhere = await found()
        monkeypatch.setattr(surroundings, "_MOST_PASSED", 15)

        assert (everywhere, await found()) == (["job-1", "job-20"], ["job-20"])

    async def test_of_a_function_that_never_ran_there_are_none(self, monitor: Monitor) -> None:
        async with asyncio.timeout(30):
            found = await monitor.surroundings.neighbours("shop.none", "mail", but="", before_ns=time.time_ns())

        assert (found.completed, found.failed, found.run, found.runs) == (0, 0, None, ())
