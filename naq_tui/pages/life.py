"""The latest life of a job: its id may have been used before."""

from __future__ import annotations

from collections.abc import Sequence

from naq_runtime.events.models import Event, JobEvent, JobEventType, StoredEvent
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail

__all__ = ["BEGINS", "ENDED", "latest_life"]

ENDED = frozenset((JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED))
"""A job of such a status does not go on by itself."""

BEGINS = frozenset((JobEventType.ENQUEUED, JobEventType.SCHEDULED, JobEventType.WAITING_FOR_DEPENDENCIES))
"""Events of a job that somebody enqueues, whatever it waits for."""
_ENDS = frozenset((JobEventType.COMPLETED, JobEventType.FAILED, JobEventType.TIMED_OUT, JobEventType.CANCELLED))


def latest_life(detail: JobDetail) -> Sequence[StoredEvent]:
    """The events since the id was used last; one that was put back from the dead letters goes on with its life."""
    starts, is_over = [0], False
    for place, stored in enumerate(detail.events):
        event = stored.event
        if is_over and event.event_type in BEGINS:
            starts.append(place)
            is_over = False
        else:
            is_over = _ends(event) or (is_over and event.event_type is not JobEventType.REQUEUED)
    life = detail.events[starts[-1] :]
    if len(starts) > 1 and detail.status in ENDED and not any(_ends(stored.event) for stored in life):
        return detail.events[starts[-2] :]  # a beginning that is dated after its own end: their clocks differ a little
    return life


def _ends(event: Event) -> bool:
    """Whether nothing more happens to the job after this, unless somebody puts it back."""
    if not isinstance(event, JobEvent) or event.final is False:
        return False
    return event.event_type in _ENDS
