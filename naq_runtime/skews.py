"""How wrong the clocks of processes are, by what they say of it in the log."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from naq_runtime.errors import StreamMissing
from naq_runtime.events.models import StoredEvent, SystemEvent, SystemEventType
from naq_runtime.events.reading import decode_stored
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import messages_from, sequence_at

__all__ = ["ClockSkew", "read_skews", "skews_in"]

_LATELY_NS = 120 * 1_000_000_000
"""What was said of a clock before counts no more: a process that lives says it again, or is too short for that."""


class ClockSkew(NamedTuple):
    """The clock of one process."""

    instance: str
    role: str
    hostname: str
    pid: int
    skew_ms: float
    """How far it is ahead of that of the server."""
    told_ns: int
    """When it was so, by the clock of the server."""


def skews_in(events: Iterable[StoredEvent]) -> tuple[ClockSkew, ...]:
    """The latest that each process says, of those that have not ended; the worst first."""
    latest: dict[str, ClockSkew] = {}
    for stored in events:
        event = stored.event
        if not isinstance(event, SystemEvent):
            continue
        if event.event_type is SystemEventType.SHUTDOWN:
            latest.pop(event.instance, None)
        elif event.clock_skew_ms is not None:
            latest[event.instance] = ClockSkew(
                event.instance,
                event.role or "",
                event.hostname or "",
                event.pid or 0,
                event.clock_skew_ms,
                event.moment_ns,
            )
    return tuple(sorted(latest.values(), key=lambda skew: -abs(skew.skew_ms)))


async def read_skews(connection: Connection, names: Names, now_ns: int) -> tuple[ClockSkew, ...]:
    """What the log says of the last two minutes.

    Raises:
        ServerError: it cannot be read now.
    """
    events: list[StoredEvent] = []
    first = None
    with suppress(StreamMissing):
        first = await sequence_at(connection, names.events_stream, now_ns - _LATELY_NS)
    if first is None:
        return ()
    subject = names.entity_event("system", "*", "*", "*")
    async for page in messages_from(connection, names.events_stream, first, subject=subject):
        events += decode_stored(page)
    return skews_in(events)
