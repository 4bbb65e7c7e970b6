"""Where events are kept: in a JetStream stream, or, for tests, in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from naq_runtime.config import NAQConfig
from naq_runtime.errors import ServerError
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.reading import EventReader, FoundEvents, SequenceRange, decode_all
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import last_by_subject, stream_bounds
from naq_runtime.nats.publish import Outgoing, StreamWriter, ingested, open_writer
from naq_runtime.nats.tail import StreamTail
from naq_runtime.nats.topology import Topology

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["EventStorage", "EventStore", "EventTail", "NATSJobEventStorage", "TailedEvents"]

_CLOCK_AGE_NS = 60_000_000_000


class TailedEvents(NamedTuple):
    """What came since the last look."""

    events: list[StoredEvent]
    missed: int
    """Events that were stored and removed before they could be read."""
    restarted: bool = False
    """The log was made anew: sequences begin again."""


class EventTail(Protocol):
    """The events from some moment on, as they come."""

    async def next_batch(self) -> TailedEvents:
        """Wait for something, and return all of it.

        Raises:
            ServerError: the log cannot be read now; call again, nothing is lost.
        """
        ...

    async def stop(self) -> None:
        """Give back what it holds."""
        ...


class EventStore(Protocol):
    """Where events are put."""

    @property
    def largest(self) -> int:
        """The bytes that an encoded event may have."""
        ...

    async def store(self, entries: Sequence[Outgoing]) -> None:
        """Return once all are stored, in order; storing the same entries again leaves one of each.

        Raises:
            ServerError: a part of them may be stored.
        """
        ...

    async def missing(self, entries: Sequence[Outgoing]) -> list[Outgoing]:
        """Those of the entries that are not stored, one of each subject.

        Raises:
            ServerError: the log cannot be read now.
        """
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class EventStorage(EventStore, Protocol):
    """A log of events. Whatever it is asked for can raise a `ServerError`: the log cannot be read now."""

    async def history(self, job_id: str) -> list[StoredEvent]:
        """All events of a job, in causal order."""
        ...

    async def range_of(self, since_ns: int | None = None, until_ns: int | None = None) -> SequenceRange:
        """What was stored from a moment on, and before another one; all of it without them."""
        ...

    async def recent(self, limit: int, wanted: EventFilter, within: SequenceRange) -> list[StoredEvent]:
        """The last events of a range that match, oldest first; at most the last 200,000 are looked through for them."""
        ...

    async def page(self, wanted: EventFilter, within: SequenceRange, size: int) -> FoundEvents:
        """The first events of a range that match, at most ``size`` of them, and perhaps fewer than there are."""
        ...

    async def tail(self, wanted: EventFilter, after: int | None = None) -> EventTail:
        """Follow the log behind a sequence, or from now on."""
        ...


class NATSJobEventStorage:
    """The log as a JetStream stream. Created with its first use, so that it may be made before the server is there."""

    def __init__(self, connection: Connection, config: NAQConfig, topology: Topology) -> None:
        self._connection = connection
        self._names = config.names
        self._topology = topology
        self._stream = config.names.events_stream
        self._reader = EventReader(connection, config.names)
        self._retired_after_s = config.events.heartbeat_max_age
        self._writer: StreamWriter | None = None
        self._in_doubt: Sequence[Outgoing] = ()
        self._largest = 0

    def __repr__(self) -> str:
        return f"<NATSJobEventStorage {self._stream} in_doubt={len(self._in_doubt)}>"

    @property
    def largest(self) -> int:
        """See `EventStore.largest`: what fits into one message."""
        return self._largest or self._connection.max_payload

    async def store(self, entries: Sequence[Outgoing]) -> None:
        """See `EventStore.store`; at most 1,000 entries."""
        await self.learn_clock()
        writer = await self._open_writer()
        missing = await self._not_among(entries, self._in_doubt) if self._in_doubt else entries
        self._in_doubt = entries
        try:
            await writer.store(missing)
        except ServerError:
            await self.close()  # the stream may be gone: the next try looks, and makes it anew
            raise
        self._in_doubt = ()

    async def missing(self, entries: Sequence[Outgoing]) -> list[Outgoing]:
        """See `EventStore.missing`; at most 1,000 entries."""
        await self._open_writer()  # which makes the stream, if it must
        single = list({entry.subject: entry for entry in reversed(entries)}.values())[::-1]
        return await self._not_among(single, single) if single else []

    async def history(self, job_id: str) -> list[StoredEvent]:
        """See `EventStorage.history`."""
        return await self._reader.history(job_id)

    async def histories(self, job_ids: Sequence[str]) -> dict[str, list[StoredEvent]]:
        """All events of some jobs, by id, each in causal order; those of which there are none are left out."""
        return await self._reader.histories(job_ids)

    async def range_of(self, since_ns: int | None = None, until_ns: int | None = None) -> SequenceRange:
        """See `EventStorage.range_of`; the times are those of the server."""
        return await self._reader.range_of(since_ns, until_ns)

    async def recent(self, limit: int, wanted: EventFilter, within: SequenceRange) -> list[StoredEvent]:
        """See `EventStorage.recent`."""
        return await self._reader.recent(limit, wanted, within)

    async def page(self, wanted: EventFilter, within: SequenceRange, size: int) -> FoundEvents:
        """See `EventStorage.page`."""
        return await self._reader.page(wanted, within, size)

    async def tail(self, wanted: EventFilter, after: int | None = None) -> EventTail:
        """See `EventStorage.tail`."""
        subjects = wanted.subjects(self._names)
        # Only what comes by one subscription comes in its order.
        subject = subjects[0] if len(subjects) == 1 else self._names.events
        tail = StreamTail(
            self._connection,
            self._stream,
            subject,
            self._names.live_of(subject),
            whole=subject == self._names.events,
            retired_after_s=self._retired_after_s,
        )
        try:
            await tail.start(after)
        except BaseException:
            await tail.stop()
            raise
        return _FilteredTail(tail, wanted)

    async def close(self) -> None:
        """See `EventStore.close`; it can be used again."""
        if self._writer is not None:
            await self._writer.close()
            self._writer = None

    async def _open_writer(self) -> StreamWriter:
        if self._writer is None:
            stream = await self._topology.events()
            self._largest = stream.largest
            self._writer = await open_writer(self._connection, fast=stream.fast_ingest)
        return self._writer

    async def learn_clock(self) -> None:
        """Now and then see what the clock of the server shows: who only enqueues does not hear of it otherwise."""
        if self._connection.server_clock.is_old(_CLOCK_AGE_NS):
            with contextlib.suppress(ServerError):  # the next events will tell
                await stream_bounds(self._connection, self._stream)

    async def _not_among(self, entries: Sequence[Outgoing], doubted: Sequence[Outgoing]) -> list[Outgoing]:
        """The entries, without those that are stored; only the doubted ones may be."""
        subjects = [entry.subject for entry in doubted]
        await ingested(self._connection, subjects[0])
        stored = {message.subject for message in await last_by_subject(self._connection, self._stream, subjects)}
        return [entry for entry in entries if entry.subject not in stored]


class _FilteredTail:
    """The part of a stream's tail that is wanted, decoded."""

    def __init__(self, tail: StreamTail, wanted: EventFilter) -> None:
        self._tail = tail
        self._wanted = None if wanted.is_empty else wanted

    async def next_batch(self) -> TailedEvents:
        batch = await self._tail.next_batch()
        events = decode_all(batch.messages)
        if self._wanted is not None:
            events = [stored for stored in events if self._wanted.matches(stored.event)]
        return TailedEvents(events, batch.missed, batch.restarted)

    async def stop(self) -> None:
        await self._tail.stop()
