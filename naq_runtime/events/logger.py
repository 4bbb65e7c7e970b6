"""The logger that never makes a job wait: a bounded buffer, and one loop that empties it in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import EventsConfig
from naq_runtime.errors import NaqError
from naq_runtime.events.codec import encode_event, event_key, event_subject
from naq_runtime.events.models import Event
from naq_runtime.events.storage import EventStorage
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing

__all__ = ["AsyncJobEventLogger", "DroppedEvents", "LoggerStatistics"]

log = logging.getLogger(__name__)

_RETRY_FIRST_S = 0.1
_RETRY_MOST_S = 2.0
_SURELY_FITS = 512
"""Bytes that every server takes."""
_LAST_WAIT_S = 0.5
"""A storage that does not heed a cancellation is left behind after so long."""


@dataclass(frozen=True, slots=True)
class LoggerStatistics:
    """What a logger has done so far."""

    buffered: int
    buffered_bytes: int
    stored: int
    dropped: int
    failed_flushes: int


@dataclass(frozen=True, slots=True)
class DroppedEvents:
    """What a logger could not keep."""

    counts: dict[str, int]
    """By ``category.type``."""
    first_ns: int
    last_ns: int


class AsyncJobEventLogger:
    """Takes events without waiting, and stores them in the background.

    Events are stored in the order in which they came. When the buffer is full, what comes is dropped and counted by
    type; once there is room again, ``report`` turns the count into an event of its own.

    Args:
        storage: where they go.
        config: sizes and intervals.
        names: the namespace.
        report: makes the event that tells of dropped ones.
    """

    def __init__(
        self,
        storage: EventStorage,
        config: EventsConfig,
        names: Names,
        *,
        report: Callable[[DroppedEvents], Event],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._storage = storage
        self._config = config
        self._names = names
        self._report = report
        self._clock = clock
        self._buffer: deque[Outgoing] = deque()
        self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self._dropped_ever = 0
        self._first_dropped_ns = 0
        self._last_dropped_ns = 0
        self._stored = 0
        self._failed_flushes = 0
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<AsyncJobEventLogger buffered={len(self._buffer)} stored={self._stored} dropped={self._dropped_ever}>"

    async def start(self) -> None:
        """Begin to store; does nothing when begun already."""
        if self._task is None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self._run(), name="event logger")
            if self._buffer:
                self._due.set()

    async def stop(self, deadline_s: float = 5.0) -> int:
        """Store what is left, for at most so many seconds; returns how many events are lost with it."""
        if self._task is None:
            return len(self._buffer)
        try:
            async with asyncio.timeout(deadline_s):
                await self.flush()
        except TimeoutError:
            log.warning("events lost at stop", extra={"action": "events_lost", "count": len(self._buffer)})
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=_LAST_WAIT_S)
        self._task = None
        self._disarm()
        for _, stored in self._waiters:
            if not stored.done():
                stored.set_result(None)
        return len(self._buffer)

    async def flush(self) -> None:
        """Return once everything that was logged so far is stored, or the logger has stopped."""
        if self._task is None or not (self._buffer or self._dropped):
            return
        self._due.set()
        stored = asyncio.get_running_loop().create_future()
        self._waiters.append((self._stored + len(self._buffer), stored))
        await stored

    async def log_event(self, event: Event) -> None:
        """Take an event; never waits."""
        self.append(event)

    def append(self, event: Event) -> bool:
        """Take an event, unless the buffer is full; says whether it was taken."""
        try:
            entry = Outgoing(event_subject(self._names, event), encode_event(event))
        except (NaqError, TypeError, ValueError) as error:
            log.warning("event not encoded", extra={"action": "event_not_encoded", "error": str(error)})
            self._drop(event)
            return False
        config, count, size = self._config, len(self._buffer), len(entry.payload)
        total = self._bytes + len(entry.subject) + size
        if (
            count >= config.max_buffer_size
            or total > config.max_buffer_bytes
            or (size > _SURELY_FITS and size > self._storage.largest)
        ):
            self._drop(event)
            return False
        self._buffer.append(entry)
        self._bytes = total
        if count == 0:
            self._arm()
        if count + 1 == config.batch_size:
            self._due.set()
        return True

    def statistics(self) -> LoggerStatistics:
        """What was done so far."""
        return LoggerStatistics(
            buffered=len(self._buffer),
            buffered_bytes=self._bytes,
            stored=self._stored,
            dropped=self._dropped_ever,
            failed_flushes=self._failed_flushes,
        )

    def _keep(self, entry: Outgoing) -> None:
        self._buffer.append(entry)
        self._bytes += len(entry.subject) + len(entry.payload)

    # The flush loop

    def _arm(self) -> None:
        """The first event of a batch starts its clock."""
        if self._loop is not None:
            self._timer = self._loop.call_later(self._config.flush_interval, self._due.set)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _run(self) -> None:
        delay = _RETRY_FIRST_S
        while True:
            await self._due.wait()
            self._due.clear()
            self._disarm()
            if await self._store_all():
                delay = _RETRY_FIRST_S
                continue
            await asyncio.sleep(delay)
            delay = min(delay * 2, _RETRY_MOST_S)
            self._due.set()

    async def _store_all(self) -> bool:
        """Empty the buffer batch by batch; ``False`` when the storage failed."""
        if not self._buffer and self._dropped:
            self._report_dropped()
        while self._buffer:
            batch = list(islice(self._buffer, self._config.batch_size))
            try:
                await self._storage.store(batch)
            except Exception as error:  # supervision: whatever happens to a batch, the loop goes on
                self._failed_flushes += 1
                level = logging.DEBUG if isinstance(error, NaqError) else logging.ERROR
                log.log(level, "events not stored yet: %s", error, extra={"action": "flush_failed"})
                return False
            self._forget(batch)
            if not self._buffer and self._dropped:
                self._report_dropped()
        self._wake_waiters()
        return True

    def _forget(self, batch: list[Outgoing]) -> None:
        for entry in batch:
            self._buffer.popleft()
            self._bytes -= len(entry.subject) + len(entry.payload)
        self._stored += len(batch)
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        for target, stored in self._waiters:
            if self._stored >= target and not stored.done():
                stored.set_result(None)
        self._waiters = [waiter for waiter in self._waiters if not waiter[1].done()]

    def _drop(self, event: Event) -> None:
        now = self._clock.time_ns()
        if not self._dropped:
            self._first_dropped_ns = now
        self._last_dropped_ns = now
        self._dropped[event_key(event)] += 1
        self._dropped_ever += 1
        if not self._buffer and self._timer is None:
            self._arm()

    def _report_dropped(self) -> None:
        report = self._report(DroppedEvents(dict(self._dropped), self._first_dropped_ns, self._last_dropped_ns))
        self._dropped.clear()
        self._keep(Outgoing(event_subject(self._names, report), encode_event(report)))  # whatever the limits
