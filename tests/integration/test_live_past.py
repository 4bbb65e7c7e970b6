"""The past of a real server is what one counts by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from naq_runtime import EventService, Job, NAQConfig, Queue, ScheduleConfig, SchedulerService, ServiceManager
from naq_runtime.events.models import AlertEvent, AlertEventType, JobEvent, JobEventType, StoredEvent
from naq_runtime.monitor import Monitor
from naq_runtime.services.statistics import writer_of
from naq_tui.app import NaqTop
from naq_tui.past import Place, Span, place_of
from naq_tui.source import ConnectionState
from naq_tui.sources.live import LiveSource
from naq_tui.sources.live_past import LogRecording
from naq_tui.sources.playback import Playback
from naq_tui.sources.playback_questions import PlaybackQuestions
from naq_tui.sources.recorded_alerts import RecordedAlerts
from naq_tui.stage import Stage
from tests.support import sample_tasks as tasks
from tests.support.rolling_up import AHEAD_NS
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@asynccontextmanager
async def recorded(services: ServiceManager) -> AsyncIterator[tuple[LogRecording, list[StoredEvent]]]:
    """A log in which jobs ended, three of them badly; and all that is in it."""
    monitor = await services.get_service(Monitor)
    async with Queue(config=services.config) as queue, running_worker(services.config):
        jobs = [*(Job(tasks.add, (n, 1)) for n in range(30)), *(Job(tasks.fail, ("no",)) for _ in range(3))]
        await queue.enqueue_many(jobs)
        await eventually(lambda: _told(monitor, 33))
    snapshot = await monitor.snapshot()
    yield LogRecording(lambda: monitor, snapshot.server), (await monitor.recent(10_000)).events


async def _told(monitor: Monitor, jobs: int) -> bool:
    events = (await monitor.recent(10_000)).events
    return len([one for one in events if one.event.event_type == JobEventType.RESULT_STORED]) == jobs


def by_moment(events: list[StoredEvent]) -> list[StoredEvent]:
    return sorted(events, key=lambda stored: (stored.event.moment_ns, stored.sequence))


async def test_a_moment_shows_exactly_what_had_happened_by_then(services: ServiceManager) -> None:
    async with recorded(services) as (past, events):
        happened = by_moment(events)
        middle = happened[len(happened) // 2]
        stage = Stage(Playback(past, Place(middle.event.moment_ns, middle.sequence), speed=0), services.clock)
        reading = asyncio.create_task(stage.read(lambda batch: None))
        await eventually(lambda: stage.dashboard.log.end > 0)
        expected = happened[: len(happened) // 2 + 1]
        log = stage.dashboard.log
        shown = log.between(log.first, log.end)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    assert [stored.sequence for stored in shown] == [stored.sequence for stored in expected]
    tallied = sum(queue.figures.failed for queue in stage.dashboard.queues(middle.event.moment_ns))
    assert tallied == len([one for one in expected if one.event.event_type == JobEventType.FAILED])


async def test_played_to_the_present_every_event_was_told_once(services: ServiceManager) -> None:
    async with recorded(services) as (past, events):
        first_ns = by_moment(events)[0].event.moment_ns
        told: list[int] = []
        async with Playback(past, Place(first_ns + 50_000_000), speed=10) as playback, asyncio.timeout(30):
            async for batch in playback:
                told += [stored.sequence for stored in (*batch.earlier, *batch.events)]

    assert batch.link.state is ConnectionState.ENDED
    assert sorted(told) == [stored.sequence for stored in events]


async def test_a_job_is_known_as_it_was_then_and_whole_when_nothing_happened_since(services: ServiceManager) -> None:
    async with recorded(services) as (past, events):
        failed = next(one for one in events if one.event.event_type == JobEventType.FAILED)
        assert isinstance(failed.event, JobEvent)
        then = await past.job(failed.event.job_id, Place(failed.event.moment_ns - 1))
        now = await past.job(failed.event.job_id, Place(events[-1].event.moment_ns + 10**9))

    assert (then.status, then.result) == ("running", None)
    assert then.job is not None
    assert now.status == "failed"
    assert now.result is not None


async def test_few_events_are_counted_part_by_part(services: ServiceManager) -> None:
    async with recorded(services) as (past, events):
        begin, end = await past.span()
        density = await past.density(Span(begin - 10**9, end), 200)  # things happen some time before they are stored

    within = [one for one in events if density.since_ns <= one.happened_ns < density.until_ns]
    assert sum(density.events) == len(within) > 100
    assert len([count for count in density.events if count]) > 1
    assert sum(count or 0 for count in density.failures) == 3


async def test_many_are_counted_by_sequences_and_failures_by_rollups(
    services: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naq_tui.sources.live_past._READ_FOR_DENSITY", 0)
    async with recorded(services) as (past, events):
        begin, end = await past.span()
        span = Span(begin - 1, end + 1)
        before = await past.density(span, 1)
        await writer_of(services, ahead_ns=AHEAD_NS).catch_up()
        hour = Span(end - 1800 * 10**9, end + 600 * 10**9)
        after = await past.density(hour, 1)

    assert before.events == (len(events),)
    assert before.failures == (None,)
    assert after.events == (len(events),)
    assert after.failures == (3,)


async def test_the_monitor_goes_to_the_past_of_its_server_and_back(config: NAQConfig) -> None:
    app = NaqTop(source=LiveSource(config), begin_at="1h")

    def screen() -> str:
        return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    async with Queue(config=config) as queue, app.run_test(size=(100, 30)) as pilot:
        await queue.enqueue(tasks.add, 1, 2)
        await eventually(lambda: "◂◂ at" in screen())
        await pilot.press("L")
        await eventually(lambda: "● live" in screen() and "enqueued" in screen())


async def test_a_schedule_of_the_past_stands_as_its_record_stood_then(services: ServiceManager) -> None:
    schedules = await services.get_service(SchedulerService)
    await schedules.schedule_job(Job(tasks.add, (1, 2)), {"schedule_id": "report", "cron": "0 3 * * *", "repeat": 9})
    await schedules.trigger_now("report")
    made = await schedules.get("report")
    events = await services.get_service(EventService)
    await events.flush()
    between_ns = time.time_ns()
    await schedules.pause("report", reason="audit")
    await events.flush()
    monitor = await services.get_service(Monitor)
    past = LogRecording(lambda: monitor, (await monitor.snapshot()).server)

    then = await Playback(past, Place(between_ns)).questions.schedule("report")
    later = await Playback(past, Place(time.time_ns())).questions.schedule("report")

    known = ("cron", "timezone", "repeat", "state", "next_ns", "ticks", "asked_job_id", "queue_name", "function_name")
    assert {name: getattr(then.schedule, name) for name in known} == {name: getattr(made, name) for name in known}
    assert (later.schedule.state, later.schedule.reason) == ("paused", "audit")


async def test_of_very_many_ticks_the_latest_are_read_and_the_schedule_all_the_same(
    services: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naq_tui.sources.live_past._TICKS", 2)
    schedules = await services.get_service(SchedulerService)
    for name in ("seldom", "often"):
        await schedules.schedule_job(Job(tasks.add, (1, 2)), {"schedule_id": name, "every": 3600})
    for name in ("seldom", "often", "often", "often"):
        await schedules.trigger_now(name)
    await (await services.get_service(EventService)).flush()
    monitor = await services.get_service(Monitor)
    past = LogRecording(lambda: monitor, (await monitor.snapshot()).server)

    questions = Playback(past, Place(time.time_ns())).questions

    news = await questions.schedules()
    assert {one.schedule_id: one.ticks for one in news.schedules} == {"seldom": 0, "often": 3}
    assert all(one.every_ns == 3600 * 10**9 and one.next_ns > time.time_ns() for one in news.schedules)


async def test_schedules_stand_as_they_did(services: ServiceManager) -> None:
    scheduler = await services.get_service(SchedulerService)
    monitor = await services.get_service(Monitor)
    events = await services.get_service(EventService)
    for name in ("stays", "goes"):
        await scheduler.schedule_job(Job(tasks.add, (1, 1)), ScheduleConfig(every=3600, schedule_id=name))
    await events.flush()
    place = place_of((await monitor.recent(1, "category:schedule")).events[0])
    await scheduler.cancel("goes")
    await scheduler.pause("stays", "holidays")
    await events.flush()
    recording = LogRecording(lambda: monitor, (await monitor.snapshot()).server)

    then = await PlaybackQuestions(recording, place).schedules()
    later = await PlaybackQuestions(recording, Place(monitor.now_ns())).schedules()

    assert {one.schedule_id: (one.state.value, one.every_ns) for one in then.schedules} == {
        "stays": ("active", 3600 * 10**9),
        "goes": ("active", 3600 * 10**9),
    }
    assert {one.schedule_id: (one.state.value, one.reason) for one in later.schedules} == {
        "stays": ("paused", "holidays"),
        "goes": ("cancelled", None),
    }


async def test_what_failed_is_known_as_of_a_moment(services: ServiceManager) -> None:
    async with recorded(services) as (past, events):
        first, second, last = by_moment([one for one in events if one.event.event_type == JobEventType.FAILED])

        then = await PlaybackQuestions(past, place_of(second)).failures(0)
        lately = await PlaybackQuestions(past, place_of(last)).failures(second.happened_ns)

    assert {stored.sequence for stored in then} == {first.sequence, second.sequence}
    assert {stored.sequence for stored in lately} == {second.sequence, last.sequence}


async def test_the_alerts_of_a_moment_are_told_by_what_was_stored_before_it(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    monitor = await services.get_service(Monitor)
    fired_ns = time.time_ns()
    mail: dict[str, Any] = {"alert": "mail-failures", "rule": "failed_rate > 5%", "labels": {"queue": "mail"}}
    for kind, at_ns in ((AlertEventType.FIRING, fired_ns - 20 * 10**9), (AlertEventType.RESOLVED, fired_ns)):
        events.log(AlertEvent(event_type=kind, timestamp_ns=at_ns, **mail))
    await events.flush()
    recording = LogRecording(lambda: monitor, (await monitor.snapshot()).server)

    told = await recording.alerts(fired_ns - 10**9)
    later = await recording.alerts(time.time_ns())

    assert [stored.event.event_type for stored in told] == []  # it was stored later than it happened
    assert [stored.event.event_type for stored in later] == [AlertEventType.FIRING, AlertEventType.RESOLVED]
    alerts = RecordedAlerts()
    alerts.hear(later[:1])
    assert [alert.labels for record in alerts.records() for alert in record.firing] == [{"queue": "mail"}]
    alerts.hear(reversed(later))
    assert [record.alerts for record in alerts.records()] == [()]
