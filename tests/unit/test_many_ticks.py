"""Many ticks that are due at the same moment: how much is made of them at once, and what one does to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import pytest

from naq_runtime import Job, ScheduleConfig, SchedulerService, ScheduleState, ServiceManager
from naq_runtime.config import get_config
from naq_runtime.errors import MessageTooLarge
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType
from naq_runtime.job import Whereabouts
from naq_runtime.nats.publish import Outgoing
from naq_runtime.services.jobs import JobService
from naq_runtime.testing import MemoryBroker
from tests.support import sample_tasks as tasks


class Site:
    """Schedules in memory, and whoever sees to them."""

    def __init__(self, broker: MemoryBroker, services: ServiceManager, schedules: SchedulerService) -> None:
        self.broker = broker
        self.services = services
        self.schedules = schedules
        self.streams = broker._streams

    async def add(self, schedule_id: str, *args: Any, **config: Any) -> None:
        await self.schedules.schedule_job(
            Job(tasks.add, args or (1,)), ScheduleConfig(schedule_id=schedule_id, **config)
        )

    def told(self, event_type: ScheduleEventType) -> list[ScheduleEvent]:
        events = self.broker.events()
        return [event for event in events if isinstance(event, ScheduleEvent) and event.event_type is event_type]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with MemoryBroker() as broker, ServiceManager(get_config()) as services:
        yield Site(broker, services, await services.get_service(SchedulerService))


async def test_of_very_many_ticks_some_are_stored_before_the_others_are_made(site: Site) -> None:
    for number in range(40):
        await site.add(f"pulse{number}", 1, every=1, missed="all", catch_up_limit=400)
    site.broker.advance(800)
    serializer, made, largest = site.services.serializer, 0, 0
    encode, publish = serializer.encode_job, site.streams.publish_together

    def counted(job: Job) -> bytes:
        nonlocal made, largest
        made += 1
        largest = max(largest, made)
        return encode(job)

    async def stored(messages: Sequence[Outgoing]) -> list[int]:
        nonlocal made
        made = 0
        return await publish(messages)

    serializer.encode_job, site.streams.publish_together = counted, stored  # type: ignore[method-assign]
    jobs = await site.schedules.trigger_due_jobs()

    assert len(jobs) == len(set(jobs)) >= 40 * 430
    assert largest <= 10_000 + 431


async def test_few_pieces_are_under_way_at_a_time(site: Site) -> None:
    for number in range(20):
        await site.add(f"pulse{number}", 1, every=1, missed="all", catch_up_limit=400)
    site.broker.advance(800)
    under_way, most, publish = 0, 0, site.streams.publish_together

    async def slowly(messages: Sequence[Outgoing]) -> list[int]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return await publish(messages)

    site.streams.publish_together = slowly  # type: ignore[method-assign]
    await site.schedules.trigger_due_jobs()

    assert 1 < most <= 4


async def test_large_jobs_of_one_schedule_are_stored_by_and_by(site: Site) -> None:
    site.streams.largest = 2 * 1024 * 1024
    await site.add("large", "x" * 1_000_000, every=1, missed="all", catch_up_limit=20)
    site.broker.advance(100)
    pieces, publish = [], site.streams.publish_together

    async def weighed(messages: Sequence[Outgoing]) -> list[int]:
        pieces.append(sum(len(message.payload) for message in messages))
        return await publish(messages)

    site.streams.publish_together = weighed  # type: ignore[method-assign]
    jobs = await site.schedules.trigger_due_jobs()

    assert len(jobs) == len(set(jobs)) >= 50
    assert max(pieces) < 12 * 1024 * 1024


async def test_a_job_is_read_once_however_many_ticks_are_made_of_it(site: Site) -> None:
    await site.add("pulse", 1, every=1, missed="all", catch_up_limit=400)
    site.broker.advance(800)
    serializer, reads = site.services.serializer, 0
    decode = serializer.decode_job

    def counted(data: bytes) -> Job:
        nonlocal reads
        reads += 1
        return decode(data)

    serializer.decode_job = counted  # type: ignore[method-assign]

    assert len(await site.schedules.trigger_due_jobs()) >= 430
    assert reads == 1


async def test_a_schedule_whose_jobs_are_too_large_fails_alone(site: Site) -> None:
    for number in range(9):
        await site.add(f"small{number}", every=10)
    await site.add("large", "x" * 3_000, every=10)
    await site.schedules.catch_up()
    site.streams.largest = _between(site, "large")
    site.broker.advance(11)

    made = await site.schedules.trigger_due_jobs()

    assert sorted(job_id.partition("-")[0] for job_id in made) == [f"small{number}" for number in range(9)]


def _between(site: Site, schedule_id: str) -> int:
    """Less than the record of a schedule is large."""
    standing = site.schedules.table.get(schedule_id)
    assert standing is not None
    return site.schedules._store.outgoing(standing.schedule, 0).size - 100


async def test_a_schedule_that_there_is_no_room_to_write_down_is_told_of_and_let_be(site: Site) -> None:
    await site.add("large", "x" * 3_000, every=10)
    await site.add("small", every=10)
    await site.schedules.catch_up()
    site.streams.largest = 3_000
    site.broker.advance(11)

    first = await site.schedules.trigger_due_jobs()
    site.broker.advance(10)
    then = await site.schedules.trigger_due_jobs()

    assert [job_id.partition("-")[0] for job_id in (*first, *then)] == ["small", "small"]
    (error,) = site.told(ScheduleEventType.ERROR)
    assert (error.schedule_id, error.error_type, error.reason) == ("large", MessageTooLarge.__name__, "given up")


async def test_a_schedule_of_which_only_the_jobs_are_too_large_is_tried_again_and_given_up(site: Site) -> None:
    await site.add("large", every=10)
    publish = site.streams.publish_together

    async def refuse_jobs(messages: Sequence[Outgoing]) -> list[int]:
        if len(messages) > 1:
            raise MessageTooLarge("too large")
        return await publish(messages)

    site.streams.publish_together = refuse_jobs  # type: ignore[method-assign]
    for _ in range(6):
        site.broker.advance(60)
        await site.schedules.trigger_due_jobs()

    schedule = await site.schedules.get("large")
    assert (schedule.state, schedule.errors) == (ScheduleState.FAILED, 5)
    assert schedule.reason == "MessageTooLarge: too large"


async def test_a_held_tick_whose_job_cannot_be_made_waits_before_it_is_tried_again(site: Site) -> None:
    await site.add("report", every=10, overlap="buffer")
    site.broker.advance(11)
    (job_id,) = await site.schedules.trigger_due_jobs()
    site.broker.advance(10)
    await site.schedules.trigger_due_jobs()
    assert (await site.schedules.get("report")).held_ns
    await (await site.services.get_service(JobService)).cancel(job_id)
    standing = await site.schedules._store.get("report")
    await site.schedules._store.replace(standing, standing.schedule.evolve(payload=b"spoilt"))

    for _ in range(4):  # twice a second
        site.broker.advance(0.5)
        await site.schedules.trigger_due_jobs()

    assert (await site.schedules.get("report")).errors == 1


async def test_all_jobs_whose_places_others_take_are_asked_for_at_once(site: Site) -> None:
    for number in range(10):
        await site.add(f"report{number}", every=10, overlap="cancel")
    site.broker.advance(11)
    before = await site.schedules.trigger_due_jobs()
    cancelling, asked = site.schedules.rules.cancelling, []
    ask = cancelling._ask

    async def counted(job_ids: Collection[str], **words: str) -> Whereabouts:
        asked.append(sorted(job_ids))
        return await ask(job_ids, **words)

    cancelling._ask = counted
    site.broker.advance(10)
    after = await site.schedules.trigger_due_jobs()

    assert asked == [sorted(before)]
    names = site.services.names
    left = site.streams.messages(names.jobs_stream, names.job("*", "*"))
    assert sorted(message.subject.rpartition(".")[2] for message in left) == sorted(after)
