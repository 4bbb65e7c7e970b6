"""Storing many messages at once, and knowing that they are stored.

Two ways, one protocol: `FastIngest` (nats-server ≥ 2.14: one acknowledgement a chunk) and `AckedPublish` (an
acknowledgement each, pipelined). After an error either may have stored a part of the chunk; a chunk that is stored
again must not hurt, or the caller must ask what is there first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec

from naq_runtime.errors import JetStreamError, MessageTooLarge, NaqError, ServerError, ServerUnreachable
from naq_runtime.naming import new_id
from naq_runtime.nats.connection import Connection, Msg, Subscription
from naq_runtime.nats.translating import jetstream_error, translated

__all__ = [
    "AckedPublish",
    "FastIngest",
    "Outgoing",
    "Stored",
    "StreamWriter",
    "ingested",
    "is_conflict",
    "is_full",
    "is_out_of_consumers",
    "is_too_large",
    "open_writer",
    "publish_together",
]

_NEVER = str(2**62)
_WINDOW = 500
"""Messages under way at most, of one `AckedPublish`."""


class Outgoing(NamedTuple):
    """A message to be stored."""

    subject: str
    payload: bytes
    headers: dict[str, str] | None = None

    @property
    def size(self) -> int:
        """Bytes, headers included, as the server counts them."""
        headers = self.headers or {}
        lines = sum(len(name) + len(value) + 4 for name, value in headers.items())
        return len(self.payload) + (lines + 12 if headers else 0)


Stored = int | NaqError
"""The sequence of a message, 0 when it had been stored before under the same id, or why it was not stored."""


class StreamWriter(Protocol):
    """Stores chunks of messages, in order."""

    async def store(self, chunk: Sequence[Outgoing]) -> None:
        """Return once every message is stored.

        Raises:
            ServerError: a part of the chunk may be stored, a part not.
        """
        ...

    async def close(self) -> None:
        """Give the subscription back."""
        ...


async def open_writer(connection: Connection, *, fast: bool) -> StreamWriter:
    """The fastest writer that both the server and the stream (``fast``) know."""
    writer: FastIngest | AckedPublish = FastIngest(connection) if fast else AckedPublish(connection)
    await writer.open()
    return writer


class _Inbox:
    """A subscription to answers, told apart by the token after the prefix."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.prefix = ""
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Subscribe; does nothing the second time."""
        if self._subscription is None:
            self.prefix = self.connection.new_inbox()
            self._subscription = await self.connection.subscribe(f"{self.prefix}.>", self._answer)
            self.connection.on_lost.append(self._lost)

    async def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self.connection.on_lost.remove(self._lost)
            await self.connection.unsubscribe(self._subscription)
            self._subscription = None

    async def _answer(self, message: Msg) -> None:
        raise NotImplementedError

    async def _lost(self) -> None:
        """The answers to what was sent over the connection that was lost do not come any more."""


class FastIngest(_Inbox):
    """Batched publishing: the reply subject of each message says its place, the server answers once for all.

    The reply is ``<inbox>.<batch>.<flow>.fail.<place>.<operation>.$FI``; operations: 0 first, 1 next, 2 last. Under
    ``fail`` the server stops at a gap, so that what is stored of a broken chunk is its beginning. The server knows
    a batch by its name alone, whoever sends it; so the names of two processes must never meet.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._batches: dict[str, asyncio.Future[None]] = {}
        self._sizes: dict[str, int] = {}
        self._token = new_id(12)
        self._number = 0

    async def store(self, chunk: Sequence[Outgoing]) -> None:
        """See `StreamWriter.store`; at most 1,000 messages a chunk."""
        if not chunk:
            return
        if not self.connection.is_connected:
            raise ServerUnreachable("the connection to the server is lost")
        size = len(chunk)
        self._number += 1
        batch = f"{self._token}{self._number}"
        done = self._batches[batch] = asyncio.get_running_loop().create_future()
        self._sizes[batch] = size
        try:
            with translated():
                patience_s = self.connection.config.request_timeout
                async with asyncio.timeout(patience_s):
                    await self._send(chunk, f"{self.prefix}.{batch}.{_WINDOW}.fail.")
                async with asyncio.timeout(patience_s):  # one of its own: under load the client swallows the first
                    await done
        finally:
            del self._batches[batch], self._sizes[batch]
            done.cancel()

    async def _send(self, chunk: Sequence[Outgoing], start: str) -> None:
        size = len(chunk)
        replies = [f"{start}{place}.1.$FI" for place in range(1, size + 1)]
        replies[0] = f"{start}1.0.$FI"
        replies[-1] = f"{start}{size}.2.$FI"
        if not any(map(attrgetter("headers"), chunk)):
            await self.connection.publish_many(
                [(subject, payload, reply) for (subject, payload, _), reply in zip(chunk, replies, strict=True)]
            )
            return
        for message, reply in zip(chunk, replies, strict=True):
            await self.connection.publish(message.subject, message.payload, reply, message.headers)

    async def _answer(self, message: Msg) -> None:
        batch = message.subject[len(self.prefix) + 1 :].partition(".")[0]
        done = self._batches.get(batch)
        if done is None or done.done():
            return
        error = self._error_in(message, self._sizes[batch])
        if error is None:
            done.set_result(None)
        elif error is not _UNDECIDED:
            done.set_exception(error)

    def _error_in(self, message: Msg, size: int) -> NaqError | None:
        """``None`` for success, an error, or ``_UNDECIDED`` for news that decide nothing."""
        if message.headers and message.headers.get("Status") == "503":
            return ServerUnreachable("no stream takes these subjects, or JetStream is away")
        answer = msgspec.json.decode(message.data, type=dict[str, Any]) if message.data else {}
        if error := answer.get("error"):
            return jetstream_error(error)
        if kind := answer.get("type"):
            return _UNDECIDED if kind == "ack" else ServerUnreachable(f"the server broke a batch off: {kind}")
        if answer.get("count") != size:
            return ServerUnreachable(f"the server stored {answer.get('count')} of {size} messages")
        return None


_UNDECIDED = ServerError("undecided")


class AckedPublish(_Inbox):
    """An acknowledgement for each message, with many under way."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._waiting: dict[str, asyncio.Future[Stored]] = {}
        self._number = 0

    async def store(self, chunk: Sequence[Outgoing]) -> None:
        """See `StreamWriter.store`; whatever the number."""
        for answer in await self.publish_all(chunk):
            if isinstance(answer, ServerError):
                raise answer
            if isinstance(answer, NaqError):
                raise ServerUnreachable(str(answer)) from answer

    async def publish_all(self, messages: Sequence[Outgoing]) -> list[Stored]:
        """Publish each, and say for each, in order, its sequence, or why it was not stored."""
        results: list[Stored] = []
        for start in range(0, len(messages), _WINDOW):
            results += await self._publish_window(messages[start : start + _WINDOW])
        return results

    async def _publish_window(self, messages: Sequence[Outgoing]) -> list[Stored]:
        loop = asyncio.get_running_loop()
        futures: dict[str, asyncio.Future[Stored]] = {}
        try:
            for message in messages:
                self._number += 1
                token = str(self._number)
                futures[token] = self._waiting[token] = loop.create_future()
                try:
                    await self.connection.publish(
                        message.subject, message.payload, f"{self.prefix}.{token}", message.headers
                    )
                except NaqError as error:
                    futures[token].set_result(error)
            await asyncio.wait(futures.values(), timeout=self.connection.config.request_timeout)
            return [
                future.result() if future.done() else ServerUnreachable("the server did not confirm in time")
                for future in futures.values()
            ]
        finally:
            for token in futures:
                del self._waiting[token]

    async def _lost(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result(ServerUnreachable("the connection was lost before the server confirmed"))

    async def _answer(self, message: Msg) -> None:
        future = self._waiting.get(message.subject[len(self.prefix) + 1 :])
        if future is None or future.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            future.set_result(ServerUnreachable("no stream takes this subject, or JetStream is away"))
            return
        answer = msgspec.json.decode(message.data, type=dict[str, Any])
        error = answer.get("error")
        if error:
            future.set_result(jetstream_error(error))
        else:
            future.set_result(0 if answer.get("duplicate") else int(answer["seq"]))


async def publish_together(connection: Connection, messages: Sequence[Outgoing]) -> int:
    """Store all of these messages, or none of them (an atomic batch); at most 1,000, into one stream.

    The conditions of each hold for the stream as it was before the batch. Use those on a message's own subject only:
    up to nats-server 2.14.3 the server mixes up others.

    Returns:
        The sequence of the last one; they count up.

    Raises:
        ServerError: nothing is stored, or, when there was no answer, all may be. See `is_conflict`, `is_too_large`.
    """
    batch, last = new_id(20), len(messages)
    sent: list[Outgoing] = []
    for place, message in enumerate(messages, 1):
        headers = {**(message.headers or {}), "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
        if place == last:
            headers["Nats-Batch-Commit"] = "1"
        sent.append(message._replace(headers=headers))
        if sent[-1].size > connection.max_payload:  # the server would hang up
            raise MessageTooLarge(f"{message.subject} is {sent[-1].size:,} bytes, more than the server accepts")
    for message in sent[:-1]:
        await connection.publish(message.subject, message.payload, headers=message.headers)
    for message in sent[-1:]:
        answer = await connection.request(message.subject, message.payload, headers=message.headers)
        stored = msgspec.json.decode(answer.data, type=dict[str, Any])
        if error := stored.get("error"):
            raise jetstream_error(error)
        return int(stored["seq"])
    return 0


async def ingested(connection: Connection, subject: str) -> None:
    """Return once the stream has dealt with everything that this connection published into it before.

    A message on a condition that never holds passes through the same line, and is refused at the end of it.

    Args:
        subject: any that the stream takes.
    """
    await connection.request(subject, headers={"Nats-Expected-Last-Sequence": _NEVER})


def is_conflict(error: object) -> bool:
    """Whether the stream refused because the condition on which the message was sent does not hold."""
    return isinstance(error, JetStreamError) and error.code in (10071, 10164)


def is_full(error: object) -> bool:
    """Whether the stream refused because one of its limits, the account's or the disk's is reached."""
    return isinstance(error, JetStreamError) and error.code in {10002, 10023, 10028, 10047, 10077, 10122}


def is_out_of_consumers(error: object) -> bool:
    """Whether there may be no more queues: the stream, or the account, has as many consumers as it may have."""
    return isinstance(error, JetStreamError) and error.code == 10026


def is_too_large(error: object) -> bool:
    """Whether the stream takes no message of this size, however often it is tried.

    Of a batch the server says so when its last message is too large; where it is another one, only that the batch is
    incomplete. So it is then, and may be otherwise.
    """
    return isinstance(error, MessageTooLarge) or (isinstance(error, JetStreamError) and error.code in {10054, 10176})
