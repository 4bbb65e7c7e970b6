"""The chore of the leader that rolls events up: the next of them into minutes, minutes into hours, hours into days.

A step is small, and stored as a whole or not at all (`RollupStore.add`); where to go on is always read from the stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from naq_runtime.errors import SerializationError, ServerError, StreamMissing
from naq_runtime.naming import Names
from naq_runtime.nats.direct import Bounds, StoredMessage
from naq_runtime.nats.publish import is_conflict
from naq_runtime.nats.streams import Streams
from naq_runtime.statistics.folding import Told, count, told_by
from naq_runtime.statistics.mending import head_of_rollups
from naq_runtime.statistics.rollup import DAY, HOUR, MINUTE, Gap, Group, Rollup, Tally, Unit
from naq_runtime.statistics.store import Head, Pending, RollupStore, StandingHead, token_of

__all__ = ["MOST_EVENTS", "RollupWriter"]

log = logging.getLogger(__name__)

MOST_EVENTS = 20_000
"""Of the range of one roll-up."""
_SETTLED_NS = 5_000_000_000
"""Events that were stored so long ago are there to stay: a server that is killed forgets its last milliseconds."""
_IMPOSSIBLE_NS = 3600 * 1_000_000_000
"""Events that were stored so much later than now are of a time when the clock of the server was wrong."""
_MOST_TOGETHER = 4_000
"""Groups that are stored in one go; one roll-up may come on top."""
_AT_LEAST_NS = 30_000_000_000
"""A range ends at a full minute, when it has lasted for so long by then."""
_BLOCKED_S = 0.005
"""So long at most nothing else happens while events are counted."""
_LOOK = 64
"""Events between two looks at the time."""


@dataclass
class _Range:
    """Events that are being counted."""

    first: int
    last: int
    started_ns: int
    mark_ns: int
    """When the latest of these and of those before happened, and when the last was stored."""
    stored_ns: int
    tally: Tally
    count: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @property
    def period(self) -> int:
        """Where their roll-up is filed."""
        return self.mark_ns // MINUTE.filed_ns

    def admits(self, told: Told) -> bool:
        """Whether one more belongs to them."""
        minute = MINUTE.length_ns
        end_ns = ((self.started_ns + _AT_LEAST_NS) // minute + 1) * minute
        return self.count < MOST_EVENTS and told.time_ns < end_ns

    def take(self, sequence: int, told: Told) -> None:
        """Count one more."""
        count(told, self.tally)
        self.last, self.count = sequence, self.count + 1
        self.mark_ns = max(self.mark_ns, told.time_ns)
        self.stored_ns = max(self.stored_ns, told.stored_ns)


class RollupWriter:
    """Rolls up what has been stored until the last full minute.

    Args:
        ready: sees that there is a stream of roll-ups.
        now_ns: by the clock of the server.
        most_groups: of one roll-up.
        may_act: whether it is on us.
        mended: told what was wrong with a head that was made anew.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        store: RollupStore,
        *,
        ready: Callable[[], Awaitable[object]],
        now_ns: Callable[[], int],
        most_groups: int,
        may_act: Callable[[], bool],
        mended: Callable[[SerializationError], object] = lambda _: None,
    ) -> None:
        self._streams = streams
        self._names = names
        self._store = store
        self._ready = ready
        self._now_ns = now_ns
        self._most_groups = most_groups
        self._may_act = may_act
        self._mended = mended
        self._done_ns = 0
        """What was stored before this is rolled up, as far as clocks were right."""

    async def catch_up(self) -> int:
        """Roll up what there is; how many events.

        Raises:
            ServerError: a step may be done or not; call again.
        """
        limit_ns = (self._now_ns() - _SETTLED_NS) // MINUTE.length_ns * MINUTE.length_ns
        if limit_ns == self._done_ns:  # it may be earlier than that: clocks are set
            return 0
        try:
            await self._ready()
            await self._mend()
            counted = await self._count(limit_ns)
            for standing in await self._store.heads():
                await self._put_together(standing, limit_ns)
        except ServerError as error:
            if not is_conflict(error):
                raise
            log.debug("somebody else rolls up", extra={"action": "rollup_refused"})
            return 0
        if self._may_act():
            self._done_ns = limit_ns
        return counted

    async def _mend(self) -> None:
        """Make heads anew that cannot be read: of their logs, nothing would be rolled up any more."""
        for damaged in await self._store.damaged_heads():
            head = await head_of_rollups(self._store, damaged.token)
            if head is None:
                created = (await self._streams.bounds(self._names.events_stream)).created
                if token_of(created) != damaged.token:
                    continue  # there was a log, and nothing is left of it
                head = Head(created)
            if self._may_act():
                await self._store.add(StandingHead(head, damaged.sequence), head, MINUTE, 0, ())
                self._mended(damaged.error)

    # Events into minutes

    async def _count(self, limit_ns: int) -> int:
        bounds = await self._streams.bounds(self._names.events_stream)
        if not bounds.created:
            return 0
        standing = await self._standing(bounds)
        begun = standing.head.through
        async with aclosing(_batches(self._ranges(standing.head, bounds, limit_ns))) as batches:
            async for pieces in batches:
                now = await self._streams.bounds(self._names.events_stream)
                if now.created != bounds.created or not self._may_act():
                    break  # what was read last may be of another log, or is for others to count
                standing = await self._store_minutes(standing, pieces)
                standing = await self._put_together(standing)
        return standing.head.through - begun

    async def _standing(self, bounds: Bounds) -> StandingHead:
        """How far the log has come that is there now."""
        heads = {standing.head.log: standing for standing in await self._store.heads()}
        standing = heads.get(bounds.created)
        if standing is None:  # it is new, or somebody has removed its head, and not its roll-ups
            rolled_up = await head_of_rollups(self._store, token_of(bounds.created))
            standing = StandingHead(rolled_up or Head(bounds.created))
        head = standing.head
        if not head.through:
            return standing
        # A server that crashes may forget its last events, and gives their sequences to others; these are counted, too.
        later = await self._streams.since(self._names.events_stream, head.stored_ns + 1)
        counted = min(head.through, bounds.last, later - 1 if later else head.through)
        return msgspec.structs.replace(standing, head=head.back_to(counted))

    async def _ranges(self, head: Head, bounds: Bounds, limit_ns: int) -> AsyncGenerator[_Range, None]:
        """What follows, range by range; the rest of the program goes on meanwhile."""
        current: _Range | None = None
        through, mark_ns, stored = head.through, head.mark_ns, head.stored_ns
        async for sequence, told, gap in self._events(through, bounds, limit_ns):
            if current is not None and not current.admits(told):
                yield current
                through, mark_ns, stored, current = current.last, current.mark_ns, current.stored_ns, None
            if current is None:
                started_ns = max(mark_ns, told.time_ns)
                tally = Tally(MINUTE.length_ns, most=self._most_groups)
                current = _Range(through + 1, through, started_ns, mark_ns, stored, tally)
            if gap is not None:
                current.gaps.append(Gap(*gap, after_ns=current.mark_ns, before_ns=told.time_ns))
            current.take(sequence, told)
        if current is not None:
            yield current

    async def _events(
        self, through: int, bounds: Bounds, limit_ns: int
    ) -> AsyncIterator[tuple[int, Told, tuple[int, int] | None]]:
        """The events behind a sequence that were stored before a time; and which were gone before each."""
        stream, expected = self._names.events_stream, through + 1
        try:
            async for page in self._streams.scan(stream, ">", through):
                first = page[0].sequence
                if first > expected and bounds.first <= expected:
                    bounds = await self._streams.bounds(stream)
                gap = (expected, min(first, bounds.first) - 1) if first > expected < bounds.first else None
                async for message in _by_and_by(page):
                    told = told_by(message)
                    if limit_ns <= told.stored_ns < limit_ns + _IMPOSSIBLE_NS:
                        return
                    yield message.sequence, told, gap
                    gap = None
                expected = page[-1].sequence + 1
        except StreamMissing:
            return

    async def _store_minutes(self, standing: StandingHead, pieces: Sequence[_Range]) -> StandingHead:
        """Store ranges that are filed together."""
        head, pending, last = standing.head, standing.head.minutes, pieces[-1]
        if pending.period is None:
            pending = msgspec.structs.replace(pending, period=last.period, after=standing.sequence)
        after = msgspec.structs.replace(
            head, through=last.last, mark_ns=last.mark_ns, stored_ns=last.stored_ns, minutes=pending
        )
        rollups = [Rollup(head.log, one.first, one.last, groups=one.tally.groups, gaps=one.gaps) for one in pieces]
        return await self._store.add(standing, after, MINUTE, last.period, rollups)

    # Minutes into hours, hours into days

    async def _put_together(self, standing: StandingHead, limit_ns: int = 0) -> StandingHead:
        """Do so with all that are complete.

        Args:
            limit_ns: all events that were stored before are counted.
        """
        while self._may_act():
            head = standing.head
            if _is_over(head.minutes, MINUTE, max(head.mark_ns, limit_ns)):
                standing = await self._one_of(standing, MINUTE, HOUR)
            elif _is_over(head.hours, HOUR, max(head.mark_ns, limit_ns)) and not _is_in(head.minutes, head.hours):
                standing = await self._one_of(standing, HOUR, DAY)
            else:
                break
        return standing

    async def _one_of(self, standing: StandingHead, unit: Unit, next_unit: Unit) -> StandingHead:
        """Put together the first of those that are pending."""
        head = standing.head
        pending = head.pending(unit)
        assert pending.period is not None
        tally = Tally(next_unit.length_ns, most=self._most_groups)
        rollup = Rollup(head.log, pending.through + 1, pending.through, made_of=pending.period)
        period_ns = pending.period * unit.filed_ns
        following = Pending(head.through_of(unit))
        async with aclosing(self._store.pending(head, unit)) as filed:
            async for one in filed:
                _note_missing(rollup, one.rollup.first, period_ns, unit)
                if one.period > pending.period:
                    following = Pending(rollup.last, one.period, one.sequence - 1)
                    break
                rollup.last = max(rollup.last, one.rollup.last)
                rollup.gaps += one.rollup.gaps
                await _merge(tally, one.rollup.groups)
        _note_missing(rollup, following.through + 1, period_ns, unit)
        rollup.groups = tally.groups
        period = period_ns // next_unit.filed_ns
        after = msgspec.structs.replace(head, mark_ns=max(head.mark_ns, period_ns + unit.filed_ns))
        if next_unit is DAY:
            after = msgspec.structs.replace(after, hours=following)
        else:
            hours = head.hours
            if hours.period is None:
                hours = msgspec.structs.replace(hours, period=period, after=standing.sequence)
            after = msgspec.structs.replace(after, minutes=following, hours=hours)
        return await self._store.add(standing, after, next_unit, period, [rollup])


async def _batches(ranges: AsyncGenerator[_Range, None]) -> AsyncGenerator[list[_Range], None]:
    """Ranges that are filed together, as many as are stored in one go; where much is to be made up for."""
    batch: list[_Range] = []
    async with aclosing(ranges):
        async for piece in ranges:
            size = sum(len(one.tally) for one in batch)
            if batch and (piece.period != batch[0].period or size > _MOST_TOGETHER):
                yield batch
                batch = []
            batch.append(piece)
    if batch:
        yield batch


def _note_missing(rollup: Rollup, first: int, period_ns: int, unit: Unit) -> None:
    """What comes next begins at ``first``; what there is none of before was deleted, or not kept for long enough."""
    if first > rollup.last + 1:
        rollup.gaps.append(Gap(rollup.last + 1, first - 1, period_ns, period_ns + unit.filed_ns))
        rollup.last = first - 1


async def _merge(tally: Tally, groups: Sequence[Group]) -> None:
    """Add groups, some at a time."""
    for start in range(0, len(groups), _LOOK):
        tally.merge(groups[start : start + _LOOK])
        await asyncio.sleep(0)


def _is_over(pending: Pending, unit: Unit, now_ns: int) -> bool:
    """Whether nothing more can be filed where the first of those that are pending are."""
    return pending.period is not None and (pending.period + 1) * unit.filed_ns <= now_ns


def _is_in(minutes: Pending, hours: Pending) -> bool:
    """Whether there are minutes left that belong to the day of the hours that are pending."""
    if minutes.period is None or hours.period is None:
        return False
    return minutes.period * MINUTE.filed_ns // HOUR.filed_ns <= hours.period


async def _by_and_by(page: list[StoredMessage]) -> AsyncIterator[StoredMessage]:
    """The messages of a page; others have their turn in between."""
    loop = asyncio.get_running_loop()
    since_s = loop.time()
    for place, message in enumerate(page):
        yield message
        if place % _LOOK == 0 and loop.time() - since_s > _BLOCKED_S:
            await asyncio.sleep(0)
            since_s = loop.time()
