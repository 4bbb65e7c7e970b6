"""Workers that were killed before they had told of their last jobs: others tell for them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial

import pytest
from msgspec.structs import replace

from naq_runtime import EventService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.events.models import Event, JobEvent, WorkerEvent
from naq_runtime.events.once import store_once
from naq_runtime.nats.roll import worker_status
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.worker.amends import Amends
from naq_runtime.worker.roll import LOST, WorkerStatus
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
    async with started(*RUN, config=slow_teller) as process:
        job_ids = await ended_jobs(config)
        process.kill()
        await process.wait()
    return job_ids


async def ended_jobs(config: NAQConfig) -> list[str]:
    """The ids of some jobs that have just ended, the last of them badly."""
    async with Queue(config=config) as queue:
        handles = [await queue.enqueue(tasks.add, number, number) for number in range(JOBS)]
        handles.append(await queue.enqueue(tasks.fail))
        outcomes = [await handle.outcome(timeout=20) for handle in handles]
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


async def test_several_who_tell_for_it_at_the_same_moment_store_each_event_once(
    config: NAQConfig, slow_teller: NAQConfig, services: ServiceManager
) -> None:
    await killed_early(config, slow_teller)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(ServiceManager(config, role="worker")) for _ in range(3)]
        amends = [Amends(other, await other.get_service(EventService)) for other in others]
        (lost,) = await eventually(partial(lost_workers, services), within=15)

        told = await asyncio.gather(*(one.make(lost.record, lost.seen_ns) for one in amends))

    assert sum(told) == 3 * JOBS + 4
    assert await replaced(services) == 0


async def test_what_the_lost_worker_tells_itself_after_all_is_not_replaced(
    config: NAQConfig, slow_teller: NAQConfig, services: ServiceManager
) -> None:
    job_ids = await killed_early(config, slow_teller)
    events = await services.get_service(EventService)
    first = await eventually(Amends(services, events).sweep, within=15)
    told = await all_events(config, category="job")

    again = await store_once(services.streams, services.names, [stored.event for stored in told])

    assert first
    assert again == []
    assert await replaced(services) == 0
    assert len(await history(config, job_ids[0])) == 4


async def test_one_that_was_only_stopped_and_goes_on_tells_nothing_that_was_told_for_it(
    config: NAQConfig, slow_teller: NAQConfig, services: ServiceManager
) -> None:
    async with started(*RUN, config=slow_teller) as process:
        job_ids = await ended_jobs(config)
        process.send_signal(signal.SIGSTOP)
        missing = await eventually(Amends(services, await services.get_service(EventService)).sweep, within=15)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        await process.wait()

    assert missing == 3 * JOBS + 4
    assert await of_workers(config, "stopped"), "it has told the rest"
    assert await event_types(config, job_ids[0]) == ["enqueued", "started", "completed", "result_stored"]
    assert await replaced(services) == 0


async def lost_workers(services: ServiceManager) -> list[WorkerStatus]:
    status = await worker_status(services.connection, services.names, include_inactive=True)
    return [one for one in status if one.state == LOST]


async def replaced(services: ServiceManager) -> int:
    """How many events were stored a second time, in place of the first; each is counted twice by whoever saw both."""
    stream = services.names.events_stream
    state = (await services.connection.api(f"STREAM.INFO.{stream}"))["state"]
    return int(state["last_seq"] - state["messages"])


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
