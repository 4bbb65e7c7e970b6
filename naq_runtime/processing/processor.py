"""A durable processor: every event of the log that it wants is processed at least once, or ends as a dead event.

What is promised. An event is acknowledged after the function has returned, so a process that dies at any moment has
it processed again, by itself or by another one of the same name. Each process goes through what it gets in the order
of the log, one batch at a time; events that are tried again come later, and several processes share the log between
them in no particular order. A batch that fails is gone through one by one, at once.

An event that fails stays with its process, which counts its tries: the count of the server has deliveries in it that
say nothing against the event, of processes that were stopped, or waited for something when they ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from naq_runtime.errors import (
    ProcessingError,
    Rejected,
    SerializationError,
    ServerError,
    ServerUnreachable,
    Unavailable,
)
from naq_runtime.events.codec import decode_event
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import StoredEvent, SystemEvent
from naq_runtime.naming import check_name
from naq_runtime.nats.durable import ConsumerSettings, DurableConsumer, Start
from naq_runtime.processing.intake import Holding, Intake
from naq_runtime.processing.letters import Letters

if TYPE_CHECKING:
    from naq_runtime.services.events import EventService
    from naq_runtime.services.manager import ServiceManager

__all__ = ["BatchFunction", "DurableProcessor", "ProcessorStatistics", "one_by_one"]

log = logging.getLogger(__name__)

BatchFunction = Callable[[Sequence[StoredEvent]], Awaitable[object]]
"""Raises `Rejected` for what it will never process, `Unavailable` when it can process nothing for now."""

_RETRY_S, _LONGEST_RETRY_S = 1.0, 60.0
_AWAY_S, _LONGEST_AWAY_S = 0.5, 30.0
_TOLD_S = 5.0
"""A first wait that is longer is told at once, a shorter one when it was of no use."""
_NOT_BURIED_S = 5.0
_LOGGED_EVERY = 100
_STOP_S = 20.0

_Pair = tuple[Holding, StoredEvent]


class ProcessorStatistics(NamedTuple):
    """What a processor of this process has done so far."""

    processed: int
    failed: int
    """Tries of single events that ended in an error."""
    dead: int
    """Events that were given up."""
    passed_over: int
    """Messages that are no events, or none that this version can read."""
    held: int
    """Events that are delivered to this process, and not settled."""
    waiting: int
    """Events of the log that no process of this name has had yet, as of some seconds ago."""


@dataclass(slots=True)
class _Counts:
    processed: int = 0
    failed: int = 0
    dead: int = 0
    passed_over: int = 0


class DurableProcessor:
    """Processes events for as long as its block lasts; see the module for what is promised.

    Args:
        name: of the consumer: processes of one name share the work, and a later one goes on where they stopped.
        process: is called with a batch of events, never with two at a time.
        wanted: which events it gets.
        batch: how many at a time, at most; it gets what is there, and does not wait for more.
        start: where it begins when no processor of this name was there before.
        retries: an event that has failed so often more is given up.
        ack_wait_s: a process that is silent for so long has lost its events to the others.

    Raises:
        InvalidName: the name cannot be used.
    """

    def __init__(
        self,
        services: ServiceManager,
        name: str,
        process: BatchFunction,
        *,
        wanted: EventFilter | None = None,
        batch: int = 1,
        start: Start = "new",
        retries: int = 5,
        ack_wait_s: float = 30.0,
        max_ack_pending: int = 10_000,
    ) -> None:
        self.name = check_name("processor", name)
        self._services = services
        self._process = process
        self._wanted = wanted or EventFilter()
        self._retries = retries
        self._counts = _Counts()
        self._stopping = asyncio.Event()
        self._ending = asyncio.Lock()
        self._is_away = False
        self._part = f"processor {name}"
        """What is in trouble when it waits, as its events have it."""
        self._letters = Letters(services, name)
        names, topology = services.names, services.topology
        settings = ConsumerSettings(
            self._wanted.subjects(names) or (names.events,), start, ack_wait_s, max_ack_pending, str(self._wanted)
        )
        again = settings._replace(subjects=(names.event_again(name, "*"),), start="beginning")
        consumer = names.processor_consumer(name)
        consumers = (
            DurableConsumer(services.connection, names.events_stream, consumer, settings, ready=topology.events),
            DurableConsumer(services.connection, names.processors_stream, consumer, again, ready=topology.processors),
        )
        self._log, self._again = consumers
        self._intake = Intake(services.connection, consumers, batch=batch, ack_wait_s=ack_wait_s)
        self._running: asyncio.Task[None] | None = None
        self._events: EventService

    @classmethod
    def calling(
        cls, services: ServiceManager, name: str, function: Callable[[Any], Awaitable[object]], **settings: Any
    ) -> Self:
        """One that calls a function of a list of events, or with a batch of 1, of one event."""
        process = one_by_one(function) if settings.get("batch", 1) == 1 else function
        return cls(services, name, process, **settings)

    def __repr__(self) -> str:
        return f"<DurableProcessor {self.name} {self.statistics()}>"

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            ServerError: the server cannot be used.
        """
        from naq_runtime.services.events import EventService

        self._events = await self._services.get_service(EventService)
        await self._services.topology.events()
        await self._services.topology.processors()
        await self._intake.open()
        self._running = asyncio.create_task(self._run(), name=f"processor {self.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self, grace_s: float = _STOP_S) -> None:
        """Let what is in work end, for at most so many seconds, and hand back the rest. May be called twice."""
        self._stopping.set()
        self._intake.stop()
        running = self._running
        if running is None:
            return
        await asyncio.wait({running}, timeout=grace_s)
        running.cancel()
        await asyncio.wait({running}, timeout=max(1.0, grace_s))
        async with self._ending:
            if self._running is None:
                return
            self._running = None
            await self._intake.close()
        if running.done() and not running.cancelled():
            running.result()

    async def run(self) -> None:
        """Return once `stop` was called, or cancel this.

        Raises:
            ServerUnreachable: the server has ended the connection for good.
        """
        running = self._running
        if running is None:
            return
        connection = self._services.connection
        ended = asyncio.create_task(connection.closed.wait())
        try:
            await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if running.done() and not running.cancelled():
            running.result()
        elif connection.closed.is_set() and not self._stopping.is_set():
            raise ServerUnreachable(f"the server has ended the connection: {connection.last_error}")

    def statistics(self) -> ProcessorStatistics:
        """What it has done so far."""
        counts, state = self._counts, self._intake.state
        return ProcessorStatistics(
            counts.processed,
            counts.failed,
            counts.dead,
            counts.passed_over,
            self._intake.held,
            0 if state is None else state.waiting,
        )

    async def _run(self) -> None:
        while holdings := await self._intake.next():
            begun, tried = time.perf_counter(), 0
            try:
                tried = await self._deal_with(holdings)
            except ServerError as error:  # what was not settled is delivered again
                log.warning("processor %s: %s", self.name, error, extra={"action": "processor_unsettled"})
                self._events.in_trouble(self._part, error)
                with suppress(ServerError):
                    await self._intake.hand_back(holdings, _NOT_BURIED_S)
            if tried:
                self._intake.took(tried, time.perf_counter() - begun)

    async def _deal_with(self, holdings: Sequence[Holding]) -> int:
        """Have those processed that are wanted; how many that are."""
        pairs: list[_Pair] = []
        unwanted: list[Holding] = []
        for holding in holdings:
            stored = self._read(holding)
            if stored is None:
                unwanted.append(holding)
            else:
                pairs.append((holding, stored))
        self._intake.pass_over(unwanted)
        if len(pairs) == 1 and self._may_kill(pairs[0][0]) and (letter := await self._letters.suspect(pairs[0][1])):
            # nobody came back from its last try
            await self._give_up(*pairs[0], letter.error_type, letter.reason, attempts=letter.attempts)
        elif pairs:
            await self._try(pairs)
        return len(pairs)

    def _read(self, holding: Holding) -> StoredEvent | None:
        """The event of a message; ``None`` for what is not to be processed."""
        try:
            stored = StoredEvent(self._sequence(holding), decode_event(holding.delivery.payload))
        except SerializationError:
            self._counts.passed_over += 1
            return None
        event = stored.event
        if isinstance(event, SystemEvent) and event.part == self._part:
            return None  # that it waits; each of them might make it wait once more
        return stored if self._wanted.is_empty or self._wanted.matches(event) else None

    def _sequence(self, holding: Holding) -> int:
        """Of the event in the log; one that comes again by hand has it in its subject."""
        if holding.source.consumer is self._log:
            return holding.delivery.sequence
        last = holding.delivery.subject.rpartition(".")[2]
        return int(last) if last.isdigit() else 0

    def _may_kill(self, holding: Holding) -> bool:
        """Whether so many processes had it, and did not settle it, that it may be what has ended them."""
        return holding.delivery.deliveries > self._retries + 1

    async def _try(self, pairs: Sequence[_Pair]) -> None:
        """Process them, and settle them one way or the other."""
        holdings = [holding for holding, _ in pairs]
        error = await self._outcome(pairs)
        if error is None:
            self._counts.processed += len(pairs)
            await self._intake.settle(holdings)
        elif isinstance(error, Unavailable):
            await self._intake.hand_back(holdings)
        elif len(pairs) == 1:
            await self._failed(*pairs[0], error)
        else:
            for pair in pairs:
                await self._try([pair])

    async def _outcome(self, pairs: Sequence[_Pair]) -> Exception | None:
        """What the function says in the end. It is called again while it is unavailable, unless we are to stop."""
        tried = 0
        while True:
            error = await self._called(pairs)
            if not isinstance(error, Unavailable):
                self._available()
                return error
            wait_s = min(_LONGEST_AWAY_S, _AWAY_S * 2.0 ** min(tried, 16))
            if error.retry_after_s is not None:
                wait_s = max(_AWAY_S, error.retry_after_s)  # who says "at once" each time is not to be hammered
            self._unavailable(error, is_told=tried > 0 or wait_s > _TOLD_S)
            tried += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)
                return error

    async def _called(self, pairs: Sequence[_Pair]) -> Exception | None:
        events = [event for _, event in pairs]
        if len(pairs) == 1 and self._may_kill(pairs[0][0]):
            async with self._letters.suspicion(*pairs[0]):
                return await self._said(events)
        return await self._said(events)

    async def _said(self, events: Sequence[StoredEvent]) -> Exception | None:
        """What the function raises, if it does."""
        try:
            await self._process(events)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            return ProcessingError("the function was cancelled, and not by us")
        except ServerUnreachable as error:  # the function uses our own server
            return Unavailable(str(error))
        except Exception as error:  # the application's own: whatever it raises must cost no more than the event
            return error
        return None

    def _unavailable(self, error: Unavailable, *, is_told: bool) -> None:
        if is_told:  # one refusal alone is common
            self._events.in_trouble(self._part, error)
        if not self._is_away:
            self._is_away = True
            log.warning("processor %s waits: %s", self.name, error, extra={"action": "processor_waits"})

    def _available(self) -> None:
        self._events.recovered(self._part)
        if self._is_away:
            self._is_away = False
            log.info("processor %s goes on", self.name, extra={"action": "processor_goes_on"})

    async def _failed(self, holding: Holding, stored: StoredEvent, error: Exception) -> None:
        if self._counts.failed % _LOGGED_EVERY == 0:
            is_told = isinstance(error, ProcessingError)  # in plain words: where it came from would say nothing more
            log.warning(
                "processor %s failed with event %d: %s",
                self.name, stored.sequence, error if is_told else f"{type(error).__name__}: {error}",
                exc_info=None if is_told else error,
                extra={"action": "processor_failed"},
            )  # fmt: skip
        self._counts.failed += 1
        holding.failures += 1
        if isinstance(error, Rejected) or holding.failures > self._retries:
            await self._give_up(holding, stored, type(error).__name__, str(error), attempts=holding.failures)
        else:
            self._intake.try_later(holding, min(_LONGEST_RETRY_S, _RETRY_S * 2.0 ** (holding.failures - 1)))

    async def _give_up(
        self, holding: Holding, stored: StoredEvent, error_type: str, reason: str, *, attempts: int
    ) -> None:
        await self._letters.bury(holding, stored, error_type, reason, attempts=attempts)
        self._counts.dead += 1
        await self._intake.settle([holding])


def one_by_one(function: Callable[[StoredEvent], Awaitable[object]]) -> BatchFunction:
    """A function of one event, for a processor with a batch of 1."""

    async def process(events: Sequence[StoredEvent]) -> None:
        for stored in events:
            await function(stored)

    return process
