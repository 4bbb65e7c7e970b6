"""A source that plays batches from memory: for tests, pictures and demonstrations, with no server at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from naq_runtime.errors import NaqError
from naq_runtime.snapshot import JobDetail, LeaderState, ScheduleDetail
from naq_tui.acts import Actions
from naq_tui.past import Recording
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.recorded_questions import RecordedQuestions

if TYPE_CHECKING:
    from naq_runtime.schedule import Schedule

__all__ = ["RecordedSource"]


class RecordedSource:
    """Yields the batches that it is fed, in order, until `end` or `fail`.

    It answers questions from what it was given, or else from the events that it has yielded.
    """

    def __init__(
        self,
        batches: Iterable[Batch] = (),
        *,
        jobs: Mapping[str, JobDetail | NaqError] | None = None,
        schedules: Iterable[Schedule] = (),
        details: Mapping[str, ScheduleDetail | NaqError] | None = None,
        leader: LeaderState | None = None,
        interval_s: float = 0.0,
    ) -> None:
        self.is_open = False
        """Whether it has been entered, and not left."""
        self.questions = RecordedQuestions(jobs=jobs, schedules=schedules, details=details, leader=leader)
        """See `EventSource.questions`."""
        self.actions: Actions | None = None
        """See `EventSource.actions`: whatever a test puts here."""
        self.past: Recording | None = None
        """See `EventSource.past`: whatever a test puts here."""
        self._interval_s = interval_s
        self._queue: asyncio.Queue[Batch | Exception | None] = asyncio.Queue()
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

    def time_of(self, now_ns: int) -> int:
        """See `EventSource.time_of`: the time of the reader."""
        return now_ns

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

    def _remember(self, batch: Batch) -> None:
        self._link = batch.link
        self.questions.remember(batch.events)
        self.questions.see(batch.snapshot)
