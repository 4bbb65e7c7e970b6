"""The source that follows a server: it connects, catches up, follows, and begins again when the connection is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NAQConfig, redacted_url
from naq_runtime.errors import ServerError
from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import ServerState, Snapshot
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.live_actions import LiveActions
from naq_tui.sources.live_past import LogRecording
from naq_tui.sources.live_questions import LiveQuestions
from naq_tui.sources.ordering import Ordering

if TYPE_CHECKING:
    from naq_runtime.events.answers import RecentEvents
    from naq_runtime.events.storage import TailedEvents
    from naq_runtime.monitor import Monitor
    from naq_runtime.nats.connection import Connection

__all__ = ["LiveSource"]

_SNAPSHOT_S = 1.0
_MINUTE_NS = 61_000_000_000
_MOST_HISTORY = 50_000
"""Events that are read at most before the first that come: as many as are kept."""
_RETRY_S = 1.0
_GATHER_S = 0.02
"""Events are handed over at most so often, so that many come in one batch."""

_HOLD_NS = 150_000_000
"""So long an event is held back for those of other processes that happened before it."""


class _Arrived(NamedTuple):
    """Events in order, and how many were gone before they could be read."""

    events: list[StoredEvent]
    missed: int


_News = _Arrived | Snapshot | None


class LiveSource:
    """Events and state of one namespace of a server.

    Args:
        config: where, and which namespace.
        history: how many of the last events to begin with.
        since: the moment from which on events are read first instead, when it is now so late.
        patient: whether to go on trying when there is no server at the start; else its error is raised.
        read_only: whether nothing may be done there, and nothing made where there is nothing.
    """

    def __init__(
        self,
        config: NAQConfig,
        *,
        history: int = 2_000,
        since: Callable[[int], int] | None = None,
        patient: bool = True,
        read_only: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config
        self._history = history
        self._since = since
        self._patient = patient
        self._clock = clock
        self._last = 0
        self._ordering = Ordering(_HOLD_NS)
        self._on_server: Callable[[int], int] = int
        """Puts our clock right, by what was last known of the server's."""
        self._link = Link(ConnectionState.CONNECTING, clock.time_ns(), redacted_url(config.nats.url))
        self._stack = contextlib.AsyncExitStack()
        self._questions = LiveQuestions()
        self._actions = None if read_only else LiveActions()
        self._server: ServerState | None = None
        """The one that answered last."""

    def __repr__(self) -> str:
        return f"<LiveSource {redacted_url(self._config.nats.url)} {self._link.state} at {self._last}>"

    async def __aenter__(self) -> Self:
        """Nothing is connected yet: iterating does that."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._disconnect()

    async def __aiter__(self) -> AsyncGenerator[Batch, None]:
        yield Batch(self._link)
        while True:
            try:
                async with contextlib.aclosing(self._session()) as session:
                    async for batch in session:
                        yield batch
            except ServerError as error:
                if not self._patient:
                    raise
                yield Batch(self._turn(ConnectionState.RECONNECTING, str(error)))
            await self._disconnect()
            await asyncio.sleep(_RETRY_S)

    def time_of(self, now_ns: int) -> int:
        """See `EventSource.time_of`: that of the server."""
        return self._on_server(now_ns)

    @property
    def questions(self) -> LiveQuestions:
        """See `EventSource.questions`."""
        return self._questions

    @property
    def actions(self) -> LiveActions | None:
        """See `EventSource.actions`."""
        return self._actions

    @property
    def past(self) -> LogRecording | None:
        """See `EventSource.past`: the log of the server; ``None`` before there was a connection."""
        return LogRecording(self._questions.connected, self._server) if self._server is not None else None

    # One connection

    async def _session(self) -> AsyncGenerator[Batch, None]:
        await asyncio.to_thread(import_module, "naq_runtime.monitor")  # so long that the first paint comes before it
        from naq_runtime.monitor import Monitor
        from naq_runtime.services.manager import ServiceManager

        manager = ServiceManager(self._config, role="monitor", may_found=self._actions is not None)
        services = await self._stack.enter_async_context(manager)
        monitor = await services.get_service(Monitor)
        self._questions.connect(monitor)
        if self._actions is not None:
            self._actions.connect(services)
        self._on_server = monitor.on_server
        snapshot = await monitor.snapshot()
        self._server = snapshot.server
        yield Batch(self._turn(ConnectionState.CATCHING_UP, self._address), snapshot=snapshot)
        if self._last == 0:
            recent, self._last = await self._recent(monitor)
            yield Batch(self._link, sorted(recent, key=lambda stored: stored.event.moment_ns))
        self._patient = True
        inbox = _Inbox()
        connection = services.connection
        connection.on_lost.append(inbox.nudge)
        connection.on_restored.extend((self._questions.distrust, inbox.nudge))
        inbox.pump(partial(self._follow, monitor, inbox))
        inbox.pump(partial(_snapshots, monitor, inbox))
        inbox.pump(partial(_end, connection.closed, inbox))
        try:
            yield Batch(self._turn(ConnectionState.LIVE, self._address))
            while not connection.closed.is_set():
                yield self._batch(await inbox.get(), connection)
        finally:
            await inbox.close()

    async def _recent(self, monitor: Monitor) -> RecentEvents:
        """What to begin with: the last events, and at least those of the minute that figures are of."""
        now_ns = monitor.now_ns()
        minute_ns = now_ns - _MINUTE_NS
        if self._since is not None:
            return await monitor.events.recent(_MOST_HISTORY, since=min(minute_ns, self._since(now_ns)))
        recent = await monitor.recent(self._history)
        if len(recent.events) < self._history or recent.events[0].event.moment_ns < minute_ns:
            return recent
        return await monitor.events.recent(_MOST_HISTORY, since=minute_ns)

    async def _follow(self, monitor: Monitor, inbox: _Inbox) -> None:
        """Hand over the log as it grows; what several processes wrote at the same time is put in order."""
        tail = await monitor.follow(self._last)
        coming = asyncio.ensure_future(tail.next_batch())
        try:
            while True:
                await asyncio.wait({coming}, timeout=_HOLD_NS / 1e9 if len(self._ordering) else None)
                missed = 0
                if coming.done():
                    try:
                        missed = self._hold(coming.result())
                    except ServerError:
                        await asyncio.sleep(_RETRY_S)
                    coming = asyncio.ensure_future(tail.next_batch())
                ready = self._ordering.take(self._clock.monotonic_ns())
                if ready or missed:
                    await inbox.put(_Arrived(ready, missed))
                await asyncio.sleep(_GATHER_S)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await tail.stop()

    def _hold(self, news: TailedEvents) -> int:
        """Put events in order with those held, which outlive the connection; returns how many were missed."""
        if news.events:
            self._last = news.events[-1].sequence
            self._ordering.add(news.events, self._clock.monotonic_ns())
        return news.missed

    def _batch(self, news: _News, connection: Connection) -> Batch:
        if connection.is_connected:
            link = self._turn(ConnectionState.LIVE, self._address)
        else:
            link = self._turn(ConnectionState.RECONNECTING, connection.last_error or "connection lost")
        if isinstance(news, Snapshot):
            return Batch(link, snapshot=news)
        if news is None:
            return Batch(link)
        return Batch(link, news.events, news.missed)

    async def _disconnect(self) -> None:
        self._questions.disconnect()
        if self._actions is not None:
            self._actions.disconnect()
        await self._stack.aclose()

    @property
    def _address(self) -> str:
        return redacted_url(self._config.nats.url)

    def _turn(self, state: ConnectionState, detail: str) -> Link:
        """The link as it is now; since when only changes with the state."""
        if state is not self._link.state:
            self._link = Link(state, self.time_of(self._clock.time_ns()), detail)
        elif detail != self._link.detail:
            self._link = Link(state, self._link.since_ns, detail)
        return self._link


class _Inbox:
    """Where the tasks of one connection put what they find."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[_News | BaseException] = asyncio.Queue(maxsize=16)
        self._tasks: list[asyncio.Task[None]] = []

    def pump(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a task until the inbox is closed; its failure comes out of `get`."""
        self._tasks.append(asyncio.create_task(self._watched(work)))

    async def put(self, news: _News) -> None:
        """Wait for room, and put it."""
        await self._queue.put(news)

    async def nudge(self) -> None:
        """The connection has changed: that alone is news."""
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(None)

    async def get(self) -> _News:
        """The next news, or the error that ended a task."""
        news = await self._queue.get()
        if isinstance(news, BaseException):
            raise news
        return news

    async def close(self) -> None:
        """End the tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watched(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # supervision: raised again by whoever reads
            await self._queue.put(error)


async def _snapshots(monitor: Monitor, inbox: _Inbox) -> None:
    while True:
        with contextlib.suppress(ServerError):
            await inbox.put(await monitor.snapshot())
        await asyncio.sleep(_SNAPSHOT_S)


async def _end(closed: asyncio.Event, inbox: _Inbox) -> None:
    await closed.wait()
    await inbox.put(None)
