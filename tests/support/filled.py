"""A namespace in which there is one of everything."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from naq_runtime import Job, NAQConfig, Queue, SchedulerService, ServiceManager
from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.alerts.store import Kept, write_records
from naq_runtime.errors import Rejected
from naq_runtime.events.models import StoredEvent
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker

__all__ = ["ALERT", "DEAD", "DONE", "LATER", "PROCESSOR", "QUEUE", "SCHEDULE", "WORKER", "filled"]

QUEUE, WORKER, SCHEDULE, ALERT, PROCESSOR = "mail", "anna", "morning", "depth", "audit"
DONE, DEAD, LATER, NEXT = "order-17", "order-19", "remind-17", "remind-18"


@asynccontextmanager
async def filled(config: NAQConfig) -> AsyncIterator[ServiceManager]:
    """A worker that has completed a job and failed another one, which wait for their time and for others, a schedule,
    an alert that fires, and a processor that has given up an event."""
    async with ServiceManager(config, role="test") as services, running_worker(config, QUEUE, name=WORKER):
        await _jobs(config, services)
        schedules = await services.get_service(SchedulerService)
        daily = {"cron": "0 9 * * *", "schedule_id": SCHEDULE}
        await schedules.schedule_job(Job(tasks.add, (1,), queue_name=QUEUE), daily)
        await _alert(services)
        await _processor(services)
        yield services


async def _jobs(config: NAQConfig, services: ServiceManager) -> None:
    jobs = await services.get_service(JobService)
    async with Queue(QUEUE, config=config) as queue:
        done = await queue.enqueue_job(Job(tasks.add, (1,), job_id=DONE))
        await queue.enqueue_job(Job(tasks.fail, job_id=DEAD, retries=0))
        await queue.enqueue_job(Job(tasks.add, (2,), job_id=LATER, run_at_ns=time.time_ns() + 3_600 * 10**9))
        await queue.enqueue_job(Job(tasks.add, (3,), job_id=NEXT, depends_on=LATER))
        await done.result(timeout=30)

        async def is_dead() -> bool:
            return [letter.job_id async for letter in jobs.dead_letters()] == [DEAD]

        await eventually(is_dead)


async def _alert(services: ServiceManager) -> None:
    now_ns = time.time_ns()
    alert = Alert(labels={"queue": QUEUE}, state=AlertState.FIRING, value=4, since_ns=now_ns, fired_ns=now_ns)
    record = AlertRecord(
        name=ALERT, rule="queue_depth > 3", state=AlertState.FIRING, alerts=(alert,), as_of_ns=now_ns, by="boris"
    )
    await services.topology.bucket(services.names.alerts_bucket)
    await write_records(services.streams, services.names, [Kept(record, 0)])


async def _processor(services: ServiceManager) -> None:
    async def refuse(stored: StoredEvent) -> None:
        raise Rejected("never")

    events = await services.get_service(EventService)
    wanted = {"job_id": DONE, "event_type": "completed"}
    async with events.process_events(PROCESSOR, refuse, filters=wanted, start="beginning") as processor:
        await eventually(lambda: processor.statistics().dead == 1)
