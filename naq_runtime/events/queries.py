"""Questions to the log: what happened lately, in a time, or to a job, and what happens from now on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.errors import FilterError
from naq_runtime.events.answers import EarlierEvents, EventPage, RecentEvents
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.reading import SCAN_LIMIT, SequenceRange
from naq_runtime.events.storage import EventStorage, EventTail
from naq_runtime.naming import Names

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter, Filters

__all__ = ["EventQueries", "Moment", "as_filter"]

Moment = datetime | timedelta | int | str
"""A ``datetime``, an age, nanoseconds since 1970, or text: ``15m`` or ``-15m`` ago, ``14:02``, ``2026-11-27T14:02``."""

_READ_AT_ONCE = 1_000


def as_filter(filters: Filters) -> EventFilter:
    """The value of a filter. Filters are loaded with the first one: who only logs events does without.

    Raises:
        FilterError: it cannot be understood.
    """
    from naq_runtime.events.filters import EventFilter

    return EventFilter(filters)


class EventQueries:
    """Reads a log of events.

    Filters may be given as text (docs/filters.md), as values by field, or as an `EventFilter`; what is wrong with them
    is a `FilterError`. Times are those of storing, by the clock of the server: they find their place in the log at
    once, however large it is. When something happened, by the emitter's clock, is for the filter (``time>14:02``).
    Every question can raise a `ServerError`.

    Args:
        server_ns: what the clock of the server shows, from which ages count.
    """

    def __init__(
        self, storage: EventStorage, clock: Clock = SYSTEM_CLOCK, *, server_ns: Callable[[], int] | None = None
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._server_ns = server_ns or clock.time_ns

    async def recent(
        self,
        limit: int,
        filters: Filters = None,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        among: int | None = None,
    ) -> RecentEvents:
        """The last events that match, at most ``limit`` of them.

        Where the filter demands no job, queue, type, schedule or category, they are looked for among the last 200,000.

        Args:
            since: of what was stored from then on.
            until: of what was stored before.
            among: how many events of that time are looked through, the newest; ``None`` for all.
        """
        wanted = as_filter(filters)
        within = await self.range_of(since, until)
        if among is not None:
            within = SequenceRange(max(within.first, within.last - among + 1), within.last)
        return RecentEvents(await self._storage.recent(limit, wanted, within), within.last)

    async def before(self, sequence: int, limit: int, filters: Filters = None) -> EarlierEvents:
        """The last events before a sequence that match, at most ``limit`` of them.

        Where the filter demands no job, queue, type, schedule or category, 200,000 are looked through for them; there
        may be more all the same.
        """
        wanted = as_filter(filters)
        first, _ = await self.range_of()
        events = await self._storage.recent(limit, wanted, SequenceRange(first, sequence - 1))
        if len(events) >= limit:
            reached = events[0].sequence
        else:
            reached = first if _is_narrow(wanted) else max(first, sequence - SCAN_LIMIT)
        return EarlierEvents(events, reached, reached > first)

    async def history(self, job_id: str) -> list[StoredEvent]:
        """All events of a job, in causal order."""
        return await self._storage.history(job_id)

    async def pages(
        self,
        filters: Filters = None,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 1_000,
        after: int | None = None,
    ) -> AsyncGenerator[EventPage, None]:
        """The events that match and are stored by now, oldest first, in pages of ``limit``; the last may be empty.

        Args:
            since: of what was stored from then on.
            until: of what was stored before.
            after: go on behind this sequence, such as the ``after`` of a page that was read before.
        """
        wanted = as_filter(filters)
        first, last = await self.range_of(since, until)
        first = max(first, (after or 0) + 1)
        more = True
        while more:
            page = await self._next_page(wanted, SequenceRange(first, last), max(1, limit))
            first, more = page.after + 1, page.more
            yield page

    async def stream(
        self, filters: Filters = None, *, tail: int = 0, since: Moment | None = None
    ) -> AsyncGenerator[StoredEvent, None]:
        """The last ``tail`` events that match, or all since a moment, then those that come: no gap, and no repeat."""
        wanted = as_filter(filters)
        last = 0
        if since is None:
            recent, last = await self.recent(tail, wanted)
            for stored in recent:
                yield stored
        else:
            async for page in self.pages(wanted, since=since):
                last = page.after
                for stored in page.events:
                    yield stored
        following = await self.follow(wanted, after=last)
        try:
            while True:
                for stored in (await following.next_batch()).events:
                    yield stored
        finally:
            await following.stop()

    async def follow(self, filters: Filters = None, after: int | None = None) -> EventTail:
        """The events behind a sequence, or from now on, in batches."""
        return await self._storage.tail(as_filter(filters), after)

    async def range_of(self, since: Moment | None = None, until: Moment | None = None) -> SequenceRange:
        """Where what was stored from a moment on, and before another one, lies in the log; all of it without them."""
        first_ns, end_ns = self._ns(since), self._ns(until)
        if first_ns is not None and end_ns is not None and first_ns > end_ns:
            raise FilterError("the time ends before it begins: choose an earlier since, or a later until")
        return await self._storage.range_of(first_ns, end_ns)

    async def _next_page(self, wanted: EventFilter, within: SequenceRange, limit: int) -> EventPage:
        events: list[StoredEvent] = []
        reached = within.first - 1
        while len(events) < limit and reached < within.last:
            size = limit if wanted.is_empty else _READ_AT_ONCE
            rest = SequenceRange(reached + 1, within.last)
            found = await self._storage.page(wanted, rest, min(size, _READ_AT_ONCE))
            events += found.events
            reached = found.reached
        if len(events) > limit:
            events = events[:limit]
            reached = events[-1].sequence
        return EventPage(events, reached, reached < within.last)

    def _ns(self, moment: Moment | None) -> int | None:
        """Nanoseconds since 1970.

        Raises:
            FilterError: a text is no moment.
        """
        if moment is None:
            return None
        from naq_runtime.events.filters.values import Ago, moment_of

        try:
            found = moment_of(moment)
            return max(0, found.at_ns(self._server_ns() if isinstance(found, Ago) else self._clock.time_ns()))
        except ValueError as error:
            raise FilterError(f"{error}, found {moment!r}") from error


def _is_narrow(wanted: EventFilter) -> bool:
    """Whether the events that match lie under subjects of their own, so that all of them are found."""
    names = Names("any")
    return wanted.subjects(names) != (names.events,)
