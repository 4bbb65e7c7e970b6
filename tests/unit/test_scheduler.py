"""A scheduler as it runs: when it wakes, what it reads anew, whose trouble it goes on through, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from naq_runtime import Job, ScheduleConfig, SchedulerService, ServiceManager
from naq_runtime.clock import ManualClock
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType
from naq_runtime.job import Whereabouts
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.scheduler.leadership import Leadership
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import Ground, stand_on
from naq_runtime.snapshot import LeaderState
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from naq_runtime.testing.twins import MemoryConnection, MemoryEvents
from naq_runtime.watching import ScheduleWatch
from tests.support import sample_tasks as tasks
from tests.support.interleaving import Elsewhere
from tests.support.server import config_for
from tests.unit.looptime import LoopTime, settled

LEASE_S = 3.0


class Server(MemoryStreams):
    """One that keeps answers back."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.answers = asyncio.Event()
        self.answers.set()

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        stored = await super().publish(messages)
        await self.answers.wait()
        return stored

    async def publish_together(self, messages: Sequence[Outgoing]) -> list[int]:
        stored = await super().publish_together(messages)
        await self.answers.wait()
        return stored

    def forget_last(self, stream: str) -> None:
        """Be killed, and come back without what was written last."""
        shelf = self._shelves[stream]
        shelf.remove(shelf.bounds[1])
        shelf._last -= 1


class Site:
    """The server, and a scheduler whose host has a clock of its own."""

    def __init__(self, services: ServiceManager, server: Server, clock: ManualClock, loop_time: LoopTime) -> None:
        self.services = services
        self.server = server
        self.events = MemoryEventStorage()
        self._clock = clock
        self._loop_time = loop_time

    async def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)
        await self._loop_time.advance(seconds)

    async def add(self, schedule_id: str, **config: Any) -> None:
        schedules = await self.services.get_service(SchedulerService)
        await schedules.schedule_job(Job(tasks.add, (1,)), ScheduleConfig(schedule_id=schedule_id, **config))

    async def reconnect(self) -> None:
        for restored in list(self.services.connection.on_restored):
            await restored()
        await settled(100)

    def jobs(self) -> list[str]:
        names = self.services.names
        messages = self.server.messages(names.jobs_stream, names.job("*", "*"))
        return [message.subject.rpartition(".")[2].partition("-")[0] for message in messages]

    def told(self, event_type: ScheduleEventType) -> list[str]:
        return [one.schedule_id for one in self.schedule_events() if one.event_type is event_type]

    def schedule_events(self) -> list[ScheduleEvent]:
        return [stored.event for stored in self.events.events if isinstance(stored.event, ScheduleEvent)]

    def leadership(self, name: str) -> Leadership:
        who = LeaderState(instance_id=name, term=0, lease_s=LEASE_S)
        return Leadership(self.server, self.services.names, who, clock=self.services.clock)


Open = Callable[..., Any]


@pytest.fixture
async def site_of(loop_time: LoopTime) -> AsyncIterator[Open]:
    """Opens one."""
    async with AsyncExitStack() as stack:

        async def open_site(*, ahead_s: float = 0, lease: float = LEASE_S) -> Site:
            clock = ManualClock()
            server = Server(clock)
            server.skew_ns = -int(ahead_s * 1e9)

            async def events_of(services: ServiceManager) -> EventService:
                return MemoryEvents(services, site.events)

            async def nobody(*_: object, **__: object) -> Whereabouts:
                return Whereabouts()

            async def ground(services: ServiceManager, _: AsyncExitStack) -> Ground:
                services.clock = Elsewhere(clock, ahead_s)
                topology = MemoryTopology(server, services.config)
                connection = MemoryConnection(services.config)
                return Ground(connection, topology, server, nobody, {EventService: events_of})

            services = ServiceManager(config_for("nats://nowhere", scheduler__lease=lease))
            site = Site(services, server, clock, loop_time)
            before = stand_on(ground)
            try:
                await stack.enter_async_context(services)
            finally:
                stand_on(before)
            await services.topology.bucket(services.names.leader_bucket)
            await services.get_service(SchedulerService)
            return site

        yield open_site


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(site.services, instance_id="this")
    task = asyncio.create_task(scheduler.run())
    await settled(100)
    try:
        yield scheduler
    finally:
        scheduler.request_stop()
        await task


# When it wakes


async def test_a_host_whose_clock_is_ahead_sleeps_until_something_is_due(site_of: Open) -> None:
    site = await site_of(ahead_s=300)
    await site.add("pulse", every=60)
    async with running(site) as scheduler:
        looks, run_due = [], scheduler._schedules.run_due

        async def counted() -> Sequence[str]:
            looks.append(1)
            return await run_due()

        scheduler._schedules.run_due = counted  # type: ignore[method-assign]
        await site.advance(1)
        await settled(1_000)

        assert len(looks) <= 2


async def test_a_host_whose_clock_is_behind_is_in_time(site_of: Open) -> None:
    site = await site_of(ahead_s=-20)
    await site.add("pulse", every=2.5)
    async with running(site):
        await site.advance(2.6)

        assert site.jobs() == ["pulse"]


async def test_a_renewal_that_is_answered_late_wakes_who_went_to_sleep_meanwhile(site_of: Open) -> None:
    site = await site_of()
    await site.add("pulse", every=2.75)
    async with running(site) as scheduler:
        site.server.answers.clear()
        await site.advance(1.1)  # a renewal is sent
        await site.advance(1.7)
        assert (scheduler.leads, site.jobs()) == (False, [])

        site.server.answers.set()
        await settled(100)

        assert scheduler.leads
        assert site.jobs() == ["pulse"]


async def test_a_tick_is_as_late_as_its_job_was_in_its_queue(site_of: Open) -> None:
    site = await site_of()
    await site.add("pulse", every=0.5)
    async with running(site):
        site.server.answers.clear()
        await site.advance(0.6)
        await site.advance(0.2)
        site.server.answers.set()
        await settled(100)

        (tick,) = [one for one in site.schedule_events() if one.event_type is ScheduleEventType.TRIGGERED]
        assert tick.scheduled_ns is not None
        assert tick.actual_ns == tick.scheduled_ns + 300_000_000
        assert tick.lag_ms == 300


# What it reads anew


async def test_what_took_the_place_of_a_record_that_the_server_forgot_is_seen(site_of: Open) -> None:
    site = await site_of()
    async with running(site) as scheduler:
        await site.add("lost", every=3600)
        await settled(100)
        site.server.forget_last(site.services.names.jobs_stream)
        await site.add("new", every=3600)

        await site.reconnect()

        assert [one.schedule_id for one in scheduler._schedules.table] == ["new"]


async def test_a_stream_that_is_shorter_than_what_was_read_of_it_is_read_anew(site_of: Open) -> None:
    site = await site_of()
    async with running(site) as scheduler:
        await site.add("lost", every=3600)
        await settled(100)
        site.server.forget_last(site.services.names.jobs_stream)

        await site.advance(11)

        assert len(scheduler._schedules.table) == 0


async def test_a_monitor_reads_a_stream_anew_that_is_shorter_than_what_it_read(site_of: Open) -> None:
    site = await site_of()
    await site.add("stays", every=3600)
    await site.add("lost", every=3600)
    watch = ScheduleWatch(site.services)
    before = await watch.news(None)
    site.server.forget_last(site.services.names.jobs_stream)

    news = await watch.news(before.mark)

    assert news.whole
    assert [one.schedule_id for one in news.schedules] == ["stays"]


# What it goes on through


async def test_where_the_record_of_the_lead_had_its_place_it_gets_one_again(
    site_of: Open, caplog: pytest.LogCaptureFixture
) -> None:
    site = await site_of()
    async with running(site) as scheduler:
        names = site.services.names
        with caplog.at_level(logging.WARNING):
            site.server._shelves.pop(names.bucket_stream(names.leader_bucket))
            await site.advance(1.1)
            for _ in range(8):
                await site.advance(1)

        assert scheduler.leads
        assert sum("uncertain who leads" in record.message for record in caplog.records) == 1


async def test_what_nobody_thought_of_costs_one_turn_and_not_the_scheduler(
    site_of: Open, caplog: pytest.LogCaptureFixture
) -> None:
    site = await site_of()
    await site.add("pulse", every=2.5)
    async with running(site) as scheduler:
        run_due, errors = scheduler._schedules.run_due, [ValueError("odd")]

        async def odd() -> Sequence[str]:
            if errors:
                raise errors.pop()
            return await run_due()

        scheduler._schedules.run_due = odd  # type: ignore[method-assign]
        await site.advance(2.6)
        await site.advance(0.6)

        assert site.jobs() == ["pulse"]
    assert "schedules cannot be kept now: odd" in caplog.text


# How it ends


async def test_who_is_asked_to_stop_while_a_tick_is_being_stored_still_tells_of_it(site_of: Open) -> None:
    site = await site_of()
    await site.add("pulse", every=0.5)
    async with running(site) as scheduler:
        site.server.answers.clear()
        await site.advance(0.6)
        assert site.told(ScheduleEventType.TRIGGERED) == []

        scheduler.request_stop()
        await settled()
        site.server.answers.set()

    assert site.told(ScheduleEventType.TRIGGERED) == site.jobs() == ["pulse"]


async def test_a_lead_that_is_resigned_is_taken_at_once_however_long_the_lease_is(site_of: Open) -> None:
    site = await site_of(lease=30)
    first = site.leadership("first")
    await first.step()
    async with running(site) as scheduler:
        assert not scheduler.leads

        await first.resign()
        await settled(100)

        assert scheduler.leads
