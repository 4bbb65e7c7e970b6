"""Functions of the application that are called with every event of this process, and can harm nothing by it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from threading import RLock
from typing import TYPE_CHECKING

from naq_runtime.events.loops import HomeLoop
from naq_runtime.events.models import Event

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["EventProcessor", "Processing", "Processors"]

log = logging.getLogger(__name__)

EventProcessor = Callable[[Event], Awaitable[object]]

_MOST_WAITING = 10_000
_LOGGED_EVERY = 100
"""A processor that fails with each event shall not fill the log of the process."""


class Processing:
    """One processor, with the events that wait for it.

    Attributes:
        processed: events that it has dealt with, well or not.
        failed: those among them that ended in an error.
        dropped: events that it never saw, since too many waited.
    """

    def __init__(self, processor: EventProcessor, wanted: EventFilter, most_waiting: int = _MOST_WAITING) -> None:
        self.processed = self.failed = self.dropped = 0
        self._processor = processor
        self._wanted = wanted
        self._most_waiting = most_waiting
        self._waiting: deque[Event] = deque()
        self._lock = RLock()
        self._loop = HomeLoop()
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task = asyncio.create_task(self._run(), name=f"event processor {self.name}")

    def __repr__(self) -> str:
        return f"<Processing {self.name} waiting={self.waiting} processed={self.processed} dropped={self.dropped}>"

    @property
    def name(self) -> str:
        """Of the function."""
        return getattr(self._processor, "__qualname__", repr(self._processor))

    @property
    def waiting(self) -> int:
        """Events that it has not yet seen."""
        return len(self._waiting)

    def offer(self, event: Event) -> None:
        """Take an event, from any thread, when it is wanted and there is room."""
        if not self._wanted.is_empty and not self._wanted.matches(event):
            return
        with self._lock:
            if len(self._waiting) >= self._most_waiting:
                self.dropped += 1
                return
            self._waiting.append(event)
        self._loop.do(self._wake)

    async def flush(self) -> None:
        """Return once nothing waits for it, or it has been stopped."""
        self._wake()
        await self._idle.wait()

    async def stop(self, deadline_s: float) -> None:
        """Let it see what waits, for at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self.flush()
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=deadline_s)
        self._idle.set()
        if self._waiting:
            log.warning(
                "%d events not processed by %s", self.waiting, self.name, extra={"action": "events_unprocessed"}
            )

    def cancel(self) -> None:
        """Let it see nothing more."""
        self._task.cancel()
        self._waiting.clear()
        self._idle.set()

    def _wake(self) -> None:
        if self._waiting and not self._task.cancelling():
            self._idle.clear()
            self._due.set()

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                await self._process(self._waiting.popleft())
            self._idle.set()

    async def _process(self, event: Event) -> None:
        try:
            await self._processor(event)
        except asyncio.CancelledError:
            if self._task.cancelling():
                raise
            self._note_failure()  # it was cancelled, and not by us
        except Exception:  # the application's own: whatever it raises must stay with it
            self._note_failure()
        self.processed += 1
        await asyncio.sleep(0)  # one that never waits shall not keep the loop from everything else

    def _note_failure(self) -> None:
        """Of the error that is being handled."""
        if self.failed % _LOGGED_EVERY == 0:
            log.exception("event processor %s failed", self.name, extra={"action": "processor_failed"})
        self.failed += 1


class Processors:
    """All of a process. Each has a queue of its own: a slow one, or a broken one, holds up nobody."""

    def __init__(self) -> None:
        self._all: dict[EventProcessor, Processing] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def register(self, processor: EventProcessor, wanted: EventFilter) -> Processing:
        """Call a function with each wanted event from now on. One that is registered again gets the new filter.

        Raises:
            TypeError: it is not an async function.
        """
        if not inspect.iscoroutinefunction(processor) and not inspect.iscoroutinefunction(
            getattr(processor, "__call__", None)  # noqa: B004 - its kind is asked for, not whether it is there
        ):
            raise TypeError(f"an event processor is an async function of one event, got {processor!r}")
        self.unregister(processor)
        self._all[processor] = Processing(processor, wanted)
        return self._all[processor]

    def unregister(self, processor: EventProcessor) -> bool:
        """Call it no more; ``False`` when it was not registered."""
        found = self._all.pop(processor, None)
        if found is not None:
            found.cancel()
        return found is not None

    def offer(self, event: Event) -> None:
        """Hand an event to all that want it, from any thread; never waits."""
        for processing in tuple(self._all.values()):
            processing.offer(event)

    async def stop(self, deadline_s: float) -> None:
        """Let each see what waits, for at most so many seconds."""
        await asyncio.gather(*(processing.stop(deadline_s) for processing in self._all.values()))
        self._all.clear()
