"""One queue of a worker: what it was asked for, and what holds it back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from naq_runtime.nats.pull import CreditPull
from naq_runtime.nats.queues import QueueLimits
from naq_runtime.nats.rates import Rate
from naq_runtime.worker.custody import Holding
from naq_runtime.worker.throttle import Throttle

__all__ = ["QUIET_S", "Lane"]

QUIET_S = 0.05
"""A queue that has left a request unanswered for so long has nothing waiting."""


class Lane:
    """A queue, its pull, its limits, and its throttle while it has a rate.

    Args:
        make_throttle: for a rate.
        ended: is called with the task of each throttle, when it ends.
    """

    def __init__(
        self,
        name: str,
        pull: CreditPull,
        make_throttle: Callable[[Rate], Throttle],
        ended: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self.name = name
        self.pull = pull
        self.limits = QueueLimits()
        self.throttle: Throttle | None = None
        self._make_throttle = make_throttle
        self._ended = ended
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Lane {self.name} {self.pull!r} {self.throttle or 'no rate'}>"

    @property
    def outstanding(self) -> int:
        """See `Asked.outstanding`."""
        return self.pull.outstanding

    @property
    def room(self) -> int:
        """See `Asked.room`."""
        return sys.maxsize if self.throttle is None else self.throttle.room - self.pull.outstanding

    @property
    def is_quiet(self) -> bool:
        """See `Asked.is_quiet`."""
        return self.pull.unanswered_s >= QUIET_S

    async def apply(self, limits: QueueLimits) -> list[Holding]:
        """These limits hold from now on; returns the jobs that waited for a rate, when there is none any more."""
        before, self.limits = self.limits, limits
        left = await self._change(limits.rate) if limits.rate != before.rate else []
        if limits.paused and self.throttle is not None:
            self.throttle.let_go()
        return left

    async def close(self) -> list[Holding]:
        """Have no rate any more; returns the jobs that waited. May be called twice."""
        return await self._change(None)

    async def _change(self, rate: Rate | None) -> list[Holding]:
        """Put another throttle, or none, in the place of the one that is there; it takes over what waits."""
        old, task = self.throttle, self._task
        self.throttle = self._task = None
        if rate is not None:
            self.throttle = self._make_throttle(rate)
            self._task = asyncio.create_task(self.throttle.run(), name=f"rate of {self.name}")
            self._task.add_done_callback(self._ended)
        if old is None or task is None:
            return []
        old.close()
        task.cancel()
        await asyncio.wait({task})
        left = old.take_back()
        while left and self.throttle is not None:
            self.throttle.put(left.pop(0))
        return left
