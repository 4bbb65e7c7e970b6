"""A source that plays batches from memory: for tests, pictures and demonstrations, with no server at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Self

from naq_runtime.errors import NaqError, NotFound
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.source import Batch, ConnectionState, Link

__all__ = ["RecordedSource"]

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


class RecordedSource:
    """Yields the batches that it is fed, in order, until `end` or `fail`.

    What it says of a job is what it was given, or else what the events tell that it has yielded.
    """

    def __init__(
        self,
        batches: Iterable[Batch] = (),
        *,
        jobs: Mapping[str, JobDetail | NaqError] | None = None,
        interval_s: float = 0.0,
    ) -> None:
        self.is_open = False
        """Whether it has been entered, and not left."""
        self.jobs: dict[str, JobDetail | NaqError] = dict(jobs or {})
        """Details that are given, or errors that are raised, instead of what the events tell."""
        self.asked: list[str] = []
        """Every job that was asked for."""
        self._interval_s = interval_s
        self._queue: asyncio.Queue[Batch | Exception | None] = asyncio.Queue()
        self._events: dict[str, list[StoredEvent]] = {}
        self._link = Link(ConnectionState.LIVE, 0)
        self.feed(*batches)

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False

    async def __aiter__(self) -> AsyncIterator[Batch]:
        while True:
            entry = await self._queue.get()
            try:
                if isinstance(entry, Exception):
                    raise entry
                if entry is None:
                    yield Batch(Link(ConnectionState.ENDED, self._link.since_ns, self._link.detail))
                    return
                self._remember(entry)
                yield entry
            finally:
                self._queue.task_done()
            if self._interval_s:
                await asyncio.sleep(self._interval_s)

    def feed(self, *batches: Batch) -> None:
        """Add batches to what is to be yielded."""
        for batch in batches:
            self._queue.put_nowait(batch)

    def end(self) -> None:
        """After what was fed, say that the recording is over, and stop."""
        self._queue.put_nowait(None)

    def fail(self, error: Exception) -> None:
        """After what was fed, raise this."""
        self._queue.put_nowait(error)

    async def taken(self) -> None:
        """Wait until everything that was fed has been dealt with."""
        await self._queue.join()

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job."""
        self.asked.append(job_id)
        known = self.jobs.get(job_id)
        if isinstance(known, NaqError):
            raise known
        if known is not None:
            return known
        events = self._events.get(job_id)
        if not events:
            raise NotFound(f"no event of job {job_id} has been recorded")
        return JobDetail(job_id=job_id, status=_status(events), events=tuple(events))

    def _remember(self, batch: Batch) -> None:
        self._link = batch.link
        for stored in batch.events:
            if isinstance(stored.event, JobEvent):
                self._events.setdefault(stored.event.job_id, []).append(stored)


def _status(events: list[StoredEvent]) -> JobStatus:
    status = JobStatus.QUEUED
    for stored in events:
        event = stored.event
        if isinstance(event, JobEvent) and event.event_type in _STATUS_AFTER:
            status = _STATUS_AFTER[event.event_type]
            if event.final is False:
                status = JobStatus.SCHEDULED
    return status
