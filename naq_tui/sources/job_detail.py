"""What was known of a job at an earlier moment."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from naq_runtime.errors import NotFound
from naq_runtime.events.models import StoredEvent
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.surroundings import status_after
from naq_tui.past import Place, happened_by

__all__ = ["as_of", "status_by"]


def status_by(events: Iterable[StoredEvent]) -> JobStatus:
    """Where a job stands, by its events in causal order."""
    return status_after(events) or JobStatus.QUEUED


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
    return msgspec.structs.replace(detail, status=status_after(events) or JobStatus.QUEUED, result=None, events=events)
