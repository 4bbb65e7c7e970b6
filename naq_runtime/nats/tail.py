"""Following a stream as it grows, without a consumer on the server, without a gap and without a repeat.

The server repeats each stored message on a live subject, with its sequence in a header. What is missing between two
sequences, at the start, and after every reconnect, is read from the stream itself.
"""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import StreamMissing
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import Page, page_from, stream_bounds
from naq_runtime.nats.lean import header_lines

__all__ = ["StreamTail", "TailBatch"]

_PAGE = 1000
_PENDING_BYTES = 64 * 1024 * 1024
"""What waits for a slow reader at most."""
_OVERHEAD = 150
"""Bytes that a message takes beside its payload."""

_PLACE = re.compile(rb"\r\nNats-Sequence: (\d+)\r\nNats-Time-Stamp: ([^\r]*)\r\nNats-Last-Sequence: \d+\r\n\r\n$")
"""What the server puts behind the headers of a message that it repeats."""

RawMessage = tuple[int, bytes, str]
"""Sequence, payload, and the server's time of storage."""


@dataclass(slots=True)
class TailBatch:
    """What came since the last batch, by sequence."""

    messages: list[RawMessage] = field(default_factory=list)
    missed: int = 0
    """Messages that were stored and then removed before they could be read."""
    retired: int = 0
    """Messages that were removed from the middle of the stream at an age at which that is done on purpose."""
    restarted: bool = False
    """The stream was made anew: sequences began again."""


class _Asked(NamedTuple):
    """A page that was asked for."""

    first: int
    until: int
    """What lay between was to be read then."""
    page: asyncio.Future[Page]


class StreamTail:
    """The messages of a stream from a sequence on, then as they come.

    Args:
        subject: what to read from the stream.
        live: where the server repeats it.
        whole: whether ``subject`` takes in the whole stream, so that every sequence must come by.
        retired_after_s: the age at which some messages are removed on purpose, so that nobody misses them.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        subject: str,
        live: str,
        *,
        whole: bool,
        retired_after_s: float = math.inf,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._live = live
        self._whole = whole
        self._retired_after_s = retired_after_s
        self._first = 1
        """Where the stream began when it was looked at last."""
        self._pending: list[RawMessage] = []
        """What came live, by sequence."""
        self._wake = asyncio.Event()
        self._must_look = False
        self._restarted = False
        self._target = 0
        self._heard = 0
        self._created = ""
        self._ahead: _Asked | None = None
        self._pending_bytes = 0
        self._listening = AsyncExitStack()
        self.last = 0
        """The sequence up to which everything has been delivered."""
        self._last_stored_at = ""
        """When the last message that was delivered was stored; empty when that is not known."""

    async def start(self, after: int | None = None) -> None:
        """Begin behind the sequence ``after``, or with what comes from now on."""
        await self._listening.enter_async_context(self._connection.client.taking(self._live, self._receive))
        self._connection.on_restored.append(self._reconnected)
        await self._connection.flush()
        self._first, end, self._created = await stream_bounds(self._connection, self._stream)
        self.last = end if after is None else min(after, end)
        self._heard = max(self._heard, end)
        if self.last < end:
            await self._reconnected()

    async def stop(self) -> None:
        """Unsubscribe; may be called twice."""
        self._forget_ahead()
        if self._reconnected in self._connection.on_restored:
            self._connection.on_restored.remove(self._reconnected)
        await self._listening.aclose()

    @property
    def pending(self) -> int:
        """Messages that came and were not fetched yet."""
        return len(self._pending)

    async def next_batch(self) -> TailBatch:
        """Wait for something, and return all that is there; while catching up, a page at a time.

        May be cancelled: what was not returned comes with the next call.

        Raises:
            ServerError: the stream cannot be read now; call again, nothing is lost.
        """
        while True:
            batch = TailBatch()
            if self._must_look:
                await self._look()
            if self._target > self.last:
                await self._fill(batch)
            elif self._pending:
                self._take(batch)
            if batch.messages or batch.missed or self._restarted:
                batch.restarted, self._restarted = self._restarted, False
                return batch
            if self._must_look or self._pending or self._target > self.last:
                continue
            self._wake.clear()
            await self._wake.wait()

    def _receive(self, headers: bytes, data: bytes) -> None:
        place = _place_of(headers)
        if place is None:
            return
        sequence, stored_at = place
        if sequence <= self._heard or self._pending_bytes >= _PENDING_BYTES:
            # The stream was made anew, or the reader is slow. What is pending is in the stream all the same.
            self._keep([])
            self._must_look = True
        self._heard = sequence
        if not self._pending:
            self._wake.set()
        self._pending.append((sequence, data, stored_at))
        self._pending_bytes += len(data) + _OVERHEAD

    def _keep(self, messages: list[RawMessage]) -> None:
        self._pending = messages
        self._pending_bytes = sum(len(data) + _OVERHEAD for _, data, _ in messages)

    async def _reconnected(self) -> None:
        self._must_look = True
        self._wake.set()

    def _take(self, batch: TailBatch) -> None:
        """What came live, up to the first gap; the gap is the next thing to fill."""
        came = [message for message in self._pending if message[0] > self.last]
        fitting = len(came)
        if self._whole and came and came[-1][0] > self.last + fitting:
            fitting = next(place for place, message in enumerate(came) if message[0] > self.last + 1 + place)
            self._target = came[fitting][0] - 1
        self._keep(came[fitting:])
        if fitting:
            batch.messages = came[:fitting]
            self._reach(came[fitting - 1][0], batch)

    def _reach(self, sequence: int, batch: TailBatch) -> None:
        self.last = sequence
        if batch.messages:
            self._last_stored_at = batch.messages[-1][2]

    async def _look(self) -> None:
        """See how far the stream goes, and whether it was made anew."""
        self._must_look = False
        try:
            self._first, end, created = await stream_bounds(self._connection, self._stream)
        except BaseException:
            self._must_look = True
            raise
        if end < self.last or (created != self._created and self.last):
            self._restarted = True
            self.last, self._last_stored_at = 0, ""
            self._keep([])
        self._created = created
        self._target = end

    async def _fill(self, batch: TailBatch) -> None:
        """Read a page of what lies between ``last`` and the target from the stream."""
        if self._ahead is not None and self._ahead.first != self.last + 1:
            self._forget_ahead()  # the stream begins again
        asked = self._ahead = self._ahead or self._ask()  # stays when the caller is cancelled
        try:
            page = await asyncio.shield(asked.page)
        except StreamMissing:
            page = Page([], 0)
        finally:
            if asked.page.done():
                self._ahead = None
        batch.messages = [(m.sequence, m.data, m.stored_at) for m in page.messages if m.sequence <= asked.until]
        at_end = page.pending == 0 or len(batch.messages) < len(page.messages) or not page.messages
        reached = asked.until if at_end else batch.messages[-1][0]
        if self._whole:
            batch.retired = self._retired_among(batch.messages, reached)
            batch.missed = reached - self.last - len(batch.messages) - batch.retired
        self._reach(reached, batch)
        if self._target > self.last:
            self._ahead = self._ask()  # it comes while the reader deals with this one

    def _forget_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.page.cancel()
            self._ahead = None

    def _ask(self) -> _Asked:
        """Ask for the page behind ``last``."""
        first, until = self.last + 1, self._target
        subject = None if self._whole else self._subject
        size = min(_PAGE, until - self.last)
        page = asyncio.ensure_future(page_from(self._connection, self._stream, first, size, subject))
        page.add_done_callback(lambda done: done.cancelled() or done.exception())
        return _Asked(first, until, page)

    def _retired_among(self, messages: list[RawMessage], reached: int) -> int:
        """How many up to ``reached`` are missing behind messages that are so old that they were removed on purpose.

        What is missing at the beginning of the stream had to go for its limits, and is missed.
        """
        count, expected, before = 0, self.last + 1, self._last_stored_at
        for sequence, stored_at in (*((sequence, stored_at) for sequence, _, stored_at in messages), (reached + 1, "")):
            if sequence > expected and self._is_old(before or stored_at):
                count += sequence - max(expected, min(self._first, sequence))
            expected, before = sequence + 1, stored_at
        return count

    def _is_old(self, stored_at: str) -> bool:
        if math.isinf(self._retired_after_s) or not stored_at:
            return False
        return self._connection.server_clock.now_ns() - nanoseconds_of(stored_at) >= self._retired_after_s * 1e9


def _place_of(headers: bytes) -> tuple[int, str] | None:
    """The sequence of a message that is repeated, and when it was stored; ``None`` of any other."""
    if found := _PLACE.search(headers):
        return int(found[1]), found[2].decode()
    fields = header_lines(headers)
    try:
        return int(fields["Nats-Sequence"]), fields.get("Nats-Time-Stamp", "")
    except (KeyError, ValueError):
        return None
