"""Setting the time of an event loop forward, so that no test waits for a timer."""

from __future__ import annotations

import asyncio

import pytest

__all__ = ["LoopTime", "settled"]


async def settled(turns: int = 30) -> None:
    """Let everything run that can run now."""
    for _ in range(turns):
        await asyncio.sleep(0)


class LoopTime:
    """The clock of a loop: it goes on as always, and can be set forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patch: pytest.MonkeyPatch) -> None:
        self._ahead_s = 0.0
        clock = loop.time
        patch.setattr(loop, "time", lambda: clock() + self._ahead_s)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass at once, and everything happen that was due."""
        await settled()
        self._ahead_s += seconds
        await settled()
