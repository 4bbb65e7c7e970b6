"""The statistics of a recording: its events, counted as they are played."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from naq_runtime.events.models import StoredEvent
from naq_runtime.statistics.counting import Counting, Span
from naq_runtime.statistics.folding import count, told_of
from naq_runtime.statistics.rollup import MINUTE, Tally
from naq_runtime.statistics.trends import FINE_NS, EventTrends, step_ns_of

__all__ = ["RecordedStatistics"]

_KEPT_NS = {FINE_NS: 20 * 60 * 10**9, MINUTE.length_ns: 25 * 3600 * 10**9}
"""How long steps of a length are kept; longer ones are made of minutes."""
_MOST_GROUPS = 50_000


class RecordedStatistics:
    """Counts of the latest of what was played."""

    def __init__(self) -> None:
        self._tallies = {step_ns: Tally(step_ns, most=_MOST_GROUPS) for step_ns in _KEPT_NS}
        self._newest_ns = 0

    def count(self, events: Iterable[StoredEvent]) -> None:
        """Take in what was played."""
        minute = self._newest_ns // MINUTE.length_ns
        for stored in events:
            told = told_of(stored.event)
            self._newest_ns = max(self._newest_ns, told.time_ns)
            for tally in self._tallies.values():
                count(told, tally)
        if self._newest_ns // MINUTE.length_ns != minute:
            for step_ns, tally in self._tallies.items():
                tally.forget_before(self._newest_ns - _KEPT_NS[step_ns])

    async def trends(self, window_s: float, by: Sequence[str] = ()) -> EventTrends:
        """See `Questions.statistics`; up to the latest event."""
        length_ns, until_ns = int(window_s * 1e9), self._newest_ns + 1
        step_ns = step_ns_of(length_ns)
        span = Span(max(0, until_ns - length_ns) // step_ns * step_ns, until_ns)
        counting = Counting(by, step_ns)
        groups = self._tallies[min(step_ns, MINUTE.length_ns)].groups
        await counting.add_scanned(group for group in groups if group.start_s * 10**9 >= span.since_ns)
        return await counting.trends(span, span, ())
