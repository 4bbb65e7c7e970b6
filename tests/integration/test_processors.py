"""What an application makes of the events of its process, on a server."""

from __future__ import annotations

import asyncio

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.events.models import Event, JobEvent, JobEventType, ScheduleEventType, SystemEventType, WorkerEventType
from tests.support.history import all_events


async def test_an_alert_for_jobs_that_failed_after_more_than_a_minute(
    config: NAQConfig, services: ServiceManager
) -> None:
    alerts: list[str] = []

    async def custom_alert_processor(event: JobEvent) -> None:
        if event.event_type == JobEventType.FAILED and event.duration_ms and event.duration_ms > 60000:
            alerts.append(f"Long-running job failed: {event.job_id}")

    events = await services.get_service(EventService)
    processing = events.register_event_processor(custom_alert_processor)  # type: ignore[arg-type]  # it looks at jobs only
    events.worker(WorkerEventType.BUSY, worker_id="w1", active_jobs=1)
    for job_id, duration_ms in (("short", 59_000.0), ("long", 61_000.0)):
        events.job(JobEventType.FAILED, job_id=job_id, queue_name="mail", duration_ms=duration_ms)
    await processing.flush()
    await events.flush()

    assert alerts == ["Long-running job failed: long"]
    assert len(await all_events(config, event_type="failed")) == 2


async def test_one_that_fails_or_does_not_end_costs_neither_the_log_nor_another_one(
    config: NAQConfig, services: ServiceManager
) -> None:
    seen: list[str] = []
    for_ever = asyncio.Event()

    async def good(event: Event) -> None:
        seen.append(str(event.event_type))

    async def bad(event: Event) -> None:
        raise LookupError(event.event_type)

    async def stuck(event: Event) -> None:
        await for_ever.wait()

    events = await services.get_service(EventService)
    well, failing, waiting = (events.register_event_processor(one) for one in (good, bad, stuck))
    events.job(JobEventType.ENQUEUED, job_id="j1", queue_name="mail")
    events.worker(WorkerEventType.IDLE, worker_id="w1")
    events.schedule(ScheduleEventType.PAUSED, schedule_id="s1")
    events.system(SystemEventType.QUEUE_PAUSED, queue_name="mail")
    for _ in range(10_000):
        events.job(JobEventType.LOG, job_id="j1", queue_name="mail", text="a line")
        await asyncio.sleep(0)
    await well.flush()
    await failing.flush()
    await events.flush()
    dropped = waiting.dropped
    for_ever.set()
    await waiting.flush()

    everything = ["startup", "enqueued", "idle", "schedule_paused", "queue_paused", *["log"] * 10_000]
    assert seen == everything
    assert (failing.failed, failing.dropped) == (len(everything), 0)
    assert (dropped, waiting.processed + waiting.dropped) == (4, len(everything))
    assert [stored.event.event_type for stored in await all_events(config)] == everything


async def test_one_with_filters_sees_what_it_wants_until_it_is_taken_out(services: ServiceManager) -> None:
    seen: list[str] = []

    async def see(event: Event) -> None:
        assert isinstance(event, JobEvent)
        seen.append(event.job_id)

    events = await services.get_service(EventService)
    processing = events.register_event_processor(see, {"queue_name": "mail", "event_type": "enqueued"})
    for job_id, queue, kind in (
        ("wanted", "mail", JobEventType.ENQUEUED),
        ("elsewhere", "other", JobEventType.ENQUEUED),
        ("later", "mail", JobEventType.STARTED),
    ):
        events.job(kind, job_id=job_id, queue_name=queue)
    await processing.flush()
    assert events.unregister_event_processor(see)
    events.job(JobEventType.ENQUEUED, job_id="too-late", queue_name="mail")
    await events.flush()

    assert seen == ["wanted"]
