"""The source that plays a file of events as they happened, with no server at all."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from pathlib import Path
from types import TracebackType

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.events.archive import ArchivedEvent, ArchiveReader
from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import Snapshot
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.recorded import RecordedSource
from naq_tui.sources.recorded_workers import RecordedWorkers

__all__ = ["ReplaySource"]

_TICK_S = 0.05
_PAGE = 1000
_AHEAD_NS = 2_000_000_000
"""Events lie in the order in which they were stored; those of one moment are not farther apart than this."""
_SNAPSHOT_NS = 1_000_000_000
_SILENCE_NS = 60 * 1_000_000_000
"""For longer nobody waits for the next event."""


class ReplaySource(RecordedSource):
    """Plays a file from its beginning, as fast as it happened; its time is that of the events.

    Silences of more than a minute are passed over, so that neither a night nor an event of 1970 holds up the rest.

    What it holds in memory does not grow with the file, but for the last jobs and what lies within two seconds.

    Args:
        path: a file of ``naq events export``.

    Raises:
        ArchiveError: it cannot be read.
    """

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._clock = clock
        self._reader = ArchiveReader(path)
        self._coming: Iterator[ArchivedEvent] = iter(self._reader)
        self._held: list[tuple[int, int, StoredEvent]] = []
        self._places = count()
        """Of one moment, events come as they lie in the file."""
        self._read_ns = 0
        """When half of the last page that was read had happened: the times of single events may be wrong."""
        self._is_read = False
        self._workers = RecordedWorkers(self._reader.header, path.name)
        self._shown_ns = 0
        """When the last snapshot was made."""
        self._take_page(list(islice(self._coming, _PAGE)))
        self._passed_over_ns = 0
        """Of silences."""
        self._first_ns = self._held[0][0] if self._held else clock.time_ns()
        self._started_ns = clock.time_ns()

    def __repr__(self) -> str:
        return f"<ReplaySource {self._reader!r} held={len(self._held)}>"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        self._reader.close()

    async def __aiter__(self) -> AsyncIterator[Batch]:
        self._started_ns = self._clock.time_ns()
        link = Link(ConnectionState.REPLAYING, self._first_ns, f"{self._reader.header.namespace}: a recording")
        while not (self._is_read and not self._held):
            now_ns = self.time_of(self._clock.time_ns())
            await self._read_until(now_ns + _AHEAD_NS)
            now_ns += self._pass_over(now_ns)
            batch = Batch(link, self._due(now_ns), snapshot=self._snapshot(now_ns))
            self._remember(batch)
            yield batch
            await asyncio.sleep(_TICK_S)
        now_ns = self.time_of(self._clock.time_ns())
        yield Batch(Link(ConnectionState.ENDED, now_ns, self._verdict()))

    def time_of(self, now_ns: int) -> int:
        """See `EventSource.time_of`: that of the recording."""
        return self._first_ns + max(0, now_ns - self._started_ns) + self._passed_over_ns

    async def _read_until(self, time_ns: int) -> None:
        while not self._is_read and self._read_ns < time_ns:
            self._take_page(await asyncio.to_thread(lambda: list(islice(self._coming, _PAGE))))

    def _take_page(self, page: list[ArchivedEvent]) -> None:
        self._is_read = not page
        moments = [_moment_of(one.stored) for one in page]
        for moment_ns, one in zip(moments, page, strict=True):
            heapq.heappush(self._held, (moment_ns, next(self._places), one.stored))
        if moments:
            self._read_ns = sorted(moments)[len(moments) // 2]

    def _pass_over(self, now_ns: int) -> int:
        """Go to the next event where it is far; returns by how much."""
        silence_ns = self._held[0][0] - now_ns if self._held else 0
        if silence_ns <= _SILENCE_NS:
            return 0
        self._passed_over_ns += silence_ns
        return silence_ns

    def _due(self, now_ns: int) -> list[StoredEvent]:
        due = []
        while self._held and self._held[0][0] <= now_ns:
            due.append(heapq.heappop(self._held)[2])
        for stored in due:
            self._workers.hear(stored.event)
        return due

    def _snapshot(self, now_ns: int) -> Snapshot | None:
        if now_ns - self._shown_ns < _SNAPSHOT_NS:
            return None
        self._shown_ns = now_ns
        return self._workers.snapshot(now_ns)

    def _verdict(self) -> str:
        """What is to be said of the file at its end."""
        broken = f"{self._reader.broken:,} lines are no events" if self._reader.broken else ""
        return "; ".join(part for part in (self._reader.fault or "", broken) if part)


def _moment_of(stored: StoredEvent) -> int:
    """When it happened; not after it was stored, whatever the clock of its emitter showed."""
    moment_ns, stored_ns = stored.event.moment_ns, stored.stored_ns
    return moment_ns if stored_ns is None else min(moment_ns, stored_ns)
