"""What the rules of jobs need of a server: messages under subjects, one each, put there on conditions.

`Streams` is the seam at which the server is exchanged for one in memory (`naq_runtime.testing`). A condition, a time to
live and a time to be delivered are headers of the message, as the server defines them.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import JetStreamError, ServerError, ServerUnreachable
from naq_runtime.nats.connection import Connection, Msg, listening, subscribed
from naq_runtime.nats.direct import (
    Bounds,
    StoredMessage,
    last_by_subject,
    messages_from,
    page_from,
    sequence_at,
    stream_bounds,
)
from naq_runtime.nats.objects import ObjectBucket
from naq_runtime.nats.publish import AckedPublish, Outgoing, Stored, StreamWriter, open_writer, publish_together
from naq_runtime.nats.topology import Topology

__all__ = [
    "MESSAGE_ID",
    "NatsStreams",
    "Streams",
    "at_time",
    "if_last_is",
    "in_header",
    "living_for",
    "moved_at_ns",
    "once",
]

MESSAGE_ID = "Nats-Msg-Id"
_DELETES_AT_A_TIME = 100
_NO_MESSAGE = {10037, 10043, 10057}


class Streams(Protocol):
    """Streams that keep one message a subject."""

    @property
    def largest(self) -> int:
        """Bytes that one message may have, headers included."""
        ...

    @property
    def skew_ns(self) -> int:
        """How far the clock by which messages are moved is ahead of ours."""
        ...

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        """Store each message on its conditions; its sequence, or why not, in order."""
        ...

    async def publish_together(self, messages: Sequence[Outgoing]) -> list[int]:
        """Store all of these messages of one stream, or none of them; their sequences. At most 1,000.

        Raises:
            ServerError: nothing is stored, or all may be; where a condition does not hold, see `is_conflict`.
        """
        ...

    async def store(self, outcomes: Sequence[Outgoing]) -> None:
        """Store outcomes as fast as can be, without conditions.

        Raises:
            ServerError: a part of them may be stored; to store them again does no harm.
        """
        ...

    async def put_object(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        """Store what is too large for one message, in place of what had its name.

        Raises:
            ServerError: to store it again does no harm.
        """
        ...

    async def get_object(self, name: str) -> bytes:
        """Read it again.

        Raises:
            NotFound: its time is over.
        """
        ...

    async def announce(self, subject: str, payload: bytes = b"") -> None:
        """Tell whoever listens now; nothing is stored."""
        ...

    def heard(self, subject: str) -> AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set when something is announced under the subject, or may have been."""
        ...

    async def last(self, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
        """The messages under the subjects, which may have wildcards, by sequence."""
        ...

    async def first(self, stream: str, subject: str) -> StoredMessage | None:
        """The first message that matches."""
        ...

    def scan(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        """All messages that match, in pages, by sequence."""
        ...

    async def bounds(self, stream: str) -> Bounds:
        """Where it begins and ends, and which one it is; 1 and 0 while it is not there."""
        ...

    async def since(self, stream: str, time_ns: int) -> int:
        """The sequence of the first message that was stored at a time or later; 0 for none."""
        ...

    async def delete(self, stream: str, sequences: Sequence[int]) -> list[bool]:
        """Remove messages; whether each was there."""
        ...


class NatsStreams:
    """`Streams` on a server."""

    def __init__(self, connection: Connection, topology: Topology) -> None:
        self._connection = connection
        self._topology = topology
        self._publisher = AckedPublish(connection)
        self._objects = ObjectBucket(connection, topology.names)
        self._writer: StreamWriter | None = None
        self._largest_outcome = 0

    @property
    def skew_ns(self) -> int:
        """See `Streams.skew_ns`."""
        return self._connection.skew_ns

    @property
    def largest(self) -> int:
        """See `Streams.largest`; the stream of outcomes may have a limit of its own."""
        return min(self._connection.max_payload, self._largest_outcome or self._connection.max_payload)

    async def close(self) -> None:
        """Give back what it holds; it can be used again."""
        await self._publisher.close()
        await self._objects.close()
        await self._close_writer()

    async def store(self, outcomes: Sequence[Outgoing]) -> None:
        """See `Streams.store`; at most 1,000 of them."""
        if self._writer is None:
            stream = await self._topology.results()
            self._largest_outcome = stream.largest
            self._writer = await open_writer(self._connection, fast=stream.fast_ingest)
        try:
            await self._writer.store(outcomes)
        except ServerError:
            await self._close_writer()  # the stream may be gone: the next try looks, and makes it anew
            raise

    async def _close_writer(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = None

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        """See `Streams.publish`."""
        await self._publisher.open()
        return await self._publisher.publish_all(messages)

    async def publish_together(self, messages: Sequence[Outgoing]) -> list[int]:
        """See `Streams.publish_together`."""
        last = await publish_together(self._connection, messages)
        return list(range(last - len(messages) + 1, last + 1))

    async def put_object(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        """See `Streams.put_object`."""
        await self._topology.objects()
        await self._objects.put(name, data, headers)

    async def get_object(self, name: str) -> bytes:
        """See `Streams.get_object`."""
        return await self._objects.get(name)

    async def announce(self, subject: str, payload: bytes = b"") -> None:
        """See `Streams.announce`."""
        await self._connection.publish(subject, payload)

    @asynccontextmanager
    async def heard(self, subject: str) -> AsyncIterator[asyncio.Event]:
        """See `Streams.heard`; set after a reconnect, too. While the server is away, that is waited for."""
        heard = asyncio.Event()

        async def hear(_: Msg) -> None:
            heard.set()

        async def restored() -> None:
            heard.set()

        with listening(self._connection.on_restored, restored):
            async with subscribed(self._connection, subject, hear):
                try:
                    await self._connection.flush()
                except ServerUnreachable:
                    if self._connection.closed.is_set():
                        raise
                    heard.set()  # for all that is known
                yield heard

    async def last(self, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
        """See `Streams.last`."""
        return await last_by_subject(self._connection, stream, subjects)

    async def first(self, stream: str, subject: str) -> StoredMessage | None:
        """See `Streams.first`."""
        page = await page_from(self._connection, stream, 1, 1, subject)
        return page.messages[0] if page.messages else None

    async def scan(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        """See `Streams.scan`."""
        narrowed = None if subject == ">" else subject  # the server is faster when it has nothing to look for
        async for page in messages_from(self._connection, stream, after + 1, subject=narrowed):
            yield page

    async def bounds(self, stream: str) -> Bounds:
        """See `Streams.bounds`."""
        return await stream_bounds(self._connection, stream)

    async def since(self, stream: str, time_ns: int) -> int:
        """See `Streams.since`; by the server's clock."""
        return await sequence_at(self._connection, stream, time_ns) or 0

    async def delete(self, stream: str, sequences: Sequence[int]) -> list[bool]:
        """See `Streams.delete`."""
        done: list[bool] = []
        for start in range(0, len(sequences), _DELETES_AT_A_TIME):
            some = sequences[start : start + _DELETES_AT_A_TIME]
            done += await asyncio.gather(*(self._delete(stream, sequence) for sequence in some))
        return done

    async def _delete(self, stream: str, sequence: int) -> bool:
        try:
            await self._connection.api(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence, "no_erase": True})
        except JetStreamError as error:
            if error.code in _NO_MESSAGE:
                return False
            raise
        return True


# Headers


def once(message_id: str) -> dict[str, str]:
    """The stream takes one message of this id within two minutes, and answers the others as if it had taken them."""
    return {MESSAGE_ID: message_id}


def if_last_is(sequence: int, subject: str | None = None) -> dict[str, str]:
    """Only while the last message under the subject, or under the message's own, has this sequence; 0 for none."""
    headers = {"Nats-Expected-Last-Subject-Sequence": str(sequence)}
    if subject is not None:
        headers["Nats-Expected-Last-Subject-Sequence-Subject"] = subject
    return headers


def living_for(seconds: float) -> dict[str, str]:
    """Removed after so long; the server counts whole seconds, so it may be one more."""
    return {"Nats-TTL": str(max(1, math.ceil(seconds)))}


def at_time(time_ns: int, target: str) -> dict[str, str]:
    """Moved to the target at a time of the server's clock, in place of what is there."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {"Nats-Schedule": f"@at {moment}.{rest:09d}Z", "Nats-Schedule-Target": target}


def moved_at_ns(headers: Mapping[str, str]) -> int:
    """When a message is moved, by the server's clock, as `at_time` said; 0 when it does not say."""
    try:
        return nanoseconds_of(headers["Nats-Schedule"].removeprefix("@at "))
    except (KeyError, ValueError):
        return 0


def in_header(value: object) -> str:
    """A value as JSON that can stand in a header: one line of ASCII."""
    return json.dumps(msgspec.to_builtins(value))
