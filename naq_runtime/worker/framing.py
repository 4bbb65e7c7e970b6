"""What modules of tasks want done before a worker's first job and after its last: never so long that it cannot end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from naq_runtime.hooks import call_aside
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.ending import Stop, cancelled, finished

__all__ = ["Frame"]

log = logging.getLogger(__name__)

_HURRIED_S = 1.0
"""So long the end may take when there is a hurry."""


class Frame:
    """Calls the hooks of a worker's start and end, and lets go of those that would keep it.

    Args:
        grace_s: how long those of the end may take, all together.
    """

    def __init__(self, registry: TaskRegistry, stop: Stop, grace_s: float) -> None:
        self._registry = registry
        self._stop = stop
        self.grace_s = grace_s
        self._left: set[asyncio.Task[Any]] = set()

    @property
    def stuck(self) -> int:
        """Async hooks that were cancelled, and do not heed it."""
        return sum(not task.done() for task in self._left)

    async def start_up(self) -> bool:
        """Call what comes before the first job; ``False`` when the stop came before its end, and cut it off.

        Raises:
            TaskError: one of them failed.
        """
        work = asyncio.create_task(self._registry.start_up(call_aside), name="on_startup")
        try:
            done = await finished([work], self._stop.requested)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if not done:
            await self._cut_off(work)
            return False
        await work
        return not self._stop.requested.is_set()

    async def shut_down(self) -> None:
        """Call what comes after the last job: within the grace, or within a moment once there is a hurry."""
        work = asyncio.create_task(self._registry.shut_down(call_aside), name="on_shutdown")
        done = await finished([work], self._stop.hurried, self.grace_s)
        if not done and self._stop.hurried.is_set():
            await asyncio.wait({work}, timeout=_HURRIED_S)
        if not work.done():
            await self._cut_off(work)

    async def _cut_off(self, work: asyncio.Task[None]) -> None:
        log.warning("%s has not ended in time: cut off", work.get_name(), extra={"action": "hook_cut_off"})
        self._left |= await cancelled([work])
