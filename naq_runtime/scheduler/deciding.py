"""What is to be done with a schedule at a moment: which ticks get jobs, which are missed, and what comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import NamedTuple

from msgspec import Struct

from naq_runtime.schedule import OverlapPolicy, Schedule

__all__ = ["Decision", "decide"]

_MOST_AT_ONCE = 400
"""Ticks of one schedule that are due and are seen to together; the others come right behind them."""
_MOST_COUNTED = {"rate": 10_000, "cron": 1_000}
"""Missed ticks are counted up to here: to find those of an expression takes a while, in which nothing else happens."""
_SPAN_NS = 60_000_000_000


class Decision(Struct, frozen=True):
    """What is to be done with a schedule whose time has come."""

    runs: tuple[int, ...] = ()
    """The ticks that get their jobs now."""
    missed: int = 0
    """Ticks that were due too long ago, those among them that get their jobs after all."""
    caught_up: int = 0
    """How many of these that are."""
    overlapped: int = 0
    """Other ticks that get no job because the one before has not ended."""
    held_ns: int = 0
    """The tick whose job is held until the one before has ended."""
    next_ns: int = 0


def decide(
    schedule: Schedule, now_ns: int, *, late_ns: int, is_busy: bool = False, most: int = 2 * _MOST_AT_ONCE
) -> Decision:
    """What is to be done now.

    Args:
        late_ns: ticks that were due so long ago are late, and run; those that were due before are missed.
        is_busy: whether the last job has not ended.
        most: so many jobs at most now. What is left is due next, and those of it that are missed are told of then.

    Raises:
        InvalidSchedule: its timetable cannot be read here.
    """
    ticks = _due_by(schedule, now_ns, now_ns - late_ns)
    next_ns, late = ticks.next_ns, _caught_up(schedule, ticks, now_ns)
    waiting = [*([schedule.held_ns] if schedule.held_ns else []), *late, *ticks.due]
    kept, held_ns = _kept(schedule.overlap, waiting, is_busy)
    if schedule.repeat is not None and schedule.repeat <= len(kept):
        kept, held_ns, next_ns = kept[: schedule.repeat], 0, 0
        waiting = [tick_ns for tick_ns in waiting if tick_ns <= kept[-1]]
    missed = ticks.missed
    if len(kept) > most:
        missed -= sum(tick_ns >= kept[most] for tick_ns in late)
        kept, next_ns = kept[:most], kept[most]
        waiting = kept
    passed_over = set(waiting).difference(kept, [held_ns])
    return Decision(
        runs=tuple(kept),
        missed=missed,
        caught_up=len(set(late).intersection(waiting) - passed_over),
        overlapped=len(passed_over.difference(late)),
        held_ns=held_ns,
        next_ns=next_ns,
    )


class _Due(NamedTuple):
    """What has come due of a schedule."""

    due: list[int]
    missed: int
    counted: list[int]
    """The missed ticks, but for those that are too many to be counted."""
    next_ns: int
    """The first that is neither; 0 for none."""


def _due_by(schedule: Schedule, now_ns: int, late_since_ns: int) -> _Due:
    most = _MOST_COUNTED["rate" if schedule.every_ns else "cron"]
    due: list[int] = []
    missed: list[int] = []
    moment_ns = 0
    for tick_ns in _from(schedule):
        moment_ns = max(moment_ns, tick_ns + schedule.delay_of(tick_ns))  # none comes before another one
        if moment_ns > now_ns or len(due) == _MOST_AT_ONCE:
            return _Due(due, len(missed), missed, tick_ns)
        (due if moment_ns >= late_since_ns else missed).append(tick_ns)
        if len(missed) == most:
            return _after_many(schedule, missed, now_ns, late_since_ns)
    return _Due(due, len(missed), missed, 0)


def _after_many(schedule: Schedule, missed: list[int], now_ns: int, late_since_ns: int) -> _Due:
    """Pass over those that are too many to be counted, and look at the last of them and at what is due now."""
    now = _due_by(schedule.evolve(next_ns=schedule.next_after(late_since_ns - 1)), now_ns, late_since_ns)
    first_ns = max(missed[-1], now_ns - schedule.catch_up_window_ns - 1)
    last = _last_before(schedule, first_ns, late_since_ns, len(missed))
    return now._replace(missed=len(missed), counted=last or missed)


def _last_before(schedule: Schedule, first_ns: int, until_ns: int, most: int) -> list[int]:
    """The ticks that a schedule catches up with of those after one moment and before another; few more are looked at.

    A timetable is read forwards only. So it is tried how far back there are enough of them, and not too many.
    """
    enough = min(schedule.catch_up_limit, _MOST_AT_ONCE)
    span_ns, few_ns, many_ns = _SPAN_NS, 0, 0
    while True:
        since_ns = max(first_ns, until_ns - span_ns)
        recent = takewhile(lambda tick_ns: tick_ns < until_ns, schedule.ticks_after(since_ns))
        last = list(islice(recent, most + 1))
        if len(last) <= most and (len(last) >= enough or since_ns == first_ns):
            return last
        if len(last) > most:
            many_ns = span_ns
        else:
            few_ns = span_ns
        span_ns = (few_ns + many_ns) // 2 if many_ns else 2 * span_ns


def _from(schedule: Schedule) -> Iterator[int]:
    if schedule.next_ns:
        yield schedule.next_ns
        yield from schedule.ticks_after(schedule.next_ns)


def _caught_up(schedule: Schedule, ticks: _Due, now_ns: int) -> list[int]:
    recent = [tick_ns for tick_ns in ticks.counted if tick_ns >= now_ns - schedule.catch_up_window_ns]
    match schedule.missed:
        case "all":
            return recent[-min(max(1, schedule.catch_up_limit), _MOST_AT_ONCE) :]  # whatever the record says
        case "once":
            return recent[-1:]
        case _:
            return []


def _kept(overlap: OverlapPolicy, runs: list[int], is_busy: bool) -> tuple[list[int], int]:
    """Those of several ticks that get their jobs, and the one that is held."""
    match overlap:
        case "skip":
            return ([] if is_busy else runs[:1]), 0
        case "buffer":
            first, rest = ([], runs) if is_busy else (runs[:1], runs[1:])
            return first, rest[-1] if rest else 0
        case "cancel":
            return runs[-1:], 0
        case _:
            return runs, 0
