"""What SIGTERM and SIGINT make of a worker, also of one whose event loop is held up."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naq_runtime.worker.worker import Worker

__all__ = ["SIGNALS", "Wishes", "heed_signals"]

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME_WISH_S = 0.3
"""A signal so soon after another is the same one: a group of processes and who watches over it may both send it."""
_DEAF_S = 2.0
"""An event loop that does not hear of a second wish within this time is held up."""


class Wishes:
    """Tells the signals that are wishes of their own from those that only repeat one."""

    def __init__(self) -> None:
        self._last_s = -_SAME_WISH_S
        self.count = 0

    def is_new(self, now_s: float) -> bool:
        """Whether a signal that came now counts."""
        if now_s - self._last_s < _SAME_WISH_S:
            return False
        self._last_s = now_s
        self.count += 1
        return True


def heed_signals(worker: Worker) -> bool:
    """Drain the worker on the first signal, hand everything back on the second; within its running loop.

    When the loop does not even hear the second one, as something on it blocks, the process ends.

    Returns:
        Whether they can be heeded here.
    """
    if sys.platform == "win32":
        return False
    loop = asyncio.get_running_loop()
    stopping, watch = _Stopping(worker), _Watch(loop)
    for number in SIGNALS:
        loop.add_signal_handler(number, stopping, number)
        # By this the loop is woken all the same; and Python calls it also while the loop is held up.
        signal.signal(number, watch.note)
    watch.start()
    return True


class _Stopping:
    """Passes the wishes on to the worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._wishes = Wishes()

    def __call__(self, number: signal.Signals) -> None:
        worker = self._worker
        if not self._wishes.is_new(time.monotonic()):
            return
        if not worker.is_stopping and worker.active:
            log.info(
                "%s: draining %s for up to %g s; once more hands them back at once",
                number.name,
                "1 job" if worker.active == 1 else f"{worker.active} jobs",
                worker.grace_s,
                extra={"action": "worker_draining"},
            )
        worker.request_stop(number.name, at_once=worker.is_stopping)


class _Watch:
    """Ends the process when it is asked a second time, and the event loop does not hear it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._signals: SimpleQueue[tuple[int, float]] = SimpleQueue()  # which a handler may put into at any moment

    def note(self, number: int, _: FrameType | None) -> None:
        """Handle a signal."""
        self._signals.put((number, time.monotonic()))

    def start(self) -> None:
        """Watch from now on, in a thread."""
        Thread(target=self._run, name="signals", daemon=True).start()

    def _run(self) -> None:
        wishes = Wishes()
        for number, at_s in self._came():
            if wishes.is_new(at_s) and wishes.count > 1 and not self._is_heard():
                log.warning(
                    "%s came again, and something holds the event loop up: ending without it",
                    signal.Signals(number).name,
                    extra={"action": "worker_deaf"},
                )
                logging.shutdown()
                os._exit(128 + number)

    def _came(self) -> Iterator[tuple[int, float]]:
        while True:
            yield self._signals.get()

    def _is_heard(self) -> bool:
        heard = Event()
        try:
            self._loop.call_soon_threadsafe(heard.set)
        except RuntimeError:  # it is closed: the process is about to end
            return True
        return heard.wait(_DEAF_S)
