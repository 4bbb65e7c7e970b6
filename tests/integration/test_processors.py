"""What an application makes of the events of its process, on a server."""

from __future__ import annotations

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.events.models import JobEvent, JobEventType, WorkerEventType
from tests.support.history import all_events


async def test_an_alert_for_jobs_that_failed_after_more_than_a_minute(
    config: NAQConfig, services: ServiceManager
) -> None:
    alerts: list[str] = []

    async def custom_alert_processor(event: JobEvent) -> None:
        if event.event_type == JobEventType.FAILED and event.duration_ms and event.duration_ms > 60000:
            alerts.append(f"Long-running job failed: {event.job_id}")

    events = await services.get_service(EventService)
    processing = events.register_event_processor(custom_alert_processor)  # type: ignore[arg-type]  # as it was asked for
    events.worker(WorkerEventType.BUSY, worker_id="w1", active_jobs=1)
    for job_id, duration_ms in (("short", 59_000.0), ("long", 61_000.0)):
        events.job(JobEventType.FAILED, job_id=job_id, queue_name="mail", duration_ms=duration_ms)
    await processing.flush()
    await events.flush()

    assert alerts == ["Long-running job failed: long"]
    assert len(await all_events(config, event_type="failed")) == 2
