"""Doing something in the thread of an event loop, from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

__all__ = ["HomeLoop"]


class HomeLoop:
    """The loop that runs when it is made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def do(self, action: Callable[[], object]) -> None:
        """Do something there: at once when this is its thread, soon when it is another; never when it has ended."""
        if threading.get_ident() == self._thread:
            action()
        else:
            with contextlib.suppress(RuntimeError):  # it is closed
                self._loop.call_soon_threadsafe(action)

    def later(self, delay_s: float, action: Callable[[], object]) -> asyncio.TimerHandle:
        """Do something after so many seconds; from its own thread only."""
        return self._loop.call_later(delay_s, action)
