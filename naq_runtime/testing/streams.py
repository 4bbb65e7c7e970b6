"""The streams of a server, in memory: the twin of `NatsStreams`."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from threading import RLock
from typing import Any

from naq_runtime.clock import Clock, nanoseconds_of
from naq_runtime.config import NAQConfig
from naq_runtime.errors import (
    JetStreamError,
    MessageTooLarge,
    NaqError,
    NotFound,
    ServerError,
    ServerUnreachable,
    StreamMissing,
)
from naq_runtime.naming import matches
from naq_runtime.nats.direct import STREAM_NOT_FOUND, Bounds, StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.nats.topology import StreamHandle, Topology
from naq_runtime.nats.wanted import WantedStreams
from naq_runtime.testing.shelf import Kept, Shelf

__all__ = ["MemoryStreams", "MemoryTopology"]

_PAGE = 1_000


class MemoryStreams:
    """`Streams` in memory, over a clock that is moved by hand. May be used from several threads.

    What is due by the clock happens when somebody looks, in the order of time.

    Args:
        clock: when it is moved, times to live end and schedules come due.
        largest: bytes that one message may have.
    """

    skew_ns = 0
    """See `Streams.skew_ns`: there is only one clock."""

    def __init__(self, clock: Clock, *, largest: int = 1_048_576) -> None:
        self.largest = largest
        self.on_stored: list[Callable[[StoredMessage], None]] = []
        """Called with each message that is put into a stream, and not with those that are moved."""
        self.on_deleted: list[Callable[[], None]] = []
        """Called when messages were taken out of a stream."""
        self.consumers: dict[str, dict[str, Any]] = {}
        """By name, as a server would describe them."""
        self._clock = clock
        self._lock = RLock()
        self._shelves: dict[str, Shelf] = {}
        self._objects: dict[str, bytes] = {}
        self._ahead: list[tuple[int, int, Shelf, Kept]] = []
        """What will happen, soonest first."""
        self._order = count()
        self._heard: list[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def __repr__(self) -> str:
        return f"<MemoryStreams {', '.join(self._shelves) or 'nothing yet'}>"

    def create(
        self,
        stream: str,
        subjects: Sequence[str],
        *,
        max_age_ns: int = 0,
        takes_ttl: bool = False,
        takes_schedules: bool = False,
    ) -> None:
        """Make a stream; one that is there stays as it is. See `Shelf` for what is meant."""
        with self._lock:
            if stream not in self._shelves:
                self._shelves[stream] = Shelf(
                    subjects, max_age_ns=max_age_ns, takes_ttl=takes_ttl, takes_schedules=takes_schedules
                )

    # The protocol

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        """See `Streams.publish`."""
        return [self.put(message) for message in messages]

    async def publish_together(self, messages: Sequence[Outgoing]) -> list[int]:
        """See `Streams.publish_together`."""
        with self._lock:
            self._catch_up()
            for message in messages:
                self._shelf_of(message).check(message)
            return [stored for stored in map(self.put, messages) if isinstance(stored, int)]

    async def store(self, outcomes: Sequence[Outgoing]) -> None:
        """See `Streams.store`."""
        for answer in map(self.put, outcomes):
            if isinstance(answer, ServerError):
                raise answer
            if isinstance(answer, NaqError):
                raise ServerUnreachable(str(answer)) from answer

    async def put_object(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        """See `Streams.put_object`; kept for as long as this lasts."""
        self._objects[name] = data

    async def get_object(self, name: str) -> bytes:
        """See `Streams.get_object`."""
        if name not in self._objects:
            raise NotFound(f"the object of {name} is not there any more")
        return self._objects[name]

    async def announce(self, subject: str, payload: bytes = b"") -> None:
        """See `Streams.announce`."""
        self._wake(subject)

    @asynccontextmanager
    async def heard(self, subject: str) -> AsyncIterator[asyncio.Event]:
        """See `Streams.heard`."""
        listening = (subject, asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._heard.append(listening)
        try:
            yield listening[2]
        finally:
            with self._lock:
                self._heard.remove(listening)

    async def last(self, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
        """See `Streams.last`."""
        return self.messages(stream, *subjects)

    async def first(self, stream: str, subject: str) -> StoredMessage | None:
        """See `Streams.first`."""
        return next(iter(self.messages(stream, subject)), None)

    async def scan(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        """See `Streams.scan`."""
        while True:
            with self._lock:
                self._catch_up()
                shelf = self._shelves.get(stream)
                if shelf is None:
                    raise StreamMissing(f"stream {stream} does not exist")
                page = shelf.find([subject], after)[:_PAGE]
            if not page:
                return
            yield page
            after = page[-1].sequence

    async def bounds(self, stream: str) -> Bounds:
        """See `Streams.bounds`."""
        with self._lock:
            self._catch_up()
            shelf = self._shelves.get(stream)
            return Bounds(1, 0, "") if shelf is None else Bounds(*shelf.bounds, f"{stream} {id(shelf)}")

    async def since(self, stream: str, time_ns: int) -> int:
        """See `Streams.since`."""
        with self._lock:
            self._catch_up()
            shelf = self._shelves.get(stream)
            if shelf is None:
                raise StreamMissing(f"stream {stream} does not exist")
            found = (message.sequence for message in shelf.find([">"]) if nanoseconds_of(message.stored_at) >= time_ns)
            return next(found, 0)

    async def delete(self, stream: str, sequences: Sequence[int]) -> list[bool]:
        """See `Streams.delete`."""
        with self._lock:
            self._catch_up()
            shelf = self._shelves.get(stream)
            if shelf is None and sequences:
                raise JetStreamError(STREAM_NOT_FOUND, "stream not found")
            removed = [shelf is not None and shelf.remove(sequence) for sequence in sequences]
        if any(removed):
            for call in self.on_deleted:
                call()
        return removed

    # Without waiting

    def put(self, message: Outgoing) -> Stored:
        """Store one message on its conditions; its sequence, or why not."""
        with self._lock:
            self._catch_up()
            try:
                shelf = self._shelf_of(message)
                kept = shelf.put(message, self._clock.time_ns())
            except ServerError as error:
                return error
            if kept is None:
                return 0
            self._plan(shelf, kept)
            self._catch_up()
        for call in self.on_stored:
            call(kept.message)
        self._wake(message.subject)
        return kept.message.sequence

    def messages(self, stream: str, *subjects: str) -> list[StoredMessage]:
        """The messages under the subjects, which may have wildcards, by sequence; none while there is no stream."""
        with self._lock:
            self._catch_up()
            shelf = self._shelves.get(stream)
            return [] if shelf is None else shelf.find(subjects)

    def next_due_ns(self, subject: str) -> int | None:
        """When the next message of those that match is to be moved; ``None`` when none is."""
        with self._lock:
            self._catch_up()
            waiting = (kept for _, _, shelf, kept in self._ahead if kept.due_ns and shelf.has(kept))
            return min((kept.due_ns or 0 for kept in waiting if matches(subject, kept.message.subject)), default=None)

    def _shelf_of(self, message: Outgoing) -> Shelf:
        size = len(message.payload) + sum(len(name) + len(value) for name, value in (message.headers or {}).items())
        if size > self.largest:
            raise MessageTooLarge("the message is larger than the server accepts")
        for shelf in self._shelves.values():
            if shelf.takes(message.subject):
                return shelf
        raise ServerUnreachable("no stream takes this subject, or JetStream is away")

    def _plan(self, shelf: Shelf, kept: Kept) -> None:
        for time_ns in (kept.due_ns, kept.expires_ns):
            if time_ns is not None:
                heapq.heappush(self._ahead, (time_ns, next(self._order), shelf, kept))

    def _catch_up(self) -> None:
        """Do what is due by now."""
        while self._ahead and self._ahead[0][0] <= self._clock.time_ns():
            time_ns, _, shelf, kept = heapq.heappop(self._ahead)
            if not shelf.has(kept):
                continue
            if time_ns == kept.due_ns:
                self._plan(shelf, shelf.move(kept, time_ns))
            else:
                shelf.remove(kept.message.sequence)

    def _wake(self, subject: str) -> None:
        with self._lock:
            listening = [(loop, event) for pattern, loop, event in self._heard if matches(pattern, subject)]
        for loop, event in listening:
            if loop is _running_loop():
                event.set()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


class MemoryTopology(Topology):
    """The streams of a namespace, made in memory with the settings that they have on a server."""

    def __init__(self, streams: MemoryStreams, config: NAQConfig) -> None:
        self._streams = streams
        self._names = config.names
        self._config = config

    async def queue(self, queue: str) -> str:
        """See `Topology.queue`."""
        name = self._names.queue_consumer(queue)
        self._streams.consumers.setdefault(name, {"config": {"metadata": {}}})
        return name

    def forget(self, queue: str) -> None:
        """See `Topology.forget`."""

    @property
    def _wanted(self) -> WantedStreams:
        return WantedStreams(self._config, fast_ingest=False)

    async def _stream(self, wanted: dict[str, Any]) -> StreamHandle:
        name = str(wanted["name"])
        self._streams.create(
            name,
            wanted["subjects"],
            max_age_ns=wanted.get("max_age", 0),
            takes_ttl=bool(wanted.get("allow_msg_ttl")),
            takes_schedules=bool(wanted.get("allow_msg_schedules")),
        )
        return StreamHandle(name, fast_ingest=False, largest=self._streams.largest)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
