"""What became of the runs of a job that nobody has told an end of: their workers may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from naq_runtime.errors import SerializationError
from naq_runtime.events.codec import decode_event
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent, WorkerEvent, WorkerEventType
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import last_by_subject

__all__ = ["losses_of", "with_losses"]

_GO_ON = frozenset((JobEventType.PROGRESS, JobEventType.LOG))
"""What a worker tells of a run that lasts."""


async def with_losses(connection: Connection, names: Names, history: Sequence[StoredEvent]) -> tuple[StoredEvent, ...]:
    """The events of a job, and of the losses of workers that ran it, in the order in which all happened.

    Args:
        history: all events of one job, in causal order.
    """
    workers = dict.fromkeys(worker for worker, _ in _unended(history))
    if not workers:
        return tuple(history)
    subjects = [names.entity_event("worker", worker, WorkerEventType.LOST, "*") for worker in workers]
    lost = []
    for message in await last_by_subject(connection, names.events_stream, subjects):
        with suppress(SerializationError):
            lost.append(StoredEvent(message.sequence, decode_event(message.data), message.stored_at))
    return losses_of(history, lost)


def losses_of(history: Sequence[StoredEvent], lost: Sequence[StoredEvent]) -> tuple[StoredEvent, ...]:
    """See `with_losses`.

    A worker is seen for the last time with its record, perhaps before it began the job, and told of as lost after that;
    so the first loss that was stored after a start is the one that ended the run.

    Args:
        lost: what was told of the losses of these workers, in the order of the log.
    """
    found = {}
    for worker, start in _unended(history):
        for one in lost:
            event = one.event
            if isinstance(event, WorkerEvent) and event.worker_id == worker and one.sequence > start.sequence:
                found[one.sequence] = (max(event.moment_ns, start.event.moment_ns), one)
                break
    placed = [(stored.event.moment_ns, stored) for stored in history] + list(found.values())
    return tuple(stored for _, stored in sorted(placed, key=lambda one: (one[0], one[1].sequence)))


def _unended(history: Sequence[StoredEvent]) -> list[tuple[str, StoredEvent]]:
    """Starts that are followed by another one, or by nothing, with the workers that began."""
    starts: list[tuple[str, StoredEvent]] = []
    begun: tuple[str, StoredEvent] | None = None
    for stored in history:
        event = stored.event
        if not isinstance(event, JobEvent) or event.event_type in _GO_ON:
            continue
        if begun is not None and event.event_type is JobEventType.STARTED:
            starts.append(begun)
        begun = (event.worker_id, stored) if event.event_type is JobEventType.STARTED and event.worker_id else None
    return starts if begun is None else [*starts, begun]
