"""Finding events in a stream by one kind of request, the batched direct get: no consumer is made on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from naq_runtime.errors import SerializationError, StreamMissing
from naq_runtime.events.codec import decode_event
from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import (
    Page,
    StoredMessage,
    all_of,
    last_by_subject,
    messages_from,
    page_from,
    sequence_at,
    stream_bounds,
)
from naq_runtime.nats.tail import RawMessage

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["SCAN_LIMIT", "EventReader", "FoundEvents", "SequenceRange", "causal_order", "decode_all", "decode_stored"]

_SCAN_PAGE = 1000
_PAGE_BY_SUBJECT = 10_000
"""The server takes long to find a page by its subject, however large it is."""
SCAN_LIMIT = 200_000
"""How many events are looked through, newest first, for those that no subject tells apart."""
_RARE = 20
"""What is so many times as rare among the newest as it would have to be is asked for as a whole."""
_MARGIN = 1.5
"""How much further back is looked than what was found lets expect."""


class SequenceRange(NamedTuple):
    """A part of the log: from one sequence up to another, both included."""

    first: int
    last: int


class FoundEvents(NamedTuple):
    """A page of events that match."""

    events: list[StoredEvent]
    reached: int
    """The sequence up to which was looked."""


def causal_order(events: list[StoredEvent]) -> list[StoredEvent]:
    """Sort the events of one job: by when they happened by the server's clock, and where that is the same, by place in
    the log."""
    return sorted(events, key=lambda stored: (stored.event.moment_ns, stored.sequence))


def decode_stored(messages: Sequence[StoredMessage]) -> list[StoredEvent]:
    """The events among the messages; what is no event is passed over."""
    return decode_all([(message.sequence, message.data, message.stored_at) for message in messages])


def decode_all(messages: Sequence[RawMessage]) -> list[StoredEvent]:
    """The events among the messages; what is no event is passed over."""
    events = []
    for sequence, data, stored_at in messages:
        try:
            events.append(StoredEvent(sequence, decode_event(data), stored_at))
        except SerializationError:
            continue
    return events


class EventReader:
    """Reads the stream of events of a namespace, and no more of it than a filter demands."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._stream = names.events_stream

    async def history(self, job_id: str) -> list[StoredEvent]:
        """All events of a job, in causal order."""
        messages = await last_by_subject(self._connection, self._stream, [self._names.job_history(job_id)])
        return causal_order(decode_stored(messages))

    async def histories(self, job_ids: Sequence[str]) -> dict[str, list[StoredEvent]]:
        """All events of some jobs, by id, each in causal order; those of which there are none are left out."""
        subjects = [self._names.job_history(job_id) for job_id in job_ids]
        found: dict[str, list[StoredEvent]] = {}
        for stored in decode_stored(await last_by_subject(self._connection, self._stream, subjects)):
            if isinstance(stored.event, JobEvent):
                found.setdefault(stored.event.job_id, []).append(stored)
        return {job_id: causal_order(events) for job_id, events in found.items()}

    async def range_of(self, since_ns: int | None, until_ns: int | None) -> SequenceRange:
        """What was stored from a moment on, and before another one."""
        first, last, _ = await stream_bounds(self._connection, self._stream)
        if since_ns is not None and last >= first:
            first = await sequence_at(self._connection, self._stream, since_ns) or last + 1
        if until_ns is not None and last >= first:
            last = (await sequence_at(self._connection, self._stream, until_ns) or last + 1) - 1
        return SequenceRange(first, last)

    async def recent(self, limit: int, wanted: EventFilter, within: SequenceRange) -> list[StoredEvent]:
        """The last events of a range that match, oldest first.

        Where no subject narrows the filter, the last 200,000 of the range are looked through.
        """
        subjects = wanted.subjects(self._names)
        if limit <= 0 or not subjects or within.last < within.first:
            return []
        if subjects == (self._names.events,):
            return await self._scan(limit, wanted, within)
        if _name_whom(subjects):
            messages = await all_of(self._connection, self._stream, subjects, up_to=within.last)
            if messages is not None:
                return _matching(wanted, [m for m in messages if m.sequence >= within.first])[-limit:]
        return await self._search(limit, wanted, within, subjects)

    async def page(self, wanted: EventFilter, within: SequenceRange, size: int) -> FoundEvents:
        """The first events of a range that match, at most ``size`` of them; there may be fewer than there are."""
        subjects = wanted.subjects(self._names)
        if not subjects or within.last < within.first:
            return FoundEvents([], within.last)
        asked = [None] if subjects == (self._names.events,) else subjects
        pages = await asyncio.gather(*(self._page(within.first, size, subject) for subject in asked))
        ends = [page.messages[-1].sequence for page in pages if page.pending and page.messages]
        reached = min([*ends, within.last])
        messages = sorted((m for page in pages for m in page.messages if m.sequence <= reached), key=_sequence)
        found = _matching(wanted, messages)
        return FoundEvents(found[:size], found[size - 1].sequence if len(found) > size else reached)

    async def _page(self, first: int, size: int, subject: str | None) -> Page:
        try:
            return await page_from(self._connection, self._stream, first, size, subject)
        except StreamMissing:
            return Page([], 0)

    async def _scan(self, limit: int, wanted: EventFilter, within: SequenceRange) -> list[StoredEvent]:
        """Look at everything, the newest first."""
        found: list[StoredEvent] = []
        upper, floor = within.last, max(within.first, within.last - SCAN_LIMIT + 1)
        while len(found) < limit and upper >= floor:
            size = limit if wanted.is_empty else _SCAN_PAGE
            lower = max(floor, upper - size + 1)
            found = _matching(wanted, await self._between(lower, upper, None)) + found
            upper = lower - 1
        return found[-limit:]

    async def _search(
        self, limit: int, wanted: EventFilter, within: SequenceRange, subjects: Sequence[str]
    ) -> list[StoredEvent]:
        """Look for what is stored under some subjects, the newest first, and further back the less there is of it.

        The server takes a tenth of a second for each question by subject when it holds a million, so there are few.
        """
        lower = max(within.first, within.last - _SCAN_PAGE + 1)
        found = _matching(wanted, await self._between(lower, within.last, None))
        if len(found) * _RARE < limit:
            messages = await all_of(self._connection, self._stream, subjects, up_to=within.last)
            if messages is not None:
                return _matching(wanted, [m for m in messages if m.sequence >= within.first])[-limit:]
        while len(found) < limit and lower > within.first:
            per_match = (within.last - lower + 1) / max(1, len(found))
            upper, lower = lower - 1, max(within.first, lower - int((limit - len(found)) * per_match * _MARGIN))
            parts = await asyncio.gather(*(self._between(lower, upper, subject) for subject in subjects))
            messages = sorted((message for part in parts for message in part), key=_sequence)
            found = _matching(wanted, messages) + found
        return found[-limit:]

    async def _between(self, lower: int, upper: int, subject: str | None) -> list[StoredMessage]:
        size = _SCAN_PAGE if subject is None else _PAGE_BY_SUBJECT
        pages = messages_from(self._connection, self._stream, lower, until=upper, subject=subject, page_size=size)
        return [message async for page in pages for message in page]


def _name_whom(subjects: Sequence[str]) -> bool:
    """Whether all of them name a job, a worker, a schedule or a process, which the server finds at once."""
    return all(subject.split(".")[3] != "*" for subject in subjects)


def _matching(wanted: EventFilter, messages: Sequence[StoredMessage]) -> list[StoredEvent]:
    matches = wanted.matches
    return [stored for stored in decode_stored(messages) if matches(stored.event)]


def _sequence(message: StoredMessage) -> int:
    return message.sequence
