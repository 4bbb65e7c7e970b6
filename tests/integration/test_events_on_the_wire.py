"""Everything that really passes over the wire is as the published pages say."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from naq_runtime import EventService, Job, JobService, NAQConfig, Queue, ScheduleConfig, ServiceManager
from naq_runtime.events.models import JobEventType, ScheduleEventType, SystemEventType, WorkerEventType
from naq_runtime.nats.connection import Msg
from naq_runtime.nats.direct import StoredMessage, messages_from
from naq_runtime.services.scheduler import SchedulerService
from tests.conftest import MakeConfig
from tests.integration.test_leading import scheduler
from tests.support import sample_tasks
from tests.support import wayward_tasks as tasks
from tests.support.published import address_of, mistakes
from tests.support.waiting import eventually
from tests.support.workers import running_worker

TYPES: dict[str, type[StrEnum]] = {
    "job": JobEventType,
    "worker": WorkerEventType,
    "schedule": ScheduleEventType,
    "system": SystemEventType,
}
NOTHING: dict[str, set[str]] = {category: set() for category in TYPES}
RARE: dict[str, set[str]] = {
    "job": {
        JobEventType.INTERRUPTED,
        JobEventType.TIMED_OUT,
        JobEventType.DEPENDENCY_FAILED,
        JobEventType.LOG,
        JobEventType.RESULT_EXPIRED,
    },
    "worker": {WorkerEventType.ERROR, WorkerEventType.IDLE, WorkerEventType.LOST},
    "schedule": {ScheduleEventType.MISSED, ScheduleEventType.ERROR, ScheduleEventType.FINISHED},
    "system": {
        SystemEventType.CONNECTION_LOST,
        SystemEventType.CONNECTION_RESTORED,
        SystemEventType.EVENTS_DROPPED,
        SystemEventType.LEADER_LOST,
        SystemEventType.CONFIG_CHANGED,
        SystemEventType.ERROR,
        SystemEventType.RECOVERED,
    },
}
"""What a short day without trouble does not have."""


async def an_eventful_day(config: NAQConfig, folder: Path) -> None:
    """Jobs that end in many ways, and all that can be done with queues and schedules."""
    async with ServiceManager(config, role="producer") as services, Queue("mail", services=services) as queue:
        async with running_worker(config, "mail", name="w1"), scheduler(config, "s1") as leader:
            await eventually(lambda: leader.leads)
            await _jobs(services, queue, folder)
            await _queues(queue)
            await _schedules(services)


async def _jobs(services: ServiceManager, queue: Queue, folder: Path) -> None:
    parent = await queue.enqueue(sample_tasks.add, 1)
    child = await queue.enqueue_job(Job(sample_tasks.add, (1,), depends_on=parent))
    later = await queue.enqueue_in(0.2, sample_tasks.add, 1)
    again = await queue.enqueue_job(Job(tasks.flaky, (folder / "runs", 2), retries=1, retry_delay=0.1))
    failed = await queue.enqueue_job(Job(sample_tasks.fail, retries=0))
    talks = await queue.enqueue(tasks.talkative, 3)
    for handle in (parent, child, later, again, failed, talks):
        await handle.outcome(timeout=30)
    ended = await queue.enqueue_in(60, sample_tasks.add, 1)
    await ended.cancel("not wanted")
    jobs = await services.get_service(JobService)
    await jobs.retry_dead(await jobs.dead_letter(failed.job_id))


async def _queues(queue: Queue) -> None:
    await queue.pause("lunch")
    await queue.enqueue(sample_tasks.add, 1)
    await queue.limit(concurrency=2, rate="100/s")
    await queue.purge()
    await queue.resume()


async def _schedules(services: ServiceManager) -> None:
    schedules = await services.get_service(SchedulerService)
    job = Job(sample_tasks.add, (1,), queue_name="mail")
    await schedules.schedule_job(job, ScheduleConfig(every=0.2, schedule_id="pulse"))

    async def ticked() -> bool:
        return (await schedules.get("pulse")).ticks >= 1

    await eventually(ticked)
    await schedules.pause("pulse")
    await schedules.resume("pulse")
    await schedules.modify("pulse", every=60)
    await schedules.cancel("pulse")


async def stored(config: NAQConfig) -> list[StoredMessage]:
    """Every message of the log, undecoded."""
    async with ServiceManager(config, role="test") as services:
        pages = messages_from(services.connection, config.names.events_stream, 1)
        return [message async for page in pages for message in page]


async def test_every_stored_event_is_as_the_schema_says_and_where_the_page_says(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(scheduler__lease=1, events__metrics_interval=0.1)
    await an_eventful_day(config, tmp_path)

    seen: dict[str, set[str]] = {category: set() for category in TYPES}
    for message in await stored(config):
        event: dict[str, Any] = json.loads(message.data)
        assert mistakes(event) == [], event
        channel, values = address_of(message.subject)
        assert channel == f"{event['category']}Events"
        assert values.pop("namespace") == config.namespace
        assert values == {name: event[name] for name in values}
        seen[event["category"]].add(event["event_type"])

    assert {category: set(types) - seen[category] - RARE[category] for category, types in TYPES.items()} == NOTHING


async def test_every_repeated_event_is_where_the_page_says_with_its_place_in_the_stream(config: NAQConfig) -> None:
    heard: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)

    async with ServiceManager(config, role="producer") as services:
        await services.topology.events()
        await services.connection.subscribe(config.names.live, hear)
        async with Queue("mail", services=services) as queue, running_worker(config, "mail"):
            await (await queue.enqueue(sample_tasks.add, 1)).result(timeout=30)
            await (await services.get_service(EventService)).flush()
        await eventually(lambda: any(".stopped." in message.subject for message in heard))

    for message in heard:
        event = json.loads(message.data)
        assert mistakes(event) == []
        assert address_of(message.subject)[0] == f"{event['category']}EventsLive"
        assert message.headers is not None
        assert message.headers["Nats-Sequence"].isdigit()
