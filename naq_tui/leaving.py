"""Leaving in an orderly way when the process is told to end, and at once when that cannot be done."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from textual.app import App

__all__ = ["leaving_on_signals"]

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_PATIENCE_S = 5.0
"""So long the orderly way may take."""


@contextmanager
def leaving_on_signals(app: App[Any]) -> Iterator[None]:
    """Leave so that the terminal is as it was.

    The loop may be held up, by a terminal that nobody reads: so the handlers are those of the interpreter, which run
    even then, and a thread ends the process when the loop does not.
    """
    loop = asyncio.get_running_loop()
    pending: list[threading.Timer] = []

    def leave(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(app.exit, None, 128 + number)
        if not pending:
            last = threading.Timer(_PATIENCE_S, os._exit, (128 + number,))
            last.daemon = True
            last.start()
            pending.append(last)

    before = {number: signal.signal(number, leave) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for last in pending:
            last.cancel()
