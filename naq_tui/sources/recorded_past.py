"""A recording in memory: for tests, pictures and demonstrations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from naq_runtime.errors import NaqError, NotFound
from naq_runtime.events.models import AlertEvent, JobEvent, StoredEvent
from naq_runtime.snapshot import JobDetail, ServerState
from naq_tui.model.density import counted
from naq_tui.past import Density, Place, ScheduleStory, Span, failures_within
from naq_tui.sources.job_detail import as_of, status_by

__all__ = ["MemoryRecording"]

_PAGE = 500


class MemoryRecording:
    """Events in the order in which they were stored, each when it happened; see `Recording`.

    Args:
        until_ns: up to when there may be events.
    """

    spread_ns = 250_000_000
    """See `Recording.spread_ns`."""
    silence_ns = math.inf
    """See `Recording.silence_ns`."""

    def __init__(self, events: Iterable[StoredEvent], *, server: ServerState, until_ns: int) -> None:
        self.events = list(events)
        self.until_ns = until_ns
        self.server = server
        """See `Recording.server`."""
        self.trouble: NaqError | None = None
        """Raised by every question."""

    def __repr__(self) -> str:
        return f"<MemoryRecording of {len(self.events)} events>"

    @property
    def title(self) -> str:
        """See `Recording.title`."""
        return self.server.url

    async def span(self) -> Span:
        """See `Recording.span`."""
        self._answer()
        return Span(self.events[0].happened_ns if self.events else self.until_ns, self.until_ns)

    async def read(self, place: Place, before: int) -> MemoryReading:
        """See `Recording.read`."""
        self._answer()
        later = (index for index, stored in enumerate(self.events) if stored.happened_ns >= place.moment_ns)
        return MemoryReading(self, max(0, next(later, len(self.events)) - before))

    async def density(self, span: Span, parts: int) -> Density:
        """See `Recording.density`."""
        self._answer()
        return counted(self.events, span, parts)

    async def workers(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.workers`: whatever there is of them is read with all else."""
        return ()

    async def schedules(self, moment_ns: int) -> ScheduleStory:
        """See `Recording.schedules`: all of it."""
        self._answer()
        return ScheduleStory([stored for stored in self.events if stored.happened_ns <= moment_ns])

    async def alerts(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.alerts`: all of it."""
        self._answer()
        found = (stored for stored in self.events if isinstance(stored.event, AlertEvent))
        return [stored for stored in found if stored.happened_ns <= moment_ns]

    async def failures(self, since_ns: int, place: Place) -> Sequence[StoredEvent]:
        """See `Recording.failures`."""
        self._answer()
        return failures_within(since_ns, place, self.events)

    async def job(self, job_id: str, place: Place) -> JobDetail:
        """See `Recording.job`."""
        self._answer()
        found = [s for s in self.events if isinstance(s.event, JobEvent) and s.event.job_id == job_id]
        if not found:
            raise NotFound(f"no event of job {job_id} has been recorded")
        return as_of(place, JobDetail(job_id=job_id, status=status_by(found), events=tuple(found)))

    def _answer(self) -> None:
        if self.trouble is not None:
            raise self.trouble


class MemoryReading:
    """See `Reading`."""

    verdict = ""
    """See `Reading.verdict`."""

    def __init__(self, recording: MemoryRecording, begin: int) -> None:
        self._recording = recording
        self._next = self._first = begin
        self.through_ns = 0
        """See `Reading.through_ns`."""
        self.at_end = False
        """See `Reading.at_end`."""

    async def on(self) -> Sequence[StoredEvent]:
        """See `Reading.on`."""
        self._recording._answer()
        page = self._recording.events[self._next : self._next + _PAGE]
        self._next += len(page)
        self.at_end = not page
        latest_ns = max((stored.happened_ns for stored in page), default=self._recording.until_ns)
        self.through_ns = max(self.through_ns, latest_ns)
        return page

    async def back(self) -> Sequence[StoredEvent]:
        """See `Reading.back`."""
        page = self._recording.events[max(0, self._first - _PAGE) : self._first]
        self._first -= len(page)
        return page

    async def close(self) -> None:
        """See `Reading.close`: it holds nothing."""
