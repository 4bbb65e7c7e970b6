"""How many attempts failed, minute by minute or hour by hour, as far as that was counted."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from naq_runtime.statistics.rollup import HOUR, MINUTE, Group, View
from naq_runtime.statistics.store import RollupStore

__all__ = ["Course", "read_failures"]

_FAILURES = ("job.failed", "job.timed_out")
_MOST_MINUTES = 24 * 60
"""A longer time is told by hours."""


class Course(NamedTuple):
    """Counts by equal units of time."""

    unit_ns: int
    counts: dict[int, int]
    """By the beginning of the unit, in seconds since 1970 UTC; units without any are left out."""
    through_ns: int
    """What happened from then on is counted in none yet; 0 when nothing was ever counted."""


async def read_failures(store: RollupStore, log: str, since_ns: int, until_ns: int) -> Course:
    """The attempts of a log that failed or timed out in a time, without reading a single event.

    Args:
        log: which, by when its stream was made.

    Raises:
        ServerError: the roll-ups cannot be read now.
    """
    unit = MINUTE if until_ns - since_ns <= _MOST_MINUTES * MINUTE.length_ns else HOUR
    head = next((one.head for one in await store.heads() if one.head.log == log), None)
    if head is None:
        return Course(unit.length_ns, {}, 0)
    through_ns = head.mark_ns
    if unit is HOUR and head.minutes.period is not None:
        through_ns = head.minutes.period * MINUTE.filed_ns  # the minutes from here on are in no hour yet
    # What is told late is filed later than it happened.
    periods = range(since_ns // unit.filed_ns, until_ns // unit.filed_ns + 2)
    counts: Counter[int] = Counter()
    for rollup in await store.read(log, unit, periods, View.JOBS):
        for group in rollup.groups:
            counts[group.start_s] += _failures(group)
    return Course(unit.length_ns, +counts, through_ns)


def _failures(group: Group) -> int:
    return sum(group.types.get(name, 0) for name in _FAILURES)
