"""Events of several processes, in the order in which they happened.

Each process stores its events in batches of its own, so that a job may seem to start before it was enqueued. Held
back for a moment, the batches can be merged by time.
"""

from __future__ import annotations

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
        """Hold events that have come now."""
        self._held += [(now_ns, stored.event.moment_ns, stored) for stored in events]

    def take(self, now_ns: int) -> list[StoredEvent]:
        """What has been held long enough, and what happened before that."""
        horizon = now_ns - self._hold_ns
        due = [moment_ns for came_ns, moment_ns, _ in self._held if came_ns <= horizon]
        if not due:
            return []
        latest = max(due)
        taken: list[_Held] = []
        kept: list[_Held] = []
        for held in self._held:
            (taken if held[0] <= horizon or held[1] <= latest else kept).append(held)
        self._held = kept
        taken.sort(key=itemgetter(1))
        return [stored for _, _, stored in taken]
