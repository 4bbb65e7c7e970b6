"""Workers that were killed before they had told of their last jobs: others tell for them."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from naq_runtime import EventService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.events.models import Event, JobEvent, WorkerEvent
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.worker.amends import Amends
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events, event_types, history
from tests.support.processes import started
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker

RUN = ("naq_tui.cli.main", "run-worker", "default", "-m", MODULE, "--name", "anna")
JOBS = 30


@pytest.fixture
def config(make_config: MakeConfig) -> NAQConfig:
    """Leases that end soon."""
    return make_config(worker__heartbeat_interval=0.4, scheduler__chores_interval=0.5)


@pytest.fixture
def slow_teller(config: NAQConfig) -> NAQConfig:
    """A worker's that keeps its events to itself for longer than it lives."""
    return replace(config, events=replace(config.events, flush_interval=60.0))


async def killed_early(config: NAQConfig, slow_teller: NAQConfig) -> list[str]:
    """Have a worker end some jobs, the last of them badly, and kill it before it has told of any; their ids."""
    async with Queue(config=config) as queue, started(*RUN, config=slow_teller) as process:
        handles = [await queue.enqueue(tasks.add, number, number) for number in range(JOBS)]
        handles.append(await queue.enqueue(tasks.fail))
        outcomes = [await handle.outcome(timeout=20) for handle in handles]
        process.kill()
        await process.wait()
    assert [outcome.status for outcome in outcomes] == [*[JobStatus.COMPLETED] * JOBS, JobStatus.FAILED]
    return [handle.job_id for handle in handles]


async def of_workers(config: NAQConfig, event_type: str) -> list[Event]:
    """What is told of workers."""
    return [stored.event for stored in await all_events(config, category="worker", event_type=event_type)]


async def test_the_ends_of_jobs_that_a_killed_worker_had_not_told_of_are_told_once(
    config: NAQConfig, slow_teller: NAQConfig, services: ServiceManager
) -> None:
    job_ids = await killed_early(config, slow_teller)
    assert await event_types(config, job_ids[0]) == ["enqueued"]
    events = await services.get_service(EventService)
    amends = Amends(services, events)

    missing = await eventually(amends.sweep, within=15)

    assert missing == 3 * JOBS + 4
    for job_id in job_ids[:-1]:
        assert await event_types(config, job_id) == ["enqueued", "started", "completed", "result_stored"]
    assert await event_types(config, job_ids[-1]) == ["enqueued", "started", "failed", "dead_lettered", "result_stored"]
    completed = (await history(config, job_ids[7]))[2]
    assert isinstance(completed, JobEvent)
    assert (completed.worker_id, completed.attempt, completed.result_size) == ("anna", 1, 2)
    assert await Amends(services, events).sweep() == 0, "somebody else finds nothing more to tell"
    (lost,) = await of_workers(config, "lost")
    assert isinstance(lost, WorkerEvent)
    assert lost.worker_id == "anna"


async def test_the_leader_of_the_schedulers_sees_to_it(config: NAQConfig, slow_teller: NAQConfig) -> None:
    job_ids = await killed_early(config, slow_teller)

    async with ServiceManager(config, role="scheduler") as services:
        scheduler = Scheduler(services)
        running = asyncio.create_task(scheduler.run())
        await eventually(lambda: of_workers(config, "lost"), within=15)
        scheduler.request_stop()
        await running

    assert await event_types(config, job_ids[0]) == ["enqueued", "started", "completed", "result_stored"]


async def test_a_worker_sees_to_it_for_the_one_that_had_its_name(config: NAQConfig, slow_teller: NAQConfig) -> None:
    job_ids = await killed_early(config, slow_teller)

    async with running_worker(config, name="anna"):
        await eventually(lambda: of_workers(config, "lost"), within=15)

    assert await event_types(config, job_ids[0]) == ["enqueued", "started", "completed", "result_stored"]


async def test_one_that_stopped_in_time_is_not_lost(config: NAQConfig, services: ServiceManager) -> None:
    async with running_worker(config, name="anna"):
        pass

    assert await Amends(services, await services.get_service(EventService)).sweep() == 0
    assert await of_workers(config, "lost") == []
