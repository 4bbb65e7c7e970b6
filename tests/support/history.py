"""Looking events up."""

from __future__ import annotations

from naq_runtime.config import NAQConfig
from naq_runtime.events.models import Event, StoredEvent
from naq_runtime.events.queries import EventQueries
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.services.manager import ServiceManager

__all__ = ["all_events", "event_types", "history"]


async def history(config: NAQConfig, job_id: str, *, fetched: bool = False) -> list[Event]:
    """The events of a job, in order.

    Args:
        fetched: whether those are wanted, too, by which somebody, such as the test itself, had its outcome.
    """
    async with ServiceManager(config, role="test") as services:
        await services.topology.events()
        storage = NATSJobEventStorage(services.connection, config, services.topology)
        events = [stored.event for stored in await storage.history(job_id)]
    return [event for event in events if fetched or event.event_type != "result_fetched"]


async def event_types(config: NAQConfig, job_id: str) -> list[str]:
    """The types of the events of a job, in order."""
    return [str(event.event_type) for event in await history(config, job_id)]


async def all_events(config: NAQConfig, limit: int = 100_000, **filters: str) -> list[StoredEvent]:
    """Everything in the log that matches."""
    async with ServiceManager(config, role="test") as services:
        await services.topology.events()
        storage = NATSJobEventStorage(services.connection, config, services.topology)
        return (await EventQueries(storage).recent(limit, filters)).events
