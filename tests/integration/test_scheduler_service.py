"""What can be done with schedules on a server, with no scheduler running; each act has its event."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from naq_runtime import (
    Job,
    NAQConfig,
    Queue,
    ScheduleConfig,
    ScheduleFilter,
    SchedulerService,
    ScheduleState,
    ServiceManager,
)
from naq_runtime.errors import DuplicateSchedule, InvalidName, InvalidSchedule, NotFound, PayloadTooLarge
from naq_runtime.events.models import ScheduleEvent
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import if_last_is
from naq_runtime.schedule import encode_schedule, tick_id
from tests.support import sample_tasks as tasks
from tests.support.history import all_events
from tests.support.waiting import eventually
from tests.support.workers import running_worker

SOON = datetime(2031, 1, 6, 9, tzinfo=UTC)


@pytest.fixture
async def schedules(services: ServiceManager) -> SchedulerService:
    return await services.get_service(SchedulerService)


async def add(schedules: SchedulerService, schedule_id: str = "report", **config: Any) -> str:
    """Schedule one, every hour where nothing else is said."""
    when = config if {"cron", "every", "at"} & set(config) else {"every": 3600, **config}
    return await schedules.schedule_job(Job(tasks.add, (1,)), {"schedule_id": schedule_id, **when})


async def due(schedules: SchedulerService, schedule_id: str = "report") -> None:
    """Let a schedule be due at once."""
    await schedules.modify(schedule_id, next_run_at=datetime.now(UTC) - timedelta(seconds=1))


async def told(services: ServiceManager, config: NAQConfig) -> list[ScheduleEvent]:
    """The events of schedules so far."""
    from naq_runtime import EventService

    await (await services.get_service(EventService)).flush()
    events = [stored.event for stored in await all_events(config)]
    return [event for event in events if isinstance(event, ScheduleEvent)]


async def jobs_of(services: ServiceManager) -> list[Job]:
    """All that are queued."""
    messages = await services.streams.last(services.names.jobs_stream, [services.names.job("*", "*")])
    return [services.serializer.decode_job(message.data) for message in messages]


# Making them


async def test_a_schedule_is_made_and_found_and_told_of(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    made = await add(schedules, cron="0 9 * * mon", timezone="Europe/Paris", repeat=3)

    schedule = await schedules.get(made)
    (event,) = await told(services, config)

    assert (made, schedule.queue_name, schedule.state) == ("report", "default", ScheduleState.ACTIVE)
    assert schedules.job_of(schedule).args == (1,)
    assert (event.event_type, event.cron, event.timezone, event.repeat) == (
        "scheduled",
        "0 9 * * mon",
        "Europe/Paris",
        3,
    )
    assert (event.repeat, event.next_ns) == (3, schedule.next_ns)


async def test_an_id_that_is_taken_is_refused_and_free_again_after_its_end(schedules: SchedulerService) -> None:
    await add(schedules)
    with pytest.raises(DuplicateSchedule, match="report is there already"):
        await add(schedules)

    await schedules.cancel("report")

    assert await add(schedules, every=60) == "report"
    assert (await schedules.get("report")).every_ns == 60 * 10**9


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job(tasks.add, (1,), unique_key="k", unique_for=60), "unique key"),
        (Job(tasks.add, (1,), depends_on="other"), "depend on others"),
        (Job(tasks.add, (1,), run_at_ns=9), "time of its own"),
    ],
)
async def test_a_job_that_no_tick_could_make_is_refused(schedules: SchedulerService, job: Job, said: str) -> None:
    with pytest.raises(InvalidSchedule, match=said):
        await schedules.schedule_job(job, ScheduleConfig(every=60))


async def test_a_field_that_no_schedule_has_is_refused(schedules: SchedulerService) -> None:
    with pytest.raises(InvalidSchedule, match="a schedule has no evry: it has at, "):
        await add(schedules, every=5, evry=5)


# Declaring them


async def declare(schedules: SchedulerService, job: Job | None = None, **config: Any) -> str:
    when = {"every": 3600, "schedule_id": "report", **config}
    return await schedules.schedule_job(job or Job(tasks.add, (1,)), when, replace=True)


async def test_what_is_declared_is_made_and_declared_again_stays_as_it_is_without_a_word(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    made = await declare(schedules, repeat=5)
    await due(schedules)
    await schedules.trigger_due_jobs()
    await schedules.pause("report", "stocktaking")
    before, events = await schedules.get("report"), await told(services, config)

    assert await declare(schedules, repeat=5) == made == "report"

    assert await schedules.get("report") == before
    assert (before.ticks, before.repeat, before.reason) == (1, 4, "stocktaking")
    assert await told(services, config) == events


async def test_what_is_declared_otherwise_is_changed_and_told_of_and_nothing_else_is(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await declare(schedules, jitter=7)
    before = await schedules.get("report")

    await declare(schedules, Job(tasks.fail, ("no paper",), queue_name="mail", retries=3), overlap="skip")

    after = await schedules.get("report")
    assert (after.next_ns, after.created_at_ns, after.state) == (before.next_ns, before.created_at_ns, before.state)
    assert (after.queue_name, after.function_name) == ("mail", f"{tasks.__name__}.fail")
    event = (await told(services, config))[-1]
    assert (event.event_type, event.changes) == (
        "schedule_modified",
        {
            "queue_name": "mail",
            "jitter": "0",
            "overlap": "skip",
            "function": f"{tasks.__name__}.fail",
            "args": "changed",
            "retries": "3",
        },
    )


async def test_what_many_declare_at_the_same_moment_is_made_once(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await asyncio.gather(*(declare(schedules) for _ in range(8)))

    assert [event.event_type for event in await told(services, config)] == ["scheduled"]


async def test_what_is_declared_after_its_end_is_made_anew(schedules: SchedulerService) -> None:
    await declare(schedules, repeat=3)
    await schedules.trigger_now("report")
    await schedules.cancel("report")

    await declare(schedules, repeat=3)

    assert (await schedules.get("report")).ticks == 0


async def test_what_has_no_name_cannot_be_replaced(schedules: SchedulerService) -> None:
    with pytest.raises(InvalidSchedule, match="give it a schedule_id "):
        await schedules.schedule_job(Job(tasks.add, (1,)), {"every": 5}, replace=True)


async def test_a_queue_schedules_for_itself(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue, ServiceManager(config) as services:
        schedule_id = await queue.schedule(tasks.add, 1, when=ScheduleConfig(every=60), right=2)
        in_a_while = await queue.enqueue_in(timedelta(hours=1), tasks.add, 1)
        at_a_moment = await queue.enqueue_at(SOON, tasks.add, 1)
        schedules = await services.get_service(SchedulerService)
        schedule = await schedules.get(schedule_id)

        assert (schedule.queue_name, schedules.job_of(schedule).kwargs) == ("mail", {"right": 2})
        assert [await one.status() for one in (in_a_while, at_a_moment)] == ["scheduled", "scheduled"]


async def test_a_queue_gives_access_to_schedules(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue:
        when = ScheduleConfig(every=60, schedule_id="report")
        for right in (2, 3):
            await queue.schedule(tasks.add, 1, when=when, replace=True, right=right)
        schedules = await queue.schedules()

        assert schedules.job_of(await schedules.get("report")).kwargs == {"right": 3}
    with pytest.raises(RuntimeError, match="the queue is not open"):
        await queue.schedules()


# Having them make their jobs


async def test_what_is_due_is_made_once_by_whoever_asks(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules)
    await add(schedules, "other")
    await due(schedules)
    due_ns = (await schedules.get("report")).next_ns

    async with ServiceManager(config) as elsewhere:
        others = await elsewhere.get_service(SchedulerService)
        made = await asyncio.gather(schedules.trigger_due_jobs(), others.trigger_due_jobs(), others.trigger_due_jobs())

    assert sorted(job_id for ids in made for job_id in ids) == [tick_id("report", due_ns)]
    assert [job.job_id for job in await jobs_of(services)] == [tick_id("report", due_ns)]
    schedule = await schedules.get("report")
    assert (schedule.ticks, schedule.last_due_ns) == (1, due_ns)
    assert schedule.next_ns > due_ns


async def test_a_thousand_that_are_due_at_once_have_a_job_each(
    schedules: SchedulerService, services: ServiceManager
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=1)
    for start in range(0, 1000, 100):
        await asyncio.gather(*(add(schedules, f"once{start + n}", at=moment) for n in range(100)))

    made = await schedules.trigger_due_jobs()

    assert len(made) == len(set(made)) == 1000
    assert len(await jobs_of(services)) == 1000
    assert await schedules.trigger_due_jobs() == []


async def test_many_that_wait_for_the_end_of_the_run_before_go_on_when_it_has_ended(
    schedules: SchedulerService, services: ServiceManager
) -> None:
    names = [f"held{number}" for number in range(350)]
    started = datetime.now(UTC) - timedelta(seconds=1)
    for at in range(0, 350, 50):
        some = names[at : at + 50]
        await asyncio.gather(*(add(schedules, one, every=0.3, overlap="buffer", starts_at=started) for one in some))
    begun: list[str] = []

    async def all_hold() -> bool:
        begun.extend(await schedules.trigger_due_jobs())
        return len(schedules.table.holding) == 350

    await eventually(all_hold)
    assert sorted(job_id.partition("-")[0] for job_id in begun) == sorted(names)
    stream = services.names.jobs_stream
    running = await services.streams.last(stream, [services.names.job("*", "*")])
    await services.streams.delete(stream, [message.sequence for message in running])

    assert len(await schedules.trigger_due_jobs()) == 350


async def test_large_ones_that_are_due_at_once_do_not_get_into_each_others_way(schedules: SchedulerService) -> None:
    for number in range(40):
        job = Job(tasks.add, ("x" * 500_000,))
        await schedules.schedule_job(job, {"at": datetime.now(UTC), "schedule_id": f"large{number}"})

    assert len(await schedules.trigger_due_jobs()) == 40


async def test_one_whose_record_could_grow_too_large_is_refused(schedules: SchedulerService) -> None:
    with pytest.raises(PayloadTooLarge, match="the record of schedule report is"):
        await schedules.schedule_job(Job(tasks.add, ("x" * 785_000,)), {"every": 60, "schedule_id": "report"})


async def test_one_more_job_comes_at_once_and_the_timetable_stays(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules, repeat=2)
    await schedules.pause("report")
    before = await schedules.get("report")

    job_id = await schedules.trigger_now("report")

    after = await schedules.get("report")
    assert [job.job_id for job in await jobs_of(services)] == [job_id]
    assert (after.ticks, after.repeat, after.next_ns, after.state) == (1, 2, before.next_ns, ScheduleState.PAUSED)
    event = (await told(services, config))[-1]
    assert (event.event_type, event.job_id, event.scheduled_ns) == ("schedule_triggered", job_id, None)


async def test_a_job_out_of_turn_is_not_taken_for_that_of_the_last_tick(
    schedules: SchedulerService, services: ServiceManager
) -> None:
    await add(schedules, overlap="skip")
    await due(schedules)
    (first,) = await schedules.trigger_due_jobs()

    asked = await schedules.trigger_now("report")

    report = await schedules.get("report")
    assert (report.last_job_id, report.latest_job_id, report.lag_ms) == (first, asked, None)
    messages = await services.streams.last(services.names.jobs_stream, [services.names.job("*", asked)])
    await services.streams.delete(services.names.jobs_stream, [message.sequence for message in messages])
    await due(schedules)
    assert await schedules.trigger_due_jobs() == []
    assert (await schedules.get("report")).missed_ticks == 1


# Managing them


async def test_a_pause_holds_what_is_due_and_resuming_passes_it_over(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules)
    await due(schedules)
    paused = await schedules.pause("report", "the data are not in")
    assert await schedules.trigger_due_jobs() == []

    resumed = await schedules.resume("report")

    assert await schedules.trigger_due_jobs() == []
    assert (paused.reason, resumed.reason, resumed.state) == ("the data are not in", None, ScheduleState.ACTIVE)
    events = (await told(services, config))[-2:]
    assert [(event.event_type, event.reason) for event in events] == [
        ("schedule_paused", "the data are not in"),
        ("schedule_resumed", None),
    ]


async def test_resuming_one_that_is_active_loses_no_tick_and_tells_nothing(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules)
    await due(schedules)

    await schedules.resume("report")

    assert len(await schedules.trigger_due_jobs()) == 1
    assert "schedule_resumed" not in [event.event_type for event in await told(services, config)]


async def test_what_is_cancelled_is_gone_for_all(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules)
    await due(schedules)

    await schedules.cancel("report", "not needed")

    assert await schedules.trigger_due_jobs() == []
    assert [one async for one in schedules.list()] == []
    event = (await told(services, config))[-1]
    assert (event.event_type, event.reason) == ("schedule_cancelled", "not needed")


@pytest.mark.parametrize("act", ["get", "pause", "resume", "cancel", "modify", "trigger_now", "next_runs"])
async def test_what_is_not_there_is_named(schedules: SchedulerService, act: str) -> None:
    await add(schedules, "gone")
    await schedules.cancel("gone")

    for schedule_id in ("nobody", "gone"):
        with pytest.raises(NotFound, match=f"no schedule {schedule_id}"):
            await getattr(schedules, act)(schedule_id)
    with pytest.raises(InvalidName):
        await getattr(schedules, act)("a.b")


@pytest.mark.parametrize(
    ("config_before", "changes", "said"),
    [
        ({}, {"cron": "0 9 * * *"}, {"cron": "0 9 * * *"}),
        ({"cron": "0 9 * * *"}, {"every": timedelta(minutes=1)}, {"every": "60"}),
        ({"cron": "0 9 * * *"}, {"timezone": "Asia/Tokyo"}, {"timezone": "Asia/Tokyo"}),
        ({"repeat": 3}, {"repeat": None}, {"repeat": "none"}),
        ({"ends_at": SOON}, {"ends_at": None, "repeat": 5}, {"ends_at": "none", "repeat": "5"}),
        ({}, {"next_run_at": SOON}, {"next_run_at": "2031-01-06T09:00:00+00:00"}),
        ({}, {"queue_name": "mail"}, {"queue_name": "mail"}),
        ({"phase": 60}, {"every": 1800}, {"every": "1800"}),
        ({}, {"retries": 3, "timeout": 60}, {"retries": "3", "timeout": "60"}),
        ({}, {"function": "shop.report"}, {"function": "shop.report"}),
        (
            {},
            {"job": Job("shop.report", ("a secret",), queue_name="mail")},
            {"function": "shop.report", "args": "changed", "queue_name": "mail"},
        ),
        ({}, {"args": (2,), "kwargs": {"right": 3}}, {"args": "changed", "kwargs": "changed"}),
    ],
)
async def test_what_is_changed_is_told_and_the_rest_stays(
    schedules: SchedulerService,
    services: ServiceManager,
    config: NAQConfig,
    config_before: dict[str, Any],
    changes: dict[str, Any],
    said: dict[str, str],
) -> None:
    await add(schedules, **config_before, overlap="skip")

    after = await schedules.modify("report", **changes)

    assert after == await schedules.get("report")
    assert after.overlap == "skip"
    event = (await told(services, config))[-1]
    assert (event.event_type, event.changes, event.next_ns) == ("schedule_modified", said, after.next_ns)


async def test_a_change_that_changes_nothing_is_not_told(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules, jitter=5)

    await schedules.modify("report", every=3600, jitter=5.0, args=(1,))

    assert [event.event_type for event in await told(services, config)] == ["scheduled"]


async def test_what_had_failed_and_is_changed_is_active_again(schedules: SchedulerService) -> None:
    await add(schedules)
    failed = {"state": ScheduleState.FAILED, "reason": "InvalidSchedule: Mars", "errors": 5}
    await schedules._change("report", lambda now: now.evolve(**failed))

    after = await schedules.modify("report", jitter=timedelta(seconds=1))

    assert (after.state, after.reason, after.errors) == (ScheduleState.ACTIVE, None, 0)


async def test_a_wish_for_the_job_that_is_taken_away_is_left_to_its_task(schedules: SchedulerService) -> None:
    await add(schedules)
    await schedules.modify("report", timeout=60, retries=3)

    job = schedules.job_of(await schedules.modify("report", timeout=None))

    assert (job.function, job.args, job.timeout, job.retries) == (f"{tasks.__name__}.add", (1,), None, 3)


async def test_jobs_come_with_the_changed_arguments_into_the_changed_queue(
    schedules: SchedulerService, services: ServiceManager
) -> None:
    await add(schedules)
    await schedules.modify("report", args=(2,), queue_name="mail")
    await due(schedules)

    await schedules.trigger_due_jobs()

    (job,) = await jobs_of(services)
    assert (job.queue_name, job.args) == ("mail", (2,))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cron": "61 * * * *"}, "61"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"every": None}, "needs one of cron, every and at"),
        ({"evry": 5}, "has no evry"),
        ({"queue_name": "a b"}, "a b"),
    ],
)
async def test_a_change_that_cannot_be_kept_changes_nothing(
    schedules: SchedulerService, changes: dict[str, Any], said: str
) -> None:
    await add(schedules)
    before = await schedules.get("report")

    with pytest.raises((InvalidSchedule, InvalidName), match=said):
        await schedules.modify("report", **changes)

    assert await schedules.get("report") == before


async def test_two_who_change_different_things_at_once_both_succeed(
    schedules: SchedulerService, config: NAQConfig
) -> None:
    await add(schedules)

    async with ServiceManager(config) as elsewhere:
        others = await elsewhere.get_service(SchedulerService)
        await asyncio.gather(schedules.modify("report", repeat=7), others.modify("report", overlap="buffer"))

    schedule = await schedules.get("report")
    assert (schedule.repeat, schedule.overlap) == (7, "buffer")


async def test_a_change_while_ticks_are_made_is_kept_and_no_tick_is_lost_or_doubled(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules, every=0.1, missed="all")
    async with ServiceManager(config) as elsewhere:
        others = await elsewhere.get_service(SchedulerService)
        for number in range(15):
            await asyncio.gather(schedules.trigger_due_jobs(), others.modify("report", args=(number,)))

    schedule = await schedules.get("report")
    made = [job.job_id for job in await jobs_of(services)]
    ticks = [schedule.anchor_ns + n * 10**8 for n in range(1, schedule.ticks + 1)]
    assert made == [tick_id("report", due_ns) for due_ns in ticks]
    assert schedules.job_of(schedule).args == (14,)


# Seeing them


async def test_schedules_are_found_by_all_that_is_said_of_them(schedules: SchedulerService) -> None:
    await add(schedules, "daily-report")
    await add(schedules, "daily-mail")
    await schedules.modify("daily-mail", queue_name="mail")
    await add(schedules, "hourly")
    await schedules.pause("hourly")

    async def found(**wanted: Any) -> set[str]:
        return {one.schedule_id async for one in schedules.list(ScheduleFilter(**wanted))}

    assert await found() == {"daily-report", "daily-mail", "hourly"}
    assert await found(schedule_id="daily-*") == {"daily-report", "daily-mail"}
    assert await found(schedule_id="daily-*", queue_name="mail") == {"daily-mail"}
    assert await found(state=ScheduleState.PAUSED) == {"hourly"}
    assert await found(function_name="*.add", state=ScheduleState.ACTIVE) == {"daily-report", "daily-mail"}
    assert await found(function_name="*.nothing") == set()


async def test_the_coming_ticks_are_those_of_the_timetable_and_no_more_than_are_left(
    schedules: SchedulerService,
) -> None:
    await add(schedules, cron="0 9 * * mon", starts_at=SOON, repeat=2)

    assert await schedules.next_runs("report", 5) == [SOON, SOON + timedelta(days=7)]


async def test_when_it_runs_and_what_it_was_made_with_can_be_had_in_the_words_of_python(
    schedules: SchedulerService,
) -> None:
    wanted = ScheduleConfig(every=3600, phase=60, jitter=2.5, repeat=7, starts_at=SOON, schedule_id="report")
    await schedules.schedule_job(Job(tasks.add, (1,)), wanted)

    report = await schedules.get("report")

    assert report.config == wanted
    assert report.next_run_at is not None
    assert SOON <= report.next_run_at - timedelta(seconds=60) < SOON + timedelta(seconds=2.5)
    assert report.last_run_at is None
    await schedules.trigger_now("report")
    last_run_at = (await schedules.get("report")).last_run_at
    assert last_run_at is not None
    assert last_run_at < SOON


async def test_what_has_finished_can_be_seen_and_not_be_changed_any_more(schedules: SchedulerService) -> None:
    await add(schedules, at=datetime.now(UTC))
    await schedules.trigger_due_jobs()

    assert (await schedules.get("report")).state is ScheduleState.FINISHED
    assert await schedules.next_runs("report") == []
    with pytest.raises(NotFound):
        await schedules.modify("report", jitter=5)


# One that is bad


async def spoil(services: ServiceManager, schedules: SchedulerService, **fields: Any) -> None:
    """Write into a record what nobody of ours would."""
    after = (await schedules.get("bad")).evolve(next_ns=1_000_000_000, **fields)
    await put(services, encode_schedule(after))


async def put(services: ServiceManager, record: bytes) -> None:
    subject = services.names.schedule("bad")
    (there,) = await services.streams.last(services.names.jobs_stream, [subject])
    (answer,) = await services.streams.publish([Outgoing(subject, record, if_last_is(there.sequence))])
    assert isinstance(answer, int)


async def until_given_up(schedules: SchedulerService) -> None:
    """Have it tried, each time as if its pause were over."""
    while (await schedules.get("bad")).state is ScheduleState.ACTIVE:
        await schedules._change("bad", lambda now: now.evolve(retry_at_ns=0))
        await schedules.trigger_due_jobs()


@pytest.mark.parametrize(
    ("fields", "error", "mend"),
    [
        ({"cron": "* * * * *", "every_ns": 0, "timezone": "Mars/Olympus"}, "InvalidSchedule", {"timezone": "UTC"}),
        ({"cron": "61 nonsense", "every_ns": 0}, "InvalidSchedule", {"cron": "@hourly"}),
        ({"payload": b"not a job"}, "SerializationError", {"args": (5,)}),
        ({"queue_name": "no queue"}, "InvalidName", {"queue_name": "mail"}),
    ],
)
async def test_a_bad_one_is_tried_given_up_and_stops_nobody_and_comes_to_life_when_it_is_mended(
    schedules: SchedulerService,
    services: ServiceManager,
    config: NAQConfig,
    fields: dict[str, Any],
    error: str,
    mend: dict[str, Any],
) -> None:
    await add(schedules, "bad")
    await add(schedules, "good")
    await due(schedules, "good")
    await spoil(services, schedules, **fields)

    made = await schedules.trigger_due_jobs()
    assert [job_id.partition("-")[0] for job_id in made] == ["good"]
    await until_given_up(schedules)

    bad = await schedules.get("bad")
    errors = [event for event in await told(services, config) if event.event_type == "scheduler_error"]
    assert (bad.state, bad.errors) == (ScheduleState.FAILED, 5)
    assert str(bad.reason).startswith(error)
    assert [(event.count, event.error_type) for event in errors] == [(n, error) for n in range(1, 6)]
    assert [event.reason for event in errors] == [None] * 4 + ["given up"]

    await schedules.modify("bad", **mend)
    await schedules.resume("bad")
    await due(schedules, "bad")
    (job_id,) = await schedules.trigger_due_jobs()
    assert job_id.startswith("bad-")


async def test_a_queue_that_cannot_be_fails_its_schedules_and_no_others(
    schedules: SchedulerService, services: ServiceManager
) -> None:
    await add(schedules, "good")
    await add(schedules, "bad")
    await schedules.modify("bad", queue_name="odd")
    name, stream = services.names.queue_consumer("odd"), services.names.jobs_stream
    await services.connection.api(f"CONSUMER.DELETE.{stream}.{name}")
    odd = {"durable_name": name, "name": name, "filter_subject": "other.>", "ack_policy": "explicit"}
    wanted = odd | {"filter_subject": services.names.later("odd", "*")}
    await services.connection.api(
        f"CONSUMER.DURABLE.CREATE.{stream}.{name}", {"stream_name": stream, "config": wanted, "action": "create"}
    )
    services.topology.forget("odd")
    for schedule_id in ("bad", "good"):
        await schedules._change(schedule_id, lambda now: now.evolve(next_ns=now.created_at_ns))

    made = await schedules.trigger_due_jobs()

    assert [job_id.partition("-")[0] for job_id in made] == ["good"]
    assert (await schedules.get("bad")).errors == 1


async def test_a_record_that_is_none_is_told_of_and_can_be_cancelled(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules, "bad")
    await put(services, b"\x00 not a record")

    await schedules.trigger_due_jobs()
    await schedules.trigger_due_jobs()
    await schedules.cancel("bad")

    assert [event.event_type for event in await told(services, config)][1:] == ["scheduler_error", "schedule_cancelled"]
    with pytest.raises(NotFound):
        await schedules.get("bad")


async def test_a_record_that_has_become_too_large_can_be_cancelled(
    schedules: SchedulerService, services: ServiceManager
) -> None:
    await add(schedules, "bad")
    bare = (await schedules.get("bad")).evolve(payload=b"", next_ns=1_000_000_000)
    size = Outgoing(services.names.schedule("bad"), encode_schedule(bare), if_last_is(10**9)).size
    await spoil(services, schedules, payload=b"x" * ((services.streams.largest - size) // 4 * 3))
    with pytest.raises(PayloadTooLarge):
        await schedules.pause("bad")

    await schedules.cancel("bad")

    with pytest.raises(NotFound):
        await schedules.get("bad")


async def test_a_function_that_is_gone_fails_the_jobs_and_not_the_schedule(
    schedules: SchedulerService, config: NAQConfig
) -> None:
    job = Job(f"{tasks.__name__}.gone")
    await schedules.schedule_job(job, ScheduleConfig(every=3600, schedule_id="report"))

    async with running_worker(config), Queue(config=config) as queue:
        handle = queue.handle(await schedules.trigger_now("report"))
        outcome = await handle.outcome(timeout=20)

    assert (outcome.status, outcome.error_type) == ("failed", "UnknownTask")
    assert (await schedules.get("report")).state is ScheduleState.ACTIVE


async def test_a_job_under_the_id_of_a_tick_takes_only_that_ticks_place(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig
) -> None:
    await add(schedules, every=10)
    created_ns = (await schedules.get("report")).anchor_ns
    first, second, third = (created_ns - seconds * 10**9 for seconds in (25, 15, 5))
    _, after = await schedules._change(
        "report", lambda now: now.evolve(next_ns=first, anchor_ns=first, created_at_ns=first)
    )
    async with Queue(config=config) as queue:
        await queue.enqueue_job(Job(tasks.add, (9,), job_id=tick_id("report", second)))

    made = await schedules.trigger_due_jobs()

    assert after.next_ns == first
    assert made == [tick_id("report", first), tick_id("report", third)]
    errors = [event for event in await told(services, config) if event.event_type == "scheduler_error"]
    assert [event.error_type for event in errors] == ["DuplicateJob"]


@pytest.mark.parametrize("limit", [2_000, 8_000])
async def test_a_schedule_that_is_too_large_for_the_stream_by_now_keeps_no_other_from_being_seen_to(
    schedules: SchedulerService, services: ServiceManager, config: NAQConfig, limit: int
) -> None:
    large = Job(tasks.add, ("x" * 6_000,))  # in its record a third larger
    await schedules.schedule_job(large, {"schedule_id": "large", "every": 3600})
    names = [f"small{number}" for number in range(5)]
    for name in names:
        await add(schedules, name)
    for name in ("large", *names):
        await due(schedules, name)
    info = await services.connection.api(f"STREAM.INFO.{services.names.jobs_stream}")
    settings = info["config"] | {"max_msg_size": limit}
    await services.connection.api(f"STREAM.UPDATE.{services.names.jobs_stream}", settings)

    made = [*await schedules.trigger_due_jobs(), *await schedules.trigger_due_jobs()]

    assert sorted(job_id.partition("-")[0] for job_id in made) == names
    errors = [event for event in await told(services, config) if event.event_type == "scheduler_error"]
    assert [event.schedule_id for event in errors] == ["large"]
    assert services.connection.is_connected
