"""Processors of tests, and what they are to process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from naq_runtime import EventService, ServiceManager
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.processing.dead import DeadEvent, DeadEvents

__all__ = ["MAIL", "Seen", "dead_of", "log"]

MAIL = {"queue_name": "mail"}
"""The filter of the events that `log` stores."""


class Seen:
    """What a processor got, by the id of the job."""

    def __init__(self, judge: Callable[[str], None] = lambda job_id: None) -> None:
        self.ids: list[str] = []
        self.batches: list[int] = []
        self.judge = judge

    async def one(self, stored: StoredEvent) -> None:
        """Process one event."""
        await self.many([stored])

    async def many(self, events: Sequence[StoredEvent]) -> None:
        """Process a batch."""
        ids = [stored.event.job_id for stored in events if isinstance(stored.event, JobEvent)]
        for job_id in ids:
            self.judge(job_id)
        self.ids += ids
        self.batches.append(len(events))


async def log(services: ServiceManager, count: int, start: int = 0, **fields: str) -> list[str]:
    """Store some events; the ids of their jobs."""
    events = await services.get_service(EventService)
    ids = [f"job-{number}" for number in range(start, start + count)]
    for job_id in ids:
        events.job(JobEventType.COMPLETED, **{"job_id": job_id, "queue_name": "mail", **fields})
    await events.flush()
    return ids


async def dead_of(services: ServiceManager, name: str = "billing") -> list[DeadEvent]:
    """What a processor has given up."""
    return [one async for one in DeadEvents(services.streams, services.names).list(name)]
