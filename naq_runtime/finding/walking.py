"""The way back through streams, newest first: which jobs something was stored of, and when.

A stream is read by pages that go forwards, so a walk goes back by windows of sequences, as wide as what was found in
the last one lets expect. Where few messages are wanted, one question brings them all.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple, Protocol

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import StreamMissing
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import StoredMessage, all_of, messages_from, sequence_at, stream_bounds

__all__ = ["AT_ONCE", "GivenJobs", "Sighting", "StreamWalk", "Walk", "newest_first"]

_WINDOW = 1_000
"""Sequences of the first step, and messages that each should bring."""
_WIDER = 8
"""Times as wide at most is the next window."""
AT_ONCE = 2**63
"""The time of what comes first, whenever it happened."""


class Sighting(NamedTuple):
    """Something was stored of a job."""

    at_ns: int
    """When, by the clock of the server."""
    job_id: str


class Walk(Protocol):
    """Goes back step by step."""

    @property
    def reached_ns(self) -> int:
        """How far back it has come; whatever it still finds is older, or as old."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it has come to the beginning."""
        ...

    async def step(self) -> list[Sighting]:
        """Go a part of the way.

        Raises:
            ServerError: the stream cannot be read now.
        """
        ...


class GivenJobs:
    """Jobs that are known by their ids: they come first, whenever it was that something happened to them."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        self.reached_ns = AT_ONCE
        self.is_over = False

    async def step(self) -> list[Sighting]:
        """All of them."""
        self.is_over = True
        return [Sighting(AT_ONCE, job_id) for job_id in self._ids]


class StreamWalk:
    """Goes back through a stream, from its end at the first step.

    Args:
        subject: under which something is wanted, with wildcards; all is looked at when it is empty.
        job_of: the job of a subject; empty for none.
        since_ns: what was stored before is not looked for.
        before_ns: what was stored then or later is not looked for; 0 for no bound.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        subject: str,
        job_of: Callable[[str], str],
        *,
        since_ns: int = 0,
        before_ns: int = 0,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._job_of = job_of
        self._since_ns = since_ns
        self._before_ns = before_ns
        self._first = self._upper = 0
        self._window = _WINDOW
        self._begun = False
        self.reached_ns = AT_ONCE
        """See `Walk.reached_ns`."""
        self.is_over = False
        """See `Walk.is_over`."""

    def __repr__(self) -> str:
        return f"<StreamWalk {self._stream} {self._first}..{self._upper}{' over' if self.is_over else ''}>"

    async def step(self) -> list[Sighting]:
        """See `Walk.step`."""
        if not self._begun:
            few = await self._begin()
            if few is not None:
                self.is_over = True
                return self._sighted(few)
        lower = max(self._first, self._upper - self._window + 1)
        messages = await self._between(lower, self._upper)
        self._upper = lower - 1
        self._window = min(self._window * _WIDER, max(_WINDOW, self._window * _WINDOW // (len(messages) + 1)))
        found = self._sighted(messages)
        if found:
            self.reached_ns = min(sighting.at_ns for sighting in found)
        self.is_over = self._upper < self._first or self.reached_ns < self._since_ns
        return found

    async def _begin(self) -> list[StoredMessage] | None:
        """Find the end; all that is wanted when it is little."""
        self._begun = True
        self._first, self._upper, _ = await stream_bounds(self._connection, self._stream)
        if self._upper >= self._first and self._before_ns:
            after = await sequence_at(self._connection, self._stream, self._before_ns)
            self._upper = self._upper if after is None else after - 1
        if self._upper < self._first:
            return []
        if not self._subject:
            return None
        return await all_of(self._connection, self._stream, [self._subject], up_to=self._upper)

    async def _between(self, lower: int, upper: int) -> list[StoredMessage]:
        pages = messages_from(self._connection, self._stream, lower, until=upper, subject=self._subject or None)
        try:
            return [message async for page in pages for message in page]
        except StreamMissing:
            return []  # it was removed just now

    def _sighted(self, messages: Sequence[StoredMessage]) -> list[Sighting]:
        named = ((message.stored_at, self._job_of(message.subject)) for message in messages)
        return [Sighting(nanoseconds_of(stored_at), job_id) for stored_at, job_id in named if job_id]


async def newest_first(walks: Sequence[Walk]) -> AsyncGenerator[list[Sighting], None]:
    """What several walks find, together in one order. Each part may be empty: it was looked, and nothing found."""
    kept: list[Sighting] = []
    while under_way := [walk for walk in walks if not walk.is_over]:
        kept += await max(under_way, key=lambda walk: walk.reached_ns).step()
        horizon = max((walk.reached_ns for walk in walks if not walk.is_over), default=0)
        ready = sorted((one for one in kept if one.at_ns >= horizon), reverse=True)
        kept = [one for one in kept if one.at_ns < horizon]
        yield ready
