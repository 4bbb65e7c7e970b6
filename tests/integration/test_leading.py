"""Several schedulers on a server: one leads, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from naq_runtime import NAQConfig, ScheduleConfig, ServiceManager
from naq_runtime.events.models import SystemEvent
from naq_runtime.job import Job
from naq_runtime.scheduler.scheduler import Scheduler
from naq_runtime.services.scheduler import SchedulerService
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually


@asynccontextmanager
async def scheduler(config: NAQConfig, name: str) -> AsyncIterator[Scheduler]:
    """One that runs, and resigns at the end."""
    async with ServiceManager(config, role="scheduler") as services:
        one = Scheduler(services, instance_id=name)
        running = asyncio.create_task(one.run())
        try:
            yield one
        finally:
            one.request_stop()
            await running


async def leads_of(config: NAQConfig) -> list[tuple[str, int | None, str | None]]:
    """What was told of leads, by term; processes store their events each in its own time."""
    events = [stored.event for stored in await all_events(config)]
    leads = [
        (event.event_type.value, event.term, event.reason)
        for event in events
        if isinstance(event, SystemEvent) and event.event_type.value.startswith("leader_")
    ]
    return sorted(leads, key=lambda lead: (lead[1] or 0, lead[0]))


async def test_each_lead_is_told_of_once_from_its_beginning_to_its_end(make_config: MakeConfig) -> None:
    config = make_config(scheduler__lease=10)
    async with scheduler(config, "first") as first:
        await eventually(lambda: first.leads)
        async with scheduler(config, "second") as second:
            first.request_stop()
            await eventually(lambda: second.leads)

    assert await leads_of(config) == [
        ("leader_elected", 1, "first"),
        ("leader_resigned", 1, "first"),
        ("leader_elected", 2, "second"),
        ("leader_resigned", 2, "second"),
    ]


async def test_a_scheduler_that_ends_without_having_led_tells_nothing(make_config: MakeConfig) -> None:
    config = make_config(scheduler__lease=10)
    async with scheduler(config, "first") as first:
        await eventually(lambda: first.leads)
        async with scheduler(config, "second") as second:
            await eventually(lambda: second._leadership.term == 1)

    assert [event[0] for event in await leads_of(config)] == ["leader_elected", "leader_resigned"]


async def test_a_leader_whose_process_stood_still_hears_that_it_lost_the_lead(make_config: MakeConfig) -> None:
    config = make_config(scheduler__lease=3)
    async with scheduler(config, "first") as first:
        await eventually(lambda: first.leads)
        step, first._leadership.step = first._leadership.step, _never  # type: ignore[method-assign,assignment]
        async with scheduler(config, "second") as second:
            await eventually(lambda: second.leads)
            first._leadership.step = step  # type: ignore[method-assign]
            await eventually(lambda: not first._term)
            assert not first.leads

    leads = await leads_of(config)
    assert [lead for lead in leads if lead[1] != 3] == [  # the first one may lead again when the second has resigned
        ("leader_elected", 1, "first"),
        ("leader_lost", 1, "first"),
        ("leader_elected", 2, "second"),
        ("leader_resigned", 2, "second"),
    ]


async def _never(_: int = 0) -> None:
    return


async def test_schedules_go_on_after_the_server_was_killed_and_came_back(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, scheduler__lease=1, nats__request_timeout=1)
        async with ServiceManager(config) as services, scheduler(config, "only") as only:
            schedules = await services.get_service(SchedulerService)
            await schedules.schedule_job(Job(tasks.add, (1,)), ScheduleConfig(every=0.5, schedule_id="pulse"))
            await eventually(lambda: only.leads)

            await server.kill()
            await eventually(lambda: not only.leads)
            await server.start()
            before = (await schedules.get("pulse")).ticks

            async def goes_on() -> bool:
                return (await schedules.get("pulse")).ticks >= before + 3

            await eventually(goes_on, within=30)
            pulse = await schedules.get("pulse")
            job_ids = await _job_ids(services)

    assert pulse.missed_ticks == 0
    assert len(job_ids) >= pulse.ticks
    moments = sorted(int(f"{job_id.rpartition('T')[2]:0<9}") for job_id in job_ids)
    assert len(set(moments)) == len(moments)


async def _job_ids(services: ServiceManager) -> list[str]:
    names = services.names
    jobs = await services.streams.last(names.jobs_stream, [names.job("*", "*")])
    return [message.subject.rpartition(".")[2] for message in jobs]


async def test_a_stream_that_was_deleted_and_made_anew_is_read_from_its_beginning(make_config: MakeConfig) -> None:
    config = make_config(scheduler__lease=1)
    async with ServiceManager(config) as services, scheduler(config, "only") as only:
        schedules = await services.get_service(SchedulerService)
        for number in range(5):
            hourly = ScheduleConfig(every=3600, schedule_id=f"old{number}")
            await schedules.schedule_job(Job(tasks.add, (1,)), hourly)
        await eventually(lambda: len(only._schedules.table) == 5)

        await services.connection.api(f"STREAM.DELETE.{services.names.jobs_stream}")
        services.topology.forget("default")
        await schedules.schedule_job(Job(tasks.add, (1,)), ScheduleConfig(every=3600, schedule_id="new"))

        await eventually(lambda: [one.schedule_id for one in only._schedules.table] == ["new"])
