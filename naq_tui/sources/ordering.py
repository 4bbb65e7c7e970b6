"""Events of several processes, in the order in which they happened.

Each process stores its events in batches of its own, so that a job may seem to start before it was enqueued. Held
back for a moment, the batches can be merged by time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

from naq_runtime.events.models import StoredEvent

__all__ = ["Ordering"]

_Held = tuple[int, int, StoredEvent]
"""An event, behind when it came and when it happened."""


class Ordering:
    """Holds events for a moment, and gives them back sorted by time.

    An event that came later than others of its time is given back with those that came after it: nothing waits longer
    than the hold, and nothing is lost.

    Args:
        hold_ns: how long each is held.
    """

    def __init__(self, hold_ns: int) -> None:
        self._hold_ns = hold_ns
        self._held: list[_Held] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, events: Sequence[StoredEvent], now_ns: int) -> None:
        """Hold events that have come now, which is not before those that are held."""
        self._held += [(now_ns, stored.event.moment_ns, stored) for stored in events]

    def take(self, now_ns: int) -> list[StoredEvent]:
        """What has been held long enough, and what happened before that."""
        count = bisect_right(self._held, now_ns - self._hold_ns, key=itemgetter(0))
        if not count:
            return []
        due, rest = self._held[:count], self._held[count:]
        latest = max(map(itemgetter(1), due))
        due += [held for held in rest if held[1] <= latest]
        self._held = [held for held in rest if held[1] > latest]
        due.sort(key=itemgetter(1))
        return [stored for _, _, stored in due]
