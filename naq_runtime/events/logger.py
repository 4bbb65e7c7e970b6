"""The logger that never makes a job wait: a bounded buffer, and one loop that empties it in batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import EventsConfig
from naq_runtime.errors import NaqError
from naq_runtime.events.buffer import RANKS, USUAL_RANK, EventBuffer
from naq_runtime.events.codec import encode_event, event_key, event_subject
from naq_runtime.events.drops import DroppedEvents
from naq_runtime.events.loops import HomeLoop
from naq_runtime.events.models import Event
from naq_runtime.events.overflow import Overflow
from naq_runtime.events.storage import EventStore
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing

__all__ = ["AsyncJobEventLogger", "DroppedEvents", "LoggerStatistics"]

log = logging.getLogger(__name__)

_rank = RANKS.get
_RETRY_FIRST_S = 0.1
_RETRY_MOST_S = 2.0
_SURELY_FITS = 512
"""Bytes that every server takes."""
_REPORT_MOST = 6_000
"""Bytes of a report of dropped events, at most."""
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
    spooled: int = 0
    """Events on disk, those of dead processes included."""


class AsyncJobEventLogger:
    """Takes events without waiting, from any thread, and stores them in the background.

    Events are stored in the order in which they came. When the buffer is full, heartbeats and metrics make room for
    everything else, then progress and log lines, and the ends of jobs last; what finds no room is dropped. All that is
    lost so is counted by type, and once the storage works again, ``report`` turns the count into an event of its own.

    It is that of the process that made it: in a child of a fork it is empty, and takes nothing.

    Args:
        storage: where they go.
        config: sizes and intervals.
        names: the namespace.
        report: makes the event that tells of dropped ones.
        away_s: who has stored nothing for so long, of what waits, may have been taken for lost.
    """

    def __init__(
        self,
        storage: EventStore,
        config: EventsConfig,
        names: Names,
        *,
        report: Callable[[DroppedEvents], Event],
        away_s: float = 2.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._storage = storage
        self._config = config
        # What is under way cannot make room for what matters more: that shall never be all of the buffer.
        self._batch_size = max(1, min(config.batch_size, config.max_buffer_size // 2))
        self._names = names
        self._report = report
        self._buffer = EventBuffer(config.max_buffer_size, config.max_buffer_bytes, clock)
        self._put = self._buffer.put  # looked up once: it is called for each event
        self._overflow = Overflow(self._buffer, storage, config, names)
        self._failed_flushes = 0
        self._away_ns = int(away_s * 1e9)
        self._monotonic_ns = clock.monotonic_ns
        self._going_ns = clock.monotonic_ns()
        """When the last batch was stored, or the first event of the next one came."""
        self._doubted = 0
        """Up to this place, others may have told the events."""
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[_Waiter] = []
        self._loop: HomeLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_inherited = False
        _of_this_process.add(self)

    def __repr__(self) -> str:
        buffer = self._buffer
        return f"<AsyncJobEventLogger buffered={buffer.count} stored={buffer.stored} dropped={buffer.drops.ever}>"

    async def start(self) -> None:
        """Begin to store; does nothing when begun already, or in a child of the process that made it."""
        if self._task is None and not self._is_inherited:
            self._loop = HomeLoop()
            self._task = asyncio.create_task(self._run(), name="event logger")
            if self._buffer.count:
                self._due.set()

    async def stop(self, deadline_s: float = 5.0) -> int:
        """Store what is left, for at most so many seconds; returns how many events are lost with it."""
        if self._task is None:
            return self._buffer.count
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self.flush()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_LAST_WAIT_S)
        self._task = self._loop = None
        self._disarm()
        self._overflow.close()
        for waiter in self._waiters:
            waiter.end()
        if lost := self._buffer.count:
            log.warning("events lost at stop", extra={"action": "events_lost", "count": lost})
        return lost

    async def flush(self) -> None:
        """Return once everything that was logged so far is stored, or the logger has stopped."""
        buffer = self._buffer
        if self._task is None or not (buffer.count or buffer.drops or self._overflow.count):
            return
        self._due.set()
        waiter = _Waiter(buffer.last, bool(buffer.drops), asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        await waiter.stored

    async def log_event(self, event: Event) -> None:
        """Take an event; never waits."""
        self.append(event)

    def append(self, event: Event) -> bool:
        """Take an event, from any thread, unless there is no room for it; says whether it was taken."""
        try:
            subject, payload = event_subject(self._names, event), encode_event(event)
        except (NaqError, TypeError, ValueError) as error:
            log.warning("event not encoded", extra={"action": "event_not_encoded", "error": str(error)})
            return self._refuse(event)
        if (size := len(payload)) > _SURELY_FITS and size > self._storage.largest:
            return self._refuse(event)
        count = self._put(subject, payload, _rank(event.event_type, USUAL_RANK))
        if count == self._batch_size:
            self._in_loop(self._due.set)
        elif count <= 1:
            self._in_loop(self._arm)
        return count > 0

    def statistics(self) -> LoggerStatistics:
        """What was done so far."""
        buffer = self._buffer
        with buffer.lock:
            return LoggerStatistics(
                buffered=buffer.count,
                buffered_bytes=buffer.bytes,
                stored=buffer.stored,
                dropped=buffer.drops.ever,
                failed_flushes=self._failed_flushes,
                spooled=self._overflow.count,
            )

    def _refuse(self, event: Event) -> bool:
        self._buffer.refuse(event_key(event))
        self._in_loop(self._arm)
        return False

    # The flush loop

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Do something in the thread of the loop, if there is one."""
        if self._loop is not None:
            self._loop.do(action)

    def _arm(self) -> None:
        """The first event of a batch starts its clock."""
        if self._loop is not None and self._timer is None:
            self._going_ns = self._monotonic_ns()
            self._timer = self._loop.later(self._config.flush_interval, self._due.set)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _run(self) -> None:
        delay = _RETRY_FIRST_S
        if await self._overflow.open():
            self._due.set()
        while not self._is_inherited:
            await self._due.wait()
            self._due.clear()
            self._disarm()
            if await self._store_all():
                delay = _RETRY_FIRST_S
                continue
            await self._overflow.pause(delay)
            delay = min(delay * 2, _RETRY_MOST_S)
            self._due.set()

    async def _store_all(self) -> bool:
        """Empty the buffer batch by batch; ``False`` when the storage failed."""
        try:
            await self._overflow.store(self._batch_size)
            if not self._buffer.count:
                self._report_dropped()
            while batch := self._buffer.batch(self._batch_size):
                await self._storage.store(await self._untold(batch))
                self._doubt()
                self._going_ns = self._monotonic_ns()
                self._buffer.done()
                self._report_dropped()
                self._wake_waiters()
        except Exception as error:  # supervision: whatever happens to a batch, the loop goes on
            self._failed_flushes += 1
            level = logging.DEBUG if isinstance(error, NaqError) else logging.ERROR
            log.log(level, "events not stored yet: %s", error, extra={"action": "flush_failed"})
            return False
        self._wake_waiters()
        return True

    async def _untold(self, batch: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """The events that nobody has told for us."""
        self._doubt()
        return await self._storage.missing(batch) if self._buffer.passed < self._doubted else batch

    def _doubt(self) -> None:
        """A process that was stopped, or cut off, was perhaps taken for lost, and others have told what waits here."""
        if self._monotonic_ns() - self._going_ns > self._away_ns:
            self._doubted = self._buffer.last

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            if waiter.last <= self._buffer.passed and not waiter.wants_report:
                waiter.end()
        self._waiters = [waiter for waiter in self._waiters if not waiter.stored.done()]

    def _report_dropped(self) -> None:
        """Tell of what was dropped, behind what waits already."""
        buffer = self._buffer
        with buffer.lock:
            if not buffer.drops or not buffer.has_room(_REPORT_MOST):
                return
            report = self._report(buffer.take_drops())
            rank = RANKS.get(report.event_type, USUAL_RANK)
            buffer.put(event_subject(self._names, report), encode_event(report), rank, must=True)
        for waiter in self._waiters:
            if waiter.wants_report:
                waiter.last, waiter.wants_report = buffer.last, False

    def _let_go(self) -> None:
        """In a child of the process: what waits in here is its parent's, which stores it."""
        self._buffer.abandon()
        self._overflow.let_go()
        self._is_inherited = True
        self._task = self._loop = self._timer = None
        self._waiters = []


@dataclass(slots=True)
class _Waiter:
    """Somebody who waits until events are stored."""

    last: int
    """Up to this place."""
    wants_report: bool
    """And what tells of those that were dropped."""
    stored: asyncio.Future[None]

    def end(self) -> None:
        """Wait no more."""
        if not self.stored.done():
            self.stored.set_result(None)


_of_this_process: weakref.WeakSet[AsyncJobEventLogger] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for logger in list(_of_this_process):
        logger._let_go()


os.register_at_fork(after_in_child=_after_fork_in_child)
