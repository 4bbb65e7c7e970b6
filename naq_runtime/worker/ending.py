"""How a worker comes to its end: it is asked once to drain, and once more to be quick about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

__all__ = ["Stop", "cancelled", "finished"]

_CANCEL_WAIT_S = 1.0
"""What does not heed its cancellation is left behind after so long."""


class Stop:
    """Whether, why and how fast a worker is to end."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.requested = asyncio.Event()
        self.hurried = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Stop {self.reason or 'not requested'}{' at once' * self.hurried.is_set()}>"

    def request(self, reason: str, *, at_once: bool = False) -> None:
        """Ask for it; may be called again. The first reason stands."""
        if self.reason is None:
            self.reason = reason
        self.requested.set()
        if at_once:
            self.hurried.set()


async def finished(work: Iterable[asyncio.Task[Any]], cut: asyncio.Event, within_s: float | None = None) -> bool:
    """Wait for all of the tasks, for as long as that may take; whether they have ended. They are not cancelled.

    Args:
        cut: waiting ends when this is set.
        within_s: and after so many seconds.
    """
    tasks = set(work)
    ended = asyncio.gather(*tasks, return_exceptions=True)
    told = asyncio.create_task(cut.wait())
    waiting: set[asyncio.Future[Any]] = {asyncio.shield(ended), told}
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
    return all(task.done() for task in tasks)


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Cancel tasks, and wait a moment for them; those that do not heed it."""
    waiting = set(tasks)
    for task in waiting:
        task.cancel()
    if not waiting:
        return waiting
    _, left = await asyncio.wait(waiting, timeout=_CANCEL_WAIT_S)
    return left
