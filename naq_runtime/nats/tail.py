"""Following a stream as it grows, without a consumer on the server, without a gap and without a repeat.

The server repeats each stored message on a live subject, with its sequence in a header. What is missing between two
sequences, at the start, and after every reconnect, is read from the stream itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from naq_runtime.errors import JetStreamError, NaqError
from naq_runtime.nats.connection import Connection, Msg, Subscription
from naq_runtime.nats.direct import messages_from

__all__ = ["StreamTail", "TailBatch"]

RawMessage = tuple[int, bytes]
"""Sequence and payload."""


@dataclass(slots=True)
class TailBatch:
    """What came since the last batch, by sequence."""

    messages: list[RawMessage] = field(default_factory=list)
    missed: int = 0
    """Messages that were stored and then removed before they could be read."""
    restarted: bool = False
    """The stream was made anew: sequences began again."""


class StreamTail:
    """The messages of a stream from a sequence on, then as they come.

    Args:
        subject: what to read from the stream.
        live: where the server repeats it.
        whole: whether ``subject`` takes in the whole stream, so that every sequence must come by.
    """

    def __init__(self, connection: Connection, stream: str, subject: str, live: str, *, whole: bool) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._live = live
        self._whole = whole
        self._pending: list[RawMessage] = []
        self._wake = asyncio.Event()
        self._must_catch_up = False
        self._subscription: Subscription | None = None
        self.last = 0
        """The sequence up to which everything has been delivered."""

    async def start(self, after: int | None = None) -> None:
        """Begin behind the sequence ``after``, or with what comes from now on."""
        self._subscription = await self._connection.subscribe(self._live, self._receive)
        self._connection.on_restored.append(self._reconnected)
        await self._connection.flush()
        _, end = await self._bounds()
        self.last = end if after is None else min(after, end)
        self._must_catch_up = after is not None and self.last < end
        if self._must_catch_up:
            self._wake.set()

    async def stop(self) -> None:
        """Unsubscribe."""
        if self._reconnected in self._connection.on_restored:
            self._connection.on_restored.remove(self._reconnected)
        if self._subscription is not None:
            await self._connection.unsubscribe(self._subscription)
            self._subscription = None

    @property
    def pending(self) -> int:
        """Messages that came and were not fetched yet."""
        return len(self._pending)

    async def next_batch(self) -> TailBatch:
        """Wait for something, and return all of it.

        Raises:
            ServerError: the stream cannot be read now; call again, nothing is lost.
        """
        await self._wake.wait()
        self._wake.clear()
        batch = TailBatch()
        try:
            if self._must_catch_up:
                await self._catch_up(batch)
                self._must_catch_up = False
            pending, self._pending = self._pending, []
            await self._take(pending, batch)
        except NaqError:
            self._must_catch_up = True
            self._wake.set()
            if batch.messages:
                return batch
            raise
        return batch

    async def _receive(self, message: Msg) -> None:
        headers = message.headers
        if headers is None or "Nats-Sequence" not in headers:
            return
        self._pending.append((int(headers["Nats-Sequence"]), message.data))
        self._wake.set()

    async def _reconnected(self) -> None:
        self._must_catch_up = True
        self._wake.set()

    async def _take(self, pending: list[RawMessage], batch: TailBatch) -> None:
        messages, last = batch.messages, self.last
        for message in pending:
            sequence = message[0]
            if sequence <= last:
                continue
            if self._whole and sequence != last + 1:
                self.last = last
                await self._fill(batch, sequence - 1)
                last = self.last
            messages.append(message)
            last = sequence
        self.last = last

    async def _catch_up(self, batch: TailBatch) -> None:
        first, end = await self._bounds()
        if end < self.last:
            batch.restarted = True
            self.last = 0
            self._pending = [message for message in self._pending if message[0] <= end]
        if self._whole and first > self.last + 1:
            batch.missed += first - self.last - 1
            self.last = first - 1
        await self._fill(batch, end)

    async def _fill(self, batch: TailBatch, until: int) -> None:
        """Read what lies between ``last`` and ``until`` from the stream."""
        if until <= self.last:
            return
        found = 0
        expected = until - self.last
        subject = None if self._whole else self._subject
        async for page in messages_from(self._connection, self._stream, self.last + 1, until=until, subject=subject):
            batch.messages += [(message.sequence, message.data) for message in page]
            found += len(page)
            self.last = page[-1].sequence
        self.last = until
        if self._whole:
            batch.missed += expected - found

    async def _bounds(self) -> tuple[int, int]:
        """First and last sequence of the stream."""
        try:
            state = (await self._connection.api(f"STREAM.INFO.{self._stream}"))["state"]
        except JetStreamError:
            return 1, 0
        return int(state["first_seq"]), int(state["last_seq"])
