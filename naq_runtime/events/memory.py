"""A log of events in memory: the twin of the JetStream one, for tests."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.codec import decode_event
from naq_runtime.events.models import Event, JobEvent, StoredEvent
from naq_runtime.events.reading import FoundEvents, SequenceRange, causal_order
from naq_runtime.events.storage import EventTail, TailedEvents
from naq_runtime.nats.publish import Outgoing

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["MemoryEventStorage"]


class MemoryEventStorage:
    """Keeps everything in one list.

    ``available`` may be set to ``False``, and then nothing can be stored or read, as when the server is down.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.events: list[StoredEvent] = []
        self._clock = clock
        self._stored_at: list[int] = []
        self.available = True
        self.largest = 1_000_000
        self._subjects: set[str] = set()
        self._lock = Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def store(self, entries: Sequence[Outgoing]) -> None:
        """See `EventStore.store`."""
        self._check()
        for entry in entries:
            if entry.subject not in self._subjects:
                self._subjects.add(entry.subject)
                self.add(decode_event(entry.payload))

    async def missing(self, entries: Sequence[Outgoing]) -> list[Outgoing]:
        """See `EventStore.missing`."""
        self._check()
        single = {entry.subject: entry for entry in reversed(entries) if entry.subject not in self._subjects}
        return list(single.values())[::-1]

    def add(self, event: Event) -> None:
        """Store one event; from any thread."""
        with self._lock:
            self._stored_at.append(self._clock.time_ns())
            self.events.append(StoredEvent(len(self.events) + 1, event))
            waiting, self._waiting = self._waiting, []
        for loop, grown in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(grown.set)

    async def history(self, job_id: str) -> list[StoredEvent]:
        """See `EventStorage.history`."""
        self._check()
        return causal_order([s for s in self.events if isinstance(s.event, JobEvent) and s.event.job_id == job_id])

    async def range_of(self, since_ns: int | None = None, until_ns: int | None = None) -> SequenceRange:
        """See `EventStorage.range_of`; the times are those of the clock."""
        self._check()
        first = 0 if since_ns is None else bisect_left(self._stored_at, since_ns)
        last = len(self.events) if until_ns is None else bisect_left(self._stored_at, until_ns)
        return SequenceRange(first + 1, last)

    async def recent(self, limit: int, wanted: EventFilter, within: SequenceRange) -> list[StoredEvent]:
        """See `EventStorage.recent`."""
        self._check()
        found = self._matching(wanted, within)
        return found[max(0, len(found) - limit) :]

    async def page(self, wanted: EventFilter, within: SequenceRange, size: int) -> FoundEvents:
        """See `EventStorage.page`."""
        self._check()
        found = self._matching(wanted, within)
        return FoundEvents(found[:size], found[size - 1].sequence if len(found) > size else within.last)

    def _matching(self, wanted: EventFilter, within: SequenceRange) -> list[StoredEvent]:
        return [one for one in self.events[within.first - 1 : within.last] if wanted.matches(one.event)]

    async def tail(self, wanted: EventFilter, after: int | None = None) -> EventTail:
        """See `EventStorage.tail`."""
        return _MemoryTail(self, wanted, len(self.events) if after is None else after)

    async def close(self) -> None:
        """See `EventStore.close`."""

    def _check(self) -> None:
        if not self.available:
            raise ServerUnreachable("the log in memory was made unavailable")

    async def wait_beyond(self, sequence: int) -> None:
        """Return once there are more events than ``sequence``."""
        while len(self.events) <= sequence:
            grown = asyncio.Event()
            with self._lock:
                if len(self.events) > sequence:
                    return
                self._waiting.append((asyncio.get_running_loop(), grown))
            await grown.wait()


class _MemoryTail:
    def __init__(self, storage: MemoryEventStorage, wanted: EventFilter, after: int) -> None:
        self._storage = storage
        self._wanted = wanted
        self._last = after

    async def next_batch(self) -> TailedEvents:
        await self._storage.wait_beyond(self._last)
        new = self._storage.events[self._last :]
        self._last += len(new)
        return TailedEvents([stored for stored in new if self._wanted.matches(stored.event)], 0)

    async def stop(self) -> None:
        pass
