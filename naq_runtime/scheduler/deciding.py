"""What is to be done with a schedule at a moment: which ticks get jobs, which are missed, and what comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from naq_runtime.schedule import OverlapPolicy, Schedule

__all__ = ["Decision", "decide"]

_MOST_COUNTED = 10_000
"""Missed ticks are counted up to here."""


class Decision(Struct, frozen=True):
    """What is to be done with a schedule whose time has come."""

    runs: tuple[int, ...] = ()
    """The ticks that get their jobs now."""
    missed: int = 0
    """Ticks that were due too long ago, those among them that get their jobs after all."""
    caught_up: int = 0
    """How many of these that are."""
    overlapped: int = 0
    """Ticks that get no job because the one before has not ended."""
    held_ns: int = 0
    """The tick whose job is held until the one before has ended."""
    next_ns: int = 0


def decide(schedule: Schedule, now_ns: int, *, late_ns: int, is_busy: bool = False) -> Decision:
    """What is to be done now.

    Args:
        late_ns: ticks that were due so long ago are late, and run; those that were due before are missed.
        is_busy: whether the last job has not ended.

    Raises:
        InvalidSchedule: its timetable cannot be read here.
    """
    due, missed, next_ns = _due_by(schedule, now_ns, late_ns)
    caught_up = _caught_up(schedule, missed, now_ns)
    runs = [*caught_up, *due]
    if schedule.held_ns:
        runs.insert(0, schedule.held_ns)
    kept, held_ns = _kept(schedule.overlap, runs, is_busy)
    if schedule.repeat is not None:
        kept = kept[: schedule.repeat]
        if schedule.repeat <= len(kept):
            held_ns, next_ns = 0, 0
    return Decision(
        runs=tuple(kept),
        missed=len(missed),
        caught_up=len(caught_up),
        overlapped=max(0, len(runs) - len(kept) - bool(held_ns)),
        held_ns=held_ns,
        next_ns=next_ns,
    )


def _due_by(schedule: Schedule, now_ns: int, late_ns: int) -> tuple[list[int], list[int], int]:
    """The ticks that are due, those that are missed, and the first one that is neither."""
    due: list[int] = []
    missed: list[int] = []
    for tick_ns in _from(schedule):
        if tick_ns + schedule.delay_of(tick_ns) > now_ns:
            return due, missed, tick_ns
        if len(missed) == _MOST_COUNTED:
            return due, missed, schedule.next_after(now_ns)
        (due if tick_ns >= now_ns - late_ns else missed).append(tick_ns)
    return due, missed, 0


def _from(schedule: Schedule) -> Iterator[int]:
    if schedule.next_ns:
        yield schedule.next_ns
        yield from schedule.ticks_after(schedule.next_ns)


def _caught_up(schedule: Schedule, missed: list[int], now_ns: int) -> list[int]:
    recent = [tick_ns for tick_ns in missed if tick_ns >= now_ns - schedule.catch_up_window_ns]
    match schedule.missed:
        case "all":
            return recent[-schedule.catch_up_limit :]
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
