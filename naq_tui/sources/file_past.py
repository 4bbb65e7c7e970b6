"""A file of events as a recording."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from naq_runtime.errors import NotFound
from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.events.reading import causal_order
from naq_runtime.snapshot import JobDetail, ServerState
from naq_tui.past import Density, Place, Span
from naq_tui.sources.file_pages import PAGE, FileIndex, FilePages
from naq_tui.sources.job_detail import as_of, status_by

__all__ = ["FileRecording"]

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

    def __init__(self, path: Path) -> None:
        self._pages = FilePages(path)
        self._index = FileIndex(path)
        self._turn = asyncio.Lock()
        """Whoever reads the file has it for himself."""
        self._indexing: asyncio.Task[None] | None = None
        header = self._pages.header
        self.title = f"{header.namespace}: a recording"
        """See `Recording.title`."""
        self.server = ServerState(name=path.name, version=header.version, url=header.namespace)
        """See `Recording.server`."""
        first = self._pages.page(0, self._index)
        self.first_ns = min((stored.event.moment_ns for stored in first), default=0) if first else 0
        """When the first of its events happened; 0 when there are none."""
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
        return Span(index.first_ns or 0, index.latest_ns[-1] if index.latest_ns else 0)

    async def read(self, place: Place, before: int) -> FileReading:
        """See `Recording.read`."""
        if place.moment_ns <= self.first_ns:
            self._look_through()
            return FileReading(self, 0)
        index = await self._indexed()
        page = bisect_left(index.latest_ns, place.moment_ns)
        return FileReading(self, max(0, min(page, len(index.offsets) - 1) - -(-before // PAGE)))

    async def density(self, span: Span, parts: int) -> Density:
        """See `Recording.density`."""
        return (await self._indexed()).book.density(span, parts)

    async def workers(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.workers`: what is read with all else has to do."""
        return ()

    async def job(self, job_id: str, place: Place) -> JobDetail:
        """See `Recording.job`: it is looked for in the whole file."""
        named = await asyncio.to_thread(self._pages.naming, job_id)
        found = causal_order([s for s in named if isinstance(s.event, JobEvent) and s.event.job_id == job_id])
        if not found:
            raise NotFound(f"no event of job {job_id} has been recorded")
        return as_of(place, JobDetail(job_id=job_id, status=status_by(found), events=tuple(found)))

    async def page(self, number: int) -> Sequence[StoredEvent] | None:
        """See `FilePages.page`."""
        async with self._turn:
            return await asyncio.to_thread(self._pages.page, number, self._index)

    async def pages(self, first: int, last: int) -> None:
        """Read pages of the index together, to be had at once from then on."""
        async with self._turn:
            for number in range(first, last + 1):
                await asyncio.to_thread(self._pages.page, number, self._index)

    def close(self) -> None:
        """Give the file back."""
        if self._indexing is not None:
            self._indexing.cancel()
        self._pages.close()

    def _look_through(self) -> asyncio.Task[None]:
        if self._indexing is None:
            self._indexing = asyncio.create_task(self._grow(), name="index of a recording")
        return self._indexing

    async def _indexed(self) -> FileIndex:
        await asyncio.shield(self._look_through())
        return self._index

    async def _grow(self) -> None:
        while await asyncio.to_thread(self._index.grow):
            pass


class FileReading:
    """See `Reading`.

    Args:
        page: the one with which it begins.
    """

    def __init__(self, recording: FileRecording, page: int) -> None:
        self._recording = recording
        self._next = self._first = page
        self.through_ns = 0
        """See `Reading.through_ns`."""
        self.at_end = False
        """See `Reading.at_end`."""

    @property
    def verdict(self) -> str:
        """See `Reading.verdict`."""
        return self._recording.verdict

    async def on(self) -> Sequence[StoredEvent]:
        """See `Reading.on`; pages without any event are passed over."""
        page: Sequence[StoredEvent] | None = ()
        while page is not None and not page and not self.at_end:
            page = await self._recording.page(self._next)
            self._next += page is not None
        self.at_end = page is None
        self.through_ns = max([self.through_ns, *(stored.event.moment_ns for stored in page or ())])
        return page or ()

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
        self._recording.close()
