"""Reading what rules are about: the state of queues and workers when it is asked for, and all events as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from naq_runtime.alerts.metrics import Source
from naq_runtime.alerts.readings import Observed
from naq_runtime.alerts.roster import Roster
from naq_runtime.alerts.rules import Rule
from naq_runtime.alerts.windows import EventWindows
from naq_runtime.errors import ServerError
from naq_runtime.events.reading import decode_all
from naq_runtime.nats.direct import sequence_at, stream_bounds
from naq_runtime.nats.state import dead_counts, living_workers, queue_ages, queue_states
from naq_runtime.nats.tail import RawMessage, StreamTail
from naq_runtime.services.manager import ServiceManager

__all__ = ["Observer"]

BACKLOG = 200_000
"""So many of the last events are read at most, to begin with."""
_PORTION = 500
"""Events that are counted before others get a turn."""
_CATCH_UP_S = 2.0
"""How long an evaluation waits for events that are stored, and have not come by yet."""
_RETRY_S = 0.5
_SECOND_NS = 1_000_000_000


class Observer:
    """Reads only what its rules need, between `start` and `stop`."""

    def __init__(self, services: ServiceManager, rules: Iterable[Rule]) -> None:
        rules = tuple(rules)
        self._services = services
        self._connection = services.connection
        self._names = services.names
        self._sources = {rule.metric.source for rule in rules}
        self._longest_s = max((rule.window_s for rule in rules), default=0.0)
        self._roster = Roster(self._longest_s)
        self._windows = EventWindows(self._longest_s, 0)
        self._tail: StreamTail | None = None
        self._reading: asyncio.Task[None] | None = None
        self.has_failed = False
        """Whether nothing more is read, for a fault of ours that `observe` has raised: another one is needed."""
        self._progress = asyncio.Event()
        self._read = 0
        """The sequence up to which events were counted."""
        self._is_cut = False
        """Whether the window begins with the first event that comes, since those before it are too many to be read."""

    async def start(self) -> None:
        """Begin to read events, the latest first of all.

        Raises:
            ServerError: they cannot be read now.
        """
        if self._sources & {Source.EVENTS, Source.LOSSES}:
            await self._follow()
        self._connection.on_restored.append(self._doubt)

    async def stop(self) -> None:
        """Give back what it holds; may be called twice."""
        if self._doubt in self._connection.on_restored:
            self._connection.on_restored.remove(self._doubt)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._tail is not None:
            await self._tail.stop()

    @property
    def now_ns(self) -> int:
        """The time of the server, as far as it is known."""
        return self._services.clock.time_ns() + self._services.streams.skew_ns

    async def observe(self) -> Observed:
        """What is so now. Events that were stored before are counted, unless too many come to be read in time.

        Raises:
            ServerError: it cannot be read now.
        """
        connection, names = self._connection, self._names
        queues, workers = await asyncio.gather(queue_states(connection, names), living_workers(connection, names))
        ages = await queue_ages(connection, names, self.now_ns) if Source.AGES in self._sources else {}
        wants_dead = Source.DEAD in self._sources
        dead = await dead_counts(connection, names, [queue.name for queue in queues]) if wants_dead else {}
        windows = self._windows if await self._caught_up() else None
        now_ns = self.now_ns
        if windows is not None:
            windows.forget(now_ns)
            self._roster.see(workers, now_ns)
        return Observed(now_ns, queues, tuple(workers), ages, dead, windows, self._roster)

    async def _follow(self) -> None:
        stream = self._names.events_stream
        await self._services.topology.events()
        now_ns = self.now_ns
        since_ns = now_ns - int(self._longest_s * _SECOND_NS)
        bounds = await stream_bounds(self._connection, stream)
        found = await sequence_at(self._connection, stream, since_ns) or 0
        after = max(found, bounds.last - BACKLOG + 1) - 1 if found else bounds.last
        self._roster.doubt(now_ns)
        self._windows = EventWindows(self._longest_s, since_ns)
        self._is_cut = 0 < found <= after
        self._tail = StreamTail(self._connection, stream, self._names.events, self._names.live, whole=True)
        await self._tail.start(after)
        self._read = self._tail.last
        self._reading = asyncio.create_task(self._keep_reading(self._tail), name="events for alerts")

    async def _keep_reading(self, tail: StreamTail) -> None:
        while True:
            try:
                batch = await tail.next_batch()
            except ServerError:
                await asyncio.sleep(_RETRY_S)
                continue
            if batch.restarted:
                self._read = 0
            for start in range(0, len(batch.messages), _PORTION):
                self._take(batch.messages[start : start + _PORTION])
                await asyncio.sleep(0)
            self._read = tail.last
            self._progress.set()

    def _take(self, messages: list[RawMessage]) -> None:
        now_ns = self.now_ns
        for stored in decode_all(messages):
            if self._is_cut:
                self._windows.since_ns, self._is_cut = stored.event.moment_ns, False
            self._windows.take(stored.event, now_ns)
            self._roster.hear(stored.event, now_ns)

    async def _caught_up(self) -> bool:
        """Whether all events have been counted that are stored by now; they are waited for, for a while."""
        if self._tail is None or self._reading is None:
            return False
        if self._reading.done():
            self.has_failed = True
            self._reading.result()
        last = (await stream_bounds(self._connection, self._names.events_stream)).last
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                while self._read < last:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    async def _doubt(self) -> None:
        self._roster.doubt(self.now_ns)
