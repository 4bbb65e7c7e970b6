"""The log of a server as a recording: whatever it keeps can be played."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from naq_runtime.events.models import ScheduleEventType, StoredEvent, SystemEventType
from naq_runtime.snapshot import JobDetail, ServerState
from naq_tui.model.density import counted
from naq_tui.past import LAST, Density, Place, ScheduleStory, Span, failures_within
from naq_tui.sources.job_detail import as_of

if TYPE_CHECKING:
    from naq_runtime.events.answers import EventPage
    from naq_runtime.monitor import Monitor
    from naq_runtime.statistics.course import Course

__all__ = ["LogRecording"]

_PAGE = 1_000

_WORKER_EVENTS = 1_000
_TICKS = 1_000
_ALERT_EVENTS = 1_000
_SCHEDULE_EVENTS = 5_000
_LEADS = 1
_READ_FOR_DENSITY = 5_000
"""So many events are read rather than estimated; it takes half a second."""

_OTHER_THAN_TICKS = ",".join(one for one in ScheduleEventType if one is not ScheduleEventType.TRIGGERED)
_OF_LEADS = ",".join((SystemEventType.LEADER_ELECTED, SystemEventType.LEADER_LOST, SystemEventType.LEADER_RESIGNED))

AskMonitor = Callable[[], "Monitor"]
"""The monitor of the connection that stands now; raises a `ServerError` when there is none."""


class LogRecording:
    """What a server keeps of what happened; see `Recording`. Its times are those of the server."""

    spread_ns = 250_000_000
    """See `Recording.spread_ns`: emitters store what they have every tenth of a second."""
    silence_ns = math.inf
    """See `Recording.silence_ns`."""

    def __init__(self, monitor: AskMonitor, server: ServerState) -> None:
        self._monitor = monitor
        self.server = server
        """See `Recording.server`."""

    def __repr__(self) -> str:
        return f"<LogRecording {self.server.url}>"

    @property
    def title(self) -> str:
        """See `Recording.title`."""
        return self.server.url

    async def span(self) -> Span:
        """See `Recording.span`."""
        monitor = self._monitor()
        now_ns = monitor.now_ns()
        async with aclosing(monitor.events.pages(limit=1)) as pages:
            first = (await anext(pages)).events
        return Span(min(_stored_ns(first[0]), now_ns) if first else now_ns, now_ns)

    async def read(self, place: Place, before: int) -> LogReading:
        """See `Recording.read`: a place with a sequence is found without a question."""
        after = place.sequence
        if place.sequence == LAST:
            after = (await self._monitor().events.range_of(since=place.moment_ns)).first - 1
        return LogReading(self._monitor, max(0, after - before))

    async def density(self, span: Span, parts: int) -> Density:
        """See `Recording.density`: few events are read and counted.

        Many are counted by their sequences, without a look at them, and failures by roll-ups. To find failures by their
        subjects would take the server seconds, in which it does nothing else.
        """
        monitor = self._monitor()
        within = await monitor.events.range_of(since=span.first_ns, until=span.last_ns)
        if within.last - within.first < _READ_FOR_DENSITY:
            pages = monitor.events.pages(since=span.first_ns, until=span.last_ns, limit=_PAGE)
            async with aclosing(pages):
                return counted([stored async for page in pages for stored in page.events], span, parts)
        length_ns = max(1, (span.last_ns - span.first_ns) // parts)
        bounds = [span.first_ns + length_ns * part for part in range(parts + 1)]
        course = await monitor.failure_counts(bounds[0], bounds[-1])
        firsts = [one.first for one in await asyncio.gather(*(monitor.events.range_of(since=at) for at in bounds))]
        counts = tuple(max(0, end - begin) for begin, end in pairwise(firsts))
        return Density(bounds[0], length_ns, counts, tuple(_failures(course, *part) for part in pairwise(bounds)))

    async def workers(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.workers`."""
        return (await self._monitor().events.recent(_WORKER_EVENTS, "category:worker", until=moment_ns)).events

    async def schedules(self, moment_ns: int) -> ScheduleStory:
        """See `Recording.schedules`: of the ticks, which are many, the latest; of all else much more."""
        recent = partial(self._monitor().events.recent, until=moment_ns + self.spread_ns)
        ticks, others, leads = await asyncio.gather(
            recent(_TICKS, f"category:schedule type:{ScheduleEventType.TRIGGERED}"),
            recent(_SCHEDULE_EVENTS, f"category:schedule type:{_OTHER_THAN_TICKS}"),
            recent(_LEADS, f"category:system type:{_OF_LEADS}"),
        )
        since_ns = min(map(_stored_ns, ticks.events)) if len(ticks.events) >= _TICKS else 0
        return ScheduleStory([*leads.events, *others.events, *ticks.events], since_ns)

    async def alerts(self, moment_ns: int) -> Sequence[StoredEvent]:
        """See `Recording.alerts`."""
        found = (await self._monitor().events.recent(_ALERT_EVENTS, "category:alert", until=moment_ns)).events
        return [stored for stored in found if stored.happened_ns <= moment_ns]

    async def failures(self, since_ns: int, place: Place) -> Sequence[StoredEvent]:
        """See `Recording.failures`."""
        found = await self._monitor().failures(since_ns, until_ns=place.moment_ns + self.spread_ns)
        return failures_within(since_ns, place, found)

    async def job(self, job_id: str, place: Place) -> JobDetail:
        """See `Recording.job`: what has been changed since then is left out."""
        return as_of(place, await self._monitor().job(job_id))


class LogReading:
    """See `Reading`.

    Args:
        after: the sequence behind which it begins.
    """

    verdict = ""
    """See `Reading.verdict`: a log has no end."""

    def __init__(self, monitor: AskMonitor, after: int) -> None:
        self._monitor = monitor
        self._after = self._before = after
        self._pages: AsyncGenerator[EventPage, None] | None = None
        """What was there when it was last looked where the log ends."""
        self._coming: asyncio.Future[EventPage] | None = None
        self.through_ns = 0
        """See `Reading.through_ns`."""
        self.at_end = False
        """See `Reading.at_end`."""

    async def on(self) -> Sequence[StoredEvent]:
        """See `Reading.on`."""
        monitor = self._monitor()
        asked_ns = monitor.now_ns()
        page = await self._next_page(monitor)
        self.at_end = page.after <= self._after
        self._after = max(page.after, self._after)
        if self.at_end:
            self.through_ns = max(self.through_ns, asked_ns)
        elif page.events:
            self.through_ns = max(self.through_ns, _stored_ns(page.events[-1]))
        return page.events

    async def _next_page(self, monitor: Monitor) -> EventPage:
        """The next page; the one behind it is asked for at once, and comes while this one is dealt with."""
        if self._pages is None:
            self._pages = monitor.events.pages(after=self._after, limit=_PAGE)
        coming = self._coming or asyncio.ensure_future(anext(self._pages))
        self._coming = None
        try:
            page = await coming
        except BaseException:
            await self.close()  # whoever asks again begins anew, behind what was read
            raise
        if page.more:
            self._coming = asyncio.ensure_future(anext(self._pages))
        else:
            await self.close()
        return page

    async def back(self) -> Sequence[StoredEvent]:
        """See `Reading.back`."""
        if self._before <= 0:
            return ()
        first = max(0, self._before - _PAGE)
        async with aclosing(self._monitor().events.pages(after=first, limit=_PAGE)) as pages:
            page = await anext(pages)
        events = [stored for stored in page.events if stored.sequence <= self._before]
        self._before = first if events else 0
        return events

    async def close(self) -> None:
        """See `Reading.close`."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        pages, self._pages = self._pages, None
        if pages is not None:
            await pages.aclose()


def _stored_ns(stored: StoredEvent) -> int:
    return stored.stored_ns or stored.event.moment_ns


def _failures(course: Course, since_ns: int, until_ns: int) -> int | None:
    """Those of all units of a course that lie in a time.

    Of a unit in which several times lie, those have no figure that are not in its middle, unless nothing failed in it.
    """
    middle_ns = (since_ns + until_ns) // 2
    if middle_ns >= course.through_ns:
        return None
    unit_ns = course.unit_ns
    if until_ns - since_ns < unit_ns:
        begin_ns = middle_ns // unit_ns * unit_ns
        count = course.counts.get(begin_ns // 1_000_000_000, 0)
        return count if not count or since_ns <= begin_ns + unit_ns // 2 < until_ns else None
    first, last = since_ns // unit_ns, (until_ns - unit_ns) // unit_ns
    return sum(course.counts.get(unit * unit_ns // 1_000_000_000, 0) for unit in range(first, last + 1))
