"""Adding up what roll-ups and single events say, by the names that are asked for, and by steps of time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from naq_runtime.statistics.answer import EventStatistics, GroupStatistics, statistics_of
from naq_runtime.statistics.rollup import OTHERS, Gap, Group, Unit, View
from naq_runtime.statistics.trends import EventTrends, GroupNames, Trend, trend_of

__all__ = ["NAMES", "Counting", "Span"]

NAMES = ("queue", "function", "worker")
"""What can be told apart."""
_EVER_NS = 10**30
"""A step that holds all times."""
_SECOND_NS = 1_000_000_000
_AT_A_TIME = 64
"""Groups that are counted before others have their turn."""


class Span(NamedTuple):
    """From a moment to before another one."""

    since_ns: int
    until_ns: int

    def has(self, other: Span) -> bool:
        """Whether the other one lies wholly in it."""
        return self.since_ns <= other.since_ns and other.until_ns <= self.until_ns

    def shared(self, other: Span) -> Span | None:
        """What lies in both."""
        since_ns, until_ns = max(self.since_ns, other.since_ns), min(self.until_ns, other.until_ns)
        return Span(since_ns, until_ns) if since_ns < until_ns else None


class Counting:
    """What was counted so far.

    Args:
        by: which of `NAMES` to tell apart.
        step_ns: a length of time by which to tell apart, too; 0 for none.
    """

    def __init__(self, by: Sequence[str] = (), step_ns: int = 0) -> None:
        self.gaps: dict[tuple[str, int], Gap] = {}
        self.rolled_up = self.scanned = 0
        self.view = View.WORKERS if "worker" in by else View.JOBS
        self.step_ns = step_ns or _EVER_NS
        self._groups: dict[GroupNames, dict[int, Group]] = {}
        self._named = bool(by)
        self._by = [name in by for name in NAMES]

    def __repr__(self) -> str:
        return f"<Counting groups={len(self._groups)} rolled_up={self.rolled_up} scanned={self.scanned}>"

    def tells_apart(self, unit: Unit) -> bool:
        """Whether a roll-up of so long is short enough for the steps."""
        return unit.length_ns <= self.step_ns

    async def add(self, groups: Iterable[Group]) -> None:
        """Count what groups of a roll-up did."""
        self.rolled_up += await self._add(groups)

    async def add_scanned(self, groups: Iterable[Group]) -> None:
        """Count what was read of single events."""
        self.scanned += await self._add(groups)

    async def _add(self, groups: Iterable[Group]) -> int:
        """Count groups, and how many events they are of; others have their turn now and then."""
        events = 0
        for place, group in enumerate(groups, 1):
            events += sum(group.types.values())
            self._merge(group)
            if place % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return events

    def _merge(self, group: Group) -> None:
        queue, function, worker = self._by
        names = (group.queue if queue else None, group.function if function else None, group.worker if worker else None)
        step = group.start_s * _SECOND_NS // self.step_ns
        steps = self._groups.setdefault(names, {})
        there = steps.get(step)
        if there is None:
            there = steps[step] = Group(0, *names)
        there.merge(group)

    def of_function(self, name: str) -> Group:
        """What jobs of a function did, when functions alone are told apart."""
        return _together(self._groups.get((None, name, None), {}).values())

    def statistics(self, asked: Span, span: Span, ended: tuple[int, ...]) -> EventStatistics:
        """The answer to how many there were in all.

        Args:
            asked: the time that was asked for, and then that which was counted.
            ended: when logs ended.
        """
        groups = [_together(steps.values()) for steps in self._groups.values()]
        return self._answer([_named(one) for one in groups], _together(groups), asked, span, ended)

    async def trends(self, asked: Span, span: Span, ended: tuple[int, ...]) -> EventTrends:
        """The same, and how it went step by step; others have their turn meanwhile."""
        first, last = span.since_ns // self.step_ns, (span.until_ns - 1) // self.step_ns
        wanted = range(first, last + 1)
        everything: dict[int, Group] = {}
        groups: list[GroupStatistics] = []
        by_names: dict[GroupNames, Trend] = {}
        for names, steps in self._groups.items():
            together = _together(steps.values())
            groups.append(_named(together))
            by_names[names] = trend_of([steps.get(step) for step in wanted], together)
            for step, group in steps.items():
                everything.setdefault(step, Group(0)).merge(group)
            await asyncio.sleep(0)
        whole = _together(everything.values())
        return EventTrends(
            statistics=self._answer(groups, whole, asked, span, ended),
            step_ns=self.step_ns,
            first_ns=first * self.step_ns,
            total=trend_of([everything.get(step) for step in wanted], whole),
            by_names=by_names,
        )

    def _answer(
        self, groups: Sequence[GroupStatistics], whole: Group, asked: Span, span: Span, ended: tuple[int, ...]
    ) -> EventStatistics:
        return EventStatistics(
            since_ns=span.since_ns,
            until_ns=span.until_ns,
            asked_since_ns=asked.since_ns,
            asked_until_ns=asked.until_ns,
            is_exact=span == asked,
            total=statistics_of(whole),
            groups=tuple(sorted(groups, key=lambda one: -one.events)) if self._named else (),
            has_others=any(OTHERS in names for names in self._groups),
            gaps=tuple(sorted(self.gaps.values(), key=lambda gap: (gap.after_ns, gap.first))),
            ended_logs_ns=ended,
            rolled_up=self.rolled_up,
            scanned=self.scanned,
        )


def _named(group: Group) -> GroupStatistics:
    return statistics_of(group, queue=group.queue, function=group.function, worker=group.worker)


def _together(groups: Iterable[Group]) -> Group:
    """All of them added up, under the names of the first; one alone is not copied."""
    some = list(groups)
    if len(some) == 1:
        return some[0]
    whole = Group(0, some[0].queue, some[0].function, some[0].worker) if some else Group(0)
    for group in some:
        whole.merge(group)
    return whole
