"""A file of events as a recording."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from naq_runtime.errors import NotFound
from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.events.reading import causal_order
from naq_runtime.finding.failures import FAILURES
from naq_runtime.snapshot import JobDetail, ServerState
from naq_tui.past import Density, Place, ScheduleStory, Span, failures_within, middle_ns, place_of
from naq_tui.sources.file_pages import PAGE, FileIndex, FilePages
from naq_tui.sources.job_detail import as_of, status_by

__all__ = ["FileRecording"]

T = TypeVar("T")

_BACK = 40
"""Pages that are read together on the way back: a packed file is unpacked from its beginning for them."""


class FileRecording:
    """What a file of ``naq events export`` tells; see `Recording`. The file is open while somebody reads.

    It is read page by page. For whatever does not begin at the beginning it is looked through once, while it plays.

    Args:
        path: the file.

    Raises:
        ArchiveError: it cannot be read.
    """

    spread_ns = 2_000_000_000
    """See `Recording.spread_ns`: also of emitters that were slow to store what they had."""
    silence_ns = 60_000_000_000
    """See `Recording.silence_ns`: neither a night nor an event of 1970 holds up the rest."""

    def __init__(self, path: Path) -> None:
        self._pages = FilePages(path)
        self._index = FileIndex(path)
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="recording")
        """Reads the file: one after the other, whoever has stopped waiting for it."""
        self._indexing: asyncio.Task[None] | None = None
        header = self._pages.header
        self.title = f"{header.namespace}: a recording"
        """See `Recording.title`."""
        self.server = ServerState(name="recording", version="", url=header.namespace)
        """See `Recording.server`."""
        first = self._pages.page(0, self._index)
        self.first_ns = min((stored.happened_ns for stored in first or ()), default=None)
        """When the first of its events happened; ``None`` when there are none."""
        self._pages.close()

    def __repr__(self) -> str:
        return f"<FileRecording {self._pages!r}>"

    @property
    def verdict(self) -> str:
        """What is to be said of it at its end."""
        return self._pages.verdict

    async def span(self) -> Span:
        """See `Recording.span`."""
        index = await self._indexed()
        return Span(index.first_ns or 0, index.last_ns)

    async def read(self, place: Place, before: int) -> FileReading:
        """See `Recording.read`."""
        if self.first_ns is None or place.moment_ns <= self.first_ns:
            self._look_through()
            return FileReading(self, 0)
        index = await self._indexed()
        page = bisect_left(index.middles_ns, place.moment_ns - self.spread_ns)
        behind = 1 + -(-before // PAGE)  # what happened from there on may begin in the second half of the page before
        return FileReading(self, max(0, min(page, len(index.offsets) - 1) - behind))

    async def density(self, span: Span, parts: int) -> Density:
        """See `Recording.density`."""
        return (await self._indexed()).book.density(span, parts)

    async def workers(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.workers`: what is read with all else has to do."""
        return ()

    async def schedules(self, moment_ns: int) -> ScheduleStory:
        """See `Recording.schedules`: it is looked for in the whole file."""
        found = [await asyncio.to_thread(self._pages.naming, text) for text in ('"schedule_id"', '"leader_')]
        return ScheduleStory([stored for part in found for stored in part if stored.happened_ns <= moment_ns])

    async def alerts(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.alerts`: where there are any, they are looked for in the whole file."""
        if not (await self._indexed()).has_alerts:
            return ()
        found = await asyncio.to_thread(self._pages.naming, '"alert_')
        return [stored for stored in found if stored.happened_ns <= moment_ns]

    async def failures(self, since_ns: int, place: Place) -> Sequence[StoredEvent]:
        """See `Recording.failures`: they are looked for in the whole file."""
        found = [await asyncio.to_thread(self._pages.naming, f'"{kind}"') for kind in sorted(FAILURES)]
        return failures_within(since_ns, place, sorted((one for part in found for one in part), key=place_of))

    async def job(self, job_id: str, place: Place) -> JobDetail:
        """See `Recording.job`: it is looked for in the whole file."""
        named = await asyncio.to_thread(self._pages.naming, job_id)
        found = causal_order([s for s in named if isinstance(s.event, JobEvent) and s.event.job_id == job_id])
        if not found:
            raise NotFound(f"no event of job {job_id} has been recorded")
        return as_of(place, JobDetail(job_id=job_id, status=status_by(found), events=tuple(found)))

    async def page(self, number: int) -> Sequence[StoredEvent] | None:
        """See `FilePages.page`."""
        return await self._read(self._pages.page, number, self._index)

    async def pages(self, first: int, last: int) -> None:
        """Read pages of the index together, to be had at once from then on."""
        for number in range(first, last + 1):
            await self.page(number)

    async def close(self) -> None:
        """Give the file back; who still reads opens it again."""
        await self._read(self._pages.close)

    def _read(self, function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._hand, function, *arguments)

    def _look_through(self) -> asyncio.Task[None]:
        if self._indexing is None:
            self._indexing = asyncio.create_task(self._grow(), name="index of a recording")
        return self._indexing

    async def _indexed(self) -> FileIndex:
        await asyncio.shield(self._look_through())
        return self._index

    async def _grow(self) -> None:
        try:
            while await asyncio.to_thread(self._index.grow):
                pass
        finally:
            self._index.close()


class FileReading:
    """See `Reading`.

    Args:
        page: the one with which it begins.
    """

    def __init__(self, recording: FileRecording, page: int) -> None:
        self._recording = recording
        self._next = self._first = page
        self._latest_ns = 0
        """When the last of what was read happened."""
        self.through_ns = 0
        """See `Reading.through_ns`: half of the last page, up to the end of the file."""
        self.at_end = False
        """See `Reading.at_end`."""

    @property
    def verdict(self) -> str:
        """See `Reading.verdict`."""
        return self._recording.verdict

    async def on(self) -> Sequence[StoredEvent]:
        """See `Reading.on`; pages without any event are passed over."""
        page: Sequence[StoredEvent] = ()
        while not page and not self.at_end:
            found = await self._recording.page(self._next)
            self.at_end = found is None
            page = found or ()
            self._next += not self.at_end
        moments = [stored.happened_ns for stored in page]
        self._latest_ns = max([self._latest_ns, *moments])
        self.through_ns = self._latest_ns if self.at_end else max(self.through_ns, middle_ns(moments))
        return page

    async def back(self) -> Sequence[StoredEvent]:
        """See `Reading.back`."""
        if self._first == 0:
            return ()
        self._first -= 1
        if self._first % _BACK == _BACK - 1 or self._next - self._first <= 2:
            await self._recording.pages(max(0, self._first - _BACK + 1), self._first)
        return await self._recording.page(self._first) or ()

    async def close(self) -> None:
        """See `Reading.close`."""
        await self._recording.close()
