"""A head that cannot be read is made anew from the roll-ups that it knew of.

They say all that it said: which range of events is in which of them, and where those are filed that are still to be put
together. So nothing is counted twice, and nothing is lost, not even what the log of events holds no more.
"""

from __future__ import annotations

from itertools import pairwise

from naq_runtime.clock import nanoseconds_of
from naq_runtime.statistics.rollup import HOUR, MINUTE, UNITS, Rollup, Unit
from naq_runtime.statistics.store import Head, Pending, RollupStore

__all__ = ["head_of_rollups"]

_SHORTER = dict(pairwise(UNITS))


async def head_of_rollups(store: RollupStore, token: str) -> Head | None:
    """The head of a log, as its roll-ups have it; ``None`` when there are none.

    It may mark a time up to a minute later than the true one did, at the end of the minute of that, and a time of
    storage up to that of the last roll-up.

    Args:
        token: stands for the log in the subjects.

    Raises:
        ServerError: they cannot be read now.
    """
    log, through, mark_ns, stored_ns = "", 0, 0, 0
    pending: dict[Unit, Pending] = {}
    for unit in UNITS:
        pending[unit] = Pending(through)
        async for filed in store.filed(token, unit):
            rollup = filed.rollup
            if pending[unit].period is None and rollup.first > pending[unit].through:
                pending[unit] = Pending(through, filed.period, filed.after)
            log, through = rollup.log, max(through, rollup.last)
            mark_ns = max(mark_ns, _mark_ns(rollup, unit))
            stored_ns = max(stored_ns, nanoseconds_of(filed.stored_at))
    return Head(log, through, mark_ns, stored_ns, pending[MINUTE], pending[HOUR]) if log else None


def _mark_ns(rollup: Rollup, unit: Unit) -> int:
    """By when all that it counted had happened."""
    if unit is not MINUTE and rollup.made_of is not None:
        return (rollup.made_of + 1) * _SHORTER[unit].filed_ns
    return max((group.start_s * 10**9 + unit.length_ns for group in rollup.groups), default=0)
