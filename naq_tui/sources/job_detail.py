"""What was known of a job at an earlier moment."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from naq_runtime.errors import NotFound
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.past import Place, happened_by

__all__ = ["as_of", "status_by"]

_STATUS_AFTER = {
    JobEventType.ENQUEUED: JobStatus.QUEUED,
    JobEventType.SCHEDULED: JobStatus.SCHEDULED,
    JobEventType.WAITING_FOR_DEPENDENCIES: JobStatus.WAITING,
    JobEventType.STARTED: JobStatus.RUNNING,
    JobEventType.COMPLETED: JobStatus.COMPLETED,
    JobEventType.FAILED: JobStatus.FAILED,
    JobEventType.TIMED_OUT: JobStatus.FAILED,
    JobEventType.INTERRUPTED: JobStatus.QUEUED,
    JobEventType.RETRY_SCHEDULED: JobStatus.SCHEDULED,
    JobEventType.CANCELLED: JobStatus.CANCELLED,
    JobEventType.DEAD_LETTERED: JobStatus.FAILED,
    JobEventType.REQUEUED: JobStatus.QUEUED,
}


def status_by(events: Iterable[StoredEvent]) -> JobStatus:
    """Where a job stands, by its events in causal order."""
    status = JobStatus.QUEUED
    for stored in events:
        event = stored.event
        if isinstance(event, JobEvent) and event.event_type in _STATUS_AFTER:
            status = _STATUS_AFTER[event.event_type]
            if event.final is False:
                status = JobStatus.SCHEDULED
    return status


def as_of(place: Place, detail: JobDetail) -> JobDetail:
    """What was known at a place: the events up to it, and the outcome only when nothing happened since.

    Raises:
        NotFound: nothing had happened yet.
    """
    events = tuple(stored for stored in detail.events if happened_by(place, stored))
    if len(events) == len(detail.events):
        return detail
    if not events:
        raise NotFound(f"nothing had happened to job {detail.job_id} yet")
    return msgspec.structs.replace(detail, status=status_by(events), result=None, events=events)
