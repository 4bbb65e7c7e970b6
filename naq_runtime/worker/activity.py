"""Whether a worker is busy or idle, said when it changes, and not at every job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from naq_runtime.events.models import WorkerEventType
from naq_runtime.services.events import EventService

__all__ = ["Activity"]

_IDLE_AFTER_S = 1.0
"""A worker between two short jobs is not idle."""


class Activity:
    """Logs ``busy`` with the first job, and ``idle`` when there has been none for a second.

    Args:
        changed: is told of either.
    """

    def __init__(self, events: EventService, worker_id: str, concurrency: int, *, changed: Callable[[], None]) -> None:
        self._events = events
        self._worker_id = worker_id
        self.concurrency = concurrency
        self._changed = changed
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, running: int) -> None:
        """So many jobs run now."""
        if running:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if not self._busy:
                self._busy = True
                self._log(WorkerEventType.BUSY, running)
        elif self._busy and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_IDLE_AFTER_S, self._become_idle)

    def stop(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _become_idle(self) -> None:
        self._timer = None
        self._busy = False
        self._log(WorkerEventType.IDLE, 0)

    def _log(self, event_type: WorkerEventType, running: int) -> None:
        self._events.worker(
            event_type, worker_id=self._worker_id, active_jobs=running, concurrency_limit=self.concurrency
        )
        self._changed()
