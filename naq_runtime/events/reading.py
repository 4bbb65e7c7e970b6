"""Finding events in a stream by one kind of request, the batched direct get: no consumer is made on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from naq_runtime.errors import StreamMissing
from naq_runtime.events.found import (
    FoundEvents,
    FoundMessages,
    SequenceRange,
    causal_order,
    decode_all,
    decode_stored,
    matching,
)
from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.events.searching import Search
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import (
    Page,
    StoredMessage,
    all_of,
    last_by_subject,
    page_from,
    sequence_at,
    stream_bounds,
)

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["SCAN_LIMIT", "EventReader", "FoundEvents", "SequenceRange", "causal_order", "decode_all", "decode_stored"]

_BULK = ("job", "worker")
"""The categories of nearly all events."""
_FEW_SUBJECTS = 4
"""Each subject is a question of its own for every page, which takes the server as long as ten pages of everything."""
SCAN_LIMIT = 200_000
"""How many events are looked through, newest first, for those that no subject tells apart."""


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
            within = SequenceRange(max(within.first, within.last - SCAN_LIMIT + 1), within.last)
            subjects = ()
        elif _name_whom(subjects):
            messages = await all_of(self._connection, self._stream, subjects, up_to=within.last)
            if messages is not None:
                return matching(wanted, [m for m in messages if m.sequence >= within.first])[-limit:]
        return await Search(self._connection, self._stream, wanted, subjects, limit=limit, within=within).run()

    async def page(self, wanted: EventFilter, within: SequenceRange, size: int) -> FoundEvents:
        """The first events of a range that match, at most ``size`` of them; there may be fewer than there are."""
        messages, reached = await self.messages(self.worth_asking(wanted), within, size)
        found = matching(wanted, messages)
        return FoundEvents(found[:size], found[size - 1].sequence if len(found) > size else reached)

    def worth_asking(self, wanted: EventFilter) -> Sequence[str | None]:
        """The subjects by which matching events are found sooner than by reading all; one ``None`` where none are."""
        subjects = wanted.subjects(self._names)
        return [None] if any(map(_is_much, subjects)) or len(subjects) > _FEW_SUBJECTS else subjects

    async def messages(self, subjects: Sequence[str | None], within: SequenceRange, size: int) -> FoundMessages:
        """The first messages of a range, of each subject at most ``size``, by sequence; ``None`` is any subject."""
        if not subjects or within.last < within.first:
            return FoundMessages([], within.last)
        pages = await asyncio.gather(*(self._page(within.first, size, subject) for subject in subjects))
        ends = [page.messages[-1].sequence for page in pages if page.pending and page.messages]
        reached = min([*ends, within.last])
        messages = (message for page in pages for message in page.messages if message.sequence <= reached)
        return FoundMessages(sorted(messages, key=_sequence), reached)

    async def _page(self, first: int, size: int, subject: str | None) -> Page:
        try:
            return await page_from(self._connection, self._stream, first, size, subject)
        except StreamMissing:
            return Page([], 0)


def _name_whom(subjects: Sequence[str]) -> bool:
    """Whether all of them name a job, a worker, a schedule or a process, which the server finds at once."""
    return all(subject.split(".")[3] != "*" for subject in subjects)


def _is_much(subject: str) -> bool:
    """Whether so much of the log is under a subject that reading all of it is quicker."""
    _, _, category, *tokens = subject.split(".")
    return category in (">", "*", *_BULK) and set(tokens) <= {"*", ">"}


def _sequence(message: StoredMessage) -> int:
    return message.sequence
