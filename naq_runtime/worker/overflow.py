"""Jobs that came when no slot was free: each waits a moment for one; then another worker may have it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from naq_runtime.worker.custody import Holding

__all__ = ["OVERFLOW_WAIT_S", "Overflow"]

OVERFLOW_WAIT_S = 0.1


class Overflow:
    """A line of jobs, none of which waits longer than a moment.

    Args:
        too_late: is handed those that have waited for so long.
    """

    def __init__(self, too_late: Callable[[Holding], None]) -> None:
        self._too_late = too_late
        self._waiting: deque[tuple[float, Holding]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, holding: Holding) -> None:
        """A job begins to wait."""
        self._waiting.append((self._loop.time(), holding))
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(OVERFLOW_WAIT_S, self._sweep)

    def pop(self) -> Holding:
        """The one that has waited longest waits no more."""
        return self._waiting.popleft()[1]

    def take_of(self, queue: str) -> list[Holding]:
        """Those of one queue wait here no more."""
        taken = [holding for _, holding in self._waiting if holding.queue == queue]
        self._waiting = deque((since, holding) for since, holding in self._waiting if holding.queue != queue)
        return taken

    def close(self) -> None:
        """Let all go; may be called twice."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._waiting:
            self._too_late(self.pop())

    def _sweep(self) -> None:
        self._sweeper = None
        now = self._loop.time()
        while self._waiting and now - self._waiting[0][0] >= OVERFLOW_WAIT_S:
            self._too_late(self.pop())
        if self._waiting:
            self._sweeper = self._loop.call_at(self._waiting[0][0] + OVERFLOW_WAIT_S, self._sweep)
