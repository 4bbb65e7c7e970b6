"""Event storages that fail as a server does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.nats.publish import Outgoing

__all__ = ["StubbornStorage", "TroubledStorage"]


class TroubledStorage(MemoryEventStorage):
    """A log in memory that remembers the size of each batch, and fails or hangs when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[int] = []
        """How many entries came, each time."""
        self.errors: deque[Exception] = deque()
        """What to raise, one a try, before it works again."""
        self.stores_before_failing = 0
        """How many entries of a failing batch are stored all the same."""
        self.open = asyncio.Event()
        """While it is not set, nothing returns."""
        self.open.set()

    async def store(self, entries: Sequence[Outgoing]) -> None:
        self.tries.append(len(entries))
        await self.open.wait()
        if self.errors:
            await super().store(entries[: self.stores_before_failing])
            raise self.errors.popleft()
        await super().store(entries)

    @property
    def ids(self) -> list[str]:
        """The ids of what is stored, in order."""
        return [stored.event.event_id for stored in self.events]


class StubbornStorage(MemoryEventStorage):
    """Swallows the first cancellation, as the client does when its socket is full."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self._swallowed = False

    async def store(self, entries: Sequence[Outgoing]) -> None:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._swallowed:
                raise
            self._swallowed = True
        raise ServerUnreachable("the server did not answer in time")
