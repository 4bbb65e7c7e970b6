"""Answers from roll-ups, and from the events themselves where there are none.

Of each range of events the longest unit is taken that was put together. Of a day that lies only partly in the time that
was asked for, the hours are looked at, of such an hour its minutes, and of such a minute the events. Where these are
gone, the time is extended to the whole unit, and the answer says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from naq_runtime.errors import ConfigError, StreamMissing
from naq_runtime.naming import Names
from naq_runtime.nats.direct import Bounds, StoredMessage
from naq_runtime.nats.streams import Streams
from naq_runtime.statistics.answer import EventStatistics
from naq_runtime.statistics.counting import Counting, Span
from naq_runtime.statistics.folding import count, told_by
from naq_runtime.statistics.latest import Latest
from naq_runtime.statistics.rollup import DAY, HOUR, MINUTE, UNITS, Gap, Group, Rollup, Tally, Unit
from naq_runtime.statistics.store import Head, RollupStore
from naq_runtime.statistics.trends import EventTrends, step_ns_of

__all__ = ["EventLog", "FunctionCount", "Progress", "StatisticsReader", "StreamLog", "Wanted"]

Progress = Callable[[int, int], None]
"""Told now and then how many events were read, of how many."""
Wanted = Callable[[StoredMessage], bool]
"""Whether a message of the log counts."""
_MOST_HOURS = 100_000
_FINE_EVENTS = 200_000
"""So many events are read at most for steps that are shorter than a minute."""


class EventLog(Protocol):
    """The events as they lie in their log."""

    async def bounds(self) -> Bounds:
        """Where it begins and ends, and which one it is."""
        ...

    def scan(self, after: int) -> AsyncIterator[list[StoredMessage]]:
        """The messages behind a sequence, in pages."""
        ...

    async def since(self, time_ns: int) -> int:
        """The sequence of the first event that was stored at a time or later; 0 for none."""
        ...


class StreamLog:
    """The stream of events."""

    def __init__(self, streams: Streams, names: Names) -> None:
        self._streams = streams
        self._names = names

    async def bounds(self) -> Bounds:
        """See `EventLog.bounds`."""
        return await self._streams.bounds(self._names.events_stream)

    def scan(self, after: int) -> AsyncIterator[list[StoredMessage]]:
        """See `EventLog.scan`."""
        return self._streams.scan(self._names.events_stream, ">", after)

    async def since(self, time_ns: int) -> int:
        """See `EventLog.since`."""
        try:
            return await self._streams.since(self._names.events_stream, time_ns)
        except StreamMissing:
            return 0


class FunctionCount(NamedTuple):
    """What happened to the jobs of a function."""

    group: Group
    since_ns: int
    """The time that is covered."""
    until_ns: int


class _Wider(Exception):
    """What there is does not tell the span apart from a wider one."""

    def __init__(self, span: Span) -> None:
        self.span = span


class _Asked(NamedTuple):
    """A range of events, and of what happened there, the spans that are wanted."""

    first: int
    last: int
    spans: tuple[Span, ...]
    periods: Sequence[int] = ()
    """Where its roll-ups are filed."""
    within: tuple[Span, ...] = ()
    """The units of time that these cut; empty when the range is that of no roll-up."""


class StatisticsReader:
    """Counts what happened in a time.

    Args:
        now_ns: by the clock of the server.
        wanted: which events count; all of that time are read then, since no roll-up tells those apart.
    """

    def __init__(
        self, log: EventLog, store: RollupStore, *, now_ns: Callable[[], int], wanted: Wanted | None = None
    ) -> None:
        self._log = log
        self._store = store
        self._now_ns = now_ns
        self._wanted = wanted
        self._latest: dict[int, Latest] = {}
        """By the length of a step."""

    async def read(
        self,
        hours: float,
        by: Sequence[str] = (),
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        progress: Progress | None = None,
    ) -> EventStatistics:
        """See `EventService.get_event_statistics`."""
        asked = self._span(hours, since_ns, until_ns)
        span, counting, ended = await self._counted(asked, by, progress)
        return counting.statistics(asked, span, ended)

    async def function(self, name: str, hours: float, progress: Progress | None = None) -> FunctionCount:
        """What happened to the jobs of a function until now, with all their durations.

        Args:
            progress: what it raises ends the counting.
        """
        (since_ns, until_ns), counting, _ = await self._counted(self._span(hours, None, None), ("function",), progress)
        return FunctionCount(counting.of_function(name), since_ns, until_ns)

    async def function_by_rollups(self, name: str, hours: float) -> FunctionCount | None:
        """The same for whole minutes, of what is rolled up by now; ``None`` while nothing of that time is."""
        heads = [standing.head for standing in await self._store.heads()]
        bounds, minute_ns = await self._log.bounds(), MINUTE.length_ns
        current = next((head for head in heads if head.log == bounds.created), None)
        since_ns = (self._now_ns() - int(hours * 3600e9)) // minute_ns * minute_ns
        until_ns = current.mark_ns // minute_ns * minute_ns if current is not None else 0
        if until_ns <= since_ns:
            return None
        counting = Counting(("function",))
        try:
            for head in heads:
                await self._count_rolled_up(head, Span(since_ns, until_ns), counting, bounds)
        except _Wider:
            return None
        return FunctionCount(counting.of_function(name), since_ns, until_ns)

    async def _counted(
        self, span: Span, by: Sequence[str], progress: Progress | None
    ) -> tuple[Span, Counting, tuple[int, ...]]:
        """The span that could be counted, what there was, and when logs ended in it."""
        while True:
            counting = Counting(by)
            try:
                return span, counting, await self._count(span, counting, progress)
            except _Wider as wider:
                span = Span(min(span.since_ns, wider.span.since_ns), max(span.until_ns, wider.span.until_ns))

    async def trends(self, window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None) -> EventTrends:
        """What happened lately, and how it went; asked again, it reads only what has come since.

        The window is of whole steps but for its end, which is now: so it is a little longer than what was asked for.

        Args:
            window_s: how far back.
            by: which of ``queue``, ``function`` and ``worker`` to tell apart.
            progress: told now and then how many events were read, of how many.
        """
        window = self._span(window_s / 3600, None, None)
        until_ns, step_ns = window.until_ns, step_ns_of(window.until_ns - window.since_ns)
        asked = Span(window.since_ns // step_ns * step_ns, until_ns)
        while True:
            span = Span(window.since_ns // step_ns * step_ns, until_ns)
            counting = Counting(by, step_ns)
            latest = self._latest.setdefault(step_ns, Latest(self._log, step_ns))
            try:
                if step_ns >= MINUTE.length_ns:
                    ended = await self._count(span, counting, progress, latest)
                elif not await self._count_events(span, counting, progress, latest):
                    step_ns = MINUTE.length_ns
                    continue
                else:
                    ended = ()
            except _Wider as wider:
                if step_ns >= DAY.length_ns:
                    until_ns = max(until_ns, wider.span.until_ns)
                step_ns = HOUR.length_ns if step_ns < HOUR.length_ns else DAY.length_ns
                continue
            span = Span(span.since_ns, max(span.until_ns, latest.newest_ns + 1))
            return await counting.trends(asked._replace(until_ns=span.until_ns), span, ended)

    def _span(self, hours: float, since_ns: int | None, until_ns: int | None) -> Span:
        """The time that is asked for."""
        until_ns = self._now_ns() if until_ns is None else until_ns
        if since_ns is None:
            if not 0 < hours <= _MOST_HOURS:
                raise ConfigError(f"statistics are of up to {_MOST_HOURS:,} hours, and not of {hours:g}")
            since_ns = until_ns - int(hours * 3600e9)
        if not since_ns < until_ns:
            raise ConfigError("statistics are of a time that begins before it ends: let it begin earlier, or end later")
        return Span(max(0, since_ns), until_ns)

    async def _count(
        self, span: Span, counting: Counting, progress: Progress | None, latest: Latest | None = None
    ) -> tuple[int, ...]:
        """Count it all; returns when logs ended in this time that are no more."""
        heads = [] if self._wanted else [standing.head for standing in await self._store.heads()]
        bounds = await self._log.bounds()  # read last, so that no head is ahead of it
        current, ended = Head(bounds.created), []
        for head in heads:
            if head.log == bounds.created:
                current = head
            elif span.since_ns <= head.mark_ns < span.until_ns:
                ended.append(head.mark_ns)
            await self._count_rolled_up(head, span, counting, bounds)
        if bounds.created:
            await self._count_rest(current, span, counting, bounds, progress, latest)
        return tuple(ended)

    # Roll-ups

    async def _count_rolled_up(self, head: Head, span: Span, counting: Counting, bounds: Bounds) -> None:
        through = 0
        cut: list[_Asked] = []
        lost: list[tuple[int, int]] = []
        for unit in UNITS:
            whole = _Asked(through + 1, head.through_of(unit), (span,), _periods(head, unit, span))
            through = head.through_of(unit)
            periods = {period for one in (*cut, whole) for period in one.periods}
            rollups = await self._store.read(head.log, unit, sorted(periods), counting.view) if periods else []
            cut = [finer for one in (*cut, whole) async for finer in _counted(one, unit, rollups, counting)]
            lost += _holes(whole, rollups, since_first=unit is not DAY and head.pending(unit).period in whole.periods)
        for first, last in lost:
            if head.log == bounds.created and bounds.first <= first:
                await self._scan(first, last, (span,), counting)
            else:
                counting.gaps[head.log, first] = Gap(first, last, span.since_ns, span.until_ns)
        for one in cut:
            if head.log != bounds.created or bounds.first > one.first:
                raise _Wider(_whole(one.within))
            await self._scan(one.first, one.last, one.spans, counting)

    # Events

    async def _count_rest(
        self,
        head: Head,
        span: Span,
        counting: Counting,
        bounds: Bounds,
        progress: Progress | None,
        latest: Latest | None,
    ) -> None:
        """What is in no roll-up yet."""
        through = min(head.through, bounds.last)
        first = max(through + 1, bounds.first)
        if first <= bounds.last:
            since = await self._log.since(span.since_ns)  # what was stored before cannot have happened later
            if through + 1 < first and 0 < since <= first:
                counting.gaps[head.log, first] = Gap(through + 1, first - 1, head.mark_ns, span.until_ns)
            if not since:
                return
            first = max(first, since)
            if latest is None:
                await self._scan(first, bounds.last, (span,), counting, progress)
                return
            await counting.add_scanned(
                await latest.read(bounds, through=through, first=first, since_ns=span.since_ns, progress=progress)
            )

    async def _count_events(self, span: Span, counting: Counting, progress: Progress | None, latest: Latest) -> bool:
        """Count it all by the events alone; ``False`` when they are too many, or some of that time may be gone."""
        bounds = await self._log.bounds()
        since = await self._log.since(span.since_ns) if bounds.first <= bounds.last else 0
        if since and (bounds.last - since >= _FINE_EVENTS or 1 < since <= bounds.first):
            return False
        if since:
            groups = await latest.read(bounds, through=0, first=since, since_ns=span.since_ns, progress=progress)
            await counting.add_scanned(groups)
        return True

    async def _scan(
        self, first: int, last: int, spans: Iterable[Span], counting: Counting, progress: Progress | None = None
    ) -> None:
        tally = Tally(counting.step_ns, most=10**9)
        async for page in self._log.scan(first - 1):
            for message in page:
                if message.sequence > last:
                    break
                if self._wanted is not None and not self._wanted(message):
                    continue
                told = told_by(message)
                if any(since_ns <= told.time_ns < until_ns for since_ns, until_ns in spans):
                    count(told, tally)
            if progress is not None:
                progress(min(last, page[-1].sequence) - first + 1, last - first + 1)
            if page[-1].sequence >= last:
                break
        await counting.add_scanned(tally.groups)


def _periods(head: Head, unit: Unit, span: Span) -> Sequence[int]:
    """Where the roll-ups of a unit are filed that are part of none of a longer one, and may be of a span."""
    if unit is DAY:
        return range(1)
    pending = head.pending(unit).period
    if pending is None:
        return ()
    return range(max(pending, span.since_ns // unit.filed_ns), head.mark_ns // unit.filed_ns + 1)


async def _counted(asked: _Asked, unit: Unit, rollups: Sequence[Rollup], counting: Counting) -> AsyncIterator[_Asked]:
    """Count what the roll-ups of a range say of whole units; what is still to be looked at in a shorter one."""
    inside = [one for one in rollups if asked.first <= one.first and one.last <= asked.last]
    ranges = [list(parts) for _, parts in groupby(inside, key=lambda one: (one.first, one.last))]
    if asked.within and not _are_all(asked, ranges):
        raise _Wider(_whole(asked.within))
    for parts in ranges:
        cut: dict[Span, None] = {}
        within: dict[Span, None] = {}
        everything = (group for part in parts for group in part.groups)
        for start_s, groups in groupby(everything, key=lambda group: group.start_s):
            time = Span(start_s * 10**9, start_s * 10**9 + unit.length_ns)
            shared = [common for span in asked.spans if (common := span.shared(time))]
            if shared == [time] and counting.tells_apart(unit):
                await counting.add(groups)
            elif shared:
                cut.update(dict.fromkeys(shared))
                within[time] = None
        for gap in (gap for part in parts for gap in part.gaps):
            if any(span.shared(Span(gap.after_ns, gap.before_ns)) for span in asked.spans):
                counting.gaps[parts[0].log, gap.first] = gap
        if cut:
            yield _Asked(parts[0].first, parts[0].last, tuple(cut), _made_of(parts[0], unit), tuple(within))


def _holes(asked: _Asked, rollups: Sequence[Rollup], *, since_first: bool) -> Iterator[tuple[int, int]]:
    """What there should be roll-ups of, and somebody has deleted them.

    Args:
        since_first: whether the first of the range must be there; if not, it may have expired.
    """
    inside = [one for one in rollups if asked.first <= one.first and one.last <= asked.last]
    if not inside and not since_first:
        return
    expected = asked.first if since_first else inside[0].first
    for one in inside:
        if one.first > expected:
            yield expected, one.first - 1
        expected = max(expected, one.last + 1)
    if expected <= asked.last:
        yield expected, asked.last


def _made_of(rollup: Rollup, unit: Unit) -> Sequence[int]:
    """Where the roll-ups of the next shorter unit are filed."""
    return () if unit is MINUTE or rollup.made_of is None else (rollup.made_of,)


def _are_all(asked: _Asked, ranges: Sequence[Sequence[Rollup]]) -> bool:
    """Whether the roll-ups cover the whole range."""
    expected = asked.first
    for parts in ranges:
        if parts[0].first != expected or len(parts) != parts[0].parts:
            return False
        expected = parts[0].last + 1
    return expected == asked.last + 1


def _whole(spans: Iterable[Span]) -> Span:
    return Span(min(span.since_ns for span in spans), max(span.until_ns for span in spans))
