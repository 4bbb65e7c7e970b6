"""What the leader does besides its schedules, each chore by itself."""

from __future__ import annotations

import time

import pytest

from naq_runtime import EventService, Job, Queue, ServiceManager
from naq_runtime.errors import ServerUnreachable, TopologyMismatch
from naq_runtime.events.models import SystemEvent
from naq_runtime.job import JobResult, JobStatus
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.jobs.rules import JobRules
from naq_runtime.nats.publish import Outgoing
from naq_runtime.scheduler.chores import Chore, Chores, Rollups, chores_of
from naq_runtime.services.jobs import JobService
from naq_runtime.statistics.store import token_of
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture
async def rules(services: ServiceManager) -> JobRules:
    return (await services.get_service(JobService)).rules


def overdue_of(services: ServiceManager) -> Overdue:
    return Overdue(services.streams, services.names, time.time_ns)


async def subjects(services: ServiceManager, *patterns: str) -> list[str]:
    messages = await services.streams.last(services.names.jobs_stream, patterns)
    return [message.subject for message in messages]


async def put(services: ServiceManager, subject: str, payload: bytes = b"") -> None:
    (answer,) = await services.streams.publish([Outgoing(subject, payload)])
    assert isinstance(answer, int), answer


async def test_a_retry_that_the_server_did_not_move_goes_into_its_queue(
    services: ServiceManager, rules: JobRules
) -> None:
    names = services.names
    job = Job(tasks.add, (1,), job_id="late", queue_name="mail", run_at_ns=time.time_ns() - 60 * 10**9)
    function = f"{tasks.__name__}.add"
    await put(services, names.later("mail", "late"), services.serializer.encode_job(job.evolve(function=function)))
    chore, _, _ = chores_of(overdue_of(services), rules.dependencies)

    assert await chore.do() == 1

    async def moved() -> bool:
        return await subjects(services, names.job("mail", "late"), names.later("*", "*")) == [names.job("mail", "late")]

    await eventually(moved)
    assert await chore.do() == 0


async def test_a_job_whose_release_nobody_lived_to_see_is_let_go(services: ServiceManager, rules: JobRules) -> None:
    names = services.names
    async with Queue("mail", services=services) as queue:
        await queue.enqueue_job(parent := Job(tasks.add, (1,), job_id="parent"))
        await queue.enqueue_job(Job(tasks.add, (1,), job_id="child", depends_on=parent))
    (message,) = await services.streams.last(names.jobs_stream, [names.job("mail", "parent")])
    await services.topology.results()
    result = JobResult(job_id="parent", status=JobStatus.COMPLETED, worker_id="w")
    await put(services, names.result("parent"), services.serializer.encode_outcome(message.data, result, b"2"))
    await services.streams.delete(names.jobs_stream, [message.sequence])
    _, chore, _ = chores_of(overdue_of(services), rules.dependencies)

    assert await chore.do() == 1

    assert await subjects(services, names.job("*", "*"), names.waiting("*", "*")) == [names.job("mail", "child")]
    assert await chore.do() == 0


async def test_what_was_noted_of_jobs_that_are_gone_is_removed_when_it_is_found_twice(
    services: ServiceManager, rules: JobRules
) -> None:
    names = services.names
    async with Queue("mail", services=services) as queue:
        await queue.enqueue_job(parent := Job(tasks.add, (1,), job_id="parent"))
        await queue.enqueue_job(Job(tasks.add, (1,), job_id="child", depends_on=parent))
    await put(services, names.needs("parent", "gone"))
    _, _, chore = chores_of(overdue_of(services), rules.dependencies)

    assert [await chore.do() for _ in range(3)] == [0, 1, 0]

    assert await subjects(services, names.needs("*", "*")) == [names.needs("parent", "child")]


async def test_workers_do_all_of_it_where_no_scheduler_runs(make_config: MakeConfig) -> None:
    config = make_config(jobs__sweep_interval=1)
    async with ServiceManager(config) as services, running_worker(config):
        names = services.names
        await services.topology.jobs()
        await put(services, names.needs("parent", "gone"))

        async def is_gone() -> bool:
            return not await subjects(services, names.needs("*", "*"))

        await eventually(is_gone)


def noted(name: str, done: list[str], error: Exception | None = None) -> Chore:
    """A chore that says what became of it."""

    async def do() -> int:
        done.append(name)
        if error is not None:
            raise error
        return 1

    return Chore(name, do)


async def test_a_chore_that_fails_keeps_no_other_from_being_done() -> None:
    done: list[str] = []
    chores = (noted("a", done, ServerUnreachable("away")), noted("b", done, ValueError("odd")), noted("c", done))

    await Chores(chores, interval_s=1, may_act=lambda: True).do_all()

    assert done == ["a", "b", "c"]


async def test_who_loses_the_lead_meanwhile_does_no_more_of_them() -> None:
    done: list[str] = []
    chores = (noted("a", done), noted("b", done))

    await Chores(chores, interval_s=1, may_act=lambda: not done).do_all()

    assert done == ["a"]


async def test_that_events_cannot_be_rolled_up_is_said_once(
    services: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    names = services.names
    foreign = {"name": names.stats_stream, "subjects": [names.stats], "storage": "memory"}
    await services.connection.api(f"STREAM.CREATE.{names.stats_stream}", foreign)
    rollups = Rollups(services, await services.get_service(EventService), lambda: True)

    for _ in range(2):
        with pytest.raises(TopologyMismatch):
            await rollups.do()

    said = [record.getMessage() for record in caplog.records if "rolled up" in record.getMessage()]
    assert len(said) == 1
    assert f"stream {names.stats_stream} has" in said[0]
    (error,) = await told_of_statistics(services)
    assert (error.event_type, error.error_type) == ("error", "TopologyMismatch")


async def test_that_how_far_rollups_have_come_could_not_be_read_is_said_once_and_mended(
    services: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    names, events = services.names, await services.get_service(EventService)
    log = (await services.topology.events(), await services.streams.bounds(names.events_stream))[1].created
    await services.topology.stats()
    await put(services, names.stats_head(token_of(log)), b"{]")
    rollups = [Rollups(services, events, lambda: True) for _ in range(2)]

    for one in rollups:
        await one.do()

    (said,) = [record.getMessage() for record in caplog.records if "roll-ups" in record.getMessage()]
    assert "cannot be read in" in said
    assert [event.event_type for event in await told_of_statistics(services)] == ["error", "recovered"]


async def told_of_statistics(services: ServiceManager) -> list[SystemEvent]:
    events = await services.get_service(EventService)
    await events.flush()
    found = await events.get_recent_events(limit=100)
    told = [stored.event for stored in found if isinstance(stored.event, SystemEvent)]
    return [event for event in told if event.part == "statistics"]
