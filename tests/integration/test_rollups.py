"""Events are rolled up once each on a real server, and statistics are what one counts by hand."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from naq_runtime import EventService, NAQConfig, Queue, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, StreamWriter, open_writer
from naq_runtime.scheduler import chores, scheduler
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.services.statistics import writer_of
from naq_runtime.statistics.answer import EventStatistics
from naq_runtime.statistics.rollup import DAY, HOUR, MINUTE, Unit, View, decode_rollup
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.counted import Happened, assert_counts, job_event
from tests.support.processes import started
from tests.support.rolling_up import AHEAD_NS
from tests.support.waiting import eventually
from tests.support.workers import running_worker

HOUR_NS = 3600 * 10**9
KINDS = ("enqueued", "started", "completed", "failed", "retry_scheduled")


class Log:
    """The stream of events, and what was stored in it."""

    def __init__(self, services: ServiceManager, writer: StreamWriter) -> None:
        self.happened: list[Happened] = []
        self._services = services
        self._writer = writer

    async def store(self, events: Sequence[Event]) -> None:
        names = self._services.names
        await self._writer.store([Outgoing(event_subject(names, event), encode_event(event)) for event in events])
        self.happened += [Happened(event.timestamp_ns, event) for event in events]

    async def read(self, since_ns: int, until_ns: int, **by: Any) -> EventStatistics:
        events = await self._services.get_service(EventService)
        return await events.get_event_statistics(since_ns=since_ns, until_ns=until_ns, **by)

    async def ranges(self, unit: Unit) -> list[tuple[int, int]]:
        """What the roll-ups of a unit cover."""
        names = self._services.names
        subject = names.rollup(unit.name, View.WORKERS, "*", "*", "*", "*", "*")
        messages = await self._services.streams.last(names.stats_stream, [subject])
        return sorted((one.first, one.last) for one in (decode_rollup(message.data) for message in messages))


@pytest.fixture
async def log(services: ServiceManager) -> AsyncIterator[Log]:
    stream = await services.topology.events()
    writer = await open_writer(services.connection, fast=stream.fast_ingest)
    yield Log(services, writer)
    await writer.close()


def made_up(number: int, begun_ns: int, step_ns: int) -> Event:
    """One event of a made-up history, which goes on by a step each time; some of it is told late."""
    late_ns = 3 * HOUR_NS if number % 50 == 0 else 0
    return job_event(
        KINDS[number % len(KINDS)],
        begun_ns + number * step_ns - late_ns,
        queue_name=f"q{number % 3}",
        worker_id=f"w{number % 4}" if number % len(KINDS) else None,
        wait_ms=float(number * 7919 % 1000),
        duration_ms=float(number * 104_729 % 30_000) / 10,
    )


async def test_two_days_are_answered_by_days_hours_minutes_and_events_as_if_counted_by_hand(
    services: ServiceManager, log: Log
) -> None:
    now_ns, count = time.time_ns(), 4_000
    begun_ns = now_ns - 50 * HOUR_NS
    await log.store([made_up(number, begun_ns, 50 * HOUR_NS // count) for number in range(500)])
    for start in range(500, count, 500):
        await log.store([made_up(number, begun_ns, 50 * HOUR_NS // count) for number in range(start, start + 500)])

    assert await writer_of(services, ahead_ns=AHEAD_NS).catch_up() == count

    assert len(await log.ranges(DAY)) >= 2
    for hours, length in ((60, 60), (24, 24), (30.123, 7.77), (3, 0.01)):
        since_ns = now_ns - int(hours * HOUR_NS)
        answer = await log.read(since_ns, since_ns + int(length * HOUR_NS), group_by_queue=True)
        assert answer.is_exact
        assert_counts(answer, log.happened, ("queue",))
    by_both = await log.read(now_ns - 24 * HOUR_NS, now_ns, group_by_queue=True, group_by_worker=True)
    assert_counts(by_both, log.happened, ("queue", "worker"))


async def test_several_who_believe_that_they_lead_roll_each_event_up_once(config: NAQConfig, log: Log) -> None:
    now_ns = time.time_ns()
    for start in range(0, 5_000, 500):
        await log.store([made_up(number, now_ns - HOUR_NS, 10**8) for number in range(start, start + 500)])

    async with AsyncExitStack() as stack:
        rivals = [await stack.enter_async_context(ServiceManager(config, role="scheduler")) for _ in range(3)]
        for _ in range(4):
            await asyncio.gather(*(writer_of(rival, ahead_ns=AHEAD_NS).catch_up() for rival in rivals))

    answer = await log.read(now_ns - 6 * HOUR_NS, now_ns + HOUR_NS, group_by_worker=True)
    assert (answer.rolled_up, answer.scanned) == (5_000, 0)
    assert_counts(answer, log.happened, ("worker",))


@pytest.mark.timeout(180)
async def test_leaders_that_are_killed_at_any_moment_count_nothing_twice_and_leave_nothing_out(
    config: NAQConfig, services: ServiceManager, log: Log
) -> None:
    now_ns, stored, chance = time.time_ns(), 0, random.Random(5)
    for _ in range(6):
        async with (
            started("tests.support.rolling_up", config=config) as one,
            started("tests.support.rolling_up", config=config) as other,
        ):
            counted = len(await log.ranges(MINUTE))
            for _ in range(4):
                events = [made_up(number, now_ns - 40 * HOUR_NS, 10**10) for number in range(stored, stored + 500)]
                await log.store(events)
                stored += len(events)
            await eventually(partial(more_than, log, counted), within=30)
            await asyncio.sleep(chance.random() / 20)  # any moment will do
            one.kill()
            other.kill()

    await writer_of(services, ahead_ns=AHEAD_NS).catch_up()

    for unit in (MINUTE, HOUR):
        ranges = await log.ranges(unit)
        assert ranges[0][0] == 1
        assert [first for first, _ in ranges[1:]] == [last + 1 for _, last in ranges[:-1]]
    answer = await log.read(now_ns - 60 * HOUR_NS, now_ns + HOUR_NS, group_by_queue=True)
    assert (answer.rolled_up, answer.scanned) == (stored, 0)
    assert_counts(answer, log.happened, ("queue",))


async def more_than(log: Log, number: int) -> bool:
    return len(await log.ranges(MINUTE)) > number


async def test_a_deleted_log_and_deleted_rollups_are_begun_anew(services: ServiceManager, log: Log) -> None:
    now_ns, names = time.time_ns(), services.names
    await log.store([made_up(number, now_ns - 40 * HOUR_NS, 10**10) for number in range(900)])
    await writer_of(services, ahead_ns=AHEAD_NS).catch_up()
    await services.connection.api(f"STREAM.DELETE.{names.events_stream}")
    await services.topology.events()
    await log.store([made_up(number, now_ns - HOUR_NS, 10**9) for number in range(300)])
    await writer_of(services, ahead_ns=AHEAD_NS).catch_up()

    both = await log.read(now_ns - 60 * HOUR_NS, now_ns + HOUR_NS)
    await services.connection.api(f"STREAM.DELETE.{names.stats_stream}")
    await writer_of(services, ahead_ns=AHEAD_NS).catch_up()
    anew = await log.read(now_ns - 60 * HOUR_NS, now_ns + HOUR_NS)

    assert_counts(both, log.happened)
    assert len(both.ended_logs_ns) == 1
    assert_counts(anew, log.happened[900:])
    assert anew.scanned == 0


async def test_too_much_for_one_message_is_stored_in_several(services: ServiceManager, log: Log) -> None:
    now_ns = time.time_ns()
    events = [
        job_event("completed", now_ns, function_name=f"f{number}" + "x" * 100, duration_ms=10.0**exponent)
        for number in range(700)
        for exponent in range(-3, 9)
    ]
    for start in range(0, len(events), 500):
        await log.store(events[start : start + 500])

    await writer_of(services, ahead_ns=AHEAD_NS).catch_up()

    largest = services.streams.largest
    stored = await services.streams.last(services.names.stats_stream, [services.names.stats])
    assert max(len(message.data) for message in stored) < largest
    answer = await log.read(now_ns - HOUR_NS, now_ns + HOUR_NS, group_by_function=True)
    assert (answer.rolled_up, answer.has_others) == (len(events), False)
    assert_counts(answer, log.happened, ("function",))


async def test_the_leader_rolls_up_what_happens(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_ROLLUPS_S", 0.2)
    monkeypatch.setattr(chores, "writer_of", partial(writer_of, ahead_ns=AHEAD_NS))
    config = make_config(scheduler__lease=5)
    async with ServiceManager(config, role="scheduler") as services, running_worker(config):
        leader = Scheduler(services)
        running = asyncio.create_task(leader.run())
        async with Queue(config=config) as queue:
            assert await (await queue.enqueue(tasks.add, 1, 2)).result(timeout=30) == 3

        async def rolled_up() -> EventStatistics | None:
            events = await services.get_service(EventService)
            answer = await events.get_event_statistics(until_ns=time.time_ns() + HOUR_NS, group_by_function=True)
            return answer if answer.rolled_up and answer.total.events == answer.rolled_up + answer.scanned else None

        answer = await eventually(rolled_up, within=20)
        leader.request_stop()
        await running

    assert answer is not None


async def test_where_they_are_switched_off_none_are_written_and_answers_are_the_same(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_ROLLUPS_S", 0.05)
    config = make_config(statistics__enabled=False, scheduler__lease=5)
    async with ServiceManager(config, role="scheduler") as services:
        leader = Scheduler(services)
        running = asyncio.create_task(leader.run())
        await eventually(lambda: leader.leads)
        events = await services.get_service(EventService)
        await events.flush()
        answer = await events.get_event_statistics(hours=1)
        bounds = await services.streams.bounds(Names(config.namespace).stats_stream)
        leader.request_stop()
        await running

    assert answer.total.events > 0
    assert bounds.created == ""
