"""A log that goes further back than what is kept of it: with what was read of the server meanwhile."""

from __future__ import annotations

from naq_runtime.events.answers import EarlierEvents
from naq_tui.model.log import EventLog

__all__ = ["DEEP_LIMIT", "DeepLog"]

DEEP_LIMIT = 250_000
"""Events that are held at most."""
_DISORDER = 1_000
"""Events lie by their time; by their sequence none is farther than this from its place."""


class DeepLog:
    """A copy of a log, at the same positions, that grows at both ends.

    Args:
        log: what is kept; it may go on to forget its oldest events.
    """

    def __init__(self, log: EventLog, limit: int = DEEP_LIMIT) -> None:
        self.log = log.copy(limit)
        kept = log.between(log.first, log.end)
        self._known = {stored.sequence for stored in kept}
        self.before = max((stored.sequence for stored in kept[:_DISORDER]), default=0) + 1
        """Where to go on: what was stored before this sequence, and is not here, is to be asked for."""
        self.more = bool(kept)
        """Whether there may be more."""
        self._limit = limit

    def catch_up(self, log: EventLog) -> bool:
        """Take in what has been appended to the log; false when it has forgotten some of that already."""
        if not log.first <= self.log.end <= log.end:
            return False
        news = log.between(self.log.end, log.end)
        self.log.extend(news, len(news))
        return True

    def take(self, page: EarlierEvents) -> int:
        """Take in what was asked for; returns how many events are new."""
        new = [stored for stored in page.events if stored.sequence not in self._known]
        self.before = page.before
        taken = self.log.extend_back(new)
        self.more = page.more and taken == len(new)
        return taken
